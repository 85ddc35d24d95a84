//go:build oracle

package oracle

import (
	"fmt"
	"testing"
	"time"

	"github.com/brokerd/brokerd/internal/record"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	firstFetch, lastFetch = 4, 18
	sessionsSince         = 7
)

// filled makes a topic with batches of 1, 2, 3 … records in partition 0, of
// every codec but zstd in turn, one batch in partition 1, none in partition 2.
func (p *pair) filled(topic string, config ...string) {
	p.t.Helper()
	p.topic(topic, 3, config...)
	t := int64(1_700_000_000_000)
	codecs := []record.Codec{record.None, record.Gzip, record.Snappy, record.LZ4}
	for i := range 12 {
		b := batch{records: values(i + 1), codec: codecs[i%4], baseTime: t + int64(i)*1000}.bytes()
		p.fill(topic, b)
	}
	p.fill(topic, nil, batch{records: values(2), baseTime: t}.bytes())
}

// fill writes batches to partitions 0, 1, …; nil leaves one out.
func (p *pair) fill(topic string, batches ...[]byte) {
	p.t.Helper()
	p.each(func(s *side) {
		req := produce(9, topic, -1, batches...)(s).(*kmsg.ProduceRequest)
		parts := req.Topics[0].Partitions
		req.Topics[0].Partitions = nil
		for _, q := range parts {
			if q.Records != nil {
				req.Topics[0].Partitions = append(req.Topics[0].Partitions, q)
			}
		}
		resp, ending := s.do(p.t, 9, req)
		if resp == nil {
			p.t.Fatalf("%s: %s", s.name, ending)
		}
		for _, q := range resp.(*kmsg.ProduceResponse).Topics[0].Partitions {
			if q.ErrorCode != 0 {
				p.t.Fatalf("%s: produce to %s: %d %s", s.name, topic, q.ErrorCode, text(q.ErrorMessage))
			}
		}
	})
}

// TestFetch asks for every kind of place in every version.
func TestFetch(t *testing.T) {
	p := newPair(t)
	p.filled("f")
	p.filled("zipped", "compression.type", "zstd")
	p.topic("mixed", 1)
	p.fill("mixed", batch{records: values(1), baseTime: 5}.bytes())
	p.fill("mixed", batch{records: values(1), baseTime: 5, codec: record.Zstd}.bytes())
	for v := int16(firstFetch); v <= lastFetch; v++ {
		ask := func(name string, change func(*side, *kmsg.FetchRequest), wants ...want) {
			t.Helper()
			p.ask("fetch "+name, v, fetch(v, change, wants...))
		}
		for offset := int64(0); offset <= 78; offset += 6 {
			ask(fmt.Sprintf("from %d", offset), nil, at("f", 0, offset))
		}
		for _, offset := range []int64{-1, -2, 79, 1 << 40} {
			ask(fmt.Sprintf("from %d", offset), nil, at("f", 0, offset))
		}
		ask("three partitions", nil, at("f", 0, 70), at("f", 1, 0), at("f", 2, 0))
		ask("no such partition", nil, at("f", 0, 70), at("f", 3, 0), at("f", -1, 0))
		ask("no such topic", nil, at("f", 0, 70), at("nowhere", 0, 0))
		ask("nothing", nil)
		ask("zstd topic", nil, at("zipped", 0, 70))
		ask("zstd batch", nil, at("mixed", 0, 0))
		ask("twice the same", nil, at("f", 1, 0), at("f", 1, 0))
		for _, n := range []int32{0, 1, 100, 1000, -1} {
			w := at("f", 0, 3)
			w.max = n
			ask(fmt.Sprintf("%d bytes of a partition", n), nil, w, at("f", 1, 0))
			ask(fmt.Sprintf("%d bytes in all", n), func(_ *side, r *kmsg.FetchRequest) { r.MaxBytes = n }, at("f", 0, 3), at("f", 1, 0))
		}
		for _, e := range []int32{-1, 0, 1, 7, -2} {
			w := at("f", 0, 70)
			w.epoch = e
			ask(fmt.Sprintf("leader epoch %d", e), nil, w)
			w.epoch, w.last = -1, e
			ask(fmt.Sprintf("last epoch %d", e), nil, w)
			w.offset = 99
			ask(fmt.Sprintf("last epoch %d beyond", e), nil, w)
		}
		ask("committed only", func(_ *side, r *kmsg.FetchRequest) { r.IsolationLevel = 1 }, at("f", 0, 70))
		ask("isolation 7", func(_ *side, r *kmsg.FetchRequest) { r.IsolationLevel = 7 }, at("f", 0, 70))
		ask("a rack", func(_ *side, r *kmsg.FetchRequest) { r.Rack = "r1" }, at("f", 0, 70))
		ask("waits in vain", func(_ *side, r *kmsg.FetchRequest) { r.MaxWaitMillis = 50 }, at("f", 0, 78))
		ask("wants more than there is", func(_ *side, r *kmsg.FetchRequest) { r.MaxWaitMillis, r.MinBytes = 50, 1<<20 }, at("f", 0, 60))
		ask("waits, one is wrong", func(_ *side, r *kmsg.FetchRequest) { r.MaxWaitMillis = 5000 }, at("f", 0, 78), at("f", 1, 999))
		ask("wants no bytes", func(_ *side, r *kmsg.FetchRequest) { r.MaxWaitMillis, r.MinBytes = 5000, 0 }, at("f", 0, 78))
		ask("with everything", func(s *side, r *kmsg.FetchRequest) {
			r.ReplicaID, r.ClusterID = -2, &s.cluster
			q := &r.Topics[0].Partitions[0]
			q.LogStartOffset = 3
			if v >= 15 {
				r.ReplicaState.ID, r.ReplicaState.Epoch = -2, 5
			}
			if v >= 17 {
				q.ReplicaDirectoryID = [16]byte{5}
			}
			if v >= 18 {
				q.HighWatermark = 78
			}
		}, at("f", 0, 70))
		ask("as a replica", func(_ *side, r *kmsg.FetchRequest) { r.ReplicaID, r.ReplicaState.ID = 7, 7 }, at("f", 0, 70))
	}
}

// TestSessions walks through the life of a fetch session in every version.
func TestSessions(t *testing.T) {
	p := newPair(t)
	for v := int16(sessionsSince); v <= lastFetch; v++ {
		topic := fmt.Sprintf("s%d", v)
		p.filled(topic)
		session := func(id func(*side) int32, epoch int32, more ...func(*side, *kmsg.FetchRequest)) func(*side, *kmsg.FetchRequest) {
			return func(s *side, r *kmsg.FetchRequest) {
				r.SessionID, r.SessionEpoch = id(s), epoch
				for _, f := range more {
					f(s, r)
				}
			}
		}
		own := func(s *side) int32 { return s.session }
		none := func(*side) int32 { return 0 }
		ask := func(name string, change func(*side, *kmsg.FetchRequest), wants ...want) {
			t.Helper()
			theirs, ours := p.ask("session "+name, v, fetch(v, change, wants...))
			keep := func(s *side, r kmsg.Response) {
				if f, ok := r.(*kmsg.FetchResponse); ok && f.SessionID != 0 {
					s.session = f.SessionID
				}
			}
			keep(p.theirs, theirs)
			keep(p.ours, ours)
		}
		forget := func(topic string, partitions ...int32) func(*side, *kmsg.FetchRequest) {
			return func(s *side, r *kmsg.FetchRequest) {
				t := kmsg.NewFetchRequestForgottenTopic()
				if v >= 13 {
					t.TopicID = s.id(topic)
				} else {
					t.Topic = topic
				}
				t.Partitions = partitions
				r.ForgottenTopics = append(r.ForgottenTopics, t)
			}
		}
		ask("without partitions", session(none, 0))
		ask("of nobody", session(func(*side) int32 { return 12345 }, 3), at(topic, 0, 0))
		ask("begins", session(none, 0), at(topic, 0, 70), at(topic, 1, 0), at(topic, 2, 0))
		ask("goes on", session(own, 1), at(topic, 0, 78), at(topic, 1, 2))
		ask("has nothing new", session(own, 2))
		ask("comes again", session(own, 2))
		p.fill(topic, nil, batch{records: values(1), baseTime: 5}.bytes())
		ask("has news", session(own, 3))
		ask("forgets", session(own, 4, forget(topic, 1)), at(topic, 0, 72))
		ask("adds again", session(own, 5), at(topic, 1, 0))
		ask("forgets what it has not", session(own, 6, forget(topic, 9)))
		ask("out of range", session(own, 7), at(topic, 0, 999))
		ask("still out of range", session(own, 8))
		ask("recovers", session(own, 9), at(topic, 0, 78))
		ask("unknown topic", session(own, 10), at("nowhere", 0, 0))
		ask("still unknown", session(own, 11))
		ask("too late", session(own, 99))
		ask("forgets all", session(own, 12, forget(topic, 0, 1, 2), forget("nowhere", 0)))
		ask("after that", session(own, 13))
		ask("begins anew", session(own, 0), at(topic, 1, 0))
		old := [2]int32{p.theirs.session, p.ours.session}
		ask("ends", session(own, -1), at(topic, 1, 0))
		ask("is over", session(func(s *side) int32 {
			if s == p.theirs {
				return old[0]
			}
			return old[1]
		}, 1))
		ask("negative epoch", session(none, -5), at(topic, 1, 0))
	}
}

// TestSessionVersions: a session that began by name goes on by id, and back.
func TestSessionVersions(t *testing.T) {
	p := newPair(t)
	p.filled("v")
	for _, pass := range [][2]int16{{12, 13}, {13, 12}} {
		theirs, ours := p.ask("version begins", pass[0], fetch(pass[0], func(_ *side, r *kmsg.FetchRequest) { r.SessionEpoch = 0 }, at("v", 1, 0)))
		p.theirs.session, p.ours.session = theirs.(*kmsg.FetchResponse).SessionID, ours.(*kmsg.FetchResponse).SessionID
		p.ask("version changes", pass[1], fetch(pass[1], func(s *side, r *kmsg.FetchRequest) { r.SessionID, r.SessionEpoch = s.session, 1 }, at("v", 1, 0)))
	}
}

// TestLongPoll: a fetch that waits leaves when a record comes, on both sides.
func TestLongPoll(t *testing.T) {
	p := newPair(t)
	p.topic("lp", 1)
	p.each(func(s *side) {
		waiter := *s
		waiter.conn = nil
		waiter.redial(t)
		defer waiter.conn.Close()
		done := make(chan kmsg.Response, 1)
		go func() {
			req := fetch(12, func(_ *side, r *kmsg.FetchRequest) { r.MaxWaitMillis = 15_000 }, at("lp", 0, 0))(s)
			resp, _ := waiter.conn.Do(12, req)
			done <- resp
		}()
		start := time.Now()
		resp, _ := s.do(t, 9, produce(9, "lp", -1, batch{records: values(1), baseTime: now()}.bytes())(s))
		if resp == nil {
			t.Fatalf("%s: no answer", s.name)
		}
		got, ok := (<-done).(*kmsg.FetchResponse)
		if !ok || len(got.Topics) != 1 || len(got.Topics[0].Partitions[0].RecordBatches) == 0 || time.Since(start) > 10*time.Second {
			t.Errorf("%s: %+v after %v", s.name, got, time.Since(start))
		}
	})
}
