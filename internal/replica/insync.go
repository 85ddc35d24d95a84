package replica

import (
	"context"
	"sync"
	"time"

	"github.com/brokerd/brokerd/internal/isr"
	"github.com/brokerd/brokerd/internal/step"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// insync collects what the leaders propose. One request at a time is under way;
// what is proposed meanwhile goes with the next. It holds at most one proposal
// per led partition.
type insync struct {
	wake chan struct{} // room for one: there is something to send

	mu     sync.Mutex
	queue  map[*Partition]isr.Proposal
	unopen []step.PartitionID // to be opened again at the next tick, because they must follow
}

const (
	// alterWait is how long one request may take.
	alterWait = 5 * time.Second
	// maxAltered bounds one request, so that it fits into one metadata entry.
	maxAltered = 1000
	// alterRest is the pause before a proposal that was not answered is repeated;
	// it doubles up to alterRestMax.
	alterRest    = 50 * time.Millisecond
	alterRestMax = time.Second
)

func (s *insync) propose(p *Partition, q isr.Proposal) {
	s.mu.Lock()
	if s.queue == nil {
		s.queue = map[*Partition]isr.Proposal{}
	}
	s.queue[p] = q // a later one is of a newer state
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// take gives up to maxAltered proposals; more says that some are left.
func (s *insync) take() (batch map[*Partition]isr.Proposal, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) <= maxAltered {
		batch, s.queue = s.queue, nil
		return batch, false
	}
	batch = make(map[*Partition]isr.Proposal, maxAltered)
	for p, q := range s.queue {
		if len(batch) == maxAltered {
			break
		}
		batch[p] = q
		delete(s.queue, p)
	}
	return batch, true
}

func (s *insync) openLater(id step.PartitionID) {
	s.mu.Lock()
	s.unopen = append(s.unopen, id)
	s.mu.Unlock()
}

// lagTicks is how often within replica.lag.time.max.ms the leaders look for
// followers that lag.
const lagTicks = 10

// keepInSync looks for followers that lag, and takes what the leaders propose to
// the controller, until ctx ends.
func (m *Manager) keepInSync(ctx context.Context) {
	tick := time.NewTicker(max(m.conf.ReplicaLagTimeMax/lagTicks, 10*time.Millisecond))
	defer tick.Stop()
	again := time.NewTimer(time.Hour) // for what was not answered
	again.Stop()
	defer again.Stop()
	var unsure []sent
	rest := time.Duration(0)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			m.tick()
			continue
		case <-again.C:
			for _, s := range unsure {
				s.p.refused(s.q, isr.Unknown)
			}
			unsure = nil
			continue
		case <-m.insync.wake:
		}
		if m.alter == nil {
			continue
		}
		failed := m.sendProposals(ctx)
		if len(failed) == 0 {
			rest = 0
			continue
		}
		unsure = append(unsure, failed...)
		rest = min(max(2*rest, alterRest), alterRestMax)
		again.Reset(rest)
	}
}

// tick is the part that time alone brings.
func (m *Manager) tick() {
	m.eachOpen(func(p *Partition) {
		if p.unsettled.Load() {
			p.settle() // of a follower nobody else asks
		}
		p.tick()
	})
	m.insync.mu.Lock()
	ids := m.insync.unopen
	m.insync.unopen = nil
	m.insync.mu.Unlock()
	im := m.catalog.Image()
	for _, id := range ids {
		m.followTopic(im, id.Topic)
	}
	m.refetch(im)
}

func (p *Partition) tick() {
	watchers := p.watchers()
	var out woken
	p.mu.Lock()
	if p.leader == nil || len(p.leader.Replicas()) == 1 {
		p.mu.Unlock()
		return
	}
	p.eff = isr.Effects{}
	for _, a := range watchers {
		p.leader.Alive(step.Instant(a.s.spoke.Load()), a.s.broker)
	}
	p.leader.Tick(p.m.now(), &p.eff)
	p.takeLocked(&out)
	p.mu.Unlock()
	p.tell(&out)
}

// sent is a proposal whose answer is awaited.
type sent struct {
	p *Partition
	q isr.Proposal
}

// sendProposals sends one request and gives those whose fate is open.
func (m *Manager) sendProposals(ctx context.Context) (unsure []sent) {
	batch, more := m.insync.take()
	if more {
		defer func() {
			select {
			case m.insync.wake <- struct{}{}:
			default:
			}
		}()
	}
	if len(batch) == 0 {
		return nil
	}
	req, by := m.alterRequest(batch)
	ctx, cancel := context.WithTimeout(ctx, alterWait)
	defer cancel()
	if len(by) == 0 {
		return nil
	}
	resp, err := m.alter(ctx, req)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if err != nil {
		m.log.Warn("in-sync sets could not be changed at the controller; trying again", "partitions", len(batch), "err", err)
		for _, s := range by {
			unsure = append(unsure, s)
		}
		return unsure
	}
	return m.altered(resp, by)
}

func (m *Manager) alterRequest(batch map[*Partition]isr.Proposal) (*kmsg.AlterPartitionRequest, map[step.PartitionID]sent) {
	im := m.catalog.Image()
	req := kmsg.NewPtrAlterPartitionRequest()
	req.BrokerID = m.self
	if b, ok := im.Broker(m.self); ok {
		req.BrokerEpoch = b.Epoch
	}
	topics := map[step.TopicID]int{}
	by := make(map[step.PartitionID]sent, len(batch))
	for p, q := range batch {
		members := p.members(q)
		if members == nil {
			continue // it leads no more
		}
		by[p.id] = sent{p, q}
		k, ok := topics[p.id.Topic]
		if !ok {
			k = len(req.Topics)
			topics[p.id.Topic] = k
			req.Topics = append(req.Topics, kmsg.AlterPartitionRequestTopic{TopicID: p.id.Topic})
		}
		o := kmsg.NewAlterPartitionRequestTopicPartition()
		o.Partition, o.LeaderEpoch, o.PartitionEpoch = p.id.Index, q.LeaderEpoch, q.PartitionEpoch
		for _, r := range members {
			e := kmsg.NewAlterPartitionRequestTopicPartitionNewEpochISR()
			e.BrokerID, e.BrokerEpoch = r.Broker, r.Epoch
			o.NewEpochISR = append(o.NewEpochISR, e)
		}
		req.Topics[k].Partitions = append(req.Topics[k].Partitions, o)
	}
	return req, by
}

// members names the proposed set, nil if the leadership is not the proposer's any more.
func (p *Partition) members(q isr.Proposal) []isr.Member {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.leader == nil || p.leader.Epoch() != q.LeaderEpoch {
		return nil
	}
	return p.leader.Members(q.ISR)
}

// altered goes through the controller's verdicts (replication rules, 2.4). What
// was taken over comes through the image; only a refusal that is definite ends a
// proposal here.
func (m *Manager) altered(resp *kmsg.AlterPartitionResponse, by map[step.PartitionID]sent) (unsure []sent) {
	for i := range resp.Topics {
		t := &resp.Topics[i]
		for k := range t.Partitions {
			o := &t.Partitions[k]
			s, ok := by[step.PartitionID{Topic: t.TopidID, Index: o.Partition}]
			if !ok {
				continue
			}
			delete(by, s.p.id)
			switch o.ErrorCode {
			case 0:
			case kerr.IneligibleReplica.Code, kerr.OperationNotAttempted.Code:
				s.p.refused(s.q, isr.Definite)
			default:
				unsure = append(unsure, s)
			}
		}
	}
	for _, s := range by {
		unsure = append(unsure, s) // not answered
	}
	return unsure
}

// refused brings the verdict on q to the core.
func (p *Partition) refused(q isr.Proposal, r isr.Refusal) {
	var out woken
	p.mu.Lock()
	if p.leader != nil {
		p.eff = isr.Effects{}
		p.leader.Refused(q, r, &p.eff)
		p.takeLocked(&out)
	}
	p.mu.Unlock()
	p.tell(&out)
}
