package main

import (
	"context"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

// longPoll is how long the broker may keep a member's Fetch.
const longPoll = 100 * time.Millisecond

// saramaMember is a consumer group's handler. Its messages go to a channel; what
// of them was polled is marked in the session that they came in.
type saramaMember struct {
	group    sarama.ConsumerGroup
	stop     context.CancelFunc
	ended    sync.WaitGroup
	messages chan *sarama.ConsumerMessage

	mu      sync.Mutex
	session sarama.ConsumerGroupSession
}

func (m *saramaMember) Setup(s sarama.ConsumerGroupSession) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.session = s
	return nil
}

func (*saramaMember) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (m *saramaMember) ConsumeClaim(s sarama.ConsumerGroupSession, c sarama.ConsumerGroupClaim) error {
	for {
		select {
		case x, ok := <-c.Messages():
			if !ok {
				return nil
			}
			m.messages <- x
		case <-s.Context().Done():
			return nil
		}
	}
}

func (m *saramaMember) mark(x *sarama.ConsumerMessage) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.session.MarkMessage(x, "")
}

func (s *saramaClient) join(r request, _ *answer) (err error) {
	c := saramaConfig()
	c.ClientID = r.Client
	c.Consumer.Offsets.AutoCommit.Enable = false
	c.Consumer.Offsets.Initial = map[string]int64{"earliest": sarama.OffsetOldest, "latest": sarama.OffsetNewest}[r.Reset]
	c.Consumer.MaxWaitTime = longPoll
	c.Consumer.Group.Session.Timeout = r.session()
	c.Consumer.Group.Heartbeat.Interval = r.heartbeat()
	c.Consumer.Group.InstanceId = r.Instance
	m := &saramaMember{messages: make(chan *sarama.ConsumerMessage, 1000)}
	if m.group, err = sarama.NewConsumerGroup([]string{s.bootstrap}, r.Group, c); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.member, s.messages, m.stop = m, m.messages, cancel
	m.ended.Go(func() {
		for ctx.Err() == nil { // a rebalance ends Consume
			if err := m.group.Consume(ctx, []string{r.Topic}, m); err != nil {
				return
			}
		}
	})
	return nil
}

func (s *saramaClient) commit(request, *answer) error {
	s.member.mu.Lock()
	defer s.member.mu.Unlock()
	s.member.session.Commit()
	return nil
}

// pause returns when no Fetch from before it can be on its way: they bring what
// they were asked for.
func (s *saramaClient) pause(r request, _ *answer) error {
	s.member.group.Pause(map[string][]int32{r.Topic: {r.Partition}})
	time.Sleep(3 * longPoll)
	return nil
}

func (s *saramaClient) resume(r request, _ *answer) error {
	s.member.group.Resume(map[string][]int32{r.Topic: {r.Partition}})
	return nil
}

func (s *saramaClient) leave() error {
	s.member.stop()
	err := s.member.group.Close()
	s.member.ended.Wait()
	s.member = nil
	return err
}

func (s *saramaClient) committed(r request, a *answer) error {
	got, err := s.admin.ListConsumerGroupOffsets(r.Group, map[string][]int32{r.Topic: {r.Partition}})
	if err != nil {
		return err
	}
	b := got.GetBlock(r.Topic, r.Partition)
	a.Offset = b.Offset
	if b.Err != sarama.ErrNoError {
		return b.Err
	}
	return nil
}

func (s *saramaClient) groups(_ request, a *answer) (err error) {
	a.Groups, err = s.admin.ListConsumerGroups()
	return err
}
