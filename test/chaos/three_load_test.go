//go:build chaos

package chaos

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	audited = "audited" // the topic
	spread  = 6         // its partitions
	paced   = 4 * time.Millisecond
	patient = 2 * time.Minute // whatever is waited for takes seconds
)

// threeLoad is producers of acks=all and what they know.
type threeLoad struct {
	t     *testing.T
	seeds []string
	acked atomic.Int64
	each  [spread]atomic.Int64 // acked, by partition

	generation int // of producers
	stop       chan struct{}
	done       sync.WaitGroup

	mu     sync.Mutex
	ledger [spread]map[int64]record
	sent   map[string]int64
}

func newThreeLoad(t *testing.T, seeds []string) *threeLoad {
	l := &threeLoad{t: t, seeds: seeds, sent: map[string]int64{}, stop: make(chan struct{})}
	for p := range l.ledger {
		l.ledger[p] = map[int64]record{}
	}
	return l
}

// start begins with new producers, each with a client of its own.
func (l *threeLoad) start() {
	l.generation++
	l.stop = make(chan struct{})
	for _, kind := range []string{"idempotent-a", "idempotent-b", "plain"} {
		l.done.Go(func() { l.produce(fmt.Sprintf("%s-%d", kind, l.generation)) })
	}
}

// A test that fails in the middle ends its context before anything is cleaned up:
// all kinds of load end with it, and what they meet from then on is no finding.
func abandoned(t *testing.T) bool { return t.Context().Err() != nil }

// finish stops the producers; the outcome of all that they had under way is known.
func (l *threeLoad) finish() {
	close(l.stop)
	l.done.Wait()
}

// produce sends records with many under way at a time, to one partition after the
// other, so that a retry could reorder or double them.
func (l *threeLoad) produce(name string) {
	opts := []kgo.Opt{
		kgo.SeedBrokers(l.seeds...), kgo.DefaultProduceTopic(audited), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerLinger(0), kgo.MaxBufferedRecords(256), kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.AlwaysRetryEOF(),
		kgo.MetadataMinAge(50 * time.Millisecond), kgo.RetryBackoffFn(func(int) time.Duration { return 50 * time.Millisecond }),
		kgo.UnknownTopicRetries(-1), // a node that comes back may know less for a moment
		kgo.DialTimeout(time.Second), kgo.ProduceRequestTimeout(3 * time.Second), kgo.RequestTimeoutOverhead(3 * time.Second),
	}
	if !once(name) {
		opts = append(opts, kgo.DisableIdempotentWrite(), kgo.RequiredAcks(kgo.AllISRAcks()))
	}
	c, err := kgo.NewClient(opts...)
	if err != nil {
		l.t.Error(err)
		return
	}
	defer c.Close()
	tick := time.NewTicker(paced)
	defer tick.Stop()
	for seq := int64(0); ; seq++ {
		select {
		case <-tick.C:
		case <-l.t.Context().Done():
			return
		case <-l.stop:
			ctx, cancel := context.WithTimeout(l.t.Context(), patient)
			defer cancel()
			if err := c.Flush(ctx); err != nil && !abandoned(l.t) {
				l.t.Errorf("the records of %s do not get through: %v", name, err)
			}
			return
		}
		r := record{name, seq}
		l.mu.Lock()
		l.sent[name] = seq + 1
		l.mu.Unlock()
		c.Produce(l.t.Context(), &kgo.Record{Partition: int32(seq % spread), Value: []byte(r.text())}, func(k *kgo.Record, err error) {
			if err != nil && abandoned(l.t) {
				return
			}
			if err != nil {
				l.t.Errorf("%s gave up on record %d: %v", name, seq, err)
				return
			}
			l.note(k.Partition, k.Offset, r)
		})
	}
}

func (l *threeLoad) note(partition int32, offset int64, r record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if before, taken := l.ledger[partition][offset]; taken {
		l.t.Errorf("partition %d offset %d acknowledged as %v and as %v", partition, offset, before, r)
	}
	l.ledger[partition][offset] = r
	l.acked.Add(1)
	l.each[partition].Add(1)
}

// history is what is known of one partition now.
func (l *threeLoad) history(partition int) history {
	l.mu.Lock()
	defer l.mu.Unlock()
	return history{acked: maps.Clone(l.ledger[partition]), sent: maps.Clone(l.sent)}
}

// await waits for more acknowledgements.
func (l *threeLoad) await(more int64) error {
	target := l.acked.Load() + more
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	limit := time.After(patient)
	for l.acked.Load() < target {
		select {
		case <-tick.C:
		case <-limit:
			return fmt.Errorf("only %d of %d acknowledgements within %v", more-(target-l.acked.Load()), more, patient)
		}
	}
	return nil
}

// awaitEach waits until every partition has acknowledged more, within limit.
func (l *threeLoad) awaitEach(more int64, limit time.Duration) error {
	began, before := time.Now(), [spread]int64{}
	for p := range before {
		before[p] = l.each[p].Load()
	}
	for p := range before {
		for l.each[p].Load() < before[p]+more {
			if time.Since(began) > limit {
				return fmt.Errorf("partition %d acknowledged %d of %d within %v", p, l.each[p].Load()-before[p], more, limit)
			}
			pause(10 * time.Millisecond)
		}
	}
	return nil
}
