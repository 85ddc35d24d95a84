package replica

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/record"
	"github.com/brokerd/brokerd/internal/step"
	"github.com/brokerd/brokerd/internal/storage"
	"github.com/brokerd/brokerd/internal/vfs"
)

// slowSync is a disk whose syncs take so long that a bubble sees them.
func slowSync(t *testing.T, d time.Duration) *vfs.Fault {
	f := vfs.NewFault(vfs.NewMem())
	f.Add(vfs.Rule{Op: vfs.OpSync, Delay: d})
	f.Add(vfs.Rule{Op: vfs.OpSyncAll, Delay: d})
	return f
}

func TestAcknowledgements(t *testing.T) {
	for _, c := range []struct {
		name   string
		config map[string]string
		acks   Acks
		slow   bool // waits for the disk
		hw     bool // committed when acknowledged
	}{
		{"acks=0 fsync", nil, AcksNone, false, false},
		{"acks=1 fsync", nil, AcksLeader, true, true},
		{"acks=all fsync", nil, AcksAll, true, true},
		{"acks=0 isr", map[string]string{"durability": "isr"}, AcksNone, false, true},
		{"acks=1 isr", map[string]string{"durability": "isr"}, AcksLeader, false, true},
		{"acks=all isr", map[string]string{"durability": "isr"}, AcksAll, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := startNode(t, slowSync(t, time.Second))
				defer n.stop()
				p := n.partition(n.topic("t", 1, c.config), 0)
				begin := time.Now()
				x := n.produce(p, batch(t, 3, record.Spec{}), c.acks)
				if x.Err != nil || x.Base != 0 {
					t.Fatalf("base %d, %v", x.Base, x.Err)
				}
				if waited := time.Since(begin) > 0; waited != c.slow {
					t.Errorf("waited %v", time.Since(begin))
				}
				if hw := p.log.View().HighWatermark; (hw == 3) != c.hw {
					t.Errorf("high watermark %d", hw)
				}
				time.Sleep(5 * time.Second)
				if hw := p.log.View().HighWatermark; hw != 3 {
					t.Errorf("high watermark %d after the flush", hw)
				}
			})
		})
	}
}

func TestDuplicateWaitsForItsOriginal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, slowSync(t, time.Second))
		defer n.stop()
		p := n.partition(n.topic("t", 1, nil), 0)
		one := func() record.Batch {
			return batch(t, 2, record.Spec{Producer: &record.Producer{ID: 7, Epoch: 0, Sequence: 0}})
		}
		first := n.send(p, one(), AcksAll)
		again := n.send(p, one(), AcksAll)
		select {
		case <-again.done:
			t.Fatal("the duplicate is acknowledged before its original is durable")
		default:
		}
		<-first.done
		<-again.done
		if again.Err != nil || again.Base != 0 || p.log.View().End != 2 {
			t.Fatalf("base %d, end %d, %v", again.Base, p.log.View().End, again.Err)
		}
	})
}

func TestCancelTakesATicketBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, slowSync(t, time.Second))
		defer n.stop()
		p := n.partition(n.topic("t", 1, nil), 0)
		if x := n.send(p, nil, AcksAll); x.Cancel() || !errors.Is(x.Err, ErrNotOneBatch) {
			t.Fatalf("a ticket that never waited: %v", x.Err)
		}
		x := n.send(p, batch(t, 1, record.Spec{}), AcksAll)
		if !x.Cancel() || x.Err != ErrTimedOut {
			t.Fatalf("not taken back: %v", x.Err)
		}
		if x.Cancel() {
			t.Fatal("taken back twice")
		}
		time.Sleep(3 * time.Second)
		select {
		case <-x.done:
			t.Fatal("completed after Cancel")
		default:
		}
		y := n.produce(p, batch(t, 1, record.Spec{}), AcksAll)
		if y.Err != nil || y.Base != 1 || y.Cancel() {
			t.Fatalf("base %d, %v", y.Base, y.Err)
		}
	})
}

func TestWaitersWakeWithTheWatermark(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, slowSync(t, time.Second))
		defer n.stop()
		p := n.partition(n.topic("t", 1, nil), 0)
		hw, end, far := newFetched(ToHighWatermark, 0), newFetched(ToEnd, 0), newFetched(ToHighWatermark, 5)
		for _, f := range []*fetched{hw, end, far} {
			if !p.Wait(&f.Waiter) {
				t.Fatal("news on an empty log")
			}
		}
		x := n.send(p, batch(t, 2, record.Spec{}), AcksAll)
		<-end.woken // at the append
		select {
		case <-hw.woken:
			t.Fatal("a consumer heard of what is not durable")
		default:
		}
		<-x.done
		<-hw.woken
		if !far.Unwait() || far.Unwait() || hw.Unwait() {
			t.Fatal("Unwait is wrong")
		}
		late := newFetched(ToHighWatermark, 1)
		if p.Wait(&late.Waiter) {
			t.Fatal("parked although there is news")
		}
	})
}

func TestDeletionAnswersWhoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, slowSync(t, time.Second))
		defer n.stop()
		topic := n.topic("t", 2, nil)
		p := n.partition(topic, 0)
		x := n.send(p, batch(t, 1, record.Spec{}), AcksAll)
		f := newFetched(ToHighWatermark, 10)
		if !p.Wait(&f.Waiter) {
			t.Fatal("not parked")
		}
		n.must(meta.DeleteTopic{ID: topic.ID})
		<-x.done
		<-f.woken
		if !errors.Is(x.Err, ErrUnknownPartition) {
			t.Fatal(x.Err)
		}
		synctest.Wait()
		if err := p.Read(ReadRequest{Epoch: -1, LastEpoch: -1}, &Reading{}); !errors.Is(err, ErrUnknownPartition) {
			t.Fatal(err)
		}
		// The name is free at once, and the new topic starts empty.
		again := n.partition(n.topic("t", 1, nil), 0)
		if y := n.produce(again, batch(t, 1, record.Spec{}), AcksAll); y.Err != nil || y.Base != 0 {
			t.Fatalf("base %d, %v", y.Base, y.Err)
		}
	})
}

func TestRestartKeepsWhatWasAcknowledged(t *testing.T) {
	mem := vfs.NewMem()
	n := startNode(t, mem)
	topic := n.topic("t", 1, nil)
	p := n.partition(topic, 0)
	for i := range 5 {
		if x := n.produce(p, batch(t, 2, record.Spec{}), AcksAll); x.Err != nil || x.Base != int64(2*i) {
			t.Fatalf("base %d, %v", x.Base, x.Err)
		}
	}
	n.stop()
	n.register()
	n.boot()
	p = n.partition(topic, 0)
	if v := p.log.View(); v.End != 10 || v.HighWatermark != 10 {
		t.Fatalf("after the restart: %+v", v)
	}
	var r Reading
	if err := p.Read(ReadRequest{Offset: 4, MaxBytes: 1 << 20, Epoch: -1, LastEpoch: -1}, &r); err != nil {
		t.Fatal(err)
	}
	data, err := r.Range.ReadAll(nil)
	r.Range.Release()
	if err != nil {
		t.Fatal(err)
	}
	var offsets []int64
	for len(data) > 0 {
		b, rest, err := record.Next(data)
		if err != nil {
			t.Fatal(err)
		}
		offsets = append(offsets, b.BaseOffset())
		data = rest
	}
	if len(offsets) != 3 || offsets[0] != 4 || offsets[2] != 8 {
		t.Fatalf("read batches at %v", offsets)
	}
}

// J-17: data that the metadata does not know is set aside under another name, never
// deleted: it may be the metadata that is wrong.
func TestJ17StraysAreRenamed(t *testing.T) {
	mem := vfs.NewMem()
	n := startNode(t, mem)
	topic := n.topic("t", 1, nil)
	if x := n.produce(n.partition(topic, 0), batch(t, 1, record.Spec{}), AcksAll); x.Err != nil {
		t.Fatal(x.Err)
	}
	n.stop()
	other := startNode(t, mem) // a cluster that knows nothing of the topic
	other.stop()
	names, err := mem.List("d0")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if len(name) > 6 && name[len(name)-6:] == "-stray" {
			return
		}
	}
	t.Fatalf("no stray among %v", names)
}

func TestDirFailureAnswersWhoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := vfs.NewFault(vfs.NewMem())
		n := startNode(t, f)
		defer n.stop()
		p := n.partition(n.topic("t", 1, nil), 0)
		if x := n.produce(p, batch(t, 1, record.Spec{}), AcksAll); x.Err != nil {
			t.Fatal(x.Err)
		}
		f.Add(vfs.Rule{Op: vfs.OpSync, Err: errors.New("disk is gone")})
		x := n.produce(p, batch(t, 1, record.Spec{}), AcksAll)
		if !errors.Is(x.Err, storage.ErrDirFailed) {
			t.Fatal(x.Err)
		}
		if y := n.produce(p, batch(t, 1, record.Spec{}), AcksAll); !errors.Is(y.Err, storage.ErrDirFailed) {
			t.Fatal(y.Err)
		}
		synctest.Wait()
		if len(n.faults) != 1 || n.faults[0].Corrupt || len(n.faults[0].Partitions) != 1 || n.faults[0].Partitions[0] != p.id {
			t.Fatalf("the controller hears %+v", n.faults)
		}
	})
}

func TestNotOurs(t *testing.T) {
	n := startNode(t, vfs.NewMem())
	topic := n.topic("t", 1, nil)
	if _, err := n.m.Partition(topic, 1); !errors.Is(err, ErrUnknownPartition) {
		t.Fatal(err)
	}
	n.stop()
	if _, err := n.m.Partition(topic, 0); !errors.Is(err, ErrNotLeader) {
		t.Fatal(err)
	}
}

func TestSettingsTakeEffect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, slowSync(t, time.Second))
		defer n.stop()
		p := n.partition(n.topic("t", 1, nil), 0)
		if x := n.produce(p, batch(t, 5, record.Spec{}), AcksAll); x.Err != nil {
			t.Fatal(x.Err)
		}
		alter := func(r meta.Resource, key, value string) {
			n.must(meta.AlterConfig{Resource: r, Set: map[string]*string{key: &value}})
			synctest.Wait()
		}
		topic := meta.Resource{Type: meta.TopicResource, Name: "t"}
		alter(topic, "max.message.bytes", "100")
		if x := n.produce(p, batch(t, 5, record.Spec{}), AcksAll); !errors.Is(x.Err, ErrBatchTooLarge) {
			t.Fatal(x.Err)
		}
		alter(topic, "durability", "isr")
		begin := time.Now()
		if x := n.produce(p, batch(t, 1, record.Spec{}), AcksAll); x.Err != nil || time.Since(begin) != 0 {
			t.Fatalf("%v after %v", x.Err, time.Since(begin))
		}
		other := n.partition(n.topic("u", 1, nil), 0)
		alter(meta.Resource{Type: meta.BrokerResource}, "message.max.bytes", "90")
		if x := n.produce(other, batch(t, 5, record.Spec{}), AcksAll); !errors.Is(x.Err, ErrBatchTooLarge) {
			t.Fatal(x.Err)
		}
	})
}

// TestOlderImageIsNotAwaited: a request opens a partition by an image that the
// watcher has not seen yet. By the watcher's it does not exist: that is no reason to
// wait until it leaves.
func TestOlderImageIsNotAwaited(t *testing.T) {
	n := startNode(t, vfs.NewMem())
	topic := n.topic("t", 1, nil)
	older := n.catalog.Image()
	n.must(meta.CreatePartitions{ID: topic.ID, Before: 1, Assignments: [][]int32{{self}}})
	topic, _ = n.catalog.Image().Topic(topic.ID)
	p := n.partition(topic, 1)
	done := make(chan struct{})
	go func() { // until done
		defer close(done)
		n.m.reconcile(older, meta.Changes{Topics: []step.TopicID{topic.ID}})
		if leaves, err := n.m.setAside(older, topic, 1); leaves || err != nil {
			t.Errorf("set aside by an older image: %v, %v", leaves, err)
		}
	}()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		t.Fatal("an older image waits for ever")
	}
	if x := n.produce(p, batch(t, 1, record.Spec{}), AcksAll); x.Err != nil {
		t.Fatal(x.Err)
	}
}

func TestPartitionsAreAdded(t *testing.T) {
	n := startNode(t, vfs.NewMem())
	topic := n.topic("t", 1, nil)
	n.partition(topic, 0)
	n.must(meta.CreatePartitions{ID: topic.ID, Before: 1, Assignments: [][]int32{{self}, {self}}})
	topic, _ = n.catalog.Image().Topic(topic.ID)
	p := n.partition(topic, 2)
	if x := n.produce(p, batch(t, 1, record.Spec{}), AcksAll); x.Err != nil || x.Base != 0 {
		t.Fatal(x.Base, x.Err)
	}
}
