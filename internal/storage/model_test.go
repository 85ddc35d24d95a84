package storage

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brokerd/brokerd/internal/record"
	"github.com/brokerd/brokerd/internal/step"
	"github.com/brokerd/brokerd/internal/vfs"
)

var (
	modelSeeds = flag.Int("seeds", 40, "how many seeds the model test runs (or STORAGE_SEEDS)")
	modelFirst = flag.Uint64("first-seed", 1, "the first of them")
	modelSteps = flag.Int("steps", 200, "operations per seed")
	modelLog_  = flag.Bool("model-log", false, "print every operation")
)

// coverage counts what the seeds went through.
type coverage struct {
	mu sync.Mutex
	n  map[string]int
}

func (c *coverage) hit(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		c.n = map[string]int{}
	}
	c.n[what]++
}

func (c *coverage) String() string {
	var out []string
	for k, v := range c.n {
		out = append(out, fmt.Sprintf("%s=%d", k, v))
	}
	sort.Strings(out)
	return strings.Join(out, " ")
}

// TestModel runs random operations on real logs and on slices, through power
// cuts, kills, failed syncs and clean stops, and compares.
func TestModel(t *testing.T) {
	seeds := *modelSeeds
	if n, err := strconv.Atoi(os.Getenv("STORAGE_SEEDS")); err == nil {
		seeds = n
	}
	var cover coverage
	for i := range seeds {
		seed := *modelFirst + uint64(i)
		if err := runModel(t, seed, *modelSteps, &cover); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
	t.Logf("%d seeds: %s", seeds, &cover)
}

// TestModelFindsMutations proves that the model notices each rule that is off.
func TestModelFindsMutations(t *testing.T) {
	for name, set := range map[string]func(bool){
		"ack before sync":       func(on bool) { mutations.ackBeforeSync = on },
		"no directory sync":     func(on bool) { mutations.noDirectorySync = on },
		"checkpoint ahead":      func(on bool) { mutations.checkpointAhead = on },
		"end reported unsynced": func(on bool) { mutations.endBeforeSync = on },
	} {
		t.Run(name, func(t *testing.T) {
			set(true)
			defer set(false)
			for seed := uint64(1); seed <= 300; seed++ {
				if err := runModel(t, seed, 200, &coverage{}); err != nil {
					text, _, _ := strings.Cut(err.Error(), "\n")
					t.Logf("seed %d: %s", seed, text)
					return
				}
			}
			t.Fatal("300 seeds did not notice it")
		})
	}
}

// model is one seed at work.
type model struct {
	rng     *rand.Rand
	cover   *coverage
	trace   []string
	disk    *vfs.Mem
	fault   *vfs.Fault
	cut     *cutFS
	s       *Store
	dirs    []string
	logs    []*modelLog
	killed  bool // only the process died: the page cache is as it was
	strict  bool // nothing may be lost by the coming reopen
	crashes int
	topics  int

	mu   sync.Mutex
	told map[*Log]int64
}

func runModel(t *testing.T, seed uint64, steps int, cover *coverage) (err error) {
	synctest.Test(t, func(t *testing.T) {
		m := &model{rng: rng(seed), cover: cover, disk: vfs.NewMem(), told: map[*Log]int64{}}
		defer func() {
			if r := recover(); r != nil {
				if f, ok := r.(modelFailure); ok {
					err = f.err
				} else {
					panic(r)
				}
			}
			if m.s != nil {
				_ = m.s.Close() // whatever it says: the seed is over
			}
			if err != nil && *modelLog_ {
				t.Log(strings.Join(m.trace, "\n"))
			}
		}()
		m.run(steps)
	})
	return err
}

func (m *model) logged(text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.trace = append(m.trace, "  log: "+text)
}

type modelFailure struct{ err error }

func (m *model) failf(format string, args ...any) {
	panic(modelFailure{fmt.Errorf(format+"\nafter: %s", append(args, strings.Join(m.trace[max(0, len(m.trace)-12):], "; "))...)})
}

func (m *model) note(format string, args ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.trace = append(m.trace, fmt.Sprintf(format, args...))
}

func (m *model) run(steps int) {
	m.dirs = []string{"/d0", "/d1"}[:1+m.rng.IntN(2)]
	for _, d := range m.dirs {
		if err := errors.Join(m.disk.MkdirAll(d), m.disk.SyncDir("/")); err != nil {
			m.failf("%v", err)
		}
	}
	m.open(0)
	for n := 1 + m.rng.IntN(3); len(m.logs) < n; {
		m.create()
	}
	if m.rng.IntN(8) == 0 { // many, so that rounds are syncfs
		for range 18 {
			m.create()
		}
	}
	for range steps {
		m.step()
	}
	for m.crashes < 3 {
		m.step()
		m.crash()
	}
	m.check()
}

func (m *model) randomConfig() Config {
	c := Config{SegmentBytes: 2000 + m.rng.Int64N(12000), IndexIntervalBytes: m.rng.Int64N(2000), SegmentIndexBytes: 100 + m.rng.Int64N(2000),
		RetentionAge: -1, RetentionBytes: -1, FileDeleteDelay: time.Minute, LogAppendTime: m.rng.IntN(8) == 0}
	if m.rng.IntN(4) == 0 {
		c.Durability = ISR
		if m.rng.IntN(3) == 0 {
			c.FlushMessages = 1 + m.rng.Int64N(20)
		}
		if m.rng.IntN(3) == 0 {
			c.FlushInterval = time.Duration(1 + m.rng.Int64N(int64(20*time.Second)))
		}
	}
	if m.rng.IntN(3) == 0 {
		c.SegmentAge, c.SegmentJitter = time.Minute, 10*time.Second
	}
	if m.rng.IntN(3) == 0 {
		c.Delete = true
		if m.rng.IntN(2) == 0 {
			c.RetentionBytes = m.rng.Int64N(20000)
		} else {
			c.RetentionAge = time.Duration(m.rng.Int64N(int64(20 * time.Minute)))
		}
	}
	return c
}

func (m *model) create() {
	m.topics++
	id := step.PartitionID{Topic: step.TopicID{1, byte(m.topics), byte(m.topics >> 8)}, Index: int32(m.rng.IntN(3))}
	l := &modelLog{id: id, topic: fmt.Sprintf("t%d", m.rng.IntN(1000)), config: m.randomConfig(), epoch: -1, exact: true, client: map[int64]*modelClient{}}
	for _, o := range m.logs {
		if o.topic == l.topic && o.id.Index == id.Index {
			return
		}
	}
	m.logs = append(m.logs, l)
	var err error
	if l.log, err = m.s.Log(id, l.topic, l.config); err != nil && !m.down(err) {
		m.failf("open a new log: %v", err)
	}
}

// open starts a store on the disk; cutAfter plans a power cut into it.
func (m *model) open(cutAfter int) {
	for {
		m.fault = vfs.NewFault(m.disk)
		m.cut = &cutFS{FS: m.fault, mem: m.disk, rng: rng(m.rng.Uint64())}
		if cutAfter > 0 {
			m.cut.cutIn(cutAfter, m.keep())
			cutAfter = 0
		}
		m.mu.Lock()
		m.told = map[*Log]int64{}
		m.mu.Unlock()
		s, err := Open(context.Background(), Options{FS: m.cut, Dirs: m.dirs, Flushed: m.flushed, MaxOpenFiles: 1 + m.rng.IntN(6),
			RetentionInterval: 2 * time.Minute, CheckpointInterval: time.Duration(1+m.rng.IntN(10)) * time.Second,
			RecoveryParallelism: 1 + m.rng.IntN(3), Logger: slog.New(&coverHandler{slog.DiscardHandler, m.cover, m.logged})})
		m.s = s
		if err == nil {
			if m.s.WasClean() && m.crashes > 0 {
				m.cover.hit("clean-open")
			}
			if m.reopenLogs() {
				return
			}
		} else if !m.cut.isDead() {
			m.failf("open: %v", err)
		}
		m.note("power cut in recovery at %s %s", m.cut.op, m.cut.name)
		m.cover.hit("crash-in-recovery")
		m.strict, m.killed = false, false
		m.powerOff()
	}
}

// reopenLogs compares every log with what was promised; false: the power went.
func (m *model) reopenLogs() bool {
	var err error
	for _, l := range slices.Clone(m.logs) {
		if l.gone {
			if m.cut.isDead() {
				return false
			}
			there := slices.ContainsFunc(m.s.Found(), func(f Stored) bool { return f.ID == l.id })
			l.gone = false
			l.starts[0], l.acked = 0, 0 // half deleted: the checkpoint may have forgotten it
			if !there {
				m.forget(l)
				continue
			}
		}
		if l.log, err = m.s.Log(l.id, l.topic, l.config); err != nil {
			if m.cut.isDead() {
				return false
			}
			m.failf("open log %s-%d: %v", l.topic, l.id.Index, err)
		}
		if m.cut.isDead() {
			return false
		}
		m.reconcile(l)
	}
	return !m.cut.isDead()
}

func (m *model) forget(l *modelLog) {
	m.logs = slices.DeleteFunc(m.logs, func(o *modelLog) bool { return o == l })
}

// reconcile takes what a log has after a stop, if it keeps every promise.
func (m *model) reconcile(l *modelLog) {
	v := l.log.View()
	where := fmt.Sprintf("log %s-%d (%v) after the stop: %+v", l.topic, l.id.Index, l.config.Durability, v)
	if v.End < l.acked {
		m.failf("%s: %d was durable, end was %d%s", where, l.acked, l.end(), l.describe())
	}
	if m.strict && v.End < l.end() {
		m.failf("%s: end was %d, and no power was lost", where, l.end())
	}
	all := append(slices.Clone(l.batches), l.maybe...)
	i := slices.IndexFunc(all, func(b modelBatch) bool { return b.NextOffset() > v.End })
	if i >= 0 {
		if all[i].BaseOffset() < v.End && v.End > v.Start {
			m.failf("%s: ends inside batch %d to %d", where, all[i].BaseOffset(), all[i].LastOffset())
		}
		if i < len(l.batches) {
			m.cover.hit("tail-lost")
		}
		all = all[:i:i]
	}
	if l.acked <= l.starts[0] { // nothing was durable yet: the first segment may be gone, and a later one not
		l.starts[1] = max(l.starts[1], l.end())
	}
	if v.Start < l.starts[0] || v.Start > max(l.starts[0], l.starts[1]) {
		m.failf("%s: start was %v", where, l.starts)
	}
	if len(all) > 0 && v.End > max(v.Start, all[len(all)-1].NextOffset()) || len(all) == 0 && v.End != v.Start {
		m.failf("%s: ends at %d, there is no such batch: %v %d%s", where, v.End, l.acked, l.end(), l.describe())
	}
	if n := len(all); n > 0 && all[n-1].NextOffset() < v.Start && len(l.log.Producers()) == 0 {
		all = nil // its tail went with the power, and it began anew behind what was deleted
	}
	l.batches, l.maybe, l.start, l.hw, l.exact = all, nil, v.Start, v.HighWatermark, false
	l.starts = [2]int64{v.Start, v.Start}
	l.acked = v.Durable
	l.leads = slices.DeleteFunc(l.leads, func(e epochStart) bool { return e.start > v.End })
	if v.Durable != v.End {
		m.failf("%s: not all is durable after recovery", where)
	}
	m.syncClients(l)
	if err := l.checkAll(); err != nil && !m.cut.isDead() {
		m.failf("%s: %v", where, err)
	}
}

// syncClients makes producers go on from what the log has.
func (m *model) syncClients(l *modelLog) {
	ps, _ := replay(l.batches)
	for id := range ps {
		if l.client[id] == nil {
			l.client[id] = &modelClient{}
		}
	}
	for id, c := range l.client {
		p := ps[id]
		if p == nil {
			delete(l.client, id)
			continue
		}
		c.epoch, c.seq, c.inTxn = p.epoch, nextSequence(p.lastSeq), p.txnStart >= 0
		if p.lastSeq < 0 {
			c.seq = 0
		}
		if n := len(p.seen); n == 0 || p.seen[n-1].last < l.start {
			c.epoch, c.seq = c.epoch+1, 0 // the log may have forgotten it, and takes this either way
		}
	}
}

func (m *model) flushed(fs []Flushed) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, f := range fs {
		m.told[f.Log] = max(m.told[f.Log], f.End)
	}
}

// hear takes what the flusher told, as an acknowledgement would.
func (m *model) hear() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range m.logs {
		if l.log != nil {
			l.acked = max(l.acked, min(m.told[l.log], l.end()))
		}
	}
}

// down tells whether an error comes from the power cut or the failed disk.
func (m *model) down(err error) bool {
	return err != nil && (m.cut.isDead() || !m.usable())
}

func (m *model) keep() float64 { return []float64{0, 0.3, 0.5, 0.8, 0.95}[m.rng.IntN(5)] }

// powerOff ends the store and puts the disk of after the cut in place.
func (m *model) powerOff() {
	m.crashes++
	m.hear()
	for _, l := range m.logs {
		if l.log != nil { // retention may have got this far
			l.starts[1] = max(l.starts[1], l.log.View().Start)
		}
	}
	if m.s != nil {
		_ = m.s.Close() // the machine is off
		m.s = nil
	}
	m.hear()
	m.cover.hit("crash")
	if m.cut.lostRename() {
		m.cover.hit("lost-rename")
	}
	if w := m.cut.where(); w == "roll" || w == "checkpoint" {
		m.cover.hit("crash-in-" + w)
	}
	if !m.killed {
		m.disk = m.cut.after
	}
	m.killed = false
}

// crash takes the power away now and starts again, now and then with a cut in
// the recovery.
func (m *model) crash() {
	if m.rng.IntN(2) == 0 {
		synctest.Wait()
	}
	keep := m.keep()
	m.strict = false
	if m.rng.IntN(4) == 0 && !m.cut.isDead() && m.usable() {
		keep, m.strict, m.killed = 1, true, true
		m.cover.hit("kill")
	}
	m.note("crash keep %v", keep)
	m.cut.cutNow(keep)
	m.powerOff()
	m.reopen()
}

func (m *model) usable() bool {
	for _, d := range m.s.dirs {
		if d.failure() != nil {
			return false
		}
	}
	return true
}

func (m *model) reopen() {
	cut := 0
	if m.rng.IntN(3) == 0 {
		cut = 1 + m.rng.IntN(40)
	}
	m.open(cut)
	m.strict = false
}

// cutIfDead restarts if the power went during the last operation.
func (m *model) cutIfDead() {
	if m.cut.isDead() {
		m.note("power cut at %s %s", m.cut.op, m.cut.name)
		m.powerOff()
		m.reopen()
	} else if !m.usable() {
		m.note("directory failed")
		m.cut.cutNow(m.keep())
		if m.killed = m.rng.IntN(2) == 0; m.killed { // the operator restarts the process, not the machine
			m.cover.hit("restart-after-sync-error")
		}
		m.powerOff()
		m.reopen()
	}
}

func (m *model) step() {
	if len(m.logs) == 0 {
		m.create()
		m.cutIfDead()
		return
	}
	l := m.logs[m.rng.IntN(len(m.logs))]
	total := 0
	for _, o := range modelOps {
		total += o.weight
	}
	n := m.rng.IntN(total)
	for _, o := range modelOps {
		if n -= o.weight; n < 0 {
			m.note("%s %s-%d %s", o.name, l.topic, l.id.Index, l.brief())
			o.do(m, l)
			break
		}
	}
	m.hear()
	m.cutIfDead()
}

var modelOps []struct {
	name   string
	weight int
	do     func(*model, *modelLog)
}

func init() {
	add := func(name string, weight int, do func(*model, *modelLog)) {
		modelOps = append(modelOps, struct {
			name   string
			weight int
			do     func(*model, *modelLog)
		}{name, weight, do})
	}
	add("append", 40, (*model).append)
	add("commit", 12, (*model).commit)
	add("read", 10, (*model).read)
	add("times", 6, (*model).times)
	add("check", 4, func(m *model, l *modelLog) { m.check() })
	add("lead", 4, func(m *model, l *modelLog) { m.lead(l, true) })
	add("follow", 4, func(m *model, l *modelLog) { m.lead(l, false) })
	add("truncate", 4, (*model).truncate)
	add("delete-before", 4, (*model).deleteBefore)
	add("wait", 10, func(m *model, l *modelLog) { synctest.Wait() })
	add("sleep", 6, func(m *model, l *modelLog) {
		time.Sleep(time.Duration(m.rng.Int64N(int64(12 * time.Second))))
		m.follow()
	})
	add("sleep-long", 2, func(m *model, l *modelLog) {
		time.Sleep(time.Duration(m.rng.Int64N(int64(5 * time.Minute))))
		m.follow()
	})
	add("delete", 1, (*model).delete)
	add("create", 1, func(m *model, l *modelLog) { m.create() })
	add("reopen", 2, (*model).cleanReopen)
	add("crash", 2, func(m *model, l *modelLog) { m.crash() })
	add("cut-soon", 4, func(m *model, l *modelLog) { m.cut.cutIn(1+m.rng.IntN(60), m.keep()) })
	add("sync-error", 1, (*model).syncError)
	add("disk-full", 1, (*model).diskFull)
	add("config", 1, func(m *model, l *modelLog) {
		was := l.config
		l.config = m.randomConfig()
		l.config.Durability = was.Durability
		if l.log != nil {
			l.log.SetConfig(l.config)
		}
	})
}

// follow takes starts that retention has raised meanwhile.
func (m *model) follow() {
	synctest.Wait()
	for _, l := range m.logs {
		if l.log == nil || m.cut.isDead() {
			continue
		}
		v := l.log.View()
		if v.Start > l.start {
			if v.Start > l.hw {
				m.failf("retention of %s-%d went to %d, high watermark %d", l.topic, l.id.Index, v.Start, l.hw)
			}
			m.cover.hit("retention")
			l.start = v.Start
		}
		l.starts[1] = max(l.starts[1], v.Start)
	}
}

func (m *model) check() {
	m.follow()
	for _, l := range m.logs {
		if l.log == nil {
			continue
		}
		err := errors.Join(l.checkAll(), sealedWhole(l.log))
		if err != nil && !m.down(err) {
			m.failf("%s-%d: %v", l.topic, l.id.Index, err)
		}
	}
}

func (m *model) newBatch(l *modelLog, spec record.Spec) record.Batch {
	var rs []record.Record
	now := time.Now().UnixMilli()
	size := m.rng.IntN(100)
	if m.rng.IntN(6) == 0 {
		size = m.rng.IntN(2000)
	}
	for range 1 + m.rng.IntN(4) {
		rs = append(rs, record.Record{Timestamp: max(0, now-500+m.rng.Int64N(1000)), Value: bytes.Repeat([]byte{byte(m.rng.IntN(256))}, size)})
	}
	if m.rng.IntN(8) == 0 {
		spec.Codec = record.Codec(1 + m.rng.IntN(4))
	}
	b, err := record.Build(spec, rs...)
	if err != nil {
		m.failf("%v", err)
	}
	return b
}

func (m *model) tiny(spec record.Spec) record.Batch {
	b, err := record.Build(spec, record.Record{Timestamp: time.Now().UnixMilli(), Value: []byte("x")})
	if err != nil {
		m.failf("%v", err)
	}
	return b
}

// next makes what a random producer sends next.
func (m *model) next(l *modelLog) record.Batch {
	if m.rng.IntN(2) == 0 {
		return m.newBatch(l, record.Spec{})
	}
	id := int64(1 + m.rng.IntN(3))
	c := l.client[id]
	if c == nil {
		c = &modelClient{}
		l.client[id] = c
	}
	if c.inTxn && m.rng.IntN(3) == 0 {
		c.inTxn = false
		b, err := record.BuildMarker(nil, id, c.epoch, time.Now().UnixMilli(), record.Marker{Commit: m.rng.IntN(2) == 0})
		if err != nil {
			m.failf("%v", err)
		}
		return b
	}
	if !c.inTxn && m.rng.IntN(8) == 0 {
		c.epoch, c.seq = c.epoch+1, 0
	}
	c.inTxn = c.inTxn || m.rng.IntN(3) == 0
	b := m.newBatch(l, record.Spec{Producer: &record.Producer{ID: id, Epoch: c.epoch, Sequence: c.seq}, Transactional: c.inTxn})
	c.seq += b.Count()
	return b
}

func timesOf(b record.Batch) (out []int64) {
	_ = b.Each(record.Limits{}, func(r record.Record) error { // built by ourselves
		out = append(out, r.Timestamp)
		return nil
	})
	return out
}

func (m *model) append(l *modelLog) {
	if l.epoch < 0 {
		m.lead(l, true)
	}
	if l.log == nil || m.cut.isDead() || !m.usable() {
		return
	}
	m.follow()
	if l.log.View().Epoch != l.epoch { // after a restart the controller says who leads
		m.lead(l, m.rng.IntN(2) == 0)
		if l.log.View().Epoch != l.epoch {
			return
		}
	}
	if l.follows() {
		m.replicate(l)
		return
	}
	if m.rng.IntN(6) == 0 && m.appendRefused(l) {
		return
	}
	if m.rng.IntN(3) == 0 {
		m.appendEach(l)
		return
	}
	var p []byte
	var bs []record.Batch
	for range 1 + m.rng.IntN(3)/2*m.rng.IntN(4) {
		b := m.next(l)
		if int64(len(b)) > l.config.SegmentBytes {
			defer m.syncClients(l) // not sent
			break
		}
		p = append(p, b...)
	}
	for rest := p; len(rest) > 0; {
		b, after, err := record.Next(rest)
		if err != nil {
			m.failf("%v", err)
		}
		bs, rest = append(bs, b), after
	}
	if len(bs) == 0 {
		m.syncClients(l)
		return
	}
	base := l.end()
	a, err := l.log.Append(l.epoch, p)
	took := bs[:a.Batches]
	if err == nil && (len(took) != len(bs) || a.Base != base) {
		m.failf("append: %+v, want %d batches at %d, first %d/%d seq %d%s", a, len(bs), base, bs[0].ProducerID(), bs[0].ProducerEpoch(), bs[0].BaseSequence(), l.describe())
	}
	for _, b := range took {
		l.batches = append(l.batches, modelBatch{b, timesOf(b)})
	}
	if len(took) > 0 && a.Next != l.end() {
		m.failf("append: %+v, end is %d", a, l.end())
	}
	if err != nil {
		if !m.down(err) && !errors.Is(err, ErrDiskFull) {
			m.failf("append: %v%s", err, l.describe())
		}
		l.maybe = planned(bs[a.Batches:], l.end())
		m.syncClients(l)
	}
}

// appendEach sends several pieces at once: good ones, the same again, and some
// that must be refused. Each is answered as if it had come alone.
func (m *model) appendEach(l *modelLog) {
	var pieces []Piece
	var want []record.Batch // of the pieces; nil: refused
	var original []int      // of the pieces; -1: it is none's duplicate
	add := func(b, expect record.Batch, of int) {
		pieces, want, original = append(pieces, Piece{Bytes: b}), append(want, expect), append(original, of)
	}
	for range 2 + m.rng.IntN(5) {
		b := m.next(l)
		if int64(len(b)) > l.config.SegmentBytes {
			defer m.syncClients(l) // not sent
			break
		}
		add(b, b, -1)
		if b.ProducerID() < 0 || b.Control() {
			continue
		}
		of := len(pieces) - 1
		if m.rng.IntN(3) == 0 {
			gap := m.tiny(record.Spec{Producer: &record.Producer{ID: b.ProducerID(), Epoch: b.ProducerEpoch(), Sequence: lastSequence(b) + 7}, Transactional: b.Transactional()})
			if int64(len(gap)) <= l.config.SegmentBytes {
				add(gap, nil, -1)
			}
		}
		if m.rng.IntN(3) == 0 {
			add(slices.Clone(b), nil, of)
		}
	}
	if len(pieces) == 0 {
		m.syncClients(l)
		return
	}
	m.cover.hit("append-each")
	l.log.AppendEach(l.epoch, pieces)
	for i := range pieces {
		p, b := &pieces[i], want[i]
		switch {
		case p.Err != nil && !errors.Is(p.Err, ErrOutOfOrder):
			if !m.down(p.Err) && !errors.Is(p.Err, ErrDiskFull) {
				m.failf("append each: piece %d: %v", i, p.Err)
			}
			var rest []record.Batch
			for k := i; k < len(pieces); k++ {
				if pieces[k].Err == nil {
					m.failf("append each: piece %d is taken after %d failed with %v", k, i, p.Err)
				}
				if want[k] != nil {
					rest = append(rest, want[k])
				}
			}
			m.cover.hit("append-each-failed")
			l.maybe = planned(rest, l.end())
			m.syncClients(l)
			return
		case original[i] >= 0:
			if o := &pieces[original[i]]; p.Err != nil || !p.Duplicate || p.Base != o.Base || p.Next != o.Next || p.Batches != 1 {
				m.failf("append each: duplicate %d of %+v: %+v, %v", i, o.Appended, p.Appended, p.Err)
			}
		case b == nil:
			if !errors.Is(p.Err, ErrOutOfOrder) {
				m.failf("append each: gap in sequences at %d: %+v, %v", i, p.Appended, p.Err)
			}
		default:
			base := l.end()
			if p.Err != nil || p.Base != base || p.Duplicate || p.Batches != 1 || p.Next != base+int64(b.Count()) {
				m.failf("append each: piece %d: %+v, %v, want it at %d%s", i, p.Appended, p.Err, base, l.describe())
			}
			l.batches = append(l.batches, modelBatch{b, timesOf(b)})
		}
	}
}

// planned lists batches that a failed append may have written.
func planned(bs []record.Batch, end int64) (out []modelBatch) {
	for _, b := range bs {
		if b.BaseOffset() != end {
			break
		}
		out = append(out, modelBatch{b, timesOf(b)})
		end = b.NextOffset()
	}
	return out
}

// appendRefused sends what must be refused, or answered as a duplicate.
func (m *model) appendRefused(l *modelLog) bool {
	ps, _ := replay(l.batches)
	for id, p := range ps {
		if len(p.seen) == 0 || p.last < l.start {
			continue
		}
		s := p.seen[m.rng.IntN(len(p.seen))]
		if s.last < l.start {
			continue // forgotten where the state was made anew from the log
		}
		i := slices.IndexFunc(l.batches, func(b modelBatch) bool { return b.LastOffset() == s.last })
		if int64(len(l.batches[i].Batch)) > l.config.SegmentBytes {
			continue // the setting has changed
		}
		again := slices.Clone(l.batches[i].Batch)
		a, err := l.log.Append(l.epoch, again)
		if m.down(err) || errors.Is(err, ErrDiskFull) {
			return true
		}
		if err != nil || !a.Duplicate || a.Base != l.batches[i].BaseOffset() || a.Next != l.batches[i].NextOffset() || a.Batches != 1 {
			m.failf("duplicate of %d: %+v, %v", l.batches[i].BaseOffset(), a, err)
		}
		gap := m.tiny(record.Spec{Producer: &record.Producer{ID: id, Epoch: p.epoch, Sequence: p.lastSeq + 5}, Transactional: p.txnStart >= 0})
		if _, err = l.log.Append(l.epoch, gap); !errors.Is(err, ErrOutOfOrder) && !m.down(err) && !errors.Is(err, ErrDiskFull) {
			m.failf("gap in sequences: %v", err)
		}
		if p.epoch > 0 {
			old := m.tiny(record.Spec{Producer: &record.Producer{ID: id, Epoch: p.epoch - 1, Sequence: 0}})
			if _, err = l.log.Append(l.epoch, old); !errors.Is(err, ErrProducerEpoch) && !m.down(err) && !errors.Is(err, ErrDiskFull) {
				m.failf("stale producer epoch: %v", err)
			}
		}
		m.cover.hit("duplicate")
		return true
	}
	if _, err := l.log.Append(l.epoch-1, m.tiny(record.Spec{})); !errors.Is(err, ErrFenced) && !m.down(err) && !errors.Is(err, ErrDiskFull) {
		m.failf("stale epoch: %v", err)
	}
	return true
}

// follows: the log is a follower in epochs divisible by three.
func (l *modelLog) follows() bool { return l.epoch%3 == 0 }

func (m *model) replicate(l *modelLog) {
	var p []byte
	var bs []modelBatch
	end := l.end()
	last := int32(0)
	if n := len(l.batches); n > 0 {
		last = l.batches[n-1].LeaderEpoch()
	}
	for _, e := range l.log.view.Load().epochs {
		last = max(last, e.epoch)
	}
	for range 1 + m.rng.IntN(3) {
		b := m.next(l)
		if int64(len(b)) > l.config.SegmentBytes {
			defer m.syncClients(l) // not sent
			break
		}
		if m.rng.IntN(10) == 0 {
			end += m.rng.Int64N(5)
		}
		b.SetBaseOffset(end)
		if last < l.epoch && m.rng.IntN(3) == 0 {
			last += 1 + m.rng.Int32N(l.epoch-last)
		}
		b.SetLeaderEpoch(last)
		end = b.NextOffset()
		p = append(p, b...)
		bs = append(bs, modelBatch{b, timesOf(b)})
	}
	if len(bs) == 0 {
		m.syncClients(l)
		return
	}
	a, err := l.log.Replicate(l.epoch, p)
	l.batches = append(l.batches, bs[:a.Batches]...)
	if err == nil && (a.Batches != len(bs) || a.Next != end) {
		m.failf("replicate: %+v", a)
	}
	if err != nil {
		if !m.down(err) && !errors.Is(err, ErrDiskFull) {
			m.failf("replicate: %v", err)
		}
		l.maybe = bs[a.Batches:]
		m.syncClients(l)
	}
}

func (m *model) commit(l *modelLog) {
	if l.log == nil {
		return
	}
	v := l.log.View()
	top := v.End
	if l.config.Durability == Fsync {
		top = v.Durable
		l.acked = max(l.acked, v.Durable)
	}
	if top <= l.hw {
		return
	}
	hw := l.hw + 1 + m.rng.Int64N(top-l.hw)
	if i := slices.IndexFunc(l.batches, func(b modelBatch) bool { return b.NextOffset() >= hw }); i >= 0 {
		hw = l.batches[i].NextOffset()
	}
	if hw <= top {
		l.log.Commit(hw)
		l.hw = hw
	}
}

func (m *model) read(l *modelLog) {
	if l.log == nil {
		return
	}
	m.follow()
	v := l.log.View()
	r := ReadSpec{From: v.Start + m.rng.Int64N(v.End-v.Start+1), MaxBytes: m.rng.IntN(6000), FirstWhole: m.rng.IntN(2) == 0}
	r.Limit = []int64{v.HighWatermark, v.End, v.LastStable, v.Start + m.rng.Int64N(v.End-v.Start+1)}[m.rng.IntN(4)]
	if err := l.checkRead(r); err != nil && !m.down(err) {
		m.failf("%v", err)
	}
	if v.Start > 0 {
		if _, err := l.log.Read(ReadSpec{From: v.Start - 1, Limit: v.End, MaxBytes: 1}); !errors.Is(err, ErrOutOfRange) && !m.down(err) {
			m.failf("read below the start: %v", err)
		}
	}
	if _, err := l.log.Read(ReadSpec{From: v.End + 1, Limit: v.End, MaxBytes: 1}); !errors.Is(err, ErrOutOfRange) && !m.down(err) {
		m.failf("read above the end: %v", err)
	}
}

func (m *model) times(l *modelLog) {
	if l.log == nil {
		return
	}
	m.follow()
	v := l.log.View()
	ts := time.Now().UnixMilli() + 600 - m.rng.Int64N(20000)
	if live := l.live(); len(live) > 0 {
		ts = live[m.rng.IntN(len(live))].MaxTimestamp() - m.rng.Int64N(3)
	}
	limit := []int64{v.End, v.HighWatermark, v.Start + m.rng.Int64N(v.End-v.Start+1)}[m.rng.IntN(3)]
	if err := l.checkTimes(ts, limit); err != nil && !m.down(err) {
		m.failf("%v", err)
	}
}

func (m *model) lead(l *modelLog, lead bool) {
	if l.log == nil {
		return
	}
	epoch := l.epoch + 1
	for lead == (epoch%3 == 0) {
		epoch++
	}
	l.epoch = epoch
	var end int64
	var err error
	had := len(l.log.view.Load().segs) > 0
	if lead {
		end, err = l.log.Lead(epoch)
	} else {
		end, err = l.log.Fence(epoch)
	}
	if err != nil {
		if !m.down(err) && !errors.Is(err, ErrDiskFull) {
			m.failf("epoch %d: %v", epoch, err)
		}
		return
	}
	if end != l.end() {
		m.failf("epoch %d begins at %d, end is %d", epoch, end, l.end())
	}
	if lead && had {
		l.leads = append(l.leads, epochStart{epoch, end})
	}
}

func (m *model) truncate(l *modelLog) {
	if l.log == nil || l.end() == l.start {
		return
	}
	m.follow()
	m.hear()
	to := max(l.hw, l.start)
	if m.rng.IntN(4) == 0 {
		to = l.start + m.rng.Int64N(l.end()-l.start+1)
	}
	if live := l.live(); len(live) > 0 {
		if i := slices.IndexFunc(live, func(b modelBatch) bool { return b.NextOffset() > to }); i >= 0 {
			to = max(live[i+m.rng.IntN(len(live)-i)].BaseOffset(), l.start)
		}
	}
	reset := m.rng.IntN(8) == 0
	var err error
	if reset {
		to = l.end() + m.rng.Int64N(5)
		err = l.log.Reset(to)
	} else {
		err = l.log.Truncate(to)
	}
	m.mu.Lock()
	m.told[l.log] = min(m.told[l.log], to)
	if reset {
		m.told[l.log] = 0
	}
	m.mu.Unlock()
	if err != nil {
		if !m.down(err) {
			m.failf("truncate to %d: %v", to, err)
		}
		if reset { // all or nothing is left
			l.acked, l.hw = 0, 0
			l.starts[1] = to
			l.leads = nil
			return
		}
		end := l.start // where the log ends if it was cut
		for _, b := range l.batches {
			if b.NextOffset() <= to {
				end = max(end, b.NextOffset())
			}
		}
		to = min(to, end)
		l.acked = min(l.acked, to)
		m.mu.Lock()
		m.told[l.log] = min(m.told[l.log], l.acked)
		m.mu.Unlock()
		l.leads = slices.DeleteFunc(l.leads, func(e epochStart) bool { return e.start >= to })
		return
	}
	if reset {
		l.batches, l.start, l.hw, l.acked, l.leads = nil, to, to, to, nil
		l.starts = [2]int64{to, to}
	} else {
		l.cut(to)
		l.hw = max(l.hw, l.start)
	}
	m.mu.Lock()
	m.told[l.log] = min(m.told[l.log], l.end())
	m.mu.Unlock()
	m.cover.hit("truncate")
	m.syncClients(l)
	if err := l.checkAll(); err != nil && !m.down(err) {
		m.failf("after truncate to %d (%v): %v", to, reset, err)
	}
}

func (m *model) deleteBefore(l *modelLog) {
	if l.log == nil || l.hw <= l.start {
		return
	}
	m.follow()
	to := l.start + m.rng.Int64N(l.hw-l.start+1)
	l.starts[1] = max(l.starts[1], to)
	start, err := l.log.DeleteBefore(to)
	if err != nil {
		if !m.down(err) {
			m.failf("delete before %d: %v", to, err)
		}
		return
	}
	if lso := l.log.View().LastStable; start < to && start < lso {
		m.failf("delete before %d: start %d", to, start)
	}
	to = min(to, start)
	l.start = max(l.start, start)
	l.starts[0] = max(l.starts[0], to)
	m.cover.hit("delete-before")
}

func (m *model) delete(l *modelLog) {
	if l.log == nil {
		return
	}
	l.gone = true
	if err := l.log.Delete(time.Second); err != nil {
		if !m.down(err) {
			m.failf("delete: %v", err)
		}
		return
	}
	if _, err := l.log.Read(ReadSpec{}); !errors.Is(err, ErrDeleted) && !m.down(err) {
		m.failf("read of a deleted log: %v", err)
	}
	m.forget(l)
	if m.rng.IntN(2) == 0 { // the same name comes again
		topic, index := l.topic, l.id.Index
		m.topics++
		id := step.PartitionID{Topic: step.TopicID{2, byte(m.topics), byte(m.topics >> 8)}, Index: index}
		n := &modelLog{id: id, topic: topic, config: m.randomConfig(), epoch: -1, client: map[int64]*modelClient{}}
		var err error
		if n.log, err = m.s.Log(id, topic, n.config); err != nil {
			if !m.down(err) {
				m.failf("open a recreated log: %v", err)
			}
		}
		m.logs = append(m.logs, n)
		m.cover.hit("recreated")
	}
}

func (m *model) cleanReopen(l *modelLog) {
	m.follow()
	m.hear()
	if !m.usable() || m.cut.isDead() {
		return
	}
	err := m.s.Close()
	m.hear()
	if m.cut.isDead() {
		m.powerOff()
		m.reopen()
		return
	}
	if err != nil && !m.usable() { // a planned sync error
		m.cut.cutNow(m.keep())
		m.powerOff()
		m.reopen()
		return
	}
	if err != nil {
		m.failf("close: %v", err)
	}
	m.s = nil
	if m.rng.IntN(2) == 0 { // a clean stop survives the loss of all that is not synced
		m.disk = m.disk.Crash(m.rng, 0)
	}
	m.strict = true
	for _, l := range m.logs {
		l.acked = l.end()
		l.starts[0] = l.start
	}
	m.cover.hit("clean-close")
	m.open(0)
	m.strict = false
	if !m.s.WasClean() {
		m.failf("the stop was clean")
	}
}

func (m *model) syncError(l *modelLog) {
	m.cover.hit("sync-error")
	op := []vfs.Op{vfs.OpSync, vfs.OpSync, vfs.OpSyncDir, vfs.OpSyncAll}[m.rng.IntN(4)]
	m.fault.Add(vfs.Rule{Op: op, Nth: 1 + m.rng.IntN(4), Times: 1, Err: errors.New("I/O error")})
}

func (m *model) diskFull(l *modelLog) {
	if l.log == nil || l.epoch < 0 {
		return
	}
	m.fault.SetBudget(m.rng.Int64N(3000))
	for range 20 {
		m.append(l)
		if m.cut.isDead() || !m.usable() {
			break
		}
	}
	m.fault.SetBudget(-1)
	time.Sleep(1500 * time.Millisecond)
	m.follow()
	m.cover.hit("disk-full")
	if m.cut.isDead() || !m.usable() {
		return
	}
	for _, l := range m.logs {
		l.maybe = nil // what was cut off is gone: the log lives on
	}
	if l.log.View().Epoch == l.epoch && !l.follows() {
		b := m.newBatch(l, record.Spec{})
		if int64(len(b)) > l.config.SegmentBytes {
			return
		}
		if _, err := l.log.Append(l.epoch, b); err != nil {
			if !m.down(err) {
				m.failf("append after the disk had space again: %v", err)
			}
			l.maybe = planned([]record.Batch{b}, l.end())
			return
		}
		l.batches = append(l.batches, modelBatch{b, timesOf(b)})
	}
}

// coverHandler counts what the store logs.
type coverHandler struct {
	slog.Handler
	c   *coverage
	log func(string)
}

func (h *coverHandler) Enabled(context.Context, slog.Level) bool { return true }
func (h *coverHandler) Handle(_ context.Context, r slog.Record) error {
	if *modelLog_ {
		text := r.Message
		r.Attrs(func(a slog.Attr) bool { text += fmt.Sprintf(" %s=%v", a.Key, a.Value); return true })
		h.log(text)
	}
	switch r.Message {
	case "torn tail cut":
		h.c.hit("torn-tail")
	case "compaction finished that a stop had interrupted":
		h.c.hit("swap-finished")
	case "index made anew":
		h.c.hit("index-rebuilt")
	case "segment behind a torn tail removed":
		h.c.hit("segment-removed")
	}
	return nil
}
func (h *coverHandler) WithAttrs([]slog.Attr) slog.Handler { return h }
