//go:build bench

package bench

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/brokerd/brokerd/test/raw"
)

const nextAck = "s from kill -9 to the next acknowledgement"

// kills ends a follower, then a leader, while somebody writes one record at a time.
func (b *bench) kills(ours, theirs []*member) {
	of := map[*system][]*member{b.brokerd: ours, b.kafka: theirs}
	for _, c := range []struct {
		name   string
		victim int // counted from the leader on
	}{{"a follower is killed, one record at a time", 1}, {"the leader is killed, one record at a time", 0}} {
		b.compare(cell{
			name: c.name, durability: "fsync", most: 2,
			metrics: []metric{{nextAck, "%.2f", false, 0}},
			run: func(t testing.TB, s *system) values {
				topic, victim := b.topic(), of[s][(s.turn+c.victim)%len(s.nodes)]
				s.create(t, topic, "fsync", 1, safe)
				defer s.remove(t, topic)
				took := outage(t, s, topic, victim)
				victim.launch()
				if !answers(victim.addr, kafkaLimit) {
					t.Fatalf("%s: a killed node does not come back within %v", s.name, kafkaLimit)
				}
				asked := dial(t, s.addr)
				defer asked.Close()
				s.awaitLeaders(t, asked, topic, 1)
				return values{nextAck: took.Seconds()}
			},
		})
	}
}

// outageLimit is longer than any of them takes to elect a leader.
const outageLimit = 2 * time.Minute

// outage kills a node half a second after a writer has begun, and says how long after
// that the first record was acknowledged of those that were sent since.
func outage(t testing.TB, s *system, topic string, victim *member) time.Duration {
	t.Helper()
	var dead atomic.Pointer[time.Time] // when it was certainly so
	acked := make(chan time.Time, 1)
	go func() { // ends with the first acknowledgement after the kill, or at the limit
		w := &rover{s: s, topic: topic, frame: raw.Produce(topic, 0, -1, raw.Batch(1, 100, time.Now().UnixMilli()))}
		defer w.leave()
		for limit := time.Now().Add(outageLimit); time.Now().Before(limit); {
			sent := time.Now()
			if err := w.write(); err != nil {
				w.leave()
				time.Sleep(10 * time.Millisecond)
			} else if d := dead.Load(); d != nil && sent.After(*d) {
				acked <- time.Now()
				return
			}
		}
		close(acked)
	}()
	time.Sleep(500 * time.Millisecond)
	begin := time.Now()
	victim.kill()
	ended := time.Now()
	dead.Store(&ended)
	at, ok := <-acked
	if !ok {
		t.Fatalf("%s: no record is acknowledged within %v of a kill", s.name, outageLimit)
	}
	return at.Sub(begin)
}

// rover writes to whoever leads.
type rover struct {
	s     *system
	topic string
	frame []byte
	c     *raw.Conn // to the leader; nil: it is to be found
}

func (r *rover) leave() {
	if r.c != nil {
		r.c.Close()
		r.c = nil
	}
}

func (r *rover) write() error {
	if r.c == nil {
		if err := r.find(); err != nil {
			return err
		}
	}
	if err := r.c.SetDeadline(time.Now().Add(outageLimit)); err != nil {
		return err
	}
	if err := r.c.Send(r.frame); err != nil {
		return err
	}
	answer, err := r.c.Receive()
	if err == nil {
		_, err = raw.Produced(answer, r.topic)
	}
	return err
}

// find connects to the leader by the word of the first node that answers.
func (r *rover) find() error {
	for _, n := range r.s.nodes {
		leader, err := n.leaderOf(r.topic)
		if err != nil {
			continue
		}
		if leader < 1 || leader > len(r.s.nodes) {
			return fmt.Errorf("%s has no leader", r.topic)
		}
		r.c, err = raw.Dial(r.s.nodes[leader-1].addr)
		if err != nil {
			r.c = nil
		}
		return err
	}
	return fmt.Errorf("no node answers")
}

// leaderOf asks this node who leads partition 0.
func (s *system) leaderOf(topic string) (id int, err error) {
	c, err := raw.Dial(s.addr)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return 0, err
	}
	req := kmsg.NewPtrMetadataRequest()
	mt := kmsg.NewMetadataRequestTopic()
	mt.Topic = &topic
	req.Topics = append(req.Topics, mt)
	resp, err := c.Do(4, req)
	if err != nil {
		return 0, err
	}
	partitions := resp.(*kmsg.MetadataResponse).Topics[0].Partitions
	if len(partitions) == 0 {
		return 0, fmt.Errorf("%s is not known", topic)
	}
	return int(partitions[0].Leader), nil
}
