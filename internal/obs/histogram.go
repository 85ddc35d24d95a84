package obs

import (
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// durationBuckets reach from 100 µs, an acknowledgement from memory, to 30 s, a
// request that hung until its time ran out.
var durationBuckets = []float64{
	.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30,
}

// sizeBuckets reach from 128 bytes to 64 MiB by factors of four.
var sizeBuckets = prometheus.ExponentialBuckets(128, 4, 11)

// Histogram counts observations by size. It keeps classic buckets, which every
// scraper reads, and native ones (steps of 10 %), which newer ones ask for.
type Histogram struct {
	o prometheus.Observer
}

// Histograms is a histogram per value of some labels whose values are few.
type Histograms struct{ v *prometheus.HistogramVec }

func histogramOpts(name, help string, buckets []float64) prometheus.HistogramOpts {
	return prometheus.HistogramOpts{
		Name: name, Help: help, Buckets: buckets,
		NativeHistogramBucketFactor:     1.1,
		NativeHistogramMaxBucketNumber:  160,
		NativeHistogramMinResetDuration: time.Hour,
	}
}

// Durations registers histograms of time in seconds.
func (r *Registry) Durations(name, help string, labels ...string) *Histograms {
	return r.histograms(histogramOpts(name, help, durationBuckets), labels)
}

// Sizes registers histograms of bytes.
func (r *Registry) Sizes(name, help string, labels ...string) *Histograms {
	return r.histograms(histogramOpts(name, help, sizeBuckets), labels)
}

func (r *Registry) histograms(opts prometheus.HistogramOpts, labels []string) *Histograms {
	v := prometheus.NewHistogramVec(opts, labels)
	r.add(v, Family{Name: opts.Name, Help: opts.Help, Kind: HistogramKind, Labels: labels})
	return &Histograms{v}
}

// With is the histogram for some label values, in the labels' order. On the hot
// path ask once and keep the answer.
func (h *Histograms) With(values ...string) *Histogram {
	return &Histogram{h.v.WithLabelValues(values...)}
}

// Observe counts a duration.
func (h *Histogram) Observe(d time.Duration) { h.o.Observe(d.Seconds()) }

// ObserveBytes counts a size.
func (h *Histogram) ObserveBytes(n int64) { h.o.Observe(float64(n)) }

// Distribution is what a histogram held at one moment.
type Distribution struct {
	Count   uint64
	Sum     float64
	buckets []bucket
}

type bucket struct {
	upper float64
	count uint64 // cumulative
}

// Read takes what the histogram holds now, for metrics that are quantiles.
func (h *Histogram) Read() Distribution {
	var m dto.Metric
	if err := h.o.(prometheus.Metric).Write(&m); err != nil {
		return Distribution{} // client_golang's own histogram has no error to give
	}
	d := Distribution{Count: m.Histogram.GetSampleCount(), Sum: m.Histogram.GetSampleSum()}
	for _, b := range m.Histogram.Bucket {
		d.buckets = append(d.buckets, bucket{b.GetUpperBound(), b.GetCumulativeCount()})
	}
	return d
}

// Mean is the average observation, 0 when there was none.
func (d Distribution) Mean() float64 {
	if d.Count == 0 {
		return 0
	}
	return d.Sum / float64(d.Count)
}

// Quantile estimates the value below which a share q of the observations lies,
// by a straight line inside the bucket that holds it. What lies beyond the last
// bucket counts as that bucket's end; without observations it is 0.
func (d Distribution) Quantile(q float64) float64 {
	if d.Count == 0 || len(d.buckets) == 0 {
		return 0
	}
	rank := math.Max(0, math.Min(1, q)) * float64(d.Count)
	lower, below := 0.0, uint64(0)
	for _, b := range d.buckets {
		if float64(b.count) >= rank && b.count > below {
			return lower + (b.upper-lower)*(rank-float64(below))/float64(b.count-below)
		}
		lower, below = b.upper, b.count
	}
	return lower
}
