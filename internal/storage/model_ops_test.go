package storage

import (
	"errors"
	"slices"
	"time"

	"github.com/brokerd/brokerd/internal/step"
)

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
