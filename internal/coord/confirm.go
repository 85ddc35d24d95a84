package coord

import (
	"slices"
	"sync"
)

// doubts is the fresh answers of a shard that wait until the log has confirmed the
// leadership. One confirmation is under way at a time; those who come meanwhile
// share the next: it has to begin after they asked.
type doubts struct {
	mu   sync.Mutex // for memory only; whoever holds shard.mu may take it
	busy bool
	next []answer // bounded as all that is parked: those that are overdue leave
}

// confirm releases a once the log has confirmed the leadership.
func (s *shard) confirm(a answer) {
	d := &s.doubts
	d.mu.Lock()
	d.next = append(slices.DeleteFunc(d.next, func(o answer) bool { return o.park.settled.Load() }), a)
	busy := d.busy
	d.busy = true
	d.mu.Unlock()
	if !busy {
		s.confirmNext()
	}
}

// confirmNext begins a confirmation for all who wait for one.
func (s *shard) confirmNext() {
	d := &s.doubts
	d.mu.Lock()
	batch := d.next
	d.next = nil
	d.busy = len(batch) > 0
	d.mu.Unlock()
	if len(batch) == 0 {
		return
	}
	s.log.Confirm(func(err error, h Hand) {
		for _, a := range batch {
			if err != nil {
				a.park.finish(ErrNotCoordinator, h)
			} else {
				s.release(a)
			}
		}
		s.confirmNext()
	})
}
