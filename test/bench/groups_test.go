//go:build bench

package bench

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/brokerd/brokerd/test/raw"
)

const (
	rebalanceMs = "ms"
	commitRate  = "commits/s"
)

// s14 is a group of 1,000 classic members that all join again, and single commits
// by many groups. Both keep their offsets topic as its log is fsynced.
func s14(b *bench) {
	of := map[*system]*crowd{}
	crowdOf := func(t testing.TB, s *system) *crowd {
		if of[s] == nil {
			of[s] = gather(t, s, 1000)
			if s.name == kafkaName {
				s.alter(t, "__consumer_offsets", "flush.messages", "1")
			}
		}
		return of[s]
	}
	b.compare(cell{
		name: "1,000 classic members, from the last JoinGroup to the last assignment", durability: "fsync",
		metrics: []metric{{rebalanceMs, "%.1f", false, 5}, {cores, "%.2f", false, 0}},
		run: func(t testing.TB, s *system) values {
			before, begin := cpu(t, s.pid), time.Now()
			took := crowdOf(t, s).rebalance(t)
			return values{rebalanceMs: us(took) / 1e3, cores: (cpu(t, s.pid) - before).Seconds() / time.Since(begin).Seconds()}
		},
	})
	b.compare(cell{
		name: "64 connections, each commits one offset at a time", durability: "fsync",
		metrics: []metric{{commitRate, "%.0f", true, 0}, {usRequest, "%.1f", false, 0}},
		run: func(t testing.TB, s *system) values {
			crowdOf(t, s) // it has made the topics
			return commitAll(t, s, 64)
		},
	})
}

// crowd is the members of one group, each with a connection of its own.
type crowd struct {
	s       *system
	members []*crowded
	leader  int
}

type crowded struct {
	c   *raw.Conn
	id  string
	gen int32
}

// gather makes a stable group of n members.
func gather(t testing.TB, s *system, n int) *crowd {
	t.Helper()
	s.create(t, "crowd", "isr", 1, nil)
	find := kmsg.NewPtrFindCoordinatorRequest()
	find.CoordinatorKeys = []string{"crowd"}
	first := dial(t, s.addr)
	defer first.Close()
	for limit := time.Now().Add(time.Minute); ; <-time.After(50 * time.Millisecond) {
		resp, err := first.Do(4, find)
		if err == nil && resp.(*kmsg.FindCoordinatorResponse).Coordinators[0].ErrorCode == 0 {
			break
		}
		if time.Now().After(limit) {
			t.Fatalf("%s: no coordinator: %v", s.name, err)
		}
	}
	cr := &crowd{s: s}
	for range n {
		cr.members = append(cr.members, &crowded{c: dial(t, s.addr)})
	}
	t.Cleanup(func() {
		for _, m := range cr.members {
			m.c.Close()
		}
	})
	var inside atomic.Int64
	cr.each(t, func(_ int, m *crowded) error { // in and out until all are in one generation
		for inside.Load() < int64(n) {
			resp, err := m.c.Do(5, m.join())
			if err != nil {
				return err
			}
			j := resp.(*kmsg.JoinGroupResponse)
			switch m.id = j.MemberID; j.ErrorCode {
			case 0:
				if m.gen = j.Generation; j.LeaderID == m.id && len(j.Members) == n {
					inside.Store(int64(n))
				}
			case 14, 15, 16, 27, 79: // it loads, is not there yet, rebalances; the id is to be used
			default:
				return fmt.Errorf("join: error %d", j.ErrorCode)
			}
		}
		return nil
	})
	cr.rebalance(t)
	return cr
}

func (cr *crowd) each(t testing.TB, f func(i int, m *crowded) error) {
	t.Helper()
	errs := make([]error, len(cr.members))
	var wg sync.WaitGroup
	for i, m := range cr.members {
		wg.Go(func() { errs[i] = f(i, m) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			t.Fatalf("%s: %v", cr.s.name, err)
		}
	}
}

// rebalance has every member join again, and gives the time from the last one's
// JoinGroup until all have their assignments. The first to join is the leader, for
// whom the group rebalances; the last one waits until the others are parked.
func (cr *crowd) rebalance(t testing.TB) time.Duration {
	t.Helper()
	last := (cr.leader + len(cr.members) - 1) % len(cr.members)
	var begin time.Time
	parked := make(chan struct{})
	var sent sync.WaitGroup
	sent.Add(len(cr.members) - 1)
	go func() { // ends by itself
		sent.Wait()
		time.Sleep(500 * time.Millisecond)
		begin = time.Now()
		close(parked)
	}()
	leads := make(chan struct{})
	cr.each(t, func(i int, m *crowded) error {
		if i == last {
			<-parked
		} else if i != cr.leader {
			<-leads
		}
		if err := m.c.Send(raw.Frame(5, 1, m.join())); err != nil {
			return err
		}
		if i == cr.leader {
			time.AfterFunc(50*time.Millisecond, func() { close(leads) })
		}
		if i != last {
			sent.Done()
		}
		resp := kmsg.NewPtrJoinGroupResponse()
		if err := m.hear(5, resp); err != nil || resp.ErrorCode != 0 {
			return fmt.Errorf("join of %d: error %d, %v", i, resp.ErrorCode, err)
		}
		sync := kmsg.NewPtrSyncGroupRequest()
		sync.Group, sync.MemberID, sync.Generation = "crowd", m.id, resp.Generation
		if m.gen = resp.Generation; resp.LeaderID == m.id {
			cr.leader = i
			for _, o := range resp.Members {
				sync.GroupAssignment = append(sync.GroupAssignment, kmsg.SyncGroupRequestGroupAssignment{MemberID: o.MemberID, MemberAssignment: make([]byte, 64)})
			}
		}
		if err := m.c.Send(raw.Frame(3, 2, sync)); err != nil {
			return err
		}
		got := kmsg.NewPtrSyncGroupResponse()
		if err := m.hear(3, got); err != nil || got.ErrorCode != 0 {
			return fmt.Errorf("sync of %d: error %d, %v", i, got.ErrorCode, err)
		}
		return nil
	})
	return time.Since(begin)
}

func (m *crowded) join() *kmsg.JoinGroupRequest {
	r := kmsg.NewPtrJoinGroupRequest()
	r.Group, r.MemberID, r.ProtocolType = "crowd", m.id, "consumer"
	r.SessionTimeoutMillis, r.RebalanceTimeoutMillis = 1_800_000, 600_000
	sub := kmsg.NewConsumerMemberMetadata()
	sub.Topics = []string{"crowd"}
	r.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: sub.AppendTo(nil)}}
	return r
}

// hear receives an answer of a version that is not flexible.
func (m *crowded) hear(version int16, resp kmsg.Response) error {
	body, err := m.c.Receive()
	if err != nil {
		return err
	}
	resp.SetVersion(version)
	return resp.ReadFrom(body[4:])
}

// commitAll commits on n connections for a section, as a group without members each.
func commitAll(t testing.TB, s *system, n int) values {
	t.Helper()
	conns := make([]*raw.Conn, n)
	for i := range conns {
		conns[i] = dial(t, s.addr)
		defer conns[i].Close()
	}
	var done atomic.Int64
	errs := make([]error, n)
	before, begin := cpu(t, s.pid), time.Now()
	stop := begin.Add(*section)
	var wg sync.WaitGroup
	for i, c := range conns {
		wg.Go(func() {
			req := kmsg.NewPtrOffsetCommitRequest()
			req.Group, req.Generation = fmt.Sprint("commit-", i), -1
			rt, rp := kmsg.NewOffsetCommitRequestTopic(), kmsg.NewOffsetCommitRequestTopicPartition()
			for at := int64(0); time.Now().Before(stop); at++ {
				rp.Offset = at
				rt.Topic, rt.Partitions = "crowd", []kmsg.OffsetCommitRequestTopicPartition{rp}
				req.Topics = []kmsg.OffsetCommitRequestTopic{rt}
				resp, err := c.Do(7, req)
				if err != nil {
					errs[i] = err
					return
				}
				if code := resp.(*kmsg.OffsetCommitResponse).Topics[0].Partitions[0].ErrorCode; code != 0 {
					errs[i] = fmt.Errorf("commit: error %d", code)
					return
				}
				done.Add(1)
			}
		})
	}
	wg.Wait()
	took, used := time.Since(begin), cpu(t, s.pid)-before
	for _, err := range errs {
		if err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
	}
	return values{commitRate: float64(done.Load()) / took.Seconds(), usRequest: us(used) / float64(done.Load())}
}

// alter sets a setting of a topic.
func (s *system) alter(t testing.TB, topic, name, value string) {
	t.Helper()
	c := dial(t, s.addr)
	defer c.Close()
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	req.Resources = []kmsg.IncrementalAlterConfigsRequestResource{{
		ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: topic,
		Configs: []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: name, Value: &value}},
	}}
	resp, err := c.Do(0, req)
	if err != nil {
		t.Fatalf("%s: %v", s.name, err)
	}
	if code := resp.(*kmsg.IncrementalAlterConfigsResponse).Resources[0].ErrorCode; code != 0 {
		t.Fatalf("%s: alter %s: error %d", s.name, topic, code)
	}
}
