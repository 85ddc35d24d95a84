package replica_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/replica"
	"github.com/brokerd/brokerd/internal/vfs"
	"github.com/brokerd/brokerd/internal/wire"
)

// trio runs a scene with three brokers in a bubble.
func trio(t *testing.T, settings map[string]string, scene func(b *brokers)) {
	synctest.Test(t, func(t *testing.T) {
		b := newBrokers(t, 3, settings)
		defer b.Close()
		scene(b)
	})
}

// same waits until the logs of a partition are the same, byte for byte.
func (b *brokers) same(t *meta.Topic, i int32, ids ...int32) {
	b.T.Helper()
	var all [][]byte
	for range 200 {
		all = nil
		for _, id := range ids {
			all = append(all, b.Nodes[id].Bytes(t, i))
		}
		equal := true
		for _, x := range all[1:] {
			equal = equal && bytes.Equal(x, all[0])
		}
		if equal {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	for k, id := range ids {
		v := b.Nodes[id].Partition(t, i).Log().View()
		b.T.Errorf("broker %d: %d bytes, %+v", id, len(all[k]), v)
	}
	b.T.Fatal("replicas differ")
}

// eventually waits for something to be so.
func (b *brokers) eventually(within time.Duration, what string, ok func() bool) {
	b.T.Helper()
	for end := time.Now().Add(within); !ok(); {
		if time.Now().After(end) {
			b.T.Fatalf("not within %v: %s", within, what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (b *brokers) isr(t *meta.Topic, i int32) string {
	rec := b.Record(t, i)
	return fmt.Sprint(rec.ISR())
}

// ack sends one record and wants it acknowledged by all.
func (x *node) ack(t *meta.Topic, i int32, value string) {
	x.b.T.Helper()
	began := time.Now()
	if err := x.Send(t, i, replica.AcksAll, value).Wait(30 * time.Second); err != nil {
		x.b.T.Fatalf("%q after %v: %v", value, time.Since(began), err)
	}
}

func TestReplicas(t *testing.T) {
	for _, durability := range []string{"fsync", "isr"} {
		t.Run(durability, func(t *testing.T) {
			trio(t, nil, func(b *brokers) {
				topic := b.Topic("t", map[string]string{"durability": durability}, 2, []int32{1, 2, 3}, []int32{2, 3, 1}, []int32{3, 1, 2})
				began := time.Now()
				for i := range int32(3) {
					for k := range 20 {
						b.Nodes[i+1].ack(topic, i, fmt.Sprint("value ", k))
					}
				}
				if d := time.Since(began); d > 100*time.Millisecond {
					t.Errorf("60 acknowledgements took %v", d)
				}
				for i := range int32(3) {
					b.same(topic, i, 1, 2, 3)
				}
				if isr := b.isr(topic, 0); isr != "[1 2 3]" {
					t.Error(isr)
				}
			})
		})
	}
}

// TestKilledFollower: the ISR shrinks when its session ends, acks go on, it
// comes back, catches up and joins.
func TestKilledFollower(t *testing.T) {
	trio(t, nil, func(b *brokers) {
		topic := b.Topic("t", nil, 2, []int32{1, 2, 3})
		b.Nodes[1].ack(topic, 0, "before")
		b.Nodes[3].Kill()
		s := b.Nodes[1].Send(topic, 0, replica.AcksAll, "meanwhile")
		if err := s.Wait(time.Second); !errors.Is(err, replica.ErrTimedOut) {
			t.Fatalf("acknowledged without an in-sync replica: %v", err)
		}
		b.Nodes[3].Fence()
		b.Nodes[1].ack(topic, 0, "after")
		if isr := b.isr(topic, 0); isr != "[1 2]" {
			t.Fatal(isr)
		}
		b.Nodes[3].Start()
		b.eventually(5*time.Second, "3 is back in sync", func() bool { return b.isr(topic, 0) == "[1 2 3]" })
		b.Nodes[1].ack(topic, 0, "back")
		b.same(topic, 0, 1, 2, 3)
		c, d := b.Nodes[1].M.Copied(), b.Nodes[2].M.Copied()
		if c.Shrinks != 1 || c.Expands != 1 || c.BytesOut == 0 || c.BytesIn != 0 || d.BytesIn != int64(len(b.Nodes[2].Bytes(topic, 0))) || d.MaxLag > 1 {
			t.Errorf("leader %+v, follower %+v", c, d)
		}
	})
}

// TestDivergentTails (J-02, J-03): a leader that is cut off writes a tail that
// nobody gets, its successor another one; then a third leads. The tails are cut
// by epoch, not by high watermark, and what was acknowledged stays.
func TestDivergentTails(t *testing.T) {
	trio(t, nil, func(b *brokers) {
		topic := b.Topic("t", nil, 2, []int32{1, 2, 3})
		for k := range 5 {
			b.Nodes[1].ack(topic, 0, fmt.Sprint("kept ", k))
		}
		b.aside(1)
		for k := range 7 {
			b.Nodes[1].Send(topic, 0, replica.AcksLeader, fmt.Sprint("tail of 1: ", k))
		}
		b.Nodes[1].Fence()
		time.Sleep(50 * time.Millisecond)
		b.Nodes[2].ack(topic, 0, "kept 5") // by 2 and 3
		b.aside(2)
		for k := range 3 {
			b.Nodes[2].Send(topic, 0, replica.AcksLeader, fmt.Sprint("tail of 2: ", k))
		}
		b.Nodes[2].Fence()
		time.Sleep(time.Second)
		if rec := b.Record(topic, 0); rec.Leader != 3 || rec.LeaderEpoch != 2 {
			t.Fatalf("%+v", rec)
		}
		b.together()
		b.eventually(10*time.Second, "all are in sync", func() bool { return b.isr(topic, 0) == "[1 2 3]" })
		b.Nodes[3].ack(topic, 0, "kept 6")
		b.same(topic, 0, 1, 2, 3)
		all := string(b.Nodes[1].Bytes(topic, 0))
		if strings.Count(all, "kept") != 7 || strings.Contains(all, "tail") {
			t.Errorf("%q", all)
		}
	})
}

// TestUncleanLeaderIsDurableFirst: a replica that catches up knows a high watermark
// beyond its durable end. Elected all the same, it serves nothing of that before it is
// durable.
func TestUncleanLeaderIsDurableFirst(t *testing.T) {
	trio(t, nil, func(b *brokers) {
		topic := b.Topic("t", nil, 2, []int32{1, 2, 3})
		x := b.Nodes[3]
		b.Nodes[1].ack(topic, 0, "first")
		b.same(topic, 0, 1, 2, 3)
		x.Kill()
		x.Fence()
		for k := range 5 {
			b.Nodes[1].ack(topic, 0, fmt.Sprint("kept ", k))
		}
		b.Net.Isolate("b3", "b1", "b2")
		x.Start()
		p := x.Partition(topic, 0)
		x.Disk.Add(vfs.Rule{Op: vfs.OpSync, Path: p.Log().Dir() + "/*/*.log", Delay: 2 * time.Second})
		b.Net.Heal()
		b.eventually(time.Minute, "3 has what it has not synced", func() bool {
			v := p.Log().View()
			return v.HighWatermark == 6 && v.Durable < 6
		})
		b.Nodes[1].Fence()
		b.Nodes[2].Fence()
		b.Must(meta.ElectLeader{Topic: topic.ID, Unclean: true})
		at := time.Now()
		b.eventually(time.Minute, "3 leads", func() bool { _, err := p.Standings(); return err == nil })
		if v := p.Log().View(); v.Durable != 6 || time.Since(at) < time.Second {
			t.Errorf("leads after %v with %+v", time.Since(at), v)
		}
	})
}

// TestCutBelowTheWatermark: an operator gives the lead to a replica that lacks
// what the others have acknowledged. They take its log over, although they must
// cut below their own high watermarks.
func TestCutBelowTheWatermark(t *testing.T) {
	trio(t, nil, func(b *brokers) {
		topic := b.Topic("t", nil, 2, []int32{1, 2, 3})
		b.Nodes[1].ack(topic, 0, "kept")
		b.same(topic, 0, 1, 2, 3)
		b.Net.Isolate("b3", "b1", "b2")
		b.Nodes[3].Fence()
		for k := range 4 {
			b.Nodes[1].ack(topic, 0, fmt.Sprint("lost ", k))
		}
		b.eventually(5*time.Second, "2 knows the watermark", func() bool {
			return b.Nodes[2].Partition(topic, 0).Log().View().HighWatermark == 5
		})
		b.Nodes[1].Fence()
		b.Nodes[2].Fence()
		b.Net.Heal()
		b.Nodes[3].Unfence()
		if rec := b.Record(topic, 0); rec.Leader != -1 {
			t.Fatalf("3 leads and nobody asked for it: %+v", rec)
		}
		b.Must(meta.ElectLeader{Topic: topic.ID, Unclean: true})
		time.Sleep(50 * time.Millisecond)
		if err := b.Nodes[3].Send(topic, 0, replica.AcksLeader, "after").Wait(time.Second); err != nil {
			t.Fatal(err)
		}
		b.Nodes[1].Unfence()
		b.Nodes[2].Unfence()
		b.eventually(10*time.Second, "all are in sync", func() bool { return b.isr(topic, 0) == "[1 2 3]" })
		b.Nodes[3].ack(topic, 0, "at last")
		b.same(topic, 0, 1, 2, 3)
		all := string(b.Nodes[1].Bytes(topic, 0))
		if !strings.Contains(all, "kept") || !strings.Contains(all, "after") || strings.Contains(all, "lost 3") {
			t.Errorf("%q", all)
		}
	})
}

// TestSlowFollowerLeaves: no session ends, but one follower gets nothing for
// longer than the lag time; it comes back when the network does.
func TestSlowFollowerLeaves(t *testing.T) {
	trio(t, nil, func(b *brokers) {
		topic := b.Topic("t", nil, 2, []int32{1, 2, 3})
		b.Nodes[1].ack(topic, 0, "before")
		time.Sleep(time.Minute) // an idle follower does not lag
		if isr := b.isr(topic, 0); isr != "[1 2 3]" {
			t.Fatalf("idle: %s", isr)
		}
		b.Net.Cut("b1", "b3")
		began := time.Now()
		s := b.Nodes[1].Send(topic, 0, replica.AcksAll, "waits")
		if err := s.Wait(time.Minute); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(began); d < 8*time.Second || d > 13*time.Second {
			t.Errorf("left after %v", d)
		}
		if isr := b.isr(topic, 0); isr != "[1 2]" {
			t.Fatal(isr)
		}
		b.Net.Heal()
		b.eventually(20*time.Second, "3 is back in sync", func() bool { return b.isr(topic, 0) == "[1 2 3]" })
		b.same(topic, 0, 1, 2, 3)
	})
}

// TestFrozen: below min ISR acks=all is refused, what acks=1 writes stays
// invisible, and the watermark moves again when a follower is back.
func TestFrozen(t *testing.T) {
	trio(t, nil, func(b *brokers) {
		topic := b.Topic("t", nil, 2, []int32{1, 2, 3})
		b.Nodes[1].ack(topic, 0, "before")
		for _, id := range []int32{2, 3} {
			b.Nodes[id].Kill()
			b.Nodes[id].Fence()
		}
		time.Sleep(time.Second)
		if err := b.Nodes[1].Send(topic, 0, replica.AcksAll, "refused").Wait(time.Second); !errors.Is(err, replica.ErrNotEnoughReplicas) {
			t.Fatal(err)
		}
		if err := b.Nodes[1].Send(topic, 0, replica.AcksLeader, "invisible").Wait(time.Second); err != nil {
			t.Fatal(err)
		}
		log := b.Nodes[1].Partition(topic, 0).Log()
		if v := log.View(); v.HighWatermark != 1 || v.End != 2 {
			t.Fatalf("%+v", v)
		}
		b.Nodes[2].Start()
		b.eventually(10*time.Second, "the watermark moves", func() bool { return log.View().HighWatermark == 2 })
		b.same(topic, 0, 1, 2)
	})
}

// TestLostAnswer: the controller takes a change over, but its answer is lost.
// The image brings it; nothing is proposed twice with effect.
func TestLostAnswer(t *testing.T) {
	trio(t, nil, func(b *brokers) {
		topic := b.Topic("t", nil, 2, []int32{1, 2, 3})
		b.Nodes[1].ack(topic, 0, "before")
		b.Nodes[3].Kill()
		b.Nodes[3].Fence()
		b.Answers(false, true)
		b.Nodes[3].Start()
		b.eventually(10*time.Second, "3 is back in sync", func() bool { return b.isr(topic, 0) == "[1 2 3]" })
		epoch := b.Record(topic, 0).PartitionEpoch
		b.Nodes[1].ack(topic, 0, "after")
		time.Sleep(time.Minute)
		if now := b.Record(topic, 0).PartitionEpoch; now != epoch {
			t.Errorf("partition epoch %d, was %d", now, epoch)
		}
	})
}

// TestOldEpochFollower (J-04): a follower that missed two elections goes on
// fetching from the leader of its epoch, which leads again. Its offsets belong to
// another history: they must not raise the watermark.
func TestOldEpochFollower(t *testing.T) {
	trio(t, nil, func(b *brokers) {
		topic := b.Topic("t", nil, 2, []int32{1, 2, 3})
		b.Nodes[1].ack(topic, 0, "before")
		b.Nodes[3].Hold()
		b.Nodes[1].Hold()
		b.Nodes[1].Fence() // 2 leads epoch 1
		b.Nodes[2].Kill()
		b.Nodes[1].Release()
		b.Nodes[1].Unfence()
		b.Nodes[2].Fence()
		b.eventually(5*time.Second, "1 leads again", func() bool { return b.Record(topic, 0).LeaderEpoch >= 2 })
		rec := b.Record(topic, 0)
		if rec.Leader != 3 && rec.Leader != 1 {
			t.Fatalf("%+v", rec)
		}
		if rec.Leader == 3 { // it is in the ISR: let it go, so that 1 leads
			b.Nodes[3].Fence()
			rec = b.Record(topic, 0)
		}
		log := b.Nodes[1].Partition(topic, 0).Log()
		if err := b.Nodes[1].Send(topic, 0, replica.AcksAll, "alone").Wait(5 * time.Second); err == nil {
			t.Fatalf("acknowledged with the help of a follower of epoch 0: %+v", rec)
		}
		if hw := log.View().HighWatermark; hw != 1 {
			t.Errorf("watermark %d", hw)
		}
		b.Nodes[3].Release()
		b.Nodes[3].Unfence()
		b.eventually(10*time.Second, "the watermark moves", func() bool { return log.View().HighWatermark == log.View().End })
		b.same(topic, 0, 1, 3)
	})
}

// TestFirstWrite: a new topic's first record does not wait for the fetch that
// its followers have parked at the leader.
func TestFirstWrite(t *testing.T) {
	trio(t, nil, func(b *brokers) {
		first := b.Topic("first", nil, 2, []int32{1, 2, 3})
		b.Nodes[1].ack(first, 0, "so that lanes and sessions are there")
		time.Sleep(300 * time.Millisecond)
		began := time.Now()
		second := b.Topic("second", nil, 2, []int32{1, 2, 3})
		b.Nodes[1].ack(second, 0, "at once")
		if d := time.Since(began); d > 20*time.Millisecond {
			t.Errorf("%v", d)
		}
	})
}

// TestLogStartMoves: records are deleted at the leader; followers follow, and one
// that was away for long begins where the leader's log does.
func TestLogStartMoves(t *testing.T) {
	trio(t, nil, func(b *brokers) {
		topic := b.Topic("t", nil, 2, []int32{1, 2, 3})
		b.Nodes[1].ack(topic, 0, "one")
		b.Nodes[3].Kill()
		b.Nodes[3].Fence()
		for k := range 5 {
			b.Nodes[1].ack(topic, 0, fmt.Sprint("more ", k))
		}
		if _, err := b.Nodes[1].Partition(topic, 0).DeleteBefore(4); err != nil {
			t.Fatal(err)
		}
		b.Nodes[3].Start()
		b.eventually(10*time.Second, "3 is back in sync", func() bool { return b.isr(topic, 0) == "[1 2 3]" })
		b.Nodes[1].ack(topic, 0, "last")
		time.Sleep(time.Second)
		for id, x := range b.Nodes {
			if v := x.Partition(topic, 0).Log().View(); v.Start != 4 || v.End != 7 {
				t.Errorf("broker %d: %+v", id, v)
			}
		}
	})
}

// TestDurabilityChanges: a topic goes from fsync to isr and back while it is
// replicated: its followers change lanes.
func TestDurabilityChanges(t *testing.T) {
	trio(t, nil, func(b *brokers) {
		topic := b.Topic("t", nil, 2, []int32{1, 2, 3})
		for _, to := range []string{"isr", "fsync", "isr"} {
			b.Nodes[1].ack(topic, 0, "before "+to)
			b.Must(meta.AlterConfig{Resource: meta.Resource{Type: meta.TopicResource, Name: "t"}, Set: map[string]*string{"durability": &to}})
			b.Nodes[1].ack(topic, 0, "after "+to)
		}
		b.same(topic, 0, 1, 2, 3)
		if isr := b.isr(topic, 0); isr != "[1 2 3]" {
			t.Error(isr)
		}
	})
}

// TestDeletedWhileFollowed: the topic goes and comes back under the same name.
func TestDeletedWhileFollowed(t *testing.T) {
	trio(t, nil, func(b *brokers) {
		old := b.Topic("t", nil, 2, []int32{1, 2, 3})
		b.Nodes[1].ack(old, 0, "old")
		b.Must(meta.DeleteTopic{ID: old.ID})
		topic := b.Topic("t", nil, 2, []int32{2, 3, 1})
		b.Nodes[2].ack(topic, 0, "new")
		b.same(topic, 0, 1, 2, 3)
	})
}

// TestFailedDisk: a follower's directory fails; the other one goes on.
func TestFailedDisk(t *testing.T) {
	trio(t, nil, func(b *brokers) {
		topic := b.Topic("t", nil, 2, []int32{1, 2, 3}, []int32{1, 2, 3}, []int32{1, 2, 3}, []int32{1, 2, 3})
		for i := range int32(4) {
			b.Nodes[1].ack(topic, i, "before")
		}
		x := b.Nodes[3]
		x.Disk.Add(vfs.Rule{Op: vfs.OpSync, Path: "d0/*/*", Err: syscall.EIO})
		var bad []int32
		for i := range int32(4) {
			if x.Partition(topic, i).Log().Dir() == "d0" {
				bad = append(bad, i)
			}
		}
		if len(bad) == 0 || len(bad) == 4 {
			t.Fatal("the partitions are all in one directory")
		}
		for i := range int32(4) {
			if slices.Contains(bad, i) {
				continue
			}
			b.Nodes[1].ack(topic, i, "after")
		}
		s := b.Nodes[1].Send(topic, bad[0], replica.AcksAll, "after")
		if err := s.Wait(time.Minute); err != nil {
			t.Errorf("the ISR did not shrink: %v, in sync are %s", err, b.isr(topic, bad[0]))
		}
	})
}

// TestFailedDiskWhileIdle: the directory fails, by what is written to one partition,
// and the lane of another durability fetches on. Nobody counts on what lies there.
func TestFailedDiskWhileIdle(t *testing.T) {
	trio(t, nil, func(b *brokers) {
		idle := b.Topic("idle", map[string]string{"durability": "isr"}, 2, []int32{1, 2, 3}, []int32{1, 2, 3})
		topic := b.Topic("t", nil, 2, []int32{1, 2, 3}, []int32{1, 2, 3})
		for i := range int32(2) {
			b.Nodes[1].ack(idle, i, "before")
			b.Nodes[1].ack(topic, i, "before")
			b.same(idle, i, 1, 2, 3)
		}
		x := b.Nodes[3]
		bad := x.Partition(idle, 0).Log().Dir()
		x.Disk.Add(vfs.Rule{Op: vfs.OpSync, Path: bad + "/*/*", Err: syscall.EIO})
		for i := range int32(2) {
			b.Nodes[1].ack(topic, i, "after")
		}
		time.Sleep(time.Minute)
		for i := range int32(2) {
			if in := b.isr(idle, i) == "[1 2 3]"; in == (x.Partition(idle, i).Log().Dir() == bad) {
				t.Errorf("in sync on idle-%d, whose log lies in %s: %s", i, x.Partition(idle, i).Log().Dir(), b.isr(idle, i))
			}
		}
	})
}

// aside cuts a broker off from everybody, the controller too.
func (b *brokers) aside(id int32) {
	b.Nodes[id].Hold()
	b.Net.Isolate(fmt.Sprintf("b%d", id), "b1", "b2", "b3")
}

// together ends that.
func (b *brokers) together() {
	b.Net.Heal()
	for _, id := range []int32{1, 2, 3} {
		x := b.Nodes[id]
		x.Release()
		if br, _ := b.Image().Broker(id); br.State == meta.Fenced {
			x.Unfence()
		}
	}
}

// TestReadAtFollower (KIP-392): a follower answers consumers up to the watermark
// that it knows, wakes who waits there, and says when it is behind.
func TestReadAtFollower(t *testing.T) {
	trio(t, nil, func(b *brokers) {
		topic := b.Topic("t", nil, 2, []int32{1, 2, 3})
		b.Nodes[1].ack(topic, 0, "one")
		leader, p := b.Nodes[1].Partition(topic, 0), b.Nodes[2].Partition(topic, 0)
		if id, ok := leader.Nearest(0, func(id int32) bool { return id == 2 }); !ok || id != 2 {
			t.Fatal(id, ok)
		}
		read := func(offset int64) (int64, error) {
			var r replica.Reading
			err := p.Read(replica.ReadRequest{Offset: offset, MaxBytes: 1 << 20, Epoch: -1, LastEpoch: -1, Follower: true}, &r)
			n := r.Range.Len()
			r.Range.Release()
			return n, err
		}
		b.Nodes[1].ack(topic, 0, "two")
		b.eventually(50*time.Millisecond, "the follower hears of the watermark", func() bool {
			n, err := read(1)
			return n > 0 && err == nil
		})
		if _, err := read(7); !errors.Is(err, replica.ErrOffsetNotAvailable) {
			t.Error(err)
		}
		w := &woken{at: make(chan struct{})}
		w.Owner, w.Seen = w, 2
		if !p.Wait(&w.Waiter) {
			t.Fatal("there is nothing yet")
		}
		b.Nodes[1].ack(topic, 0, "three")
		select {
		case <-w.at:
		case <-time.After(50 * time.Millisecond):
			t.Error("nobody woke the reader")
		}
		if err := p.Read(replica.ReadRequest{Epoch: -1, LastEpoch: -1}, &replica.Reading{}); !errors.Is(err, replica.ErrNotLeader) {
			t.Error("an old client was answered", err)
		}
	})
}

type woken struct {
	replica.Waiter
	at chan struct{}
}

func (w *woken) Woken(*replica.Waiter, *wire.Handoff) { close(w.at) }
