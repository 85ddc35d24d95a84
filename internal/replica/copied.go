package replica

import "sync/atomic"

// copied counts what replication does on this broker since its start.
type copied struct {
	in, out          atomic.Int64 // bytes
	shrinks, expands atomic.Int64 // of the ISR of led partitions
}

// Copied is what replication has done since the start, and how far it is behind.
type Copied struct {
	BytesIn, BytesOut int64 // from leaders, to followers
	Shrinks, Expands  int64 // of the ISR of partitions while they are led here
	MaxLag            int64 // the most records that a followed partition lacks below its leader's high watermark
}

// CopiedOut counts bytes that leave for followers.
func (p *Partition) CopiedOut(n int64) { p.m.copied.out.Add(n) }

// Copied sums up.
func (m *Manager) Copied() Copied {
	c := Copied{
		BytesIn: m.copied.in.Load(), BytesOut: m.copied.out.Load(),
		Shrinks: m.copied.shrinks.Load(), Expands: m.copied.expands.Load(),
	}
	m.eachOpen(func(p *Partition) {
		p.mu.Lock()
		f := p.following
		p.mu.Unlock()
		if f != nil {
			c.MaxLag = max(c.MaxLag, f.leaderHW.Load()-p.log.View().End)
		}
	})
	return c
}

// altered notes a change of the ISR within a leadership. A reassignment that
// takes members away with their places among the replicas counts like any other.
func (c *copied) altered(before, after int) {
	switch {
	case after < before:
		c.shrinks.Add(1)
	case after > before:
		c.expands.Add(1)
	}
}
