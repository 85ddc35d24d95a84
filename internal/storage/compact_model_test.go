package storage

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brokerd/brokerd/internal/record"
	"github.com/brokerd/brokerd/internal/vfs"
)

var compactSeeds = flag.Int("compact-seeds", 150, "how many seeds the model test of compaction runs")

// keyed is one record of the model. Its offset is its place.
type keyed struct {
	key, value string
	none, tomb bool  // no key; no value
	marker     bool  // or the place of one
	aborted    bool  // by the marker at this offset
	ms         int64 // timestamp
}

// keyedLog is a compacted log beside the plain truth of what was written to it.
type keyedLog struct {
	rng   *rand.Rand
	cover *coverage
	disk  *vfs.Mem
	cut   *cutFS
	s     *Store
	l     *Log
	c     Config

	all     []keyed
	acked   int64
	touched int64             // no pass went further
	plain   bool              // no transactions; the log is cut now and then
	open    map[int64][]int64 // offsets of the open transaction, by producer
	epoch   map[int64]int16
	seq     map[int64]int32
	fresh   map[int64]bool // the producer must begin an epoch
	trace   []string
}

// TestCompactionModel runs random writes, passes and power cuts against a plain
// slice: at every offset is what was written there or nothing, and the newest
// record of a key is never nothing, unless it is a tombstone, and then no older
// one comes back.
func TestCompactionModel(t *testing.T) {
	var cover coverage
	for seed := range uint64(*compactSeeds) {
		if err := runKeyed(t, seed, &cover); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
	t.Log(&cover)
	for _, what := range []string{"pass", "records-gone", "segments-merged", "crash-in-pass", "swap-finished", "rebuilt", "several-passes", "reader-moved", "tombstone-gone", "aborted-gone", "marker-gone", "truncated", "deleted"} {
		if cover.n[what] == 0 {
			t.Errorf("no seed had %s", what)
		}
	}
}

// TestCompactionMutations proves that the model notices each rule that is off.
func TestCompactionMutations(t *testing.T) {
	for name, on := range map[string]*bool{
		"swap before sync":     &mutations.swapBeforeSync,
		"past the last stable": &mutations.compactUndecided,
		"tombstones at once":   &mutations.dropTombstones,
		"swap undone":          &mutations.forgetSwap,
	} {
		t.Run(name, func(t *testing.T) {
			*on = true
			defer func() { *on = false }()
			for seed := range uint64(600) {
				if err := runKeyed(t, seed, &coverage{}); err != nil {
					text, _, _ := strings.Cut(err.Error(), "\n")
					t.Logf("seed %d: %s", seed, text)
					return
				}
			}
			t.Fatal("600 seeds did not notice it")
		})
	}
}

func runKeyed(t *testing.T, seed uint64, cover *coverage) (err error) {
	synctest.Test(t, func(t *testing.T) {
		m := &keyedLog{rng: rng(seed), cover: cover, disk: vfs.NewMem(), open: map[int64][]int64{}, epoch: map[int64]int16{}, seq: map[int64]int32{}, fresh: map[int64]bool{}}
		defer func() {
			if m.s != nil {
				_ = m.s.Close() // the seed is over
			}
			if f, ok := recover().(modelFailure); ok {
				err = f.err
			}
		}()
		m.run()
	})
	return err
}

func (m *keyedLog) failf(format string, args ...any) {
	panic(modelFailure{fmt.Errorf(format+"\nafter: %s", append(args, strings.Join(m.trace[max(0, len(m.trace)-40):], "\n  "))...)})
}

func (m *keyedLog) note(format string, args ...any) {
	m.trace = append(m.trace, fmt.Sprintf(format, args...))
}

func (m *keyedLog) run() {
	m.c = Config{SegmentBytes: 600 + m.rng.Int64N(3000), IndexIntervalBytes: m.rng.Int64N(500), SegmentIndexBytes: 1000, RetentionAge: -1, RetentionBytes: -1,
		FileDeleteDelay: time.Minute, Compact: true, MinDirtyRatio: 0.3, DeleteRetention: time.Duration(m.rng.IntN(3)) * time.Hour}
	if m.rng.IntN(4) == 0 {
		m.c.MinCompactionLag = time.Duration(m.rng.IntN(60)) * time.Minute
	}
	if err := errors.Join(m.disk.MkdirAll("/d"), m.disk.SyncDir("/")); err != nil {
		m.failf("%v", err)
	}
	m.plain = m.rng.IntN(3) == 0
	m.c.Delete = m.rng.IntN(3) == 0
	m.start()
	for range 60 {
		switch n := m.rng.IntN(22); {
		case n < 11:
			m.write()
		case n < 15:
			m.compact()
		case n < 16:
			m.end(true)
		case n < 17:
			m.crash(0)
		case n < 18:
			m.crash(1 + m.rng.IntN(60))
		case n < 19:
			m.truncate()
		case n < 20:
			m.deleteBefore()
		default:
			time.Sleep(time.Duration(m.rng.IntN(120)) * time.Minute)
		}
		m.check()
	}
}

func (m *keyedLog) start() {
	m.cut = &cutFS{FS: m.disk, mem: m.disk, rng: rng(m.rng.Uint64())}
	s, err := Open(context.Background(), Options{FS: m.cut, Dirs: []string{"/d"}, MaxOpenFiles: 2, NoCleaner: true,
		RetentionInterval: 1000 * time.Hour, Logger: slog.New(&coverHandler{slog.DiscardHandler, m.cover, func(string) {}})})
	if err != nil {
		m.failf("open: %v", err)
	}
	m.s = s
	if m.l, err = s.Log(testID(0), "orders", m.c); err != nil {
		m.failf("open the log: %v", err)
	}
	if _, err := m.l.Lead(max(m.l.View().Epoch, 0) + 1); err != nil {
		m.failf("lead: %v", err)
	}
	v := m.l.View()
	if v.End < m.acked {
		m.failf("end is %d, %d was durable", v.End, m.acked)
	}
	m.all = m.all[:v.End]
	m.l.Commit(v.End)
	m.acked = v.End
	m.producersAgree()
}

// producersAgree lets producers go on from what the log knows of them.
func (m *keyedLog) producersAgree() {
	m.open = map[int64][]int64{}
	known := map[int64]bool{}
	for _, p := range m.l.Producers() {
		known[p.ID] = true
		m.epoch[p.ID] = p.Epoch
		m.seq[p.ID] = nextSequence(p.LastSequence)
		if p.LastSequence < 0 {
			m.seq[p.ID], m.fresh[p.ID] = 0, true
		}
		if p.TxnStart >= 0 {
			m.open[p.ID] = []int64{}
			for o := p.TxnStart; o < int64(len(m.all)); o++ {
				if strings.HasPrefix(m.all[o].value, fmt.Sprintf("txn%d ", p.ID)) || m.all[o].key == fmt.Sprintf("of%d", p.ID) {
					m.open[p.ID] = append(m.open[p.ID], o)
				}
			}
		}
	}
	for id := range m.epoch {
		if !known[id] {
			m.epoch[id], m.fresh[id] = m.epoch[id]+1, true
		}
	}
}

// write appends one batch: plain, idempotent or of a transaction.
func (m *keyedLog) write() {
	id := int64(-1)
	if m.rng.IntN(3) > 0 {
		id = int64(m.rng.IntN(4)) // 0, 1 idempotent; 2, 3 transactional
		if m.plain {
			id %= 2
		}
	}
	spec := record.Spec{Codec: record.Codec(m.rng.IntN(5))}
	prefix := ""
	if id >= 0 {
		if m.rng.IntN(10) == 0 && len(m.open[id]) == 0 || m.fresh[id] {
			m.epoch[id], m.seq[id], m.fresh[id] = m.epoch[id]+1, 0, false
		}
		spec.Producer = &record.Producer{ID: id, Epoch: m.epoch[id], Sequence: m.seq[id]}
		if spec.Transactional = id >= 2; spec.Transactional {
			prefix = fmt.Sprintf("txn%d ", id)
		}
	}
	base := int64(len(m.all))
	var rs []record.Record
	var news []keyed
	for i := range 1 + m.rng.IntN(6) {
		k := keyed{key: fmt.Sprintf("k%d", m.rng.IntN(12)), value: prefix + strings.Repeat("v", m.rng.IntN(60)) + fmt.Sprint(base+int64(i)), ms: time.Now().UnixMilli()}
		r := record.Record{Timestamp: k.ms, Key: []byte(k.key), Value: []byte(k.value)}
		switch {
		case m.rng.IntN(5) == 0 && prefix == "":
			k.tomb, k.value, r.Value = true, "", nil
		case m.rng.IntN(30) == 0 && prefix == "":
			k.none, r.Key = true, nil
		}
		rs, news = append(rs, r), append(news, k)
	}
	b, err := record.Build(spec, rs...)
	if err != nil {
		m.failf("%v", err)
	}
	a, err := m.l.Append(m.l.View().Epoch, b)
	if err != nil {
		m.failf("append %+v: %v", spec.Producer, err)
	}
	if a.Base != base || a.Duplicate {
		m.failf("appended at %d, not %d", a.Base, base)
	}
	m.all = append(m.all, news...)
	if id >= 0 {
		m.seq[id] += int32(len(rs))
	}
	for o := a.Base; spec.Transactional && o < a.Next; o++ {
		m.open[id] = append(m.open[id], o)
	}
	m.note("append %d-%d producer %d", a.Base, a.Next-1, id)
	if m.rng.IntN(2) == 0 {
		m.end(false)
	}
	m.commit()
}

// end ends transactions.
func (m *keyedLog) end(all bool) {
	for _, id := range []int64{2, 3} {
		if len(m.open[id]) == 0 || !all && m.rng.IntN(2) == 0 {
			continue
		}
		commit := m.rng.IntN(2) == 0
		b, err := record.BuildMarker(nil, id, m.epoch[id], time.Now().UnixMilli(), record.Marker{Commit: commit, CoordinatorEpoch: 1})
		if err != nil {
			m.failf("%v", err)
		}
		a, err := m.l.AppendMarker(m.l.View().Epoch, b, false)
		if err != nil {
			m.failf("marker: %v", err)
		}
		for _, o := range m.open[id] {
			m.all[o].aborted = !commit
		}
		delete(m.open, id)
		m.all = append(m.all, keyed{marker: true, ms: time.Now().UnixMilli()})
		m.note("marker at %d producer %d commit %t", a.Base, id, commit)
	}
	m.commit()
}

func (m *keyedLog) commit() {
	if v := m.l.View(); !m.l.home().flusher.await(m.l, v.End) {
		m.failf("not durable")
	}
	m.acked = m.l.View().Durable
	m.l.Commit(m.acked)
}

// truncate cuts what no pass has touched: nothing below the high watermark is
// ever cut, and passes end below it.
func (m *keyedLog) truncate() {
	v := m.l.View()
	from := max(m.touched, v.Start)
	if !m.plain || from >= v.End {
		return
	}
	to := from + m.rng.Int64N(v.End-from)
	if err := m.l.Truncate(to); err != nil {
		m.failf("truncate to %d: %v", to, err)
	}
	// Whole batches go, and the end falls to the last offset that is there.
	if v = m.l.View(); v.End > to || v.End < to-6 && v.End > m.touched {
		m.failf("cut at %d, end is %d", to, v.End)
	}
	m.note("truncated to %d: %d", to, v.End)
	m.cover.hit("truncated")
	m.all = m.all[:v.End]
	m.acked, m.touched = v.End, min(m.touched, v.End)
	m.producersAgree()
}

// deleteBefore raises the start.
func (m *keyedLog) deleteBefore() {
	v := m.l.View()
	if !m.c.Delete || v.HighWatermark == v.Start {
		return
	}
	start, err := m.l.DeleteBefore(v.Start + m.rng.Int64N(v.HighWatermark-v.Start+1)/2)
	if err != nil {
		m.failf("delete: %v", err)
	}
	m.note("deleted before %d", start)
	m.l.dropSegments()
	m.cover.hit("deleted")
}

// compact runs a pass while somebody reads.
func (m *keyedLog) compact() {
	budget := []int64{1, 2000, 1 << 20}[m.rng.IntN(3)]
	before := m.l.View()
	segments, cleaned := m.l.Segments(), m.l.cleaned()
	held, err := m.l.Read(ReadSpec{From: before.Start, Limit: before.End, MaxBytes: 1 << 20, FirstWhole: true})
	if m.cut.isDead() {
		return
	}
	if err != nil {
		m.failf("read: %v", err)
	}
	old := m.l.view.Load()
	if n := old.compactable(&m.c, time.Now()); n > 0 {
		m.touched = max(m.touched, old.segs[n].base)
	}
	err = m.l.compact(time.Now(), budget, newPace(0, m.l.home().cleaner.quit))
	if err != nil && !m.cut.isDead() {
		m.failf("compact: %v", err)
	}
	m.note("compacted to %d: %d segments, then %d", m.l.cleaned(), segments, m.l.Segments())
	if m.l.cleaned() > cleaned {
		m.cover.hit("pass")
		if n := old.compactable(&m.c, time.Now()); n > 0 && m.l.cleaned() < old.segs[n].base {
			m.cover.hit("several-passes")
		}
	}
	if m.l.Segments() < segments {
		m.cover.hit("segments-merged")
	}
	if p, err := held.ReadAll(nil); !m.cut.isDead() && (err != nil || int64(len(p)) != held.Len()) {
		m.failf("who read before cannot go on: %d bytes, %v", len(p), err)
	}
	held.Release()
	// Who looked before and opens after is sent to look again, never to other bytes.
	for _, s := range old.segs {
		if s.replaced.Load() {
			if h, err := m.s.files.get(s, vfs.Write); err == nil {
				h.release()
				m.failf("a replaced segment was opened")
			} else if errors.Is(err, errMoved) {
				m.cover.hit("reader-moved")
			}
		}
	}
}

// crash takes the power away, now or some operations into a pass, or kills the
// process only, and starts again; now and then without the caches of producers.
func (m *keyedLog) crash(in int) {
	keep := []float64{0, 0.5, 0.9}[m.rng.IntN(3)]
	if in > 0 {
		m.cut.cutIn(in, keep)
		m.compact()
		if m.cut.isDead() {
			m.cover.hit("crash-in-pass")
		}
	}
	m.cut.cutNow(keep)
	_ = m.s.Close() // the machine is off
	m.disk = m.cut.after
	m.note("power cut at %s %s", m.cut.op, m.cut.name)
	if m.rng.IntN(3) == 0 {
		if m.disk.Remove("/d/orders-0/"+producersName) == nil {
			m.cover.hit("rebuilt")
		}
	}
	m.start()
}
