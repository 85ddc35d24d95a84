package storage

import (
	"errors"
	"syscall"
	"testing"
	"time"

	"github.com/brokerd/brokerd/internal/record"
	"github.com/brokerd/brokerd/internal/vfs"
)

// The smallest tests below what the model found.

// kill stops a store without a word, as SIGKILL does, and opens another on the
// disk of after a power cut that lost what was not synced.
func kill(t *testing.T, s *Store, mem *vfs.Mem) (*Store, *vfs.Mem) {
	t.Helper()
	after := mem.Crash(rng(1), 0)
	t.Cleanup(func() { _ = s.Close() })
	return openStore(t, after), after
}

func durable(t *testing.T, l *Log) {
	t.Helper()
	if !l.home().flusher.await(l, l.View().End) {
		t.Fatal("not durable")
	}
}

func checkpointed(t *testing.T, l *Log) {
	t.Helper()
	if err := l.home().checkpoint([]*Log{l}, forced); err != nil {
		t.Fatal(err)
	}
}

// A checkpoint that was captured before a leader began must not write the older
// epochs over the leader's.
func TestCheckpointKeepsANewLeadersEpoch(t *testing.T) {
	mem := vfs.NewMem()
	s := openStore(t, mem)
	l := led(t, s, 0, testConfig())
	mustAppend(t, l, 1, batch(t, 1, 5, 1))
	durable(t, l)
	l.writeMu.Lock()
	l.captureLocked()
	l.writeMu.Unlock()
	if _, err := l.Lead(2); err != nil {
		t.Fatal(err)
	}
	config := *l.config.Load()
	config.Durability = ISR // so that the old candidate is taken
	l.SetConfig(config)
	if err := l.home().checkpoint([]*Log{l}, inTurn); err != nil {
		t.Fatal(err)
	}
	s, _ = kill(t, s, mem)
	if v := openLog(t, s, 0, testConfig()).View(); v.Epoch != 2 {
		t.Errorf("%+v", v)
	}
}

// Epochs of a tail that was lost must not come back when other batches stand there.
func TestEpochsOfALostTailAreForgotten(t *testing.T) {
	mem := vfs.NewMem()
	s := openStore(t, mem)
	c := testConfig()
	c.Durability = ISR
	l := led(t, s, 0, c)
	mustAppend(t, l, 1, batch(t, 1, 5, 1))
	durable(t, l)
	mustAppend(t, l, 1, batch(t, 3, 5, 1)) // lost
	if _, err := l.Lead(5); err != nil {   // at offset 4, on disk
		t.Fatal(err)
	}
	s, mem = kill(t, s, mem)
	l = openLog(t, s, 0, c)
	if end, err := l.Fence(1); err != nil || end != 1 {
		t.Fatal(end, err)
	}
	b := batch(t, 5, 5, 1)
	b.SetBaseOffset(1)
	b.SetLeaderEpoch(1)
	if _, err := l.Replicate(1, b); err != nil {
		t.Fatal(err)
	}
	if !l.home().flusher.await(l, 6) {
		t.Fatal("not durable")
	}
	s, _ = kill(t, s, mem)
	l = openLog(t, s, 0, c)
	if v := l.View(); v.End != 6 || l.EpochAt(5) != 1 {
		t.Errorf("%+v, epoch at 5 is %d", v, l.EpochAt(5))
	}
}

// Index files are not synced: an .index of now beside a .timeindex of before
// must not pass for the log's.
func TestIndexFilesOfTwoAges(t *testing.T) {
	mem := vfs.NewMem()
	s := openStore(t, mem)
	c := testConfig()
	c.SegmentBytes = 1 << 20
	l := led(t, s, 0, c)
	for i := range 20 {
		mustAppend(t, l, 1, batch(t, 1, 100, int64(1000+i)))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	name := "/d/orders-0/" + segmentName(0) + timeIndexSuffix
	p, err := readWhole(mem, name)
	if err != nil || len(p) < 3*timeEntryBytes {
		t.Fatal(len(p), err)
	}
	if err := overwrite(mem, name, p[2*timeEntryBytes:], 0); err != nil {
		t.Fatal(err)
	}
	l = openLog(t, openStore(t, mem), 0, c)
	for i := range int64(20) {
		if at, err := l.FirstAtOrAfter(1000+i, 20); err != nil || at.Offset != i {
			t.Errorf("first at or after %d: %+v, %v", 1000+i, at, err)
		}
	}
}

// A reset is all that says where an empty log begins.
func TestResetIsRemembered(t *testing.T) {
	mem := vfs.NewMem()
	s := openStore(t, mem)
	l := led(t, s, 0, testConfig())
	mustAppend(t, l, 1, batch(t, 3, 5, 1))
	durable(t, l)
	if err := l.Reset(50); err != nil {
		t.Fatal(err)
	}
	s, _ = kill(t, s, mem)
	l = openLog(t, s, 0, testConfig())
	if v := l.View(); v.Start != 50 || v.End != 50 {
		t.Errorf("%+v", v)
	}
	if _, err := l.Lead(9); err != nil {
		t.Fatal(err)
	}
	if a := mustAppend(t, l, 9, batch(t, 1, 5, 1)); a.Base != 50 {
		t.Errorf("%+v", a)
	}
}

// The checkpoint's point may lie in a segment that DeleteRecords takes away.
func TestDeletedSegmentHeldThePoint(t *testing.T) {
	mem := vfs.NewMem()
	s := openStore(t, mem)
	l := led(t, s, 0, testConfig())
	mustAppend(t, l, 1, batch(t, 3, 100, 1))
	durable(t, l)
	checkpointed(t, l)
	l.Commit(3)
	if _, err := l.DeleteBefore(3); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, l, 1, batch(t, 3, 600, 1)) // in a new segment
	durable(t, l)
	l.dropSegments()
	if l.Segments() != 1 {
		t.Fatalf("%d segments", l.Segments())
	}
	if err := mem.SyncDir("/d/orders-0"); err != nil { // the rename is on disk
		t.Fatal(err)
	}
	s, _ = kill(t, s, mem)
	if v := openLog(t, s, 0, testConfig()).View(); v.Start != 3 || v.End != 6 {
		t.Errorf("%+v", v)
	}
}

// A truncation takes back a producer state file that is of a longer log.
func TestProducersAfterTruncation(t *testing.T) {
	mem := vfs.NewMem()
	s := openStore(t, mem)
	l := led(t, s, 0, testConfig())
	mustAppend(t, l, 1, idempotent(t, 0, 0, 2, false))
	durable(t, l)
	mustAppend(t, l, 1, idempotent(t, 0, 2, 2, false))
	durable(t, l)
	checkpointed(t, l) // the state is of offset 4
	if err := l.Truncate(2); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		mustAppend(t, l, 1, batch(t, 1, 5, 1)) // past offset 4 again
	}
	durable(t, l)
	s, _ = kill(t, s, mem)
	l = openLog(t, s, 0, testConfig())
	if p := l.Producers(); len(p) != 1 || p[0].LastSequence != 1 {
		t.Errorf("%+v", p)
	}
	if _, err := l.Append(1, build(t, record.Spec{Producer: &record.Producer{ID: 7, Sequence: 2}}, 1, 5, 1)); err != nil {
		t.Error(err)
	}
}

// A process was killed after it rolled: the new segment's name is in the page
// cache only. Who goes on from there and acknowledges must have it on disk.
func TestKilledAfterARollThenPowerCut(t *testing.T) {
	mem := vfs.NewMem()
	cut := &cutFS{FS: mem, mem: mem, rng: rng(1)}
	s := openStore(t, cut)
	l := led(t, s, 0, testConfig())
	mustAppend(t, l, 1, batch(t, 3, 100, 1))
	durable(t, l)
	checkpointed(t, l)
	c := testConfig()
	c.Durability = ISR // the checkpoint takes the point of the roll, and syncs nothing
	l.SetConfig(c)
	l.writeMu.Lock()
	err := l.rollLocked(time.Now())
	l.writeMu.Unlock()
	if err == nil {
		err = l.home().checkpoint([]*Log{l}, inTurn)
	}
	if err != nil {
		t.Fatal(err)
	}
	cut.cutNow(1) // the process is dead, the page cache is not
	next := openStore(t, mem)
	l = openLog(t, next, 0, testConfig())
	mustAppend(t, l, 1, batch(t, 1, 5, 1)) // no Lead: it would sync the directory
	durable(t, l)
	next, _ = kill(t, next, mem)
	if v := openLog(t, next, 0, testConfig()).View(); v.End != 4 {
		t.Errorf("%+v", v)
	}
}

// After a sync that failed the kernel takes the pages for clean: a restart of the
// process alone reads them, and its syncs succeed and bring nothing to the disk.
// What is kept is written again, before more is acknowledged behind it.
func TestRestartAfterAFailedSync(t *testing.T) {
	mem := vfs.NewMem()
	fault := vfs.NewFault(mem)
	s := openStore(t, fault)
	l := led(t, s, 0, testConfig())
	mustAppend(t, l, 1, batch(t, 1, 5, 1))
	durable(t, l)
	fault.Add(vfs.Rule{Op: vfs.OpSync, Path: "*.log", Times: 1, Err: syscall.EIO})
	mustAppend(t, l, 1, batch(t, 2, 5, 1))
	if l.home().flusher.await(l, 3) {
		t.Fatal("the sync failed")
	}
	if err := s.Close(); !errors.Is(err, syscall.EIO) {
		t.Fatal(err)
	}
	s = openStore(t, mem) // the same page cache
	l = openLog(t, s, 0, testConfig())
	if v := l.View(); v.End != 3 || v.Durable != 3 {
		t.Fatalf("%+v", v)
	}
	mustAppend(t, l, 1, batch(t, 4, 5, 1))
	durable(t, l)
	s, mem = kill(t, s, mem)
	l = openLog(t, s, 0, testConfig())
	if v := l.View(); v.End != 7 || len(readAll(t, l, 0)) != 3 {
		t.Errorf("%+v", v)
	}
	if f, err := mem.Open("/d/"+failedName, vfs.Read); err == nil {
		t.Error("the note of the failure stays", f.Close())
	}
}
