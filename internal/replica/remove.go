package replica

import (
	"time"

	"github.com/brokerd/brokerd/internal/conf"
	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/step"
)

// adopt runs once, when the own registration has been applied: the image is as
// new as anything this broker did before it stopped. Data that the image does
// not know is renamed, never deleted (D11).
func (m *Manager) adopt(im *meta.Image) {
	if m.store.Blind() {
		m.miss(im)
	}
	for _, f := range m.store.Found() {
		if _, ok := im.Deleted(f.ID.Topic); ok {
			m.deleteCold(&hosted{id: f.ID.Topic, name: f.Topic}, f.ID.Index) // deleted while we were away
			continue
		}
		t, rec, ok := m.ours(im, f.ID)
		if !ok {
			m.quarantine(f.ID, f.Topic, f.Dir)
			continue
		}
		h, taken := m.topics.host(f.ID.Topic, t.Name)
		if taken != nil {
			m.quarantine(f.ID, f.Topic, f.Dir) // two ids under one name: the image knows one
			continue
		}
		h.mu.Lock()
		h.onDisk[f.ID.Index] = f.Dir // opened when somebody asks, or retention has work there
		h.mu.Unlock()
		if m.assign != nil {
			m.placeFound(&rec, f.ID, f.Dir)
		}
	}
	m.loseLone(im)
	if m.assign != nil {
		m.missAway(im)
	}
	m.loseUnopened(im)
}

// warmLogs is how many logs are opened without being asked for. Each costs a
// descriptor and 0.1 ms; the rest of a large broker's stay cold until somebody,
// or retention, comes for them.
const warmLogs = 1000

// warm opens some of the logs that were found, once the broker serves: those who
// watch a broker of the usual size see all of it after a restart.
func (m *Manager) warm(im *meta.Image) {
	left := warmLogs
	for _, h := range m.topics.all() {
		t, ok := im.Topic(h.id)
		if !ok {
			continue // gone meanwhile, and being removed
		}
		for _, i := range h.cold() {
			if left == 0 || m.closed.Load() {
				return
			}
			left--
			id := step.PartitionID{Topic: h.id, Index: i}
			if m.LostTo(id) != nil {
				continue
			}
			if _, err := m.store.Log(id, t.Name, storageConfig(m.topicConf(im, t.Name))); err != nil && !m.lose(id, t.Name, err) {
				m.log.Error("log cannot be opened", "topic", t.Name, "partition", i, "err", err)
			}
		}
	}
}

// miss notes the partitions that may lie in a directory which could not be
// looked into. Nobody knows which of them do, so none is begun anew elsewhere:
// its records would be gone for all who ask, and two logs be there afterwards.
func (m *Manager) miss(im *meta.Image) {
	found := map[step.PartitionID]bool{}
	for _, f := range m.store.Found() {
		found[f.ID] = true
	}
	m.missing = map[step.PartitionID]bool{}
	f := Fault{}
	for t := range im.Topics() {
		for i := range t.Partitions() {
			id := step.PartitionID{Topic: t.ID, Index: i}
			if rec, _ := t.Partition(i); rec.HasReplica(m.self) && !found[id] {
				m.missing[id] = true
				f.Partitions = append(f.Partitions, id)
			}
		}
	}
	m.log.Error("partitions that no working log directory has stay offline until the failed one is back",
		"partitions", len(f.Partitions))
	m.report(f)
}

func (m *Manager) quarantine(id step.PartitionID, topic, dir string) {
	m.log.Warn("a partition on disk is not in the metadata: renamed to …-stray, nothing is deleted",
		"topic", topic, "partition", id.Index, "id", id.Topic, "dir", dir)
	if err := m.store.Quarantine(id); err != nil {
		m.log.Error("stray partition cannot be renamed", "topic", topic, "partition", id.Index, "err", err)
	}
}

// remove takes a deleted topic off this broker. Whoever comes second waits for
// the first: when it returns, the directories are renamed and the name is free.
func (m *Manager) remove(h *hosted) {
	h.mu.Lock()
	gone := h.gone
	first := gone == nil
	if first {
		gone = make(chan struct{})
		h.gone = gone
	}
	h.mu.Unlock()
	if !first {
		<-gone
		return
	}
	for _, p := range h.opened() {
		<-p.opened
		if p.openErr == nil {
			p.ask(want{index: p.m.catalog.Image().Index(), gone: true})
			p.settle()
			<-p.left // another goroutine may be at it
		}
	}
	for _, i := range h.cold() {
		m.deleteCold(h, i)
	}
	m.topics.forget(h)
	close(gone)
}

// deleteCold gives up the files of a partition that was not used since the start.
func (m *Manager) deleteCold(h *hosted, i int32) {
	id := step.PartitionID{Topic: h.id, Index: i}
	c := m.topicConf(m.catalog.Image(), h.name)
	log, err := m.store.Log(id, h.name, storageConfig(c))
	if err == nil {
		err = log.Delete(m.deleteDelay(c))
	}
	if err != nil {
		m.log.Error("log of a deleted partition cannot be renamed", "topic", h.name, "partition", i, "err", err)
	}
}

func (m *Manager) deleteDelay(c *conf.Topic) time.Duration {
	if c == nil {
		return time.Minute
	}
	return c.FileDeleteDelay
}

// cold lists the partitions that lie on disk and were not opened since the start.
func (h *hosted) cold() []int32 {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := make([]int32, 0, len(h.onDisk))
	for i := range h.onDisk {
		out = append(out, i)
	}
	return out
}

// eachOpen visits every open partition; one that is just being opened is left
// out. It does not wait: the flusher calls it.
func (m *Manager) eachOpen(visit func(*Partition)) {
	for _, h := range m.topics.all() {
		for _, p := range h.opened() {
			select {
			case <-p.opened:
				if p.openErr == nil {
					visit(p)
				}
			default:
			}
		}
	}
}
