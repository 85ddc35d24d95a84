package obs

import (
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Registry is all metrics of one broker. Two brokers in one process, as in
// tests, have two.
type Registry struct {
	reg      *prometheus.Registry
	families []Family
}

// NewRegistry makes an empty registry.
func NewRegistry() *Registry { return &Registry{reg: prometheus.NewRegistry()} }

// Families lists what is registered, but for Process; in order of registration.
// Nothing may be registered meanwhile.
func (r *Registry) Families() []Family { return r.families }

// Process adds the metrics of this process and of the Go runtime: process_*
// and go_*. Only the binary does so; of several brokers in one process none.
func (r *Registry) Process() {
	r.reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
}

// Handler serves the metrics: text, or protobuf to a scraper that asks for
// native histograms. At most four scrapes run at a time, each for ten seconds
// at most; a family that fails is left out and counted in promhttp_*.
func (r *Registry) Handler() http.Handler {
	return promhttp.HandlerFor(r.reg, promhttp.HandlerOpts{
		Registry:            r.reg,
		ErrorHandling:       promhttp.ContinueOnError,
		MaxRequestsInFlight: 4,
		Timeout:             10 * time.Second,
	})
}

func (r *Registry) add(c prometheus.Collector, list ...Family) {
	r.reg.MustRegister(c)
	r.families = append(r.families, list...)
}

// Counter is a number that only rises.
type Counter struct{ c prometheus.Counter }

// Counter registers a counter without labels. By custom its name ends in _total.
func (r *Registry) Counter(name, help string) *Counter {
	c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	r.add(c, Family{Name: name, Help: help, Kind: CounterKind})
	return &Counter{c}
}

// Inc adds one.
func (c *Counter) Inc() { c.c.Inc() }

// Add adds n, which must not be negative.
func (c *Counter) Add(n int64) { c.c.Add(float64(n)) }

// Counters is a counter per value of some labels whose values are few and known:
// an API, a reason, a listener.
type Counters struct{ v *prometheus.CounterVec }

// Counters registers counters under the given labels.
func (r *Registry) Counters(name, help string, labels ...string) *Counters {
	v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	r.add(v, Family{Name: name, Help: help, Kind: CounterKind, Labels: labels})
	return &Counters{v}
}

// With is the counter for some label values, in the labels' order. On the hot
// path ask once and keep the answer.
func (c *Counters) With(values ...string) *Counter { return &Counter{c.v.WithLabelValues(values...)} }

// Gauge registers a number that is computed at each scrape.
func (r *Registry) Gauge(name, help string, f func() float64) {
	r.add(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, f), Family{Name: name, Help: help, Kind: GaugeKind})
}

// Info registers a constant 1 whose labels carry facts: a version, an id.
func (r *Registry) Info(name, help string, facts map[string]string) {
	g := prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help, ConstLabels: facts})
	g.Set(1)
	r.add(g, Family{Name: name, Help: help, Kind: GaugeKind, Labels: slices.Sorted(maps.Keys(facts))})
}
