package replica

import "sync/atomic"

// traffic counts what has gone in and out of one partition since it was opened:
// an addition per batch and per answer, summed when somebody scrapes.
type traffic struct {
	records, bytesIn, bytesOut      atomic.Int64
	produced, refused, bytesRefused atomic.Int64
	fetched, fetchFailed            atomic.Int64
}

// Traffic is what the opened partitions of one topic have seen.
type Traffic struct {
	Records, BytesIn, BytesOut     int64
	Batches, Refused, BytesRefused int64 // Batches: all that came, the refused ones too
	Fetches, FetchesFailed         int64 // by consumers
}

// Sent counts bytes that leave for consumers.
func (p *Partition) Sent(n int64) { p.traffic.bytesOut.Add(n) }

// Fetched counts a consumer's fetch; failed: its log could not be read.
func (p *Partition) Fetched(failed bool) {
	p.traffic.fetched.Add(1)
	if failed {
		p.traffic.fetchFailed.Add(1)
	}
}

// Traffic sums up by topic.
func (m *Manager) Traffic() map[string]Traffic {
	sums := map[string]Traffic{}
	m.eachOpen(func(p *Partition) {
		t := sums[p.topic]
		t.Records += p.traffic.records.Load()
		t.BytesIn += p.traffic.bytesIn.Load()
		t.BytesOut += p.traffic.bytesOut.Load()
		t.Batches += p.traffic.produced.Load()
		t.Refused += p.traffic.refused.Load()
		t.BytesRefused += p.traffic.bytesRefused.Load()
		t.Fetches += p.traffic.fetched.Load()
		t.FetchesFailed += p.traffic.fetchFailed.Load()
		sums[p.topic] = t
	})
	return sums
}
