package replica

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/brokerd/brokerd/internal/meta"
)

// doubted is the partition of a topic that we lead with broker 2, and what its
// confirmation brings.
func (n *node) doubted(topic *meta.Topic) (p *Partition, heard chan error) {
	n.t.Helper()
	p = n.partition(topic, 0)
	l, err := p.Lease(p.Epoch())
	if err != nil {
		n.t.Fatal(err)
	}
	heard = make(chan error, 1)
	l.Confirm(func(err error, _ any) { heard <- err })
	return p, heard
}

// TestConfirmedByWhoComesLater: the follower has repeated a higher number for another
// partition when it begins to follow this one. It is not asked again, so that counts.
func TestConfirmedByWhoComesLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, slowSync(t, 0))
		defer n.stop()
		epoch := n.second()
		late, heardLate := n.doubted(n.topic("late", 1, nil, self, 2))
		soon, heardSoon := n.doubted(n.topic("soon", 1, nil, self, 2))
		s := n.m.NewSession(2, epoch)
		defer s.End()
		ask := func(p *Partition, said int64) {
			q := FollowerAsks{ID: p.id, Epoch: p.Epoch(), LastEpoch: -1, MaxBytes: 1}
			s.Update(n.catalog.Image(), []FollowerAsks{q}, nil, said)
		}
		ask(soon, 0)
		ask(soon, s.Asks())
		if len(heardSoon) != 1 || len(heardLate) != 0 {
			t.Fatalf("%d and %d are sure", len(heardSoon), len(heardLate))
		}
		ask(late, 0)
		if len(heardLate) != 1 {
			t.Error("not sure, although the follower has said that it follows")
		}
	})
}

// TestDoubtsAreForgotten: nothing remembers a partition whose doubts have ended,
// however they did.
func TestDoubtsAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, slowSync(t, 0))
		defer n.stop()
		n.second()
		topic := n.topic("t", 1, nil, self, 2)
		_, heard := n.doubted(topic)
		if got := n.m.doubtful.list(); len(got) != 1 || len(heard) != 0 {
			t.Fatalf("%d partitions are in doubt", len(got))
		}
		b, _ := n.catalog.Image().Broker(self)
		n.must(meta.SetBrokerState{ID: self, Epoch: b.Epoch, State: meta.Fenced})
		synctest.Wait()
		if err := <-heard; !errors.Is(err, ErrNotLeader) {
			t.Error(err)
		}
		if got := n.m.doubtful.list(); len(got) != 0 {
			t.Errorf("%d partitions are in doubt", len(got))
		}
	})
}
