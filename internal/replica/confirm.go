package replica

import (
	"encoding/binary"
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/brokerd/brokerd/internal/wire"
)

// A leader that has been replaced, and has not heard of it, can commit nothing: it
// waits for followers that follow it no more. But it can read, and what it reads
// may be old. So who must not tell what is old asks first (Lease.Confirm):
//
//	doubt 7 ─► every session of a follower: urged ─► its parked fetch is answered
//	           answer: "7?" ─► follower ─► request: "7", and what it follows no more
//	all of the maximal ISR have said 7 or more, and follow us in this epoch ─► sure
//
// Who is elected next comes from the maximal ISR as we know it, as long as there
// are min.insync.replicas of it: ISR and ELR only shrink behind our back. A
// follower stops to follow before it leads, and its request says what it does not
// follow any more, as of after the answer that it repeats the number of. So a
// number that comes back says that nobody has led since, when it was given out.
//
// One number counts for all partitions of a session; nothing is sent while nobody
// doubts. Followers that do not know of it never confirm, so nobody is asked below
// confirmLevel: while a cluster is upgraded, its leaders are as sure as they were.

// confirmLevel is the metadata level from which on every node knows of doubts.
const confirmLevel = 3

// TagDoubt is the tagged field, of fetch requests and answers between brokers, in
// which the number is: int64.
const TagDoubt = 10000

// DoubtOf reads the number out of the tagged fields of a request or an answer; 0:
// there is none.
func DoubtOf(tags *kmsg.Tags) (at int64) {
	if tags.Len() == 0 {
		return 0
	}
	tags.Each(func(tag uint32, v []byte) {
		if tag == TagDoubt && len(v) == 8 {
			at = int64(binary.BigEndian.Uint64(v))
		}
	})
	return at
}

// doubt is one Confirm that waits.
type doubt struct {
	at   int64 // of Manager.doubts
	err  error
	done func(err error, h any)
}

func (d *doubt) tell(h *wire.Handoff) {
	if h == nil {
		d.done(d.err, nil)
		return
	}
	d.done(d.err, h)
}

// doubtful is the partitions with doubts. Its mu may be taken under Partition.mu,
// and nothing under it.
type doubtful struct {
	mu  sync.Mutex
	all map[*Partition]bool
}

func (d *doubtful) add(p *Partition) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.all == nil {
		d.all = map[*Partition]bool{}
	}
	d.all[p] = true
}

func (d *doubtful) remove(p *Partition) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.all, p)
}

func (d *doubtful) list() []*Partition {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := make([]*Partition, 0, len(d.all))
	for p := range d.all {
		out = append(out, p)
	}
	return out
}

// confirmLocked moves the doubts that every replica of the maximal ISR has
// answered to out.
func (p *Partition) confirmLocked(out *woken) {
	if p.leader.UnderMinISR() {
		return // a member of the ELR may have been elected
	}
	maximal := p.leader.Maximal()
	n := len(p.doubts)
	for i, id := range p.leader.Replicas() {
		if id == p.m.self || !maximal.Has(i) {
			continue
		}
		said := int64(-1)
		for _, a := range p.watchers() {
			if a.s.broker == id && a.follows.Load() == p.leader.Epoch() {
				said = max(said, a.s.said.Load())
			}
		}
		for n > 0 && p.doubts[n-1].at > said {
			n--
		}
	}
	p.endDoubtsLocked(n, out)
}

// endDoubtsLocked moves the first n doubts to out.
func (p *Partition) endDoubtsLocked(n int, out *woken) {
	out.confirmed = append(out.confirmed, p.doubts[:n]...)
	if p.doubts = p.doubts[n:]; len(p.doubts) == 0 {
		p.doubts = nil
		p.m.doubtful.remove(p)
	}
}

// confirm looks whether doubts have been answered.
func (p *Partition) confirm(h *wire.Handoff) {
	var out woken
	p.mu.Lock()
	if len(p.doubts) > 0 {
		p.confirmLocked(&out)
	}
	p.mu.Unlock()
	out.tell(h)
}

// failDoubtsLocked ends all of them.
func (p *Partition) failDoubtsLocked(err error, out *woken) {
	if len(p.doubts) == 0 {
		return
	}
	for _, d := range p.doubts {
		d.err = err
	}
	p.endDoubtsLocked(len(p.doubts), out)
}

// urge makes the session ask the follower for the number at.
func (s *Session) urge(at int64) {
	s.mu.Lock()
	if at <= s.wanted {
		s.mu.Unlock()
		return
	}
	s.wanted = at
	w := s.parked
	s.parked = nil
	s.mu.Unlock()
	if w != nil {
		w.Wake(nil)
	}
}

// Asks is the number that an answer has to bring to the follower, 0: none. Every
// answer asks it once.
func (s *Session) Asks() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.wanted <= s.asking {
		return 0
	}
	s.asking = s.wanted
	return s.asking
}
