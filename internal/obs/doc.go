// Package obs is how a broker is watched: counters, histograms and their
// exposition on client_golang, and the set-up of slog.
//
//	Counter.Add, Histogram.Observe      (hot path: an atomic add each)
//	            │
//	        Registry ── Handler ── GET /metrics
//	            ▲
//	       Collect(families, func(*Scrape))   asked at each scrape, kept nowhere
//
//	       Rate: for names that are rates, computed at the scrape
//
//	slog.Logger ── Levels ── Repeats ── text on a terminal, JSON elsewhere
//
// Invariants
//
//	I1  No metric object per partition, topic or connection: what is per such a
//	    thing is computed at the scrape by a collector function.
//	I2  A name is registered once; a second time is a mistake and panics at start.
//	I3  A collector that emits a series twice, or under the wrong number of
//	    labels, spoils its own families of that scrape and nothing else.
//	I4  The number of messages remembered by Repeats is bounded.
//
// Goroutines: none of its own. Locks: Levels.mu, Repeats.mu, Rate.mu, over memory only.
//
// Tests: the exposition as text; levels and repeats in a synctest bubble; the
// cost of an observation as a benchmark that reports allocations.
package obs
