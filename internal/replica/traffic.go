package replica

import "sync/atomic"

// traffic counts what has gone in and out of one partition since it was opened:
// an addition per batch and per answer, summed when somebody scrapes.
type traffic struct {
	records, bytesIn, bytesOut, refused atomic.Int64
}

// Traffic is what the opened partitions of one topic have seen.
type Traffic struct {
	Records, BytesIn, BytesOut int64
	Refused                    int64 // batches that were not appended
}

// Sent counts bytes that leave for consumers.
func (p *Partition) Sent(n int64) { p.traffic.bytesOut.Add(n) }

// Traffic sums up by topic.
func (m *Manager) Traffic() map[string]Traffic {
	sums := map[string]Traffic{}
	m.eachOpen(func(p *Partition) {
		t := sums[p.topic]
		t.Records += p.traffic.records.Load()
		t.BytesIn += p.traffic.bytesIn.Load()
		t.BytesOut += p.traffic.bytesOut.Load()
		t.Refused += p.traffic.refused.Load()
		sums[p.topic] = t
	})
	return sums
}
