package controller

import (
	"testing"
	"time"

	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/step"
)

// TestBalancing: a lead goes back to the preferred replica at a look, and not
// before that one has been in sync for a while without a change.
func TestBalancing(t *testing.T) {
	im := world(t, []meta.BrokerState{meta.Active, meta.Active})
	do := func(cmds ...meta.Command) {
		t.Helper()
		im = apply(t, im, cmds...)
	}
	id := step.TopicID{9}
	do(meta.CreateTopic{ID: id, Name: "t", Assignments: [][]int32{{1, 2}, {2, 1}, {1}}})
	epoch := func(broker int32) int64 { b, _ := im.Broker(broker); return b.Epoch }
	state := func(s meta.BrokerState) {
		t.Helper()
		do(meta.SetBrokerState{ID: 1, Epoch: epoch(1), State: s})
	}
	join := func() {
		t.Helper()
		for i := range int32(2) {
			topic, _ := im.Topic(id)
			p, _ := topic.Partition(i)
			do(meta.AlterPartition{
				Broker: p.Leader, BrokerEpoch: epoch(p.Leader), Topic: id, Partition: i, LeaderEpoch: p.LeaderEpoch, PartitionEpoch: p.PartitionEpoch,
				ISR: []meta.ISRMember{{ID: 1, Epoch: epoch(1)}, {ID: 2, Epoch: epoch(2)}},
			})
		}
	}
	state(meta.Fenced)
	state(meta.Active)
	b := balancing{every: time.Minute}
	at := func(d time.Duration, want int) {
		t.Helper()
		cmds := b.plan(im, step.Instant(d))
		if len(cmds) != want {
			t.Fatalf("at %v: %v", d, cmds)
		}
		do(cmds...)
	}
	at(0, 0) // 1 is not in sync
	join()
	at(2*time.Second, 0)
	at(time.Minute, 0) // noted
	at(time.Minute+settled/2, 0)
	at(time.Minute+settled, 1)
	topic, _ := im.Topic(id)
	if p, _ := topic.Partition(0); p.Leader != 1 {
		t.Fatalf("%+v", p)
	}

	// It leaves and comes back between the looks: not yet.
	state(meta.Fenced)
	state(meta.Active)
	join()
	at(2*time.Minute, 0)
	state(meta.Fenced)
	state(meta.Active)
	join()
	at(2*time.Minute+settled, 0)
	at(3*time.Minute, 0)
	at(3*time.Minute+settled, 1)

	b.every = 0
	state(meta.Fenced)
	state(meta.Active)
	join()
	at(time.Hour, 0)
	at(2*time.Hour, 0)
}
