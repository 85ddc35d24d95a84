package replica_test

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/replica"
	"github.com/brokerd/brokerd/internal/storage"
	"github.com/brokerd/brokerd/internal/vfs"
)

// TestCorruptReplica: a log that lost what it vouched for leaves the ISR, is set
// aside and fetched anew from the leader.
func TestCorruptReplica(t *testing.T) {
	trio(t, nil, func(b *brokers) {
		topic := b.Topic("t", nil, 2, []int32{1, 2, 3})
		for k := range 10 {
			b.Nodes[1].ack(topic, 0, fmt.Sprint("value ", k))
		}
		b.same(topic, 0, 1, 2, 3)
		x := b.Nodes[3]
		dir := x.Partition(topic, 0).Log().Dir()
		x.Stop()
		x.Fence()
		b.Nodes[1].ack(topic, 0, "meanwhile")
		file, err := x.FS.Open(path.Join(dir, "t-0", "00000000000000000000.log"), vfs.Write)
		if err != nil {
			t.Fatal(err)
		}
		if err := file.Truncate(100); err != nil {
			t.Fatal(err)
		}
		_ = file.Close() // of a memory file
		x.Start()
		b.eventually(20*time.Second, "3 is back in sync", func() bool { return b.isr(topic, 0) == "[1 2 3]" })
		b.Nodes[1].ack(topic, 0, "after")
		b.same(topic, 0, 1, 2, 3)
		if lost := x.M.Lost(); len(lost) != 0 {
			t.Errorf("still lost: %v", lost)
		}
		names, err := x.FS.List(dir)
		if err != nil || !strings.Contains(fmt.Sprint(names), "-stray") {
			t.Errorf("what there was is gone: %v, %v", names, err)
		}
	})
}

// TestCorruptWhileOpen: the same for a log that is found damaged while it is in
// use; a second time in one life it stays offline.
func TestCorruptWhileOpen(t *testing.T) {
	trio(t, nil, func(b *brokers) {
		topic := b.Topic("t", nil, 2, []int32{1, 2, 3})
		x := b.Nodes[3]
		damage := func() {
			t.Helper()
			log := x.Partition(topic, 0).Log()
			file, err := x.FS.Open(path.Join(log.Dir(), "t-0", "00000000000000000000.log"), vfs.Write)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := file.WriteAt(make([]byte, 61), 0); err != nil {
				t.Fatal(err)
			}
			_ = file.Close() // of a memory file
			if _, err := log.Read(storage.ReadSpec{Limit: log.View().End, MaxBytes: 1, FirstWhole: true}); !errors.Is(err, storage.ErrCorrupt) {
				t.Fatalf("damage is not noticed: %v", err)
			}
		}
		b.Nodes[1].ack(topic, 0, "before")
		b.same(topic, 0, 1, 2, 3)
		damage()
		b.Nodes[1].ack(topic, 0, "meanwhile")
		if n := b.Nodes[1].M.Copied().Shrinks; n != 1 {
			t.Fatalf("it was acknowledged, and the ISR shrank %d times", n)
		}
		b.eventually(20*time.Second, "3 is back in sync", func() bool { return b.isr(topic, 0) == "[1 2 3]" })
		b.same(topic, 0, 1, 2, 3)
		damage()
		b.Nodes[1].ack(topic, 0, "again")
		time.Sleep(time.Minute)
		if isr := b.isr(topic, 0); isr != "[1 2]" || len(x.M.Lost()) != 1 {
			t.Errorf("in sync %s, lost %v", isr, x.M.Lost())
		}
	})
}

// TestCorruptWhileIdle: the same for a partition that nothing is written to. The
// session of its follower goes on speaking, for the partitions that are whole: that
// is no reason to count on the one that is not.
func TestCorruptWhileIdle(t *testing.T) {
	trio(t, nil, func(b *brokers) {
		topic, other := b.Topic("t", nil, 2, []int32{1, 2, 3}), b.Topic("other", nil, 2, []int32{1, 2, 3})
		x := b.Nodes[3]
		for _, whole := range []*meta.Topic{topic, other} {
			b.Nodes[1].ack(whole, 0, "before")
			b.same(whole, 0, 1, 2, 3)
		}
		p := x.Partition(topic, 0)
		b.eventually(time.Second, "3 hears of the watermark", func() bool { return p.Log().View().HighWatermark == 1 })
		file, err := x.FS.Open(path.Join(p.Log().Dir(), "t-0", "00000000000000000000.log"), vfs.Write)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := file.WriteAt(make([]byte, 61), 0); err != nil {
			t.Fatal(err)
		}
		_ = file.Close() // of a memory file
		x.Hold()         // it does not begin anew yet
		var out replica.Reading
		if err := p.Read(replica.ReadRequest{MaxBytes: 1, FirstWhole: true, Epoch: -1, LastEpoch: -1, Follower: true}, &out); !errors.Is(err, storage.ErrCorrupt) {
			t.Fatalf("damage is not noticed: %v", err)
		}
		b.eventually(time.Second, "3 is out of sync", func() bool { return b.isr(topic, 0) == "[1 2]" })
		time.Sleep(time.Minute)
		if isr := b.isr(topic, 0); isr != "[1 2]" {
			t.Fatalf("in sync %s, and lost: %v", isr, x.M.Lost())
		}
		x.Release()
		b.eventually(20*time.Second, "3 is back in sync", func() bool { return b.isr(topic, 0) == "[1 2 3]" })
		b.same(topic, 0, 1, 2, 3)
	})
}
