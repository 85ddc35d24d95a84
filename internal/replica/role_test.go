package replica

import (
	"errors"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/record"
	"github.com/brokerd/brokerd/internal/step"
	"github.com/brokerd/brokerd/internal/storage"
	"github.com/brokerd/brokerd/internal/vfs"
)

// second makes broker 2 known and active, and gives its epoch.
func (n *node) second() int64 {
	r := n.must(meta.RegisterBroker{ID: 2, ClusterID: "test", Incarnation: step.TopicID{2, 2}, Dirs: []step.TopicID{{8, 8}}})
	n.must(meta.SetBrokerState{ID: 2, Epoch: r.Epoch, State: meta.Active})
	return r.Epoch
}

// J-21: 2 leads, then 1, then 2 again. Who waits at 1 hears it, and is not answered by
// what was true when it asked: the epoch is looked at when the answer is made.
func TestJ21LeadershipMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, slowSync(t, time.Second))
		defer n.stop()
		n.second()
		topic := n.topic("t", 1, nil, 2, self)
		p := n.partition(topic, 0)
		if x := n.produce(p, batch(t, 1, record.Spec{}), AcksAll); !errors.Is(x.Err, ErrNotLeader) {
			t.Fatal(x.Err)
		}
		if f := newFetched(ToHighWatermark, 0); p.Wait(&f.Waiter) {
			t.Fatal("parked at a follower")
		}
		fence := func(id int32, state meta.BrokerState) {
			b, _ := n.catalog.Image().Broker(id)
			n.must(meta.SetBrokerState{ID: id, Epoch: b.Epoch, State: state})
			synctest.Wait()
		}
		fence(2, meta.Fenced)
		x := n.produce(p, batch(t, 1, record.Spec{}), AcksAll)
		if x.Err != nil || x.Base != 0 {
			t.Fatalf("as the leader: base %d, %v", x.Base, x.Err)
		}
		epoch := p.Epoch()
		if err := p.Read(ReadRequest{Epoch: epoch - 1, LastEpoch: -1}, &Reading{}); !errors.Is(err, ErrFencedEpoch) {
			t.Fatal(err)
		}
		if err := p.Read(ReadRequest{Epoch: epoch + 1, LastEpoch: -1}, &Reading{}); !errors.Is(err, ErrUnknownEpoch) {
			t.Fatal(err)
		}
		x = n.send(p, batch(t, 1, record.Spec{}), AcksAll)
		f := newFetched(ToHighWatermark, 9)
		if !p.Wait(&f.Waiter) {
			t.Fatal("not parked")
		}
		fence(2, meta.Active)
		fence(self, meta.Fenced)
		<-x.done
		<-f.woken
		if !errors.Is(x.Err, ErrNotLeader) || p.Epoch() <= epoch {
			t.Fatalf("epoch %d: %v", p.Epoch(), x.Err)
		}
		for _, asked := range []int32{-1, epoch} {
			if err := p.Read(ReadRequest{Epoch: asked, LastEpoch: -1, MaxBytes: 1, FirstWhole: true}, &Reading{}); err == nil {
				t.Fatalf("read as the leader of epoch %d", asked)
			}
		}
		if y := n.produce(p, batch(t, 1, record.Spec{}), AcksLeader); !errors.Is(y.Err, ErrNotLeader) {
			t.Fatal(y.Err)
		}
	})
}

// TestOldImageRemovesNothing: the watcher handles a change of a broker by an image
// from before the topic, which a request has opened meanwhile.
func TestOldImageRemovesNothing(t *testing.T) {
	n := startNode(t, vfs.NewMem())
	before := n.catalog.Image()
	topic := n.topic("t", 1, nil)
	p := n.partition(topic, 0)
	if x := n.produce(p, batch(t, 1, record.Spec{}), AcksAll); x.Err != nil {
		t.Fatal(x.Err)
	}
	n.m.reconcile(before, meta.Changes{Brokers: []int32{self}})
	if x := n.produce(n.partition(topic, 0), batch(t, 1, record.Spec{}), AcksAll); x.Err != nil || x.Base != 1 {
		t.Fatalf("base %d, %v", x.Base, x.Err)
	}
}

// TestMinISRFreezes: two replicas, min ISR 2, one is gone: acks=all is refused
// before the write, acks=1 is served and stays invisible.
func TestMinISRFreezes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, vfs.NewMem())
		defer n.stop()
		epoch := n.second()
		id := n.topic("t", 1, map[string]string{"min.insync.replicas": "2"}, self, 2).ID
		two := "2"
		n.must(meta.AlterConfig{Resource: meta.Resource{Type: meta.TopicResource, Name: "t"}, Set: map[string]*string{"min.insync.replicas": &two}, MinISR: 2})
		topic, _ := n.catalog.Image().Topic(id)
		p := n.partition(topic, 0)
		n.must(meta.SetBrokerState{ID: 2, Epoch: epoch, State: meta.Fenced})
		synctest.Wait()
		if x := n.produce(p, batch(t, 1, record.Spec{}), AcksAll); !errors.Is(x.Err, ErrNotEnoughReplicas) || p.log.View().End != 0 {
			t.Fatalf("%v, end %d", x.Err, p.log.View().End)
		}
		if x := n.produce(p, batch(t, 1, record.Spec{}), AcksLeader); x.Err != nil {
			t.Fatal(x.Err)
		}
		if v := p.log.View(); v.End != 1 || v.HighWatermark != 0 {
			t.Fatalf("%+v", v)
		}
	})
}

// TestRoleIsTriedAgain: the disk is full while the epoch is written.
func TestRoleIsTriedAgain(t *testing.T) {
	mem := vfs.NewMem()
	n := startNode(t, mem)
	topic := n.topic("t", 1, nil)
	if x := n.produce(n.partition(topic, 0), batch(t, 1, record.Spec{}), AcksAll); x.Err != nil {
		t.Fatal(x.Err)
	}
	n.stop()
	disk := vfs.NewFault(mem)
	n.fs = disk
	n.register()
	n.boot()
	full := disk.Add(vfs.Rule{Op: vfs.OpWrite, Path: "leader-epochs*", Times: 1, Err: syscall.ENOSPC})
	p := n.partition(topic, 0)
	if x := n.produce(p, batch(t, 1, record.Spec{}), AcksAll); full.Hits() != 1 || x.Err == nil {
		t.Fatalf("%d writes failed, %v", full.Hits(), x.Err)
	}
	n.partition(topic, 0) // the next request
	if x := n.produce(p, batch(t, 1, record.Spec{}), AcksAll); x.Err != nil || x.Base != 1 {
		t.Fatalf("base %d, %v", x.Base, x.Err)
	}
}

// TestDeletedWhileAway: the files of a topic that was deleted meanwhile go, as
// deleted, not as stray.
func TestDeletedWhileAway(t *testing.T) {
	mem := vfs.NewMem()
	n := startNode(t, mem)
	topic := n.topic("t", 1, nil)
	if x := n.produce(n.partition(topic, 0), batch(t, 1, record.Spec{}), AcksAll); x.Err != nil {
		t.Fatal(x.Err)
	}
	n.stop()
	n.must(meta.DeleteTopic{ID: topic.ID})
	n.register()
	n.boot()
	names, err := mem.List("d0")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if name == "t-0" || strings.HasSuffix(name, "-stray") {
			t.Errorf("%s is still there", name)
		}
	}
}

// TestColdLogsObeyTheirTopic: a log that nobody has used since the start is
// deleted with its topic.
func TestColdLogsObeyTheirTopic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := vfs.NewMem()
		n := startNode(t, mem)
		topic := n.topic("t", 1, nil)
		if x := n.produce(n.partition(topic, 0), batch(t, 1, record.Spec{}), AcksAll); x.Err != nil {
			t.Fatal(x.Err)
		}
		n.stop()
		n.register()
		n.boot()
		value := "1000"
		n.must(meta.AlterConfig{Resource: meta.Resource{Type: meta.TopicResource, Name: "t"}, Set: map[string]*string{"retention.ms": &value}})
		n.must(meta.DeleteTopic{ID: topic.ID})
		synctest.Wait()
		names, err := mem.List("d0")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if name == "t-0" {
				t.Errorf("%s is still there", name)
			}
		}
		n.stop()
	})
}

func TestOffsetsOfAPartition(t *testing.T) {
	n := startNode(t, vfs.NewMem())
	p := n.partition(n.topic("t", 1, nil), 0)
	for range 2 {
		if x := n.produce(p, batch(t, 2, record.Spec{Producer: &record.Producer{ID: 3, Sequence: int32(p.log.View().End)}}), AcksAll); x.Err != nil {
			t.Fatal(x.Err)
		}
	}
	for ts, want := range map[int64]int64{Latest: 4, Earliest: 0, EarliestLocal: 0, LatestTiered: -1, EarliestPendingUpload: -1, 0: 0} {
		if at, err := p.OffsetFor(ts, -1, ToHighWatermark); err != nil || at.Offset != want {
			t.Errorf("timestamp %d: %+v, %v", ts, at, err)
		}
	}
	if e, end, err := p.EpochEnd(p.Epoch(), p.Epoch()); err != nil || e != p.Epoch() || end != 4 {
		t.Error(e, end, err)
	}
	if list, err := p.Producers(); err != nil || len(list) != 1 {
		t.Error(list, err)
	}
	if start, err := p.DeleteBefore(3); err != nil || start != 3 {
		t.Error(start, err)
	}
	var r Reading
	if err := p.Read(ReadRequest{Offset: 4, Epoch: -1, LastEpoch: p.Epoch() + 1}, &r); !errors.Is(err, storage.ErrOutOfRange) {
		t.Errorf("an epoch that is not known: %v", err)
	}
	if _, err := p.DeleteBefore(9); err == nil {
		t.Error("deleted beyond the watermark")
	}
}

// TestDivergingReader: its last record is of an epoch that ended below its offset.
func TestDivergingReader(t *testing.T) {
	mem := vfs.NewMem()
	n := startNode(t, mem)
	topic := n.topic("t", 1, nil)
	var epochs []int32
	for range 2 {
		p := n.partition(topic, 0)
		epochs = append(epochs, p.Epoch())
		if x := n.produce(p, batch(t, 2, record.Spec{}), AcksAll); x.Err != nil {
			t.Fatal(x.Err)
		}
		n.stop()
		n.register()
		n.boot()
	}
	p := n.partition(topic, 0)
	var r Reading
	if err := p.Read(ReadRequest{Offset: 3, Epoch: -1, LastEpoch: epochs[0]}, &r); err != nil || !r.Diverged || r.DivergedEpoch != epochs[0] || r.DivergedEnd != 2 {
		t.Errorf("%+v, %v", r, err)
	}
	r = Reading{}
	if err := p.Read(ReadRequest{Offset: 3, Epoch: -1, LastEpoch: epochs[1], MaxBytes: 100}, &r); err != nil || r.Diverged {
		t.Errorf("%+v, %v", r, err)
	}
	r.Range.Release()
}

// TestBrokenRuleFencesThePartition (D10): that one alone, and who waits hears it.
func TestBrokenRuleFencesThePartition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, slowSync(t, time.Second))
		defer n.stop()
		topic := n.topic("t", 2, nil)
		p, other := n.partition(topic, 0), n.partition(topic, 1)
		x := n.send(p, batch(t, 1, record.Spec{}), AcksAll)
		var out woken
		p.mu.Lock()
		p.eff.Broken = "R5: for a test"
		p.takeLocked(&out)
		p.mu.Unlock()
		p.tell(&out)
		<-x.done
		if y := n.produce(p, batch(t, 1, record.Spec{}), AcksAll); x.Err != ErrBroken || y.Err != ErrBroken {
			t.Fatal(x.Err, y.Err)
		}
		if y := n.produce(other, batch(t, 1, record.Spec{}), AcksAll); y.Err != nil {
			t.Fatal(y.Err)
		}
	})
}
