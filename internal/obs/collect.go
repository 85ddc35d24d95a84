package obs

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

// Kind is what a family of series is to a scraper.
type Kind prometheus.ValueType

const (
	CounterKind = Kind(prometheus.CounterValue)
	GaugeKind   = Kind(prometheus.GaugeValue)
	Untyped     = Kind(prometheus.UntypedValue)

	// HistogramKind and SummaryKind only say what Families has: nothing is
	// collected under the first, and the second is what EmitDistribution gives.
	HistogramKind = Kind(-1)
	SummaryKind   = Kind(-2)
)

func (k Kind) String() string {
	return map[Kind]string{CounterKind: "counter", GaugeKind: "gauge", Untyped: "untyped", HistogramKind: "histogram", SummaryKind: "summary"}[k]
}

// Family describes series of one name that a collector computes at each scrape.
type Family struct {
	Name, Help string
	Kind       Kind
	Labels     []string
	desc       *prometheus.Desc
}

// Scrape takes the series of one scrape from a collector.
type Scrape struct {
	families []Family
	out      chan<- prometheus.Metric
}

// Emit gives one series of the family with the given place in the list that
// was registered. Wrong label values spoil the family in this scrape.
func (s *Scrape) Emit(family int, value float64, labels ...string) {
	f := &s.families[family]
	m, err := prometheus.NewConstMetric(f.desc, prometheus.ValueType(f.Kind), value, labels...)
	if err != nil {
		m = prometheus.NewInvalidMetric(f.desc, err)
	}
	s.out <- m
}

// EmitDistribution gives a summary: count, sum and the given quantiles.
func (s *Scrape) EmitDistribution(family int, d Distribution, scale float64, quantiles []float64, labels ...string) {
	f := &s.families[family]
	values := make(map[float64]float64, len(quantiles))
	for _, q := range quantiles {
		values[q] = d.Quantile(q) * scale
	}
	m, err := prometheus.NewConstSummary(f.desc, d.Count, d.Sum*scale, values, labels...)
	if err != nil {
		m = prometheus.NewInvalidMetric(f.desc, err)
	}
	s.out <- m
}

// Collect registers families that f computes together at each scrape, in one
// walk over whatever they are about. f runs on the scraper's goroutine, may run
// several times at once, and must not wait for long.
func (r *Registry) Collect(families []Family, f func(*Scrape)) {
	c := &collector{families: slices.Clone(families), f: f} // the list may be another registry's too
	for i := range c.families {
		fam := &c.families[i]
		fam.desc = prometheus.NewDesc(fam.Name, fam.Help, fam.Labels, nil)
	}
	r.add(c, c.families...)
}

type collector struct {
	families []Family
	f        func(*Scrape)
}

func (c *collector) Describe(out chan<- *prometheus.Desc) {
	for i := range c.families {
		out <- c.families[i].desc
	}
}

func (c *collector) Collect(out chan<- prometheus.Metric) {
	c.f(&Scrape{families: c.families, out: out})
}
