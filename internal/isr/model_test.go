package isr

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/brokerd/brokerd/internal/step"
)

// twin is the stupidest correct leader: it keeps the whole history and computes
// the watermark from nothing after each step.
type twin struct {
	fsync       bool
	n           int
	isr, elig   Mask
	min         int
	recovering  bool
	asked       bool
	pending     Mask
	start, end  int64
	durable, hw int64
	begin       step.Instant
	fetches     [][]fetchEvent // by replica
	left        []int          // fetches when it last left the ISR
}

type fetchEvent struct {
	at          step.Instant
	offset, end int64
}

const lagMax = 10 * time.Second

// caught gives when replica i last had all that the leader had, and whether a
// fetch has said so since it last left the ISR.
func (w *twin) caught(i int) (at step.Instant, again bool) {
	at = w.begin
	for k, f := range w.fetches[i] {
		if f.offset >= f.end {
			at, again = max(at, f.at), k >= w.left[i]
		} else if k > 0 && f.offset >= w.fetches[i][k-1].end {
			at, again = max(at, w.fetches[i][k-1].at), k >= w.left[i]
		}
	}
	return at, again
}

func (w *twin) offset(i int) int64 {
	if n := len(w.fetches[i]); n > 0 {
		return w.fetches[i][n-1].offset
	}
	return -1
}

func (w *twin) advance(now step.Instant) {
	if w.isr.Count() < w.min {
		return
	}
	hw := w.end
	if w.fsync {
		hw = w.durable
	}
	for i := 1; i < w.n; i++ {
		at, again := w.caught(i)
		joins := again && w.elig.Has(i) && !w.recovering && w.offset(i) >= w.start && now.Sub(at) <= lagMax
		if w.isr.Has(i) || (w.asked && w.pending.Has(i)) || joins {
			hw = min(hw, w.offset(i))
		}
	}
	w.hw = max(w.hw, hw)
}

func (w *twin) expand(now step.Instant) {
	with := w.isr
	for i := 1; i < w.n; i++ {
		if n := len(w.fetches[i]); n > w.left[i] && w.elig.Has(i) && w.offset(i) >= w.hw && w.offset(i) >= w.start &&
			now.Sub(w.fetches[i][n-1].at) <= lagMax/2 {
			with = with.With(i)
		}
	}
	if !w.asked && with != w.isr {
		w.asked, w.pending = true, with
	}
}

// TestLeaderAgainstTwin drives random histories and compares watermark,
// proposals and the R invariants.
func TestLeaderAgainstTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 4).Draw(t, "n")
		all := Mask(1<<n - 1)
		w := &twin{
			fsync: rapid.Bool().Draw(t, "fsync"), n: n, elig: all,
			isr: Mask(rapid.IntRange(0, int(all)).Draw(t, "isr")) | 1,
			min: rapid.IntRange(1, n).Draw(t, "min"), end: 10, start: 10, durable: 10,
			hw: rapid.Int64Range(0, 10).Draw(t, "hw"), fetches: make([][]fetchEvent, n), left: make([]int, n),
		}
		rec := Record{LeaderEpoch: 1, ISR: w.isr, Eligible: all, MinISR: w.min}
		for i := range n {
			rec.Replicas = append(rec.Replicas, int32(i+1))
			rec.BrokerEpochs = append(rec.BrokerEpochs, int64(i))
		}
		now := step.Instant(0)
		var e Effects
		l := NewLeader(now, Config{Self: 1, Fsync: w.fsync, LagMax: lagMax}, rec, Log{10, 10, w.hw}, &e)
		w.advance(now)

		check := func() {
			if e.Broken != "" {
				t.Fatalf("broken: %s", e.Broken)
			}
			if l.hw != w.hw {
				t.Fatalf("hw %d, twin has %d: %s", l.hw, w.hw, l)
			}
			if l.asked != w.asked || (l.asked && l.pending != w.pending) {
				t.Fatalf("pending %v %b, twin has %v %b", l.asked, l.pending, w.asked, w.pending)
			}
			if e.Moved && e.HighWatermark != l.hw {
				t.Fatalf("effect says %d, state %d", e.HighWatermark, l.hw)
			}
			if l.hw > l.end || l.durable > l.end {
				t.Fatalf("R5: %s", l)
			}
		}
		check()
		t.Repeat(map[string]func(*rapid.T){
			"append": func(t *rapid.T) {
				e = Effects{}
				w.end += rapid.Int64Range(1, 9).Draw(t, "n")
				l.Appended(now, 1, w.end, &e)
				if !w.fsync {
					w.advance(now)
				}
			},
			"durable": func(t *rapid.T) {
				e = Effects{}
				to := rapid.Int64Range(w.durable, w.end).Draw(t, "to")
				moved := to > w.durable
				w.durable = to
				l.NowDurable(now, to, &e)
				if moved && w.fsync {
					w.advance(now)
				}
			},
			"fetched": func(t *rapid.T) {
				if n == 1 {
					t.Skip()
				}
				e = Effects{}
				i := rapid.IntRange(1, n-1).Draw(t, "i")
				off := rapid.Int64Range(max(w.offset(i), 0), w.end).Draw(t, "off")
				if rapid.Bool().Draw(t, "full") {
					off = w.end
				}
				if err := l.Fetched(now, Fetched{int32(i + 1), int64(i), 1, off}, &e); err != nil {
					t.Fatal(err)
				}
				w.fetches[i] = append(w.fetches[i], fetchEvent{now, off, w.end})
				w.advance(now)
				w.expand(now)
			},
			"tick": func(t *rapid.T) {
				e = Effects{}
				now = now.Add(time.Duration(rapid.IntRange(0, 12).Draw(t, "s")) * time.Second)
				l.Tick(now, &e)
				if !w.asked {
					keep := w.isr
					for i := 1; i < n; i++ {
						at, _ := w.caught(i)
						if keep.Has(i) && w.offset(i) < w.end && now.Sub(at) > lagMax {
							keep = keep.Without(i)
						}
					}
					if keep != w.isr {
						w.asked, w.pending = true, keep
					}
				}
				w.expand(now)
				w.advance(now)
			},
			"record": func(t *rapid.T) {
				e = Effects{}
				rec.PartitionEpoch++
				rec.ISR = Mask(rapid.IntRange(0, int(all)).Draw(t, "isr")) | 1
				if w.asked && rapid.Bool().Draw(t, "agree") {
					rec.ISR = w.pending
				}
				rec.Eligible = Mask(rapid.IntRange(0, int(all)).Draw(t, "elig")) | 1
				for i := range n {
					if w.isr.Has(i) && !rec.ISR.Has(i) {
						w.left[i] = len(w.fetches[i])
					}
				}
				w.isr, w.elig, w.asked = rec.ISR, rec.Eligible, false
				l.Altered(now, rec, &e)
				w.advance(now)
				w.expand(now)
			},
			"stale record": func(t *rapid.T) {
				e = Effects{}
				old := rec
				old.ISR = 1
				old.MinISR = n
				l.Altered(now, old, &e)
				w.advance(now) // time went on for who holds it back
				w.expand(now)
				old.PartitionEpoch--
				l.Altered(now, old, &e)
			},
			"": func(*rapid.T) { check() },
		})
	})
}
