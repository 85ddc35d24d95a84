//go:build bench

package bench

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/brokerd/brokerd/test/raw"
)

// pace waits until a moment: asleep while it is far, then turning, because a
// timer may come a millisecond late.
func pace(until time.Time) {
	if d := time.Until(until); d > 2*time.Millisecond {
		time.Sleep(d - 1500*time.Microsecond)
	}
	for time.Now().Before(until) {
	}
}

// paced sends one record at a time at a fixed rate and measures from the moment
// at which each was due: to its acknowledgement, and to its arrival at a
// consumer that waits.
type paced struct {
	rate int
	size int
	acks int16
	took time.Duration
}

const (
	e2eP50  = "end to end p50 µs"
	e2eP99  = "end to end p99 µs"
	e2eP999 = "end to end p99.9 µs"
)

func (p paced) run(t testing.TB, s *system, topic string, consume bool) values {
	t.Helper()
	n := int(p.took.Seconds() * float64(p.rate))
	out, in := dial(t, s.addr), dial(t, s.addr)
	defer out.Close()
	defer in.Close()
	frame := raw.Produce(topic, 0, p.acks, raw.Batch(1, p.size, time.Now().UnixMilli()))
	if err := out.Send(frame); err != nil { // the topic's first record makes its files
		t.Fatal(err)
	}
	answer, err := out.Receive()
	if err != nil {
		t.Fatal(err)
	}
	first := int64(-1)
	if s.name != floorName {
		if first, err = raw.Produced(answer, topic); err != nil {
			t.Fatal(err)
		}
	}
	first++
	every := time.Second / time.Duration(p.rate)
	begin := time.Now().Add(20 * time.Millisecond)
	due := func(i int) time.Time { return begin.Add(time.Duration(i) * every) }
	acks, arrivals := make([]time.Duration, n), make([]time.Duration, 0, n)
	var ackErr, readErr error
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range n {
			answer, err := out.Receive()
			if err == nil && s.name != floorName {
				_, err = raw.Produced(answer, topic)
			}
			if err != nil {
				ackErr = err
				return
			}
			acks[i] = time.Since(due(i))
		}
	})
	if consume {
		wg.Go(func() { arrivals, readErr = arrive(in, topic, first, n, due) })
	}
	for i := range n {
		pace(due(i))
		if err := out.Send(frame); err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()
	if ackErr != nil || readErr != nil {
		t.Fatalf("%s: %v, %v", s.name, ackErr, readErr)
	}
	slices.Sort(acks)
	v := values{ackP50: us(acks[n/2]), ackP99: us(acks[n*99/100])}
	if consume {
		slices.Sort(arrivals)
		v[e2eP50], v[e2eP99], v[e2eP999] = us(arrivals[n/2]), us(arrivals[n*99/100]), us(arrivals[n*999/1000])
	}
	return v
}

// arrive consumes n records of one batch each from first on, and says how long
// after its moment each came.
func arrive(c *raw.Conn, topic string, first int64, n int, due func(int) time.Time) (took []time.Duration, err error) {
	for next := first; next < first+int64(n); {
		if err := c.Send(raw.Fetch(topic, 0, next, 1<<20)); err != nil {
			return took, err
		}
		answer, err := c.Receive()
		if err != nil {
			return took, err
		}
		now := time.Now()
		p, err := raw.Fetched(answer, topic)
		if err != nil {
			return took, err
		}
		after, whole, err := raw.Check(p, next)
		if err != nil {
			return took, err
		}
		if whole > 0 && int64(binary.BigEndian.Uint64(p)) != next {
			return took, fmt.Errorf("asked for offset %d, got %d", next, binary.BigEndian.Uint64(p))
		}
		for ; next < after; next++ {
			took = append(took, now.Sub(due(int(next-first))))
		}
	}
	return took, nil
}

// s4 is the way of a record from its producer to a consumer that waits for it.
func s4(b *bench) {
	for _, d := range both {
		for _, rate := range []int{1000, 5000} {
			p := paced{rate: rate, size: 1024, acks: 1, took: max(*section, 2*time.Second)}
			metrics := []metric{{ackP50, "%.0f", false, 0}, {ackP99, "%.0f", false, 0}, {e2eP50, "%.0f", false, 0}, {e2eP99, "%.0f", false, 0}, {e2eP999, "%.0f", false, 0}}
			if d == "isr" && rate == 1000 {
				metrics[2].bar, metrics[3].bar = 2.5, 3
			}
			topic := map[*system]string{}
			b.compare(cell{
				name: fmt.Sprintf("1 KB, %d records/s", rate), durability: d, metrics: metrics,
				run: func(t testing.TB, s *system) values {
					if topic[s] == "" {
						topic[s] = b.topic()
						s.create(t, topic[s], d, 1, nil)
					}
					return p.run(t, s, topic[s], true)
				},
				floor: func(t testing.TB) values {
					s, stop := startFloor(t, d)
					defer stop()
					return p.run(t, s, "floor", false)
				},
			})
			for s, name := range topic {
				s.remove(b.t, name)
			}
		}
		b.javaLatency(d)
	}
}
