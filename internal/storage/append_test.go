package storage

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brokerd/brokerd/internal/record"
	"github.com/brokerd/brokerd/internal/vfs"
)

// led opens a log of which epoch 1 is the leader.
func led(t testing.TB, s *Store, n int32, c Config) *Log {
	t.Helper()
	l := openLog(t, s, n, c)
	if _, err := l.Lead(1); err != nil {
		t.Fatal(err)
	}
	return l
}

func TestFence(t *testing.T) {
	l := led(t, openStore(t, vfs.NewMem()), 0, testConfig())
	mustAppend(t, l, 1, batch(t, 2, 5, 1000))
	if end, err := l.Fence(4); err != nil || end != 2 {
		t.Fatal(end, err)
	}
	for _, epoch := range []int32{0, 1, 5} {
		if _, err := l.Append(epoch, batch(t, 1, 5, 1000)); !errors.Is(err, ErrFenced) {
			t.Errorf("epoch %d: %v", epoch, err)
		}
	}
	if _, err := l.Lead(3); !errors.Is(err, ErrFenced) {
		t.Errorf("an epoch went back: %v", err)
	}
	b := batch(t, 3, 5, 1000)
	b.SetBaseOffset(2)
	b.SetLeaderEpoch(4)
	if a, err := l.Replicate(4, b); err != nil || a.Base != 2 || a.Next != 5 {
		t.Errorf("%+v, %v", a, err)
	}
	if _, err := l.Replicate(4, b); !errors.Is(err, ErrOutOfRange) {
		t.Errorf("offsets went back: %v", err)
	}
	if e, end := l.EndOf(1); e != 1 || end != 2 {
		t.Errorf("epoch 1 ends at %d, %d", e, end)
	}
	if e, end := l.EndOf(3); e != 1 || end != 2 {
		t.Errorf("epoch 3 ends at %d, %d", e, end)
	}
	if e, end := l.EndOf(0); e != 0 || end != 0 {
		t.Errorf("epoch 0, below all (KAFKA-7415), ends at %d, %d", e, end)
	}
	if e, end := l.EndOf(9); e != -1 || end != -1 {
		t.Errorf("epoch 9, above all, ends at %d, %d", e, end)
	}
}

func TestLogAppendTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := testConfig()
		c.LogAppendTime = true
		s := openStore(t, vfs.NewMem())
		l := led(t, s, 0, c)
		a := mustAppend(t, l, 1, batch(t, 2, 5, 1000))
		if now := time.Now().UnixMilli(); a.AppendTime != now {
			t.Errorf("append time %d, it is %d", a.AppendTime, now)
		}
		got := readAll(t, l, 0)[0]
		if !got.LogAppendTime() || got.MaxTimestamp() != a.AppendTime {
			t.Errorf("batch has time %d (%v)", got.MaxTimestamp(), got.LogAppendTime())
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestRolls checks each reason to start a new segment.
func TestRolls(t *testing.T) {
	for name, c := range map[string]struct {
		config func(*Config)
		times  []int64
		want   int
	}{
		"size":            {func(c *Config) { c.SegmentBytes = 250 }, []int64{1, 2, 3, 4}, 2},
		"one per segment": {func(c *Config) { c.SegmentBytes = 130 }, []int64{1, 2, 3}, 3},
		"age":             {func(c *Config) { c.SegmentAge = 10 * time.Millisecond }, []int64{100, 105, 110, 111, 115, 130}, 3},
		"compaction lag":  {func(c *Config) { c.SegmentAge, c.Compact, c.MaxCompactionLag = time.Hour, true, 10*time.Millisecond }, []int64{100, 105, 110, 111, 115, 130}, 3},
		"index full":      {func(c *Config) { c.IndexIntervalBytes, c.SegmentIndexBytes = 0, 48 }, []int64{1, 2, 3, 4, 5, 6}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			config := defaultConfig
			c.config(&config)
			l := led(t, openStore(t, vfs.NewMem()), 0, config)
			for _, ms := range c.times {
				mustAppend(t, l, 1, batch(t, 1, 44, ms)) // 122 bytes
			}
			if l.Segments() != c.want {
				t.Errorf("%d segments, want %d", l.Segments(), c.want)
			}
			if got := len(readAll(t, l, 0)); got != len(c.times) {
				t.Errorf("%d batches", got)
			}
		})
	}
}

func TestTooLarge(t *testing.T) {
	c := testConfig()
	c.SegmentBytes = 300
	l := led(t, openStore(t, vfs.NewMem()), 0, c)
	small, large := batch(t, 1, 5, 1), batch(t, 1, 500, 1)
	a, err := l.Append(1, bytes.Join([][]byte{small, small, large, small}, nil))
	if !errors.Is(err, ErrTooLarge) || a.Batches != 2 || a.Next != 2 {
		t.Errorf("%+v, %v", a, err)
	}
	if got := readAll(t, l, 0); len(got) != 2 {
		t.Errorf("%d batches", len(got))
	}
}

// idempotent builds a batch of n records of producer 7.
func idempotent(t testing.TB, epoch int16, seq int32, n int, txn bool) record.Batch {
	t.Helper()
	return build(t, record.Spec{Producer: &record.Producer{ID: 7, Epoch: epoch, Sequence: seq}, Transactional: txn}, n, 5, 1000)
}

// TestProducerRules are P1, P2 and P4.
func TestProducerRules(t *testing.T) {
	l := led(t, openStore(t, vfs.NewMem()), 0, testConfig())
	send := func(b record.Batch) (Appended, error) { return l.Append(1, b) }
	want := func(what string, b record.Batch, want error) {
		t.Helper()
		if _, err := send(b); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
	}
	want("a new producer starts anywhere", idempotent(t, 3, 50, 2, false), nil)
	want("gap", idempotent(t, 3, 53, 1, false), ErrOutOfOrder)
	want("stale epoch", idempotent(t, 2, 52, 1, false), ErrProducerEpoch)
	want("new epoch from the middle", idempotent(t, 4, 52, 1, false), ErrOutOfOrder)
	for i := range int32(6) {
		want("in order", idempotent(t, 3, 52+i, 1, false), nil)
	}
	a, err := send(idempotent(t, 3, 53, 1, false))
	if err != nil || !a.Duplicate || a.Base != 3 || a.Next != 4 || l.View().End != 8 {
		t.Errorf("duplicate: %+v, %v", a, err)
	}
	want("older than the last five", idempotent(t, 3, 50, 2, false), ErrOutOfOrder)
	want("new epoch from zero", idempotent(t, 5, 0, 1, true), nil)
	want("no transaction while one is open", idempotent(t, 5, 1, 1, false), ErrTxnState)
	a, err = send(bytes.Join([][]byte{idempotent(t, 5, 1, 1, true), idempotent(t, 5, 1, 1, true)}, nil))
	if err != nil || a.Batches != 1 || a.Duplicate {
		t.Errorf("a duplicate behind its original: %+v, %v", a, err)
	}
	if p := l.Producers(); len(p) != 1 || p[0] != (Producer{ID: 7, Epoch: 5, LastSequence: 1, LastTimestamp: 1000, CoordinatorEpoch: -1, TxnStart: 8}) {
		t.Errorf("%+v", p)
	}
}

func TestSequenceWraps(t *testing.T) {
	l := led(t, openStore(t, vfs.NewMem()), 0, testConfig())
	mustAppend(t, l, 1, idempotent(t, 0, math.MaxInt32-1, 4, false)) // ends with sequence 1
	mustAppend(t, l, 1, idempotent(t, 0, 2, 1, false))
	if a := mustAppend(t, l, 1, idempotent(t, 0, math.MaxInt32-1, 4, false)); !a.Duplicate || a.Base != 0 || a.Next != 4 {
		t.Errorf("%+v", a)
	}
}

func marker(t testing.TB, epoch int16, commit bool, coordinator int32) record.Batch {
	t.Helper()
	b, err := record.BuildMarker(nil, 7, epoch, 2000, record.Marker{Commit: commit, CoordinatorEpoch: coordinator})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestMarkerRules are P5 and P6.
func TestMarkerRules(t *testing.T) {
	l := led(t, openStore(t, vfs.NewMem()), 0, testConfig())
	mustAppend(t, l, 1, batch(t, 1, 5, 1))
	mustAppend(t, l, 1, idempotent(t, 4, 0, 2, true))
	l.Commit(3)
	if v := l.View(); v.LastStable != 1 {
		t.Errorf("%+v", v)
	}
	if _, err := l.AppendMarker(1, marker(t, 4, false, 9), true); !errors.Is(err, ErrProducerEpoch) {
		t.Errorf("TV2 marker of the same epoch: %v", err)
	}
	if a, err := l.AppendMarker(1, marker(t, 5, false, 9), true); err != nil || a.Base != 3 {
		t.Errorf("%+v, %v", a, err)
	}
	if v := l.View(); v.LastStable != 1 {
		t.Errorf("the marker is not committed: %+v", v)
	}
	l.Commit(4)
	if v := l.View(); v.LastStable != 4 {
		t.Errorf("%+v", v)
	}
	if a, err := l.AppendMarker(1, marker(t, 5, false, 9), true); err != nil || !a.Duplicate || l.View().End != 4 {
		t.Errorf("the marker again (J-12): %+v, %v", a, err)
	}
	if _, err := l.AppendMarker(1, marker(t, 6, true, 8), true); !errors.Is(err, ErrCoordinatorEpoch) {
		t.Errorf("older coordinator: %v", err)
	}
	if got, err := l.Aborted(0, 4); err != nil || len(got) != 1 || got[0] != (record.Aborted{ProducerID: 7, First: 1, Last: 3, LastStable: 4}) {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := l.Aborted(0, 1); err != nil || len(got) != 0 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestProducersAreBounded(t *testing.T) {
	var ps producers
	for i := range int64(maxProducers + 10) {
		p := ps.touch(i)
		p.lastTime = i
		if i == 5 {
			p.txnStart = 100
		}
		ps.keep()
	}
	if n := len(ps.m); n > maxProducers || n < maxProducers*7/8 {
		t.Errorf("%d producers", n)
	}
	if ps.m[5] == nil {
		t.Error("one with an open transaction went")
	}
	if ps.m[1] != nil || ps.m[maxProducers] == nil {
		t.Error("not the quietest went")
	}
}

// TestFlushesOfISR are flush.messages and flush.ms.
func TestFlushesOfISR(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"messages": func(c *Config) { c.FlushMessages = 10 },
		"interval": func(c *Config) { c.FlushInterval = 3 * time.Second },
		"never":    func(c *Config) {},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := defaultConfig
				c.Durability = ISR
				change(&c)
				s := openStore(t, vfs.NewMem())
				l := led(t, s, 0, c)
				mustAppend(t, l, 1, batch(t, 1, 5, 1)) // makes the files: synced once
				synctest.Wait()
				var got []string
				for range 12 {
					mustAppend(t, l, 1, batch(t, 1, 5, 1))
					synctest.Wait()
					got = append(got, fmt.Sprint(l.View().Durable))
				}
				time.Sleep(5 * time.Second)
				synctest.Wait()
				end := l.View().Durable
				want := map[string]int64{"messages": 11, "interval": 13, "never": 1}[name]
				if end != want {
					t.Errorf("durable %d, want %d (%v)", end, want, got)
				}
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}
