package server

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brokerd/brokerd/internal/wire"
)

func TestGarbageClosesWithReason(t *testing.T) {
	size := func(n int32) string { return string(binary.BigEndian.AppendUint32(nil, uint32(n))) }
	frame := func(p string) string { return size(int32(len(p))) + p }
	for _, tc := range []struct{ name, bytes, reason string }{
		{"size -1", size(-1), closedSize},
		{"size 0", size(0), closedSize},
		{"size 8", size(8), closedSize},
		{"size 2^31-1", size(1<<31 - 1), closedSize},
		{"size of the cap + 1", size(1<<20 + 1), closedSize},
		{"HTTP", "GET / HTTP/1.1\r\n\r\n", closedSize},
		{"TLS", "\x16\x03\x01\x02\x00\x01\x00", closedSize},
		{"unknown key", frame("\x7f\xff\x00\x00\x00\x00\x00\x01\xff\xff"), closedVersion},
		{"negative key", frame("\xff\xff\x00\x00\x00\x00\x00\x01\xff\xff"), closedVersion},
		{"unknown version", frame("\x00\x01\x00\x09\x00\x00\x00\x01\xff\xff"), closedVersion},
		{"no room for a client id", frame("\x00\x01\x00\x00\x00\x00\x00\x01\xff"), closedHeader},
		{"client id of -2", frame("\x00\x01\x00\x00\x00\x00\x00\x01\xff\xfe"), closedHeader},
		{"client id beyond the frame", frame("\x00\x01\x00\x00\x00\x00\x00\x01\x00\x09abc"), closedHeader},
		{"client id of 1,025", frame("\x00\x01\x00\x00\x00\x00\x00\x01\x04\x01" + strings.Repeat("c", 1025)), closedHeader},
		{"tags missing", frame("\x00\x07\x00\x00\x00\x00\x00\x01\xff\xff"), closedHeader},
	} {
		t.Run(tc.name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, n wire.Network) {
				w := start(t, n, Options{RequestMaxBytes: 1 << 20})
				c := w.dial(t)
				c.send(t, []byte(tc.bytes))
				c.wantEnd(t)
				w.wantClosed(t, tc.reason, 1)
			})
		})
	}
}

func TestFrameOfTheCapIsServed(t *testing.T) {
	onBoth(t, func(t *testing.T, n wire.Network) {
		w := start(t, n, Options{RequestMaxBytes: 1 << 20})
		c := w.dial(t)
		body := make([]byte, 1<<20-16) // header of 10 + 6
		go func() { _, _ = c.Write(request(keyEcho, 1, body)) }()
		c.wantEcho(t, 1, string(body))
	})
}

func TestAnswersBeforeAMistakeArrive(t *testing.T) {
	onBoth(t, func(t *testing.T, n wire.Network) {
		w := start(t, n, Options{})
		c := w.dial(t)
		c.send(t, append(request(keyEcho, 1, []byte("good")), 0xff, 0xff, 0xff, 0xff, 1, 2, 3))
		c.wantEcho(t, 1, "good")
		c.wantEnd(t)
		w.wantClosed(t, closedSize, 1)
	})
}

// ApiVersions of any version reaches the dispatcher.
func TestApiVersionsIsAlwaysPassedOn(t *testing.T) {
	onBoth(t, func(t *testing.T, n wire.Network) {
		w := start(t, n, Options{})
		c := w.dial(t)
		h := wire.Header{Key: keyApiVersions, Version: 99, Correlation: 4}
		p := h.AppendHeader(make([]byte, 4), 2)
		binary.BigEndian.PutUint32(p, uint32(len(p)-4))
		c.send(t, p)
		w.until(t, func() bool {
			var served int
			w.api.lock(func() { served = w.api.served })
			return served == 1
		}, func() string { return fmt.Sprint(w.Stats()) })
	})
}

// Time limits, on the kind of connection that can live in a bubble.
func TestTimeLimits(t *testing.T) {
	long := request(keyEcho, 1, make([]byte, 30_000))
	for _, tc := range []struct {
		name   string
		peer   func(c *testClient)
		reason string
		after  [2]time.Duration // at the limits of the product
	}{
		{"idle from the start", func(*testClient) {}, closedIdle, [2]time.Duration{10 * time.Minute, 10*time.Minute + time.Second}},
		{"idle after a request", func(c *testClient) {
			_, _ = c.Write(request(keyEcho, 1, nil))
		}, closedIdle, [2]time.Duration{10 * time.Minute, 10*time.Minute + time.Second}},
		{"half a length", func(c *testClient) { _, _ = c.Write([]byte{0, 0}) }, closedSlowHeader, [2]time.Duration{5 * time.Second, 6 * time.Second}},
		{"header byte by byte", func(c *testClient) {
			for i := range headerBytes - 1 {
				_, _ = c.Write(long[i : i+1])
				time.Sleep(450 * time.Millisecond)
			}
		}, closedSlowHeader, [2]time.Duration{5 * time.Second, 6 * time.Second}},
		{"body stops", func(c *testClient) { _, _ = c.Write(long[:5000]) }, closedSlowBody, [2]time.Duration{10 * time.Second, 20*time.Second + 2}},
		{"body of 900 B/s", func(c *testClient) {
			for p := long; len(p) > 0; p = p[min(90, len(p)):] {
				if _, err := c.Write(p[:min(90, len(p))]); err != nil {
					return
				}
				time.Sleep(100 * time.Millisecond)
			}
		}, closedSlowBody, [2]time.Duration{10 * time.Second, 11 * time.Second}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := start(t, newMemNet(8<<10), Options{})
				c := w.dial(t)
				began := time.Now()
				var peer sync.WaitGroup
				peer.Go(func() { tc.peer(c) })
				_ = c.SetReadDeadline(time.Now().Add(time.Hour))
				for {
					if _, err := c.Conn.Read(make([]byte, 100)); err != nil {
						break
					}
				}
				if d := time.Since(began); d < tc.after[0] || d > tc.after[1] {
					t.Errorf("closed after %v", d)
				}
				_ = c.Close()
				peer.Wait()
				w.wantClosed(t, tc.reason, 1)
			})
		})
	}
}

func TestSlowBodyThatIsFastEnough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, newMemNet(8<<10), Options{})
		c := w.dial(t)
		body := make([]byte, 100_000)
		p := request(keyEcho, 1, body)
		var peer sync.WaitGroup
		defer peer.Wait()
		peer.Go(func() {
			for ; len(p) > 0; p = p[min(1100, len(p)):] { // 90 s in all
				_, _ = c.Write(p[:min(1100, len(p))])
				time.Sleep(time.Second)
			}
		})
		_ = c.SetReadDeadline(time.Time{})
		_, got, err := c.readFrom(c.r)
		if err != nil || !bytes.Equal(got, body) {
			t.Fatal(err)
		}
	})
}

// What is in flight is finished before an idle connection is closed.
func TestIdleWaitsForWhatIsInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, newMemNet(8<<10), Options{MaxIdle: time.Second})
		c := w.dial(t)
		c.send(t, request(keyHeld, 1, []byte("long")))
		time.Sleep(10 * time.Second)
		w.api.completeHeld(0)
		c.wantEcho(t, 1, "long")
		c.wantEnd(t)
		w.wantClosed(t, closedIdle, 1)
	})
}

func TestPeerThatDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, newMemNet(8<<10), Options{})
		c := w.dial(t)
		began := time.Now()
		c.send(t, request(keyBig, 1, nil))
		w.wantClosedWithin(t, closedStall, time.Minute)
		if d := time.Since(began); d < 30*time.Second || d > 31*time.Second {
			t.Fatalf("closed after %v", d)
		}
	})
}

func (w *world) wantClosedWithin(t *testing.T, reason string, limit time.Duration) {
	t.Helper()
	for began := time.Now(); w.Stats().Closed[reason] == 0; time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > limit {
			t.Fatal(w.Stats().Closed)
		}
	}
}

// The limits again on real sockets, which set them another way.
func TestTimeLimitsOfRawConnections(t *testing.T) {
	idle := func(l *limits) { l.idle = 80 * time.Millisecond }
	header := func(l *limits) { l.header = 50 * time.Millisecond }
	body := func(l *limits) { l.bodyWindow = 60 * time.Millisecond }
	for _, tc := range []struct {
		name, reason string
		short        func(*limits)
		send         []byte
	}{
		{"idle", closedIdle, idle, nil},
		{"idle after a request", closedIdle, idle, request(keyEcho, 1, nil)},
		{"slow header", closedSlowHeader, header, []byte{0, 0, 1}},
		{"slow body, little of it", closedSlowBody, body, request(keyEcho, 1, make([]byte, 30_000))[:2000]},
		{"slow body, much of it", closedSlowBody, body, request(keyEcho, 1, make([]byte, 1<<20))[:200_000]},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := start(t, wire.TCP{}, Options{}, tc.short)
			c := w.dial(t)
			_, _ = c.Write(tc.send) // the limit may have passed already
			c.wantEnd(t)
			w.wantClosed(t, tc.reason, 1)
		})
	}
	for name, key := range map[string]int16{"bytes": keyBig, "files": keyFile, "late files": keyFileLtr} {
		t.Run("does not read "+name, func(t *testing.T) {
			t.Parallel()
			w := start(t, wire.TCP{}, Options{}, func(l *limits) { l.writeStall = 100 * time.Millisecond })
			c := w.dial(t)
			go func() {
				for i := range int32(200) {
					if _, err := c.Write(request(key, i, make([]byte, 200_000))); err != nil {
						return
					}
				}
			}()
			w.wantClosed(t, closedStall, 1)
		})
	}
}

func TestConnectionLimits(t *testing.T) {
	t.Run("per address", func(t *testing.T) {
		w := start(t, wire.TCP{}, Options{MaxConnectionsPerIP: 2})
		a, b := w.dial(t), w.dial(t)
		for _, c := range []*testClient{a, b} {
			c.send(t, request(keyEcho, 1, nil))
			c.wantEcho(t, 1, "")
		}
		w.dial(t).wantEnd(t)
		w.wantClosed(t, closedPerIP, 1)
		_ = a.Close()
		w.wantClosed(t, closedByPeer, 1)
		c := w.dial(t)
		c.send(t, request(keyEcho, 2, nil))
		c.wantEcho(t, 2, "")
	})
	t.Run("from some addresses only", func(t *testing.T) {
		w := start(t, wire.TCP{}, Options{})
		w.SetPlaces(0, 0, map[netip.Addr]int{netip.MustParseAddr("10.0.0.1"): 5})
		w.dial(t).wantEnd(t)
		w.wantClosed(t, closedPerIP, 1)
		w.SetPlaces(0, 0, map[netip.Addr]int{netip.MustParseAddr("127.0.0.1"): 1})
		c := w.dial(t)
		c.send(t, request(keyEcho, 1, nil))
		c.wantEcho(t, 1, "")
	})
	t.Run("in all, but for reserved listeners", func(t *testing.T) {
		s := New(Options{Dispatcher: &fakeAPI{}, MaxConnections: 1, Logger: slog.New(slog.DiscardHandler)})
		open, err := s.Listen(t.Context(), Listener{Name: "OPEN", Addr: "127.0.0.1:0"})
		if err != nil {
			t.Fatal(err)
		}
		reserved, err := s.Listen(t.Context(), Listener{Name: "CONTROLLER", Addr: "127.0.0.1:0", Reserved: true})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ran := make(chan struct{})
		go func() { _ = s.Run(ctx); close(ran) }()
		w := &world{Server: s, net: wire.TCP{}, addr: open.String()}
		c := w.dial(t)
		c.send(t, request(keyEcho, 1, nil))
		c.wantEcho(t, 1, "")
		w.dial(t).wantEnd(t)
		w.wantClosed(t, closedTotal, 1)
		w.addr = reserved.String()
		for range 3 {
			c := w.dial(t)
			c.send(t, request(keyEcho, 1, nil))
			c.wantEcho(t, 1, "")
		}
		if n := w.Stats().Connections["CONTROLLER"]; n != 3 {
			t.Errorf("%d connections", n)
		}
		cancel()
		<-ran
	})
}

// A frame waits for memory before its body is read, small ones go on, and one
// that is larger than all the memory is served alone.
func TestMemoryBudget(t *testing.T) {
	onBoth(t, func(t *testing.T, n wire.Network) {
		w := start(t, n, Options{QueuedMaxRequestBytes: 250_000})
		first, second, third, small := w.dial(t), w.dial(t), w.dial(t), w.dial(t)
		body := make([]byte, 200_000)
		go func() { _, _ = first.Write(request(keyHeld, 1, body)) }()
		w.until(t, func() bool { return w.api.heldCount() == 1 }, func() string { return fmt.Sprint(w.Stats()) })
		if used := w.Stats().MemoryInUse; used < 200_000 {
			t.Fatalf("%d bytes in use", used)
		}
		go func() { _, _ = second.Write(request(keyEcho, 2, body)) }()
		w.until(t, func() bool { return w.Stats().MemoryQueued == 1 }, func() string { return fmt.Sprint(w.Stats()) })
		huge := make([]byte, 500_000)
		go func() { _, _ = third.Write(request(keyEcho, 3, huge)) }()
		w.until(t, func() bool { return w.Stats().MemoryQueued == 2 }, func() string { return fmt.Sprint(w.Stats()) })

		small.send(t, request(keyEcho, 9, []byte("small")))
		small.wantEcho(t, 9, "small")

		w.api.completeHeld(0)
		first.wantEcho(t, 1, string(body))
		second.wantEcho(t, 2, string(body))
		third.wantEcho(t, 3, string(huge))
	})
}

// A request that keeps nothing of its body gives its share back at once.
func TestLightRequestsHoldNoBudget(t *testing.T) {
	onBoth(t, func(t *testing.T, n wire.Network) {
		w := start(t, n, Options{QueuedMaxRequestBytes: 100_000})
		c := w.dial(t)
		body := make([]byte, 80_000)
		go func() {
			for i := range int32(20) {
				_, _ = c.Write(request(keyLight, i, body))
			}
		}()
		w.until(t, func() bool { return w.api.heldCount() == 20 }, func() string { return fmt.Sprint(w.Stats()) })
		for i := range 20 {
			w.api.completeHeld(i)
			c.wantEcho(t, int32(i), string(body))
		}
	})
}

func TestBudgetOfADeadConnectionComesBack(t *testing.T) {
	onBoth(t, func(t *testing.T, n wire.Network) {
		w := start(t, n, Options{QueuedMaxRequestBytes: 100_000})
		for i := range 3 { // cut in the body, while waiting, and with an answer due
			c := w.dial(t)
			p := request(keyHeld, 1, make([]byte, 80_000))
			if i < 2 {
				p = p[:70_000]
			}
			go func() { _, _ = c.Write(p) }()
			w.until(t, func() bool { return w.Stats().MemoryInUse > 0 }, func() string { return fmt.Sprint(w.Stats()) })
			_ = c.Close()
			w.until(t, func() bool { return w.Stats().MemoryInUse == 0 }, func() string { return fmt.Sprint(w.Stats()) })
		}
	})
}

// Shutdown answers what was taken up, then closes; it takes nothing new.
func TestShutdownFinishesWhatIsInFlight(t *testing.T) {
	onBoth(t, func(t *testing.T, n wire.Network) {
		w := start(t, n, Options{})
		busy, idle := w.dial(t), w.dial(t)
		idle.send(t, request(keyEcho, 1, nil))
		idle.wantEcho(t, 1, "")
		busy.send(t, request(keyHeld, 1, []byte("in flight")))
		busy.send(t, request(keyEcho, 2, []byte("behind")))
		w.until(t, func() bool { return w.Stats().Pending == 2 }, func() string { return fmt.Sprint(w.Stats()) })
		ended := make(chan error, 1)
		go func() { ended <- w.Shutdown(context.Background()) }()
		idle.wantEnd(t)
		_ = idle.Close()
		busy.send(t, request(keyEcho, 3, []byte("too late")))
		w.api.completeHeld(0)
		busy.wantEcho(t, 1, "in flight")
		busy.wantEcho(t, 2, "behind")
		busy.wantEnd(t)
		_ = busy.Close()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		if got := w.Stats().Closed[closedShutdown]; got != 2 {
			t.Fatalf("%d: %v", got, w.Stats().Closed)
		}
	})
}

func TestShutdownCutsWhenTimeIsUp(t *testing.T) {
	onBoth(t, func(t *testing.T, n wire.Network) {
		w := start(t, n, Options{})
		c, stuck := w.dial(t), w.dial(t)
		c.send(t, request(keyHeld, 1, nil))
		go func() { _, _ = stuck.Write(bytes.Repeat(request(keyBig, 2, nil), 40)) }() // never reads
		w.until(t, func() bool { return w.Stats().Pending >= 5 }, func() string { return fmt.Sprint(w.Stats()) })
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if err := w.Shutdown(ctx); err != context.DeadlineExceeded {
			t.Fatal(err)
		}
		c.wantEnd(t)
	})
}

func TestHintsAreRare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log lockedBuffer
		w := start(t, newMemNet(8<<10), Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		say := func(p string) {
			c := w.dial(t)
			c.send(t, []byte(p))
			c.wantEnd(t)
		}
		for range 5 {
			say("GET /metrics HTTP/1.1\r\n\r\n")
			say("\x16\x03\x01\x00\xfa\x01\x00")
			say("\x00\x00\x00\x0c\x7f\xff\x00\x05\x00\x00\x00\x01\x00\x02me")
		}
		time.Sleep(hintInterval)
		say("GET /metrics HTTP/1.1\r\n\r\n")
		got := log.String()
		for text, times := range map[string]int{
			"speaks HTTP": 2, "more=4": 1, "speaks TLS": 1, "not served here": 1, "client=me": 1,
		} {
			if n := strings.Count(got, text); n != times {
				t.Errorf("%q %d times in\n%s", text, n, got)
			}
		}
	})
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// A request cut anywhere, after a good one, ends the connection and nothing else.
func TestTruncationAtEveryByte(t *testing.T) {
	onBoth(t, func(t *testing.T, n wire.Network) {
		w := start(t, n, Options{})
		p := request(keyFile, 7, []byte("whole"))
		for cut := range len(p) {
			c := w.dial(t)
			c.send(t, append(request(keyEcho, 1, []byte("good")), p[:cut]...))
			c.wantEcho(t, 1, "good")
			if half, ok := c.Conn.(interface{ CloseWrite() error }); !ok || half.CloseWrite() != nil {
				t.Fatal("cannot end")
			}
			c.wantEnd(t)
			_ = c.Close()
		}
		w.wantClosed(t, closedByPeer, int64(len(p)))
		if got := w.Stats().Requests; got != int64(len(p)) {
			t.Fatalf("%d requests of %d", got, len(p))
		}
	})
}

// Random bytes, and good requests with random damage: each connection ends or
// answers, and a healthy one beside them goes on.
func TestRandomGarbage(t *testing.T) {
	onBoth(t, func(t *testing.T, n wire.Network) {
		w := start(t, n, Options{OnPanic: func(any, []byte) {}})
		healthy := w.dial(t)
		rng := rand.New(rand.NewPCG(5, 5))
		for i := range int32(400) {
			var p []byte
			if rng.IntN(4) == 0 {
				p = make([]byte, rng.IntN(300))
				for j := range p {
					p[j] = byte(rng.Uint32())
				}
			} else {
				for range 1 + rng.IntN(4) {
					p = append(p, request(int16(rng.IntN(18)), rng.Int32(), make([]byte, rng.IntN(100)))...)
				}
				for range rng.IntN(4) {
					p[rng.IntN(len(p))] = byte(rng.Uint32())
				}
			}
			c := w.dial(t)
			_, _ = c.Write(p)
			_ = c.Close()
			healthy.send(t, request(keyLater, i, []byte("fine")))
			healthy.wantEcho(t, i, "fine")
		}
		ended := func() bool {
			for i := range w.api.heldCount() {
				w.api.completeHeld(i)
			}
			return w.Stats().Connections["TEST"] == 1
		}
		w.until(t, ended, func() string { return fmt.Sprint(w.Stats()) })
		select {
		case nc := <-w.api.upgraded:
			_ = nc.Close()
		default:
		}
	})
}
