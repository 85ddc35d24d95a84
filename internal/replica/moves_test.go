package replica_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/replica"
)

// writer sends one record after the other to whoever leads, and knows which were
// acknowledged.
type writer struct {
	b     *brokers
	t     *meta.Topic
	stop  chan struct{}
	ended chan struct{}
	turn  chan struct{} // full while the writer looks at a node, or one is started or killed
	acked []string      // of the writer until it has ended
}

func (b *brokers) write(t *meta.Topic) *writer {
	w := &writer{b: b, t: t, stop: make(chan struct{}), ended: make(chan struct{}), turn: make(chan struct{}, 1)}
	go w.run()
	return w
}

func (w *writer) run() {
	defer close(w.ended)
	for i := 0; ; i++ {
		select {
		case <-w.stop:
			return
		case <-time.After(5 * time.Millisecond):
		}
		value := fmt.Sprintf("<%d>", i)
		rec := w.b.Record(w.t, 0)
		if rec.Leader < 0 {
			continue
		}
		var s *sent
		w.alone(func() { s = w.b.Nodes[rec.Leader].Send(w.t, 0, replica.AcksAll, value) })
		if s.Wait(time.Second) == nil {
			w.acked = append(w.acked, value)
		}
	}
}

// alone does something to a node while the writer does not use it.
func (w *writer) alone(do func()) {
	w.turn <- struct{}{}
	do()
	<-w.turn
}

// finish stops the writer and wants everything that was acknowledged at a broker.
func (w *writer) finish(at int32, least int) {
	w.b.T.Helper()
	close(w.stop)
	<-w.ended
	if len(w.acked) < least {
		w.b.T.Errorf("only %d records were acknowledged", len(w.acked))
	}
	all := string(w.b.Nodes[at].Bytes(w.t, 0))
	for _, v := range w.acked {
		if !strings.Contains(all, v) {
			w.b.T.Fatalf("%s of %d is acknowledged and not at broker %d", v, len(w.acked), at)
		}
	}
}

func (b *brokers) moved(t *meta.Topic, want string) {
	b.T.Helper()
	b.eventually(20*time.Second, "replicas and leader are "+want, func() bool {
		rec := b.Record(t, 0)
		return fmt.Sprint(rec.Replicas, rec.Leader, len(rec.Adding)+len(rec.Removing)) == want+" 0"
	})
}

// gone wants a broker to have given a partition up.
func (b *brokers) gone(t *meta.Topic, id int32) {
	b.T.Helper()
	b.eventually(5*time.Second, fmt.Sprintf("broker %d has no replica", id), func() bool {
		for _, s := range b.Nodes[id].M.Stored() {
			if s.ID.Topic == t.ID {
				return false
			}
		}
		_, err := b.Nodes[id].M.Partition(t, 0)
		return err != nil
	})
}

// TestMoveTheOnlyReplica: from one broker to another under load; the one that is
// to get it dies on the way, then the one that has it. Nothing that was
// acknowledged is lost, and after the move the old one is not needed.
func TestMoveTheOnlyReplica(t *testing.T) {
	for _, dies := range []int32{0, 1, 2} {
		t.Run(fmt.Sprint("kill ", dies), func(t *testing.T) {
			trio(t, nil, func(b *brokers) {
				topic := b.Topic("t", nil, 1, []int32{1})
				w := b.write(topic)
				time.Sleep(time.Second)
				if dies == 2 {
					w.alone(b.Nodes[2].Kill)
					b.Nodes[2].Fence()
				}
				b.Must(meta.Reassign{Topic: topic.ID, Target: []int32{2}})
				if dies == 1 {
					w.alone(b.Nodes[1].Kill)
					b.Nodes[1].Fence()
				}
				time.Sleep(time.Second)
				if dies != 0 {
					w.alone(b.Nodes[dies].Start)
				}
				b.moved(topic, "[2] 2")
				time.Sleep(100 * time.Millisecond)
				b.gone(topic, 1)
				w.alone(b.Nodes[1].Kill)
				b.Nodes[1].Fence()
				b.Nodes[2].ack(topic, 0, "after")
				w.finish(2, 100)
			})
		})
	}
}

// TestReplicationFactorChanges: up, and down to those who did not lead. Min ISR
// follows when the move is complete, not before.
func TestReplicationFactorChanges(t *testing.T) {
	trio(t, nil, func(b *brokers) {
		topic := b.Topic("t", nil, 0, []int32{1})
		w := b.write(topic)
		time.Sleep(200 * time.Millisecond)
		b.Net.Cut("b1", "b3")
		b.Must(meta.Reassign{Topic: topic.ID, Target: []int32{1, 2, 3}})
		b.eventually(10*time.Second, "2 joins", func() bool { return b.isr(topic, 0) == "[1 2]" })
		if rec := b.Record(topic, 0); rec.MinISR != 1 || len(rec.Adding) != 2 {
			t.Errorf("half way: %+v", rec)
		}
		b.Net.Heal()
		b.moved(topic, "[1 2 3] 1")
		if rec := b.Record(topic, 0); rec.MinISR != 2 || rec.LeaderEpoch != 0 {
			t.Errorf("grown: %+v", rec)
		}
		b.same(topic, 0, 1, 2)
		b.Must(meta.Reassign{Topic: topic.ID, Target: []int32{3, 2}})
		b.moved(topic, "[3 2] 3")
		b.gone(topic, 1)
		time.Sleep(200 * time.Millisecond)
		w.finish(3, 50)
		b.same(topic, 0, 2, 3)
	})
}

// TestCancelAMove: who was being added goes, and what it had goes with it.
func TestCancelAMove(t *testing.T) {
	trio(t, nil, func(b *brokers) {
		topic := b.Topic("t", nil, 1, []int32{1, 2})
		b.Nodes[1].ack(topic, 0, "before")
		b.Net.Cut("b2", "b3")
		b.Net.Cut("b1", "b3")
		b.Must(meta.Reassign{Topic: topic.ID, Target: []int32{3, 2}})
		time.Sleep(time.Second)
		b.Must(meta.Reassign{Topic: topic.ID})
		b.Net.Heal()
		b.moved(topic, "[2 1] 1") // as Kafka does: the order of before is not kept
		b.gone(topic, 3)
		time.Sleep(50 * time.Millisecond) // until 1 has heard
		b.Nodes[1].ack(topic, 0, "after")
		b.same(topic, 0, 1, 2)
	})
}

// TestIdleReplicaMovesAway: a replica that no client has used since the start moves
// like any other.
func TestIdleReplicaMovesAway(t *testing.T) {
	trio(t, nil, func(b *brokers) {
		topic := b.Topic("t", nil, 1, []int32{1})
		b.Nodes[1].ack(topic, 0, "kept")
		b.Nodes[1].Kill()
		b.Nodes[1].Fence()
		b.Must(meta.Reassign{Topic: topic.ID, Target: []int32{2}})
		b.Nodes[1].Start()
		b.moved(topic, "[2] 2")
		b.gone(topic, 1)
		if all := string(b.Nodes[2].Bytes(topic, 0)); !strings.Contains(all, "kept") {
			t.Errorf("%q", all)
		}
		// One that leads and is in sync with the one that stays: complete at once.
		cold := b.Topic("cold", nil, 1, []int32{1, 2})
		b.Nodes[1].ack(cold, 0, "kept")
		b.Nodes[3].Fence()
		b.Nodes[1].Kill()
		b.Nodes[1].Fence()
		b.Nodes[1].Start()
		b.Must(meta.Reassign{Topic: cold.ID, Target: []int32{2}})
		b.moved(cold, "[2] 2")
		b.gone(cold, 1)
	})
}
