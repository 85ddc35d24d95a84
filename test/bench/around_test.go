//go:build bench

package bench

import (
	"sync"
	"testing"
	"time"

	"github.com/brokerd/brokerd/test/raw"
)

// around sends the load over all partitions: a connection goes round those that
// are its own, with depth requests under way.
func (l produceLoad) around(t testing.TB, s *system, topic string) values {
	t.Helper()
	l = l.withDefaults()
	touch(t, min(l.bytes, sectionBytes))
	frames := make([][]byte, l.partitions)
	for i := range frames {
		frames[i] = raw.Produce(topic, int32(i), l.acks, l.batch)
	}
	conns := make([]*raw.Conn, l.conns)
	for i := range conns {
		conns[i] = dial(t, s.addr)
		defer conns[i].Close()
	}
	perConn := max(l.bytes/l.conns/len(l.batch), l.depth)
	counts, errs := make([]int, l.conns), make([]error, l.conns)
	before, begin := cpu(t, s.pid), time.Now()
	stop := begin.Add(*section)
	var wg sync.WaitGroup
	for i, c := range conns {
		wg.Go(func() {
			at := i
			next := func() []byte {
				f := frames[at%l.partitions]
				at += l.conns
				return f
			}
			for sent := 0; counts[i] < perConn && (sent == 0 || time.Now().Before(stop)); {
				for ; sent < counts[i]+l.depth; sent++ {
					if errs[i] = c.Send(next()); errs[i] != nil {
						return
					}
				}
				if errs[i] = receiveProduced(c, topic); errs[i] != nil {
					return
				}
				counts[i]++
			}
			for range l.depth - 1 {
				if errs[i] = receiveProduced(c, topic); errs[i] != nil {
					return
				}
				counts[i]++
			}
		})
	}
	wg.Wait()
	took, used := time.Since(begin), cpu(t, s.pid)-before
	requests := 0
	for i := range conns {
		if errs[i] != nil {
			t.Fatalf("%s: %v", s.name, errs[i])
		}
		requests += counts[i]
	}
	return values{
		usRequest:   us(used) / float64(requests),
		requestRate: float64(requests) / took.Seconds(),
	}
}

func receiveProduced(c *raw.Conn, topic string) error {
	answer, err := c.Receive()
	if err == nil {
		_, err = raw.Produced(answer, topic)
	}
	return err
}
