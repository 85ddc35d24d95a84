package api

import (
	"github.com/brokerd/brokerd/internal/meta"
)

// rackVersion is the first Fetch that may be answered by a follower, and that
// tells the rack of a consumer (KIP-392).
const rackVersion = 11

// nearer sends the consumer to an in-sync replica in its rack, if there is one
// that has what it wants and the leader, we, is not in that rack itself.
func (f *fetchCall) nearer(im *meta.Image, p *fetching) bool {
	if f.d.Conf.Rack == f.rack {
		return false
	}
	id, ok := p.p.Nearest(p.offset, func(id int32) bool {
		b, ok := im.Broker(id)
		return ok && b.State == meta.Active && b.Rack == f.rack
	})
	if ok {
		p.elsewhere, p.preferred, p.read.View = true, id, p.p.Log().View()
	}
	return ok
}

// sendTo is the preferred read replica as the answer has it.
func (p *fetching) sendTo() int32 {
	if p.elsewhere {
		return p.preferred
	}
	return -1
}
