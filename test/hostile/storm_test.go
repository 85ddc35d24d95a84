//go:build hostile

package hostile

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// storm is many connections that go and come back at once, again and again.
type storm struct {
	v              victim
	rounds         int
	served, failed atomic.Int64
	longest        atomic.Int64
}

// between is how long the connections of a storm stay.
const between = 3 * time.Second

func (s *storm) run(stop <-chan struct{}, count int) {
	for {
		s.round(stop, count)
		s.rounds++
		select {
		case <-stop:
			return
		default:
		}
	}
}

// round connects count times at once, asks one thing on each, stays, and goes.
func (s *storm) round(stop <-chan struct{}, count int) {
	gate := make(chan struct{})
	var asked, gone sync.WaitGroup
	leave := make(chan struct{})
	for i := range count {
		asked.Add(1)
		gone.Go(func() {
			<-gate
			began := time.Now()
			c, err := s.ask(net.IPv4(127, 0, 2+byte(i/5000), byte(1+i%250)))
			for last := s.longest.Load(); int64(time.Since(began)) > last && !s.longest.CompareAndSwap(last, int64(time.Since(began))); last = s.longest.Load() {
			}
			asked.Done()
			if err != nil {
				s.failed.Add(1)
				return
			}
			s.served.Add(1)
			<-leave
			_ = c.SetLinger(0)
			_ = c.Close()
		})
	}
	close(gate)
	asked.Wait()
	select {
	case <-stop:
	case <-time.After(between):
	}
	close(leave)
	gone.Wait()
}

func (s *storm) ask(from net.IP) (*net.TCPConn, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: from}, Timeout: 30 * time.Second}
	nc, err := d.Dial("tcp", s.v.node.Addr())
	if err != nil {
		return nil, err
	}
	c := nc.(*net.TCPConn)
	if err = c.SetDeadline(time.Now().Add(30 * time.Second)); err == nil {
		if _, err = c.Write(frame(api{18, 0}, false, nil)); err == nil {
			_, err = c.Read(make([]byte, 4))
		}
	}
	if err != nil {
		_ = c.Close()
	}
	return c, err
}

func (s *storm) slowest() time.Duration {
	return time.Duration(s.longest.Load()).Round(time.Millisecond)
}
