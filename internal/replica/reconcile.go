package replica

import (
	"errors"
	"time"

	"github.com/brokerd/brokerd/internal/conf"
	"github.com/brokerd/brokerd/internal/isr"
	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/step"
	"github.com/brokerd/brokerd/internal/storage"
)

// want is what the metadata asks of one partition of this broker.
type want struct {
	index  uint64 // of the image it is read from: an older one changes nothing (R13)
	gone   bool   // deleted, or this broker is no replica any more
	aside  bool   // gone, but what there is stays under another name (refetch)
	leader int32
	rec    isr.Record
	conf   *conf.Topic
}

// wanted reads the desired state from an image; c is the topic's settings if
// they are resolved already.
func (m *Manager) wanted(im *meta.Image, id step.PartitionID, c *conf.Topic) want {
	w := want{index: im.Index(), gone: true}
	t, rec, ok := m.ours(im, id)
	if !ok {
		return w
	}
	w.gone, w.leader = false, rec.Leader
	if w.conf = c; c == nil {
		w.conf = m.topicConf(im, t.Name)
	}
	w.rec = isr.Record{
		LeaderEpoch: rec.LeaderEpoch, PartitionEpoch: rec.PartitionEpoch,
		Replicas: rec.Replicas, ISR: isr.Mask(rec.ISRMask()), MinISR: int(rec.MinISR), Recovering: rec.Recovering,
		Unclean: rec.Doubted(m.self),
	}
	m.brokers(im, &rec, &w.rec)
	return w
}

// ours is what an image knows of a replica of this broker; false: that there is none.
func (m *Manager) ours(im *meta.Image, id step.PartitionID) (t *meta.Topic, rec meta.Partition, ok bool) {
	if t, ok = im.Topic(id.Topic); !ok {
		return nil, rec, false
	}
	rec, ok = t.Partition(id.Index)
	return t, rec, ok && rec.HasReplica(m.self)
}

// brokers fills in what the image knows of the replicas' brokers.
func (m *Manager) brokers(im *meta.Image, part *meta.Partition, rec *isr.Record) {
	if len(rec.Replicas) == 1 {
		return // nobody follows
	}
	rec.BrokerEpochs = make([]int64, len(rec.Replicas))
	for i, id := range rec.Replicas {
		rec.BrokerEpochs[i] = -1
		if b, ok := im.Broker(id); ok {
			rec.BrokerEpochs[i] = b.Epoch
			if b.State == meta.Active && !part.Full(im, id) {
				rec.Eligible = rec.Eligible.With(i)
			}
		}
	}
}

// reconcile brings what is open in line with an image. It compares states, not
// events: what it misses or sees twice does no harm.
func (m *Manager) reconcile(im *meta.Image, c meta.Changes) {
	all := len(c.Brokers) > 0
	for _, r := range c.Configs {
		if r.Type == meta.BrokerResource {
			m.configs.invalidate()
			m.setThrottles(im)
			all = true
		}
	}
	if all {
		for _, h := range m.topics.all() {
			m.reconcileTopic(im, h)
		}
		for _, id := range c.Topics {
			m.followTopic(im, id)
		}
		return
	}
	for _, r := range c.Configs {
		if r.Type == meta.TopicResource {
			if h := m.topics.named(r.Name); h != nil {
				m.reconcileTopic(im, h)
			}
		}
	}
	for _, id := range c.Topics {
		if h := m.topics.topic(id); h != nil {
			m.reconcileTopic(im, h)
		}
		m.followTopic(im, id)
	}
}

// followTopic opens what this broker has to follow: nobody else asks for it.
func (m *Manager) followTopic(im *meta.Image, id step.TopicID) {
	t, ok := im.Topic(id)
	if !ok {
		return
	}
	for i := range t.Partitions() {
		rec, _ := t.Partition(i)
		if rec.Leader < 0 || rec.Leader == m.self || !rec.HasReplica(m.self) {
			continue
		}
		pid := step.PartitionID{Topic: id, Index: i}
		if m.topics.open(pid) != nil {
			continue
		}
		if _, err := m.Partition(t, i); err != nil && !m.closed.Load() {
			m.insync.openLater(pid)
			m.log.Warn("replica cannot be opened to follow its leader; trying again", "topic", t.Name, "partition", i, "err", err)
		}
	}
}

func (m *Manager) reconcileTopic(im *meta.Image, h *hosted) {
	t, ok := im.Topic(h.id)
	if !ok {
		// A request may have opened it by an image that the watcher has not seen yet.
		if _, newer := m.catalog.Image().Topic(h.id); !newer {
			m.remove(h)
		}
		return
	}
	c := m.topicConf(im, t.Name)
	for _, p := range h.opened() {
		<-p.opened
		if p.openErr == nil {
			leaves := p.ask(m.wanted(im, p.id, c))
			p.settle()
			if leaves {
				<-p.left
				h.slot(p.id.Index).CompareAndSwap(p, nil) // it may come back, or has already
			}
		}
	}
	for _, i := range h.cold() {
		id := step.PartitionID{Topic: h.id, Index: i}
		if _, _, ours := m.ours(im, id); !ours && m.LostTo(id) == nil {
			_, _ = m.occupy(h, i) // gives its files up, or opens it: by a newer image it may be ours again
		}
	}
}

// ask notes what is wanted. Only a newer image changes it: by an older one p may
// not be here yet. It says whether p leaves, by this wish or an earlier one; only
// then does left close.
func (p *Partition) ask(w want) (leaves bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w.index >= p.want.index && !p.want.gone {
		p.want = w
	}
	return p.want.gone
}

// settle does what is wanted, on the caller's goroutine, unless another one is
// at it: that one sees the new wish before it stops. No lock is held meanwhile.
func (p *Partition) settle() {
	for {
		p.mu.Lock()
		if p.settling || p.want.index == p.have.index && p.want.gone == p.have.gone && p.have.conf == p.want.conf && !p.moved {
			p.mu.Unlock()
			return
		}
		p.settling, p.moved = true, false
		have, w := p.have, p.want
		p.mu.Unlock()

		err := p.become(have, w)

		p.mu.Lock()
		p.settling = false
		if err == nil || final(err) {
			p.have = w
		}
		p.mu.Unlock()
		if err == nil || final(err) {
			p.unsettled.Store(false)
			continue
		}
		if !p.unsettled.Swap(true) {
			p.m.log.Error("partition cannot take its role; the next request tries again",
				"topic", p.topic, "partition", p.id.Index, "epoch", w.rec.LeaderEpoch, "leader", w.leader, "err", err)
		}
		return
	}
}

// final reports whether an error of the log will not pass while we run.
func final(err error) bool {
	return errors.Is(err, storage.ErrDirFailed) || errors.Is(err, storage.ErrCorrupt) || errors.Is(err, storage.ErrClosed)
}

// become makes the partition what w says.
func (p *Partition) become(have, w want) error {
	if w.gone {
		p.leave(have, w.aside)
		return nil
	}
	if have.conf != w.conf {
		p.log.SetConfig(storageConfig(w.conf))
		p.throttledOut.Store(w.conf.ThrottledLeaders.Has(p.id.Index, p.m.self))
		p.throttledIn.Store(w.conf.ThrottledFollowers.Has(p.id.Index, p.m.self))
	}
	newEpoch := have.index == 0 || w.rec.LeaderEpoch > have.rec.LeaderEpoch
	switch {
	case w.leader == p.m.self && newEpoch:
		return p.lead(w)
	case w.leader == p.m.self:
		p.m.copied.altered(have.rec.ISR.Count(), w.rec.ISR.Count())
		p.altered(w)
	case newEpoch:
		return p.follow(w)
	}
	p.followOn(w)
	return nil
}

// lead begins a leadership. The epoch and where it starts are durable before
// anything is served under it.
func (p *Partition) lead(w want) error {
	p.resign(ErrNotLeader)
	p.stopFollowing()
	if _, err := p.log.Lead(w.rec.LeaderEpoch); err != nil {
		p.state.Store(&state{err: err, epoch: w.rec.LeaderEpoch, conf: w.conf})
		return p.failed(err)
	}
	if err := p.syncFirst(w); err != nil {
		p.state.Store(&state{err: err, epoch: w.rec.LeaderEpoch, conf: w.conf})
		return p.failed(err)
	}
	var out woken
	p.mu.Lock()
	// The view is loaded under the lock: a group commit that found no leader
	// here is in it, any later one finds the leader.
	v := p.log.View()
	p.eff = isr.Effects{}
	cfg := isr.Config{Self: p.m.self, Fsync: p.log.Durability() == storage.Fsync, LagMax: p.m.conf.ReplicaLagTimeMax}
	p.leader = isr.NewLeader(p.m.now(), cfg, w.rec, isr.Log{End: v.End, Durable: v.Durable, HighWatermark: v.HighWatermark}, &p.eff)
	p.publishLocked(w)
	p.takeLocked(&out)
	p.mu.Unlock()
	p.tell(&out)
	return nil
}

// syncFirst waits, after an unclean election, until all of the log is durable: what
// it has is the log from now on, and its high watermark may lie beyond its durable
// end, which that of a member in sync never does.
func (p *Partition) syncFirst(w want) error {
	if !w.rec.Recovering || p.log.Durability() != storage.Fsync {
		return nil
	}
	for {
		synced := make(chan struct{})
		p.mu.Lock()
		p.synced = synced
		p.mu.Unlock()
		if v := p.log.View(); v.Durable >= v.End {
			return nil
		}
		if _, err := p.log.Fence(w.rec.LeaderEpoch); err != nil {
			return err // no group commit will come
		}
		select {
		case <-synced:
		case <-time.After(syncLook):
		}
	}
}

// syncLook is how soon a log that went out of service meanwhile is noticed.
const syncLook = 100 * time.Millisecond

// altered brings a change within the epoch: the ISR, the settings, the brokers.
func (p *Partition) altered(w want) {
	var out woken
	p.mu.Lock()
	if p.leader == nil {
		p.mu.Unlock()
		return // fenced for another reason; only a new epoch helps
	}
	p.eff = isr.Effects{}
	now := p.m.now()
	p.leader.SetFsync(now, p.log.Durability() == storage.Fsync, &p.eff)
	p.leader.Altered(now, w.rec, &p.eff)
	p.publishLocked(w)
	p.takeLocked(&out)
	p.mu.Unlock()
	p.tell(&out)
}

// publishLocked stores what the lock-free paths look at.
func (p *Partition) publishLocked(w want) {
	p.state.Store(&state{
		epoch: w.rec.LeaderEpoch, start: p.leader.EpochStart(), underMin: p.leader.UnderMinISR(),
		durability: p.log.Durability(), conf: w.conf,
	})
}

// follow ends a leadership, or begins as a follower.
func (p *Partition) follow(w want) error {
	p.resign(ErrNotLeader)
	p.stopFollowing()
	p.state.Store(&state{err: ErrNotLeader, epoch: w.rec.LeaderEpoch, conf: w.conf})
	if _, err := p.log.Fence(w.rec.LeaderEpoch); err != nil {
		return err
	}
	if w.leader >= 0 {
		p.state.Store(&state{err: ErrNotLeader, follows: true, epoch: w.rec.LeaderEpoch, conf: w.conf})
		p.startFollowing(w)
	}
	return nil
}

// followOn brings a change within the epoch: the ISR, or the durability or the log
// directory, by which the lanes are apart.
func (p *Partition) followOn(w want) {
	p.mu.Lock()
	f := p.following
	if f != nil {
		f.core.Altered(w.rec)
	}
	p.mu.Unlock()
	if f != nil && (f.lane.key.fsync != (p.log.Durability() == storage.Fsync) || f.lane.key.dir != p.log.Dir()) {
		p.stopFollowing()
		p.startFollowing(w)
	}
}

// leave answers who waits and gives the files up.
func (p *Partition) leave(have want, aside bool) {
	defer close(p.left)
	p.resign(ErrUnknownPartition)
	p.stopFollowing()
	if aside {
		p.asideErr = p.m.store.Quarantine(p.id)
		return
	}
	delay := p.m.deleteDelay(have.conf)
	if err := p.log.Delete(delay); err != nil {
		p.m.log.Error("log of a deleted partition cannot be renamed", "topic", p.topic, "partition", p.id.Index, "err", err)
	}
}
