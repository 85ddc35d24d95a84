package replica_test

import (
	"fmt"
	"io"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/brokerd/brokerd/internal/storage"
	"github.com/brokerd/brokerd/internal/vfs"
)

// flip turns a bit in the first, sealed segment of a broker's log.
func (x *node) flip(t *testing.T, log *storage.Log, at int64) {
	t.Helper()
	f, err := x.FS.Open(path.Join(log.Dir(), log.Topic()+"-0", "00000000000000000000.log"), vfs.Write)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, at); err != nil && err != io.EOF {
		t.Fatal(err)
	}
	b[0] ^= 4
	if _, err := f.WriteAt(b, at); err != nil {
		t.Fatal(err)
	}
	_ = f.Close() // of a memory file
}

// TestScrubRepairs: a bit that flips in a sealed segment of a follower, then of the
// leader, is found within the interval; the replica leaves the ISR, is set aside
// and fetched anew, and nothing acknowledged is lost. A replica that nobody could
// repair serves on.
func TestScrubRepairs(t *testing.T) {
	hourly := map[string]string{"log.scrub.interval.ms": "3600000"}
	small := map[string]string{"segment.bytes": "1048576"}
	trio(t, hourly, func(b *brokers) {
		topic, alone := b.Topic("t", small, 2, []int32{1, 2, 3}), b.Topic("alone", small, 1, []int32{2})
		for k := range 8 {
			b.Nodes[1].ack(topic, 0, fmt.Sprint(k, strings.Repeat("v", 300<<10)))
			b.Nodes[2].ack(alone, 0, fmt.Sprint(k, strings.Repeat("v", 300<<10)))
		}
		b.same(topic, 0, 1, 2, 3)
		sole := b.Nodes[2].Partition(alone, 0).Log()
		b.Nodes[2].flip(t, sole, 70)

		follower := b.Nodes[3]
		old := follower.Partition(topic, 0).Log()
		follower.flip(t, old, 70)
		b.eventually(2*time.Hour, "3 has another log", func() bool { return follower.Partition(topic, 0).Log() != old })
		b.eventually(time.Minute, "3 is back in sync", func() bool { return b.isr(topic, 0) == "[1 2 3]" })
		b.Nodes[1].ack(topic, 0, "after the first")
		b.same(topic, 0, 1, 2, 3)

		leader := b.Nodes[1]
		old = leader.Partition(topic, 0).Log()
		leader.flip(t, old, 130)
		b.eventually(2*time.Hour, "another leads", func() bool { return b.Record(topic, 0).Leader > 1 })
		b.eventually(time.Minute, "1 is back in sync", func() bool { return b.isr(topic, 0) == "[1 2 3]" })
		b.Nodes[b.Record(topic, 0).Leader].ack(topic, 0, "after the second")
		b.same(topic, 0, 1, 2, 3)

		if n := b.Nodes[2].Store.Scrub().Damaged; n == 0 {
			t.Error("the damage of the sole replica was not found")
		}
		b.Nodes[2].ack(alone, 0, "still here")
	})
}
