//go:build chaos

package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	topic      = "ledger"
	partitions = 12
	inFlight   = 64 // records that one producer has under way
)

// kinds of producers: every fourth of each kind.
var kinds = []struct {
	name       string
	idempotent bool
	opts       []kgo.Opt
}{
	{"acks=1", false, []kgo.Opt{kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite()}},
	{"acks=all", false, []kgo.Opt{kgo.RequiredAcks(kgo.AllISRAcks()), kgo.DisableIdempotentWrite()}},
	{"idempotent", true, nil},
}

// load is a set of producers and the ledger of what was acknowledged to them.
type load struct {
	t     *testing.T
	acked atomic.Int64
	stop  context.CancelFunc
	done  sync.WaitGroup

	mu     sync.Mutex
	ledger [partitions]map[int64]string // offset → value
}

// startLoad creates the topic and starts count producers of each kind.
func startLoad(t *testing.T, bootstrap string, count int, config map[string]*string) *load {
	t.Helper()
	adm, err := kgo.NewClient(kgo.SeedBrokers(bootstrap))
	if err != nil {
		t.Fatal(err)
	}
	defer adm.Close()
	if _, err := kadm.NewClient(adm).CreateTopic(t.Context(), partitions, 1, config, topic); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	l := &load{t: t, stop: cancel}
	for p := range l.ledger {
		l.ledger[p] = map[int64]string{}
	}
	t.Cleanup(l.finish)
	for k := range kinds {
		for i := range count {
			l.done.Add(1)
			go l.produce(ctx, bootstrap, k, fmt.Sprintf("%s/%d", kinds[k].name, i))
		}
	}
	return l
}

func (l *load) produce(ctx context.Context, bootstrap string, kind int, name string) {
	defer l.done.Done()
	c, err := kgo.NewClient(append(kinds[kind].opts,
		kgo.SeedBrokers(bootstrap), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.DefaultProduceTopic(topic),
		kgo.ProducerLinger(0), kgo.MaxBufferedRecords(inFlight), kgo.RetryBackoffFn(func(int) time.Duration { return 5 * time.Millisecond }),
		kgo.AlwaysRetryEOF(), // a kill right after a connection's first request is no sign of SASL
		kgo.MetadataMinAge(10*time.Millisecond), kgo.DialTimeout(time.Second))...)
	if err != nil {
		l.t.Error(err)
		return
	}
	defer c.Close()
	random := rand.New(rand.NewPCG(1, uint64(kind)))
	for seq := 0; ctx.Err() == nil; seq++ {
		value := fmt.Sprintf("%s/%d/%s", name, seq, strings.Repeat("x", random.IntN(2000)))
		r := &kgo.Record{Partition: int32(random.IntN(partitions)), Value: []byte(value)}
		c.Produce(ctx, r, func(r *kgo.Record, err error) {
			if err == nil {
				l.note(r.Partition, r.Offset, value)
			} else if ctx.Err() == nil {
				l.t.Errorf("producer %s gave up on a record: %v", name, err)
			}
		})
	}
}

func (l *load) note(partition int32, offset int64, value string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if before, taken := l.ledger[partition][offset]; taken && before != value {
		l.t.Errorf("partition %d offset %d acknowledged twice: %.40q, then %.40q", partition, offset, before, value)
	}
	l.ledger[partition][offset] = value
	l.acked.Add(1)
}

// await waits until more records have been acknowledged.
func (l *load) await(more int64) {
	l.t.Helper()
	target := l.acked.Load() + more
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	limit := time.After(60 * time.Second)
	for l.acked.Load() < target {
		select {
		case <-tick.C:
		case <-limit:
			l.t.Fatalf("only %d of %d acknowledgements within a minute", more-(target-l.acked.Load()), more)
		}
	}
}

// finish stops the producers: what they had under way has an unknown outcome.
func (l *load) finish() {
	l.stop()
	l.done.Wait()
}

// audit reads everything back and compares it with the ledger. The ledger is
// copied first: what is acknowledged meanwhile is for the next audit.
func (l *load) audit(bootstrap string) (records int) {
	l.t.Helper()
	var ledger [partitions]map[int64]string
	l.mu.Lock()
	for p := range l.ledger {
		ledger[p] = make(map[int64]string, len(l.ledger[p]))
		for offset, value := range l.ledger[p] {
			ledger[p][offset] = value
		}
	}
	l.mu.Unlock()
	ctx, cancel := context.WithTimeout(l.t.Context(), 2*time.Minute)
	defer cancel()
	starts := map[int32]kgo.Offset{}
	for p := range int32(partitions) {
		starts[p] = kgo.NewOffset().AtStart()
	}
	c, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: starts}))
	if err != nil {
		l.t.Fatal(err)
	}
	defer c.Close()
	ends, err := kadm.NewClient(c).ListEndOffsets(ctx, topic)
	if err != nil {
		l.t.Fatal(err)
	}
	var next [partitions]int64
	seen := map[string]int{}
	for behind(ends, next) {
		fetches := c.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			l.t.Fatalf("audit: %v", err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if r.Offset != next[r.Partition] {
				l.t.Fatalf("partition %d: offset %d follows %d", r.Partition, r.Offset, next[r.Partition]-1)
			}
			next[r.Partition]++
			records++
			value := string(r.Value)
			if want, acked := ledger[r.Partition][r.Offset]; acked && want != value {
				l.t.Errorf("partition %d offset %d: acknowledged %.40q, read %.40q", r.Partition, r.Offset, want, value)
			}
			delete(ledger[r.Partition], r.Offset)
			if strings.HasPrefix(value, "idempotent/") {
				if seen[value]++; seen[value] > 1 {
					l.t.Errorf("partition %d offset %d: %.40q is there twice", r.Partition, r.Offset, value)
				}
			}
		})
	}
	for p, rest := range ledger {
		for offset, value := range rest {
			l.t.Errorf("LOST: partition %d offset %d: %.40q was acknowledged", p, offset, value)
		}
	}
	return records
}

func behind(ends kadm.ListedOffsets, next [partitions]int64) bool {
	for p := range int32(partitions) {
		if end, ok := ends.Lookup(topic, p); !ok || next[p] < end.Offset {
			return true
		}
	}
	return false
}
