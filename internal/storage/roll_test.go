package storage

import (
	"testing"
	"time"

	"github.com/brokerd/brokerd/internal/record"
	"github.com/brokerd/brokerd/internal/vfs"
)

// Each batch begins with a record of last year. As in Kafka a segment's age is
// counted from the largest time of its first batch, or every batch would get a
// segment of its own. The same after a restart.
func TestAgeOfASegmentWithOldRecords(t *testing.T) {
	mem := vfs.NewMem()
	c := testConfig()
	c.SegmentBytes, c.SegmentAge = 1<<20, 7*24*time.Hour
	l := openLog(t, openStore(t, mem), 0, c)
	lead(t, l, 1)
	now := time.Now().UnixMilli()
	put := func(l *Log) {
		t.Helper()
		b, err := record.Build(record.Spec{}, record.Record{Timestamp: now - 365*24*3600*1000}, record.Record{Timestamp: now})
		if err != nil {
			t.Fatal(err)
		}
		if a := mustAppend(t, l, 1, b); !l.home().flusher.await(l, a.Next) {
			t.Fatal("not durable")
		}
	}
	for range 3 {
		put(l)
	}
	if n := l.Segments(); n != 1 {
		t.Fatalf("%d segments for 3 batches", n)
	}
	if err := l.home().checkpoint([]*Log{l}, forced); err != nil {
		t.Fatal(err)
	}
	l = openLog(t, openStore(t, mem.Crash(rng(1), 0)), 0, c)
	l.SetConfig(c)
	lead(t, l, 1)
	put(l)
	if n := l.Segments(); n != 1 {
		t.Fatalf("%d segments after a restart", n)
	}
}
