package server

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/brokerd/brokerd/internal/wire"
	"golang.org/x/sys/unix"
)

// echoAPI answers 60 bytes with 60 bytes, and allocates one Ready for it.
type echoAPI struct{}

func (echoAPI) Trait(int16, int16) wire.Trait { return wire.Trait{Known: true, ReadsOn: true} }
func (echoAPI) Gather([]wire.Outcome)         {}
func (echoAPI) Closed(*wire.Client)           {}
func (e echoAPI) Serve(c *wire.Call) wire.Outcome {
	return &wire.Ready{Answer: e.answer(c)}
}

func (echoAPI) answer(c *wire.Call) wire.Answer {
	b := wire.Take(8 + len(c.Body))
	b.B = binary.BigEndian.AppendUint32(b.B, uint32(4+len(c.Body)))
	b.B = binary.BigEndian.AppendUint32(b.B, uint32(c.Correlation))
	b.B = append(b.B, c.Body...)
	return wire.Answer{Frame: b.B, Release: b.Releaser()}
}

// bareEcho is the least that Go can do: a goroutine per connection, a buffer of
// its own, each read written back as it came.
func bareEcho(l net.Listener) {
	for {
		nc, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer nc.Close()
			buf := make([]byte, 64<<10)
			for {
				n, err := nc.Read(buf)
				if err != nil {
					return
				}
				if _, err := nc.Write(buf[:n]); err != nil {
					return
				}
			}
		}()
	}
}

// BenchmarkEcho runs both servers in turn under the same load. The clients are
// in the same process; their CPU is in both figures.
func BenchmarkEcho(b *testing.B) {
	for _, load := range []struct{ conns, depth int }{{1, 1}, {1, 5}, {1, 64}, {16, 1}, {16, 5}, {256, 1}} {
		b.Run(fmt.Sprintf("conns=%d/depth=%d", load.conns, load.depth), func(b *testing.B) {
			bare, err := wire.TCP{Congestion: "cubic"}.Listen(b.Context(), "127.0.0.1:0")
			if err != nil {
				b.Skip(err)
			}
			defer bare.Close()
			go bareEcho(bare)
			s := New(Options{Network: wire.TCP{Congestion: "cubic"}, Dispatcher: echoAPI{}, Logger: slog.New(slog.DiscardHandler)})
			addr, err := s.Listen(b.Context(), Listener{Name: "TEST", Addr: "127.0.0.1:0"})
			if err != nil {
				b.Fatal(err)
			}
			ctx, cancel := context.WithCancel(b.Context())
			ran := make(chan struct{})
			go func() { _ = s.Run(ctx); close(ran) }()
			defer func() { cancel(); <-ran }()

			// A request of 74 bytes gives an answer of 60; the bare echo carries 67 both ways.
			req := request(1, 1, make([]byte, 54))
			b.ResetTimer()
			var cost, bareCost, took, bareTook time.Duration
			const rounds = 4
			for i := range rounds {
				n := max(1, b.N/rounds)
				if i%2 == 0 {
					t, c := drive(b, bare.Addr().String(), load.conns, load.depth, n, make([]byte, 67), 67)
					bareTook, bareCost = bareTook+t, bareCost+c
				} else {
					t, c := drive(b, addr.String(), load.conns, load.depth, n, req, 62)
					took, cost = took+t, cost+c
				}
			}
			n := float64(max(1, b.N/rounds) * rounds / 2)
			b.ReportMetric(n/took.Seconds(), "req/s")
			b.ReportMetric(n/bareTook.Seconds(), "bare-req/s")
			b.ReportMetric(cost.Seconds()*1e6/n, "cpu-us/req")
			b.ReportMetric(bareCost.Seconds()*1e6/n, "bare-cpu-us/req")
			b.ReportMetric(cost.Seconds()/bareCost.Seconds(), "cpu-ratio")
			b.ReportMetric(bareTook.Seconds()/took.Seconds(), "rate-ratio")
		})
	}
}

// drive sends n requests over conns connections, depth at a time, and gives the
// time and CPU that it took the process.
func drive(b *testing.B, addr string, conns, depth, n int, req []byte, answer int) (took, cpu time.Duration) {
	b.Helper()
	all := make([]net.Conn, conns)
	for i := range all {
		nc, err := wire.TCP{Congestion: "cubic"}.Dial(b.Context(), addr)
		if err != nil {
			b.Fatal(err)
		}
		defer nc.Close()
		all[i] = nc
	}
	batch := make([]byte, 0, depth*len(req))
	for range depth {
		batch = append(batch, req...)
	}
	each := n/(conns*depth) + 1
	began, before := time.Now(), cpuTime()
	var group sync.WaitGroup
	for _, nc := range all {
		group.Go(func() {
			got := make([]byte, depth*answer)
			for range each {
				if _, err := nc.Write(batch); err != nil {
					b.Error(err)
					return
				}
				if _, err := io.ReadFull(nc, got); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	scale := float64(n) / float64(each*conns*depth)
	return time.Duration(float64(time.Since(began)) * scale), time.Duration(float64(cpuTime()-before) * scale)
}

func cpuTime() time.Duration {
	var r unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// TestAllocationsPerRequest counts every goroutine of the process: the client
// here allocates nothing, the fake API one Ready per request.
func TestAllocationsPerRequest(t *testing.T) {
	if raceEnabled {
		t.Skip("pools lose things under -race, on purpose")
	}
	for name, api := range map[string]wire.Dispatcher{"ready": echoAPI{}, "waiting": newLateAPI(t)} {
		t.Run(name, func(t *testing.T) {
			s := New(Options{Dispatcher: api, Logger: slog.New(slog.DiscardHandler)})
			addr, err := s.Listen(t.Context(), Listener{Name: "TEST", Addr: "127.0.0.1:0"})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			ran := make(chan struct{})
			go func() { _ = s.Run(ctx); close(ran) }()
			defer func() { cancel(); <-ran }()
			nc, err := net.Dial("tcp", addr.String())
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			req, got := request(1, 1, make([]byte, 54)), make([]byte, 62)
			n := testing.AllocsPerRun(2000, func() {
				_, _ = nc.Write(req)
				_, _ = io.ReadFull(nc, got)
			})
			if n > 1+1 { // one of the API, and room for a pool that a collection emptied
				t.Errorf("%.2f allocations per request", n)
			}
		})
	}
}

// lateAPI completes from another goroutine, which is always the same.
type lateAPI struct{ todo chan *lateOutcome }

type lateOutcome struct {
	a      *lateAPI
	answer wire.Answer
	done   func(*wire.Handoff)
}

func (o *lateOutcome) Ready() bool             { return false }
func (o *lateOutcome) Deadline() time.Time     { return time.Now().Add(time.Minute) }
func (o *lateOutcome) Finish(bool) wire.Answer { return o.answer }
func (o *lateOutcome) Drop()                   { o.answer.Release() }

func (o *lateOutcome) Notify(done func(*wire.Handoff)) {
	o.done = done
	o.a.todo <- o
}

func newLateAPI(t *testing.T) *lateAPI {
	a := &lateAPI{make(chan *lateOutcome, 1)}
	go func() {
		for o := range a.todo {
			o.done(nil)
		}
	}()
	t.Cleanup(func() { close(a.todo) })
	return a
}

func (a *lateAPI) Trait(int16, int16) wire.Trait { return wire.Trait{Known: true, ReadsOn: true} }
func (a *lateAPI) Gather([]wire.Outcome)         {}
func (a *lateAPI) Closed(*wire.Client)           {}
func (a *lateAPI) Serve(c *wire.Call) wire.Outcome {
	return &lateOutcome{a: a, answer: echoAPI{}.answer(c)}
}

// BenchmarkIdle holds 5,000 connections that have each asked once and been quiet
// since, and reports what one costs this process, without the client's end.
func BenchmarkIdle(b *testing.B) {
	const conns = 5000
	for range b.N {
		s := New(Options{Dispatcher: echoAPI{}, Logger: slog.New(slog.DiscardHandler)})
		s.limits.nap = 100 * time.Millisecond
		addr, err := s.Listen(b.Context(), Listener{Name: "TEST", Addr: "127.0.0.1:0"})
		if err != nil {
			b.Fatal(err)
		}
		ctx, cancel := context.WithCancel(b.Context())
		ran := make(chan struct{})
		go func() { _ = s.Run(ctx); close(ran) }()
		runtime.GC()
		before := memory()
		fds := make([]int, conns)
		for i := range fds {
			fds[i] = askRaw(b, addr.(*net.TCPAddr))
		}
		time.Sleep(5 * s.limits.nap)
		runtime.GC()
		runtime.GC()
		after := memory()
		b.ReportMetric(float64(after-before)/conns, "B/conn")
		if n := s.Stats().Connections["TEST"]; n != conns {
			b.Fatal(n)
		}
		for _, fd := range fds {
			_ = unix.Close(fd)
		}
		cancel()
		<-ran
	}
}

// askRaw makes a client that costs the Go heap nothing: a blocking descriptor.
func askRaw(b *testing.B, addr *net.TCPAddr) int {
	b.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		b.Fatal(err)
	}
	var ip [4]byte
	copy(ip[:], addr.IP.To4())
	if err := unix.Connect(fd, &unix.SockaddrInet4{Port: addr.Port, Addr: ip}); err != nil {
		b.Fatal(err)
	}
	if _, err := unix.Write(fd, request(1, 1, make([]byte, 54))); err != nil {
		b.Fatal(err)
	}
	var got [62]byte
	if n, err := unix.Read(fd, got[:]); err != nil || n != len(got) {
		b.Fatal(n, err)
	}
	return fd
}

// memory is what the runtime holds in heap, stacks and its own books.
func memory() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse + m.MSpanInuse + m.MCacheInuse + m.OtherSys + m.GCSys
}

// ackAPI answers any body with 54 bytes.
type ackAPI struct{ echoAPI }

func (a ackAPI) Serve(c *wire.Call) wire.Outcome {
	c.Body = c.Body[:54]
	return a.echoAPI.Serve(c)
}

// bareSink reads frames of one size into one buffer and answers 62 bytes to each.
func bareSink(l net.Listener, size int) {
	for {
		nc, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer nc.Close()
			buf, answer := make([]byte, size), make([]byte, 62)
			for {
				if _, err := io.ReadFull(nc, buf); err != nil {
					return
				}
				if _, err := nc.Write(answer); err != nil {
					return
				}
			}
		}()
	}
}

// BenchmarkBody receives large requests, next to a loop that knows their size.
func BenchmarkBody(b *testing.B) {
	for _, size := range []int{16 << 10, 160 << 10, 1 << 20} {
		for _, depth := range []int{1, 5} {
			b.Run(fmt.Sprintf("KB=%d/depth=%d", size>>10, depth), func(b *testing.B) {
				req := request(1, 1, make([]byte, size))
				bare, err := wire.TCP{Congestion: "cubic"}.Listen(b.Context(), "127.0.0.1:0")
				if err != nil {
					b.Skip(err)
				}
				defer bare.Close()
				go bareSink(bare, len(req))
				s := New(Options{Network: wire.TCP{Congestion: "cubic"}, Dispatcher: ackAPI{}, Logger: slog.New(slog.DiscardHandler)})
				addr, err := s.Listen(b.Context(), Listener{Name: "TEST", Addr: "127.0.0.1:0"})
				if err != nil {
					b.Fatal(err)
				}
				ctx, cancel := context.WithCancel(b.Context())
				ran := make(chan struct{})
				go func() { _ = s.Run(ctx); close(ran) }()
				defer func() { cancel(); <-ran }()
				b.ResetTimer()
				var cost, bareCost, took, bareTook time.Duration
				const rounds = 4
				n := max(1, b.N/rounds)
				for i := range rounds {
					target := addr.String()
					if i%2 == 0 {
						target = bare.Addr().String()
					}
					t, c := drive(b, target, 1, depth, n, req, 62)
					if i%2 == 0 {
						bareTook, bareCost = bareTook+t, bareCost+c
					} else {
						took, cost = took+t, cost+c
					}
				}
				mb := float64(n*rounds/2) * float64(size) / 1e6
				b.ReportMetric(mb/took.Seconds(), "MB/s")
				b.ReportMetric(mb/bareTook.Seconds(), "bare-MB/s")
				b.ReportMetric(cost.Seconds()/bareCost.Seconds(), "cpu-ratio")
			})
		}
	}
}
