package replica

import (
	"github.com/brokerd/brokerd/internal/conf"
	"github.com/brokerd/brokerd/internal/record"
	"github.com/brokerd/brokerd/internal/wire"
)

// prepareSet is prepare for a set of messages of the formats before batches,
// which becomes one batch first. b is nil where the set is empty: that is no
// mistake, and nothing to append.
func prepareSet(raw []byte, opt AppendOptions, c *conf.Topic, nowMs func() int64) (b record.Batch, release func(), err error) {
	opt.Set = false
	if len(raw) >= record.SizeHeader && raw[record.SizeHeader-1] >= 2 {
		return prepare(raw, opt, c, nowMs) // a batch after all, or no format at all
	}
	buf := wire.Take(len(raw) + record.HeaderSize)
	made, err := record.Upgrade(buf.B, raw, limits(c))
	if err != nil || len(made) == 0 {
		buf.Release()
		return nil, nil, err
	}
	buf.B = made
	b, release, err = prepare(made, opt, c, nowMs)
	if err == nil && release == nil {
		return b, buf.Releaser(), nil
	}
	buf.Release() // refused, or compressed again into another
	return b, release, err
}

// Limits bounds what a batch of this partition may become when it is opened.
func (p *Partition) Limits() record.Limits {
	if c := p.state.Load().conf; c != nil {
		return limits(c)
	}
	return record.Limits{}
}
