package storage

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing/synctest"
	"time"

	"github.com/brokerd/brokerd/internal/record"
	"github.com/brokerd/brokerd/internal/vfs"
)

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
