//go:build chaos

package chaos

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// operation is what a client asked of a log of one partition.
type operation struct {
	kind string // append, read, end
	id   uint64 // append: the record's name
	at   int64  // read: the offset
}

// outcome is what it was answered: the offset of an append, the end, or the name of
// the record that was read.
type outcome struct {
	offset int64
	id     uint64
}

// onlyLog is what a log is: appends take the next offset, reads give what was
// appended there, the end is behind the last. A state is the names of the records
// from base on, eight bytes each; what is below base is known.
func onlyLog(base int64, known map[int64]uint64) porcupine.Model {
	end := func(state string) int64 { return base + int64(len(state)/8) }
	return porcupine.Model{
		Init: func() any { return "" },
		Step: func(state, input, output any) (bool, any) {
			s, in, out := state.(string), input.(operation), output.(outcome)
			switch in.kind {
			case "append":
				return out.offset == end(s), s + string(binary.BigEndian.AppendUint64(nil, in.id))
			case "end":
				return out.offset == end(s), s
			}
			if in.at < base {
				return known[in.at] == out.id, s
			}
			i := int(in.at-base) * 8
			return i < len(s) && binary.BigEndian.Uint64([]byte(s[i:i+8])) == out.id, s
		},
		DescribeOperation: func(input, output any) string { return fmt.Sprint(input, " → ", output) },
	}
}

const (
	linear       = "linear" // the topic, of one partition
	linearCalls  = 60       // of one client between two moments at which nobody asks
	linearAsking = 4        // clients
)

// linearLoad asks a log by several clients at once, and holds each slice of the
// history, between two moments at which nobody asked, against onlyLog.
type linearLoad struct {
	t       *testing.T
	clients []*kgo.Client
	began   time.Time
	stop    chan struct{}
	done    chan struct{}

	cut atomic.Int64 // odd: a leader may have been replaced without knowing it

	base    int64 // where the slice begins
	known   map[int64]uint64
	slices  int
	calls   int
	cutEnds atomic.Int64 // ends that were told while a leader may have been replaced
	unknown int          // slices that were not decided
}

func startLinear(t *testing.T, seeds []string) *linearLoad {
	l := &linearLoad{t: t, began: time.Now(), stop: make(chan struct{}), done: make(chan struct{}), known: map[int64]uint64{}}
	for range linearAsking {
		c, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(seeds...), kgo.DefaultProduceTopic(linear), kgo.RecordPartitioner(kgo.ManualPartitioner()),
			kgo.ProducerLinger(0), kgo.UnknownTopicRetries(-1), kgo.AlwaysRetryEOF(), kgo.ProduceRequestTimeout(3 * time.Second)}, patience...)...)
		if err != nil {
			t.Fatal(err)
		}
		l.clients = append(l.clients, c)
	}
	go l.run() // until finish, which joins it
	return l
}

// mayCut says that from here on a leader may be replaced and not hear of it, and
// whole that none is left. What such a leader holds is true, but its end may be an
// old one, here as in Kafka: ends that were told in between are not held against
// the history.
func (l *linearLoad) mayCut() {
	if at := l.cut.Load(); at%2 == 0 {
		l.cut.Store(at + 1)
	}
}

func (l *linearLoad) whole() {
	if at := l.cut.Load(); at%2 == 1 {
		l.cut.Store(at + 1)
	}
}

// holds says whether an answer is held against the history, by cut when it was
// asked for and when it came.
func holds(in operation, before, after int64) bool {
	return in.kind != "end" || before == after && before%2 == 0
}

func (l *linearLoad) finish() {
	close(l.stop)
	<-l.done
	for _, c := range l.clients {
		c.Close()
	}
}

func (l *linearLoad) run() {
	defer close(l.done)
	for {
		select {
		case <-l.stop:
			return
		case <-l.t.Context().Done():
			return
		default:
		}
		history, err := l.slice()
		if err != nil && abandoned(l.t) {
			return
		}
		if err != nil {
			l.t.Errorf("a linear client gives up: %v", err)
			return
		}
		switch porcupine.CheckOperationsTimeout(onlyLog(l.base, l.known), history, time.Minute) {
		case porcupine.Illegal:
			l.t.Errorf("slice %d of the history of one partition is not linearizable:", l.slices)
			for _, o := range history {
				l.t.Logf("%10d %10d client %d %+v %+v", o.Call, o.Return, o.ClientId, o.Input, o.Output)
			}
			return
		case porcupine.Unknown:
			l.unknown++
		}
		for _, o := range history {
			if in := o.Input.(operation); in.kind == "append" {
				at := o.Output.(outcome).offset
				l.known[at], l.base = in.id, max(l.base, at+1)
			}
		}
		l.slices, l.calls = l.slices+1, l.calls+len(history)
	}
}

// slice lets all clients ask, until each is done.
func (l *linearLoad) slice() (history []porcupine.Operation, err error) {
	var mu sync.Mutex
	var all sync.WaitGroup
	for i, c := range l.clients {
		all.Go(func() {
			random := rand.New(rand.NewPCG(uint64(i), uint64(l.slices)))
			seen := l.base // every offset below has been acknowledged to somebody
			for k := range linearCalls {
				in := operation{kind: "append", id: uint64(l.slices)<<32 | uint64(i)<<16 | uint64(k)}
				switch n := random.IntN(4); {
				case n == 0:
					in = operation{kind: "end"}
				case n == 1 && seen > 0:
					in = operation{kind: "read", at: max(0, seen-1-random.Int64N(50))}
				}
				cut := l.cut.Load()
				call := time.Since(l.began).Nanoseconds()
				out, failed := ask(l.t.Context(), c, in)
				back := time.Since(l.began).Nanoseconds()
				counts := holds(in, cut, l.cut.Load())
				mu.Lock()
				if failed != nil {
					err = fmt.Errorf("%+v: %w", in, failed)
				} else if !counts {
					l.cutEnds.Add(1)
				} else {
					history = append(history, porcupine.Operation{ClientId: i, Input: in, Call: call, Output: out, Return: back})
				}
				mu.Unlock()
				if failed != nil {
					return
				}
				if in.kind == "append" {
					seen = max(seen, out.offset+1)
				}
				pause(time.Duration(random.IntN(10)) * time.Millisecond)
			}
		})
	}
	all.Wait()
	return history, err
}

// ask carries one operation out, however long it takes: outcomes are known.
func ask(ctx context.Context, c *kgo.Client, in operation) (out outcome, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*patient)
	defer cancel()
	if in.kind == "append" {
		r := &kgo.Record{Value: binary.BigEndian.AppendUint64(nil, in.id)}
		err = c.ProduceSync(ctx, r).FirstErr()
		return outcome{offset: r.Offset}, err
	}
	for {
		if in.kind == "end" {
			out.offset, err = endOf(ctx, c)
		} else {
			out.id, err = readAt(ctx, c, in.at)
		}
		if err == nil || ctx.Err() != nil {
			return out, err
		}
		pause(20 * time.Millisecond)
	}
}

func endOf(ctx context.Context, c *kgo.Client) (int64, error) {
	ends, err := kadm.NewClient(c).ListEndOffsets(ctx, linear)
	if err != nil {
		return 0, err
	}
	o, ok := ends.Lookup(linear, 0)
	if !ok {
		return 0, fmt.Errorf("no answer for %s", linear)
	}
	return o.Offset, o.Err
}

// readAt reads the record at an offset from the leader. That it is not to be seen
// yet says nothing: a new leader does not know at once what is committed.
func readAt(ctx context.Context, c *kgo.Client, at int64) (uint64, error) {
	c.AddConsumePartitions(map[string]map[int32]kgo.Offset{linear: {0: kgo.NewOffset().At(at)}})
	defer c.RemoveConsumePartitions(map[string][]int32{linear: {0}})
	polling, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	fetches := c.PollRecords(polling, 1)
	for _, r := range fetches.Records() {
		if r.Offset == at && len(r.Value) == 8 {
			return binary.BigEndian.Uint64(r.Value), nil
		}
		return 0, fmt.Errorf("offset %d was asked for, %d of %d bytes came", at, r.Offset, len(r.Value))
	}
	return 0, fmt.Errorf("nothing at %d: %v", at, fetches.Err())
}
