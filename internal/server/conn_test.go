package server

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brokerd/brokerd/internal/wire"
)

// onBoth runs a test on real sockets, and on the other kind in a bubble.
func onBoth(t *testing.T, test func(t *testing.T, n wire.Network)) {
	t.Run("raw", func(t *testing.T) { test(t, wire.TCP{}) })
	t.Run("net", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { test(t, newMemNet(8<<10)) })
	})
}

func TestEcho(t *testing.T) {
	onBoth(t, func(t *testing.T, n wire.Network) {
		w := start(t, n, Options{})
		tc := w.dial(t)
		for i := range int32(3) {
			tc.send(t, request(keyEcho, i, []byte("hello")))
			tc.wantEcho(t, i, "hello")
		}
		counted := func() bool { // an answer is counted after it has left
			st := w.Stats()
			return st.Requests == 3 && st.Connections["TEST"] == 1 && st.BytesIn == 3*25 && st.BytesOut == 3*13 && st.Pending == 0
		}
		w.until(t, counted, func() string { return fmt.Sprintf("%+v", w.Stats()) })
	})
}

// Many connections with pipelines of mixed requests, answers completed from
// many goroutines in any order, clients that read slowly: every answer comes,
// whole and in order.
func TestOrderWithSlowPeers(t *testing.T) {
	onBoth(t, func(t *testing.T, n wire.Network) {
		w := start(t, n, Options{})
		var all sync.WaitGroup
		for seed := range uint64(16) {
			all.Go(func() { pipeline(t, w, seed) })
		}
		all.Wait()
	})
}

func pipeline(t *testing.T, w *world, seed uint64) {
	const requests = 400
	rng := rand.New(rand.NewPCG(seed, 1))
	nc, err := w.net.Dial(t.Context(), w.addr)
	if err != nil {
		t.Error(err)
		return
	}
	defer nc.Close()
	if tcp, ok := nc.(*net.TCPConn); ok {
		_ = tcp.SetReadBuffer(32 << 10) // so that the server's sends come short
	}
	keys := []int16{keyEcho, keyLater, keyLater, keySlow, keySilent, keyFile, keyFileLtr, keyGather, keyGather, keyGather, keyGather}
	sent := make(chan []byte, requests) // wanted answers: correlation is implied by the order
	go func() {
		for i := range int32(requests) {
			key := keys[rng.IntN(len(keys))]
			body := bytes.Repeat([]byte{byte(i)}, rng.IntN(200))
			if rng.IntN(20) == 0 {
				body = bytes.Repeat([]byte{byte(i)}, rng.IntN(100_000))
			}
			if key != keySilent {
				sent <- wantBody(key, body)
			}
			if _, err := nc.Write(request(key, i, body)); err != nil {
				t.Errorf("request %d: %v", i, err)
				break
			}
		}
		close(sent)
	}()
	tc := &testClient{Conn: nc}
	last, slow := int32(-1), seed%2 == 0
	r := &trickle{nc, slow, rand.New(rand.NewPCG(seed, 2))}
	for want := range sent {
		correlation, body, err := tc.readFrom(r)
		if err != nil || correlation <= last || !bytes.Equal(body, want) {
			t.Errorf("seed %d after %d: answer %d, %v, %.40q, want %.40q", seed, last, correlation, err, body, want)
			_ = nc.Close()
			for range sent {
			}
			return
		}
		last = correlation
	}
}

func (tc *testClient) readFrom(r io.Reader) (int32, []byte, error) {
	var head [8]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	body := make([]byte, be32(head[:])-4)
	_, err := io.ReadFull(r, body)
	return int32(be32(head[4:])), body, err
}

func be32(p []byte) uint32 {
	return uint32(p[0])<<24 | uint32(p[1])<<16 | uint32(p[2])<<8 | uint32(p[3])
}

// trickle reads in pieces with pauses.
type trickle struct {
	r    io.Reader
	slow bool
	rng  *rand.Rand
}

func (s *trickle) Read(p []byte) (int, error) {
	if s.slow && s.rng.IntN(8) == 0 {
		time.Sleep(time.Duration(s.rng.IntN(500)) * time.Microsecond)
	}
	return s.r.Read(p)
}

func TestPartialFramesByteByByte(t *testing.T) {
	onBoth(t, func(t *testing.T, n wire.Network) {
		w := start(t, n, Options{})
		tc := w.dial(t)
		p := append(request(keyEcho, 1, []byte("first")), request(keyLater, 2, []byte("second"))...)
		for i := range p {
			tc.send(t, p[i:i+1])
			if i%7 == 0 {
				time.Sleep(50 * time.Microsecond)
			}
		}
		tc.wantEcho(t, 1, "first")
		tc.wantEcho(t, 2, "second")
	})
}

// A frame cut at any place is put together again, whatever the rest is kept in.
func TestFramesCutAnywhere(t *testing.T) {
	onBoth(t, func(t *testing.T, n wire.Network) {
		w := start(t, n, Options{})
		tc := w.dial(t)
		rng := rand.New(rand.NewPCG(1, 1))
		for i := range int32(60) {
			body := make([]byte, rng.IntN(200_000))
			for j := range body {
				body[j] = byte(j * int(i+1))
			}
			p := request(keyEcho, i, body)
			cut := []int{rng.IntN(len(p)), min(rng.IntN(5000), len(p)), min(rng.IntN(70_000), len(p))}[rng.IntN(3)]
			var writing sync.WaitGroup
			writing.Go(func() {
				_, _ = tc.Write(p[:cut])
				time.Sleep(200 * time.Microsecond)
				_, _ = tc.Write(p[cut:])
			})
			defer writing.Wait()
			if c, got := tc.answer(t); c != i || !bytes.Equal(got, body) {
				t.Fatalf("frame %d of %d bytes cut at %d came back wrong", i, len(p), cut)
			}
		}
	})
}

func TestHugeFrame(t *testing.T) {
	onBoth(t, func(t *testing.T, n wire.Network) {
		w := start(t, n, Options{})
		tc := w.dial(t)
		body := make([]byte, 9<<20)
		rand.NewChaCha8([32]byte{1}).Read(body)
		go func() { _, _ = tc.Write(request(keyEcho, 5, body)) }()
		if c, got := tc.answer(t); c != 5 || !bytes.Equal(got, body) {
			t.Fatal("came back wrong")
		}
		tc.send(t, request(keyEcho, 6, nil))
		tc.wantEcho(t, 6, "")
	})
}

func TestAnswersInHandLeaveTogether(t *testing.T) {
	w := start(t, wire.TCP{}, Options{})
	tc := w.dial(t)
	var p []byte
	for i := range int32(50) {
		p = append(p, request(keyEcho, i, []byte("x"))...)
	}
	tc.send(t, p)
	want := 50 * 9
	got := make([]byte, want+1)
	if n, err := tc.Conn.Read(got); err != nil || n != want {
		t.Fatalf("first read brought %d of %d bytes, %v", n, want, err)
	}
}

func TestSilentAnswersSendNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, n wire.Network) {
		w := start(t, n, Options{})
		tc := w.dial(t)
		tc.send(t, request(keySilent, 1, []byte("acks=0")))
		tc.send(t, request(keyLater, 2, []byte("x")))
		tc.send(t, request(keySilent, 3, []byte("acks=0")))
		tc.send(t, request(keyEcho, 4, []byte("y")))
		tc.wantEcho(t, 2, "x")
		tc.wantEcho(t, 4, "y")
	})
}

func TestWhatWaitsDoesNotStopReading(t *testing.T) {
	onBoth(t, func(t *testing.T, n wire.Network) {
		w := start(t, n, Options{})
		tc := w.dial(t)
		for i := range int32(10) {
			tc.send(t, request(keyHeld, i, fmt.Append(nil, i)))
		}
		w.until(t, func() bool { return w.api.heldCount() == 10 }, func() string { return fmt.Sprint(w.api.heldCount()) })
		for i := 9; i >= 0; i-- {
			w.api.completeHeld(i)
		}
		for i := range int32(10) {
			tc.wantEcho(t, i, fmt.Sprint(i))
		}
	})
}

func TestSlowRequestStopsReading(t *testing.T) {
	onBoth(t, func(t *testing.T, n wire.Network) {
		w := start(t, n, Options{})
		tc := w.dial(t)
		var p []byte
		for i := range int32(20) {
			p = append(p, request(keySlow, i, []byte("s"))...)
		}
		tc.send(t, p)
		for i := range int32(20) {
			tc.wantEcho(t, i, "s")
		}
		w.api.lock(func() {
			if w.api.slowMost != 1 {
				t.Errorf("%d requests waited at a time", w.api.slowMost)
			}
		})
	})
}

func TestPendingIsBounded(t *testing.T) {
	onBoth(t, func(t *testing.T, n wire.Network) {
		w := start(t, n, Options{})
		tc := w.dial(t)
		go func() {
			for i := range int32(200) {
				if _, err := tc.Write(request(keyHeld, i, []byte("h"))); err != nil {
					return
				}
			}
		}()
		reached := func() bool { return w.api.heldCount() == maxPending }
		w.until(t, reached, func() string { return fmt.Sprint(w.api.heldCount()) })
		for i := range int32(200) {
			w.until(t, func() bool { return w.api.heldCount() > int(i) }, func() string { return fmt.Sprint(w.api.heldCount()) })
			if n := w.api.heldCount() - int(i); n > maxPending {
				t.Fatalf("%d wait", n)
			}
			w.api.completeHeld(int(i))
			tc.wantEcho(t, i, "h")
		}
	})
}

func TestHeldBytesAreBounded(t *testing.T) {
	onBoth(t, func(t *testing.T, n wire.Network) {
		w := start(t, n, Options{})
		tc := w.dial(t)
		body := make([]byte, 300_000)
		go func() {
			for i := range int32(10) {
				if _, err := tc.Write(request(keyHeld, i, body)); err != nil {
					return
				}
			}
		}()
		reached := func() bool { return w.api.heldCount() == 4 }
		w.until(t, reached, func() string { return fmt.Sprint(w.api.heldCount()) })
		for i := range 10 {
			w.until(t, func() bool { return w.api.heldCount() > i }, func() string { return fmt.Sprint(w.api.heldCount()) })
			if n := w.api.heldCount() - i; n > 4 {
				t.Fatalf("%d wait", n)
			}
			w.api.completeHeld(i)
			tc.wantEcho(t, int32(i), string(body))
		}
	})
}

func TestDeadlineOfTheHead(t *testing.T) {
	onBoth(t, func(t *testing.T, n wire.Network) {
		w := start(t, n, Options{})
		tc := w.dial(t)
		began := time.Now()
		tc.send(t, request(keyTimeout, 1, nil))
		tc.send(t, request(keyEcho, 2, []byte("behind")))
		tc.send(t, request(keyTimeout, 3, nil))
		tc.wantEcho(t, 1, "expired")
		tc.wantEcho(t, 2, "behind")
		tc.wantEcho(t, 3, "expired")
		if d := time.Since(began); d < 300*time.Millisecond || d > 10*time.Second {
			t.Fatalf("after %v", d)
		}
	})
}

func TestCloseAfterAnswer(t *testing.T) {
	onBoth(t, func(t *testing.T, n wire.Network) {
		w := start(t, n, Options{})
		tc := w.dial(t)
		tc.send(t, bytes.Join([][]byte{
			request(keyLater, 1, []byte("a")), request(keyClose, 2, []byte("b")), request(keyEcho, 3, []byte("never")),
		}, nil))
		tc.wantEcho(t, 1, "a")
		tc.wantEcho(t, 2, "b")
		tc.wantEnd(t)
		w.wantClosed(t, "told to", 1)
		var served int
		if w.api.lock(func() { served = w.api.served }); served != 2 {
			t.Fatalf("%d served", served)
		}
	})
}

func TestUpgrade(t *testing.T) {
	onBoth(t, func(t *testing.T, n wire.Network) {
		w := start(t, n, Options{})
		tc := w.dial(t)
		tc.send(t, append(request(keyUpgrade, 1, []byte("up")), "raw bytes"...))
		tc.wantEcho(t, 1, "up")
		nc := <-w.api.upgraded
		defer nc.Close()
		got := make([]byte, 9)
		if _, err := io.ReadFull(nc, got); err != nil || string(got) != "raw bytes" {
			t.Fatalf("%q %v", got, err)
		}
		w.wantClosed(t, closedUpgraded, 1)
		go func() { _, _ = nc.Write([]byte("and back, long after")) }()
		time.Sleep(time.Millisecond)
		back := make([]byte, 20)
		if _, err := io.ReadFull(tc.r, back); err != nil {
			t.Fatal(err)
		}
		if w.Stats().Connections["TEST"] != 0 {
			t.Fatal("the server still counts it")
		}
	})
}

func TestPanicsEndTheirConnectionOnly(t *testing.T) {
	onBoth(t, func(t *testing.T, n wire.Network) {
		var panics sync.Map
		w := start(t, n, Options{OnPanic: func(v any, _ []byte) { panics.Store(v, true) }})
		other := w.dial(t)
		for i, key := range []int16{keyPanic, keyPanics2} {
			tc := w.dial(t)
			tc.send(t, request(keyEcho, 1, []byte("before")))
			tc.wantEcho(t, 1, "before")
			tc.send(t, request(key, 2, nil))
			tc.wantEnd(t)
			w.wantClosed(t, closedPanic, int64(i+1))
		}
		other.send(t, request(keyEcho, 1, []byte("alive")))
		other.wantEcho(t, 1, "alive")
		for _, want := range []string{"served badly", "finished badly"} {
			if _, ok := panics.Load(want); !ok {
				t.Errorf("%q was not told", want)
			}
		}
		if n := w.Stats().Panics; n != 2 {
			t.Errorf("%d panics counted", n)
		}
	})
}

func TestServeMayRefuse(t *testing.T) {
	onBoth(t, func(t *testing.T, n wire.Network) {
		w := start(t, n, Options{})
		tc := w.dial(t)
		tc.send(t, append(request(keyEcho, 1, []byte("x")), request(keyNothing, 2, nil)...))
		tc.wantEcho(t, 1, "x")
		tc.wantEnd(t)
		w.wantClosed(t, closedRefused, 1)
	})
}

func TestShortFileClosesTheConnection(t *testing.T) {
	onBoth(t, func(t *testing.T, n wire.Network) {
		w := start(t, n, Options{})
		tc := w.dial(t)
		tc.send(t, request(keyShort, 1, []byte("file")))
		tc.wantEnd(t)
		w.wantClosed(t, closedShortFile, 1)
	})
}

func TestPeerGoesAwayWhileAnswersWait(t *testing.T) {
	onBoth(t, func(t *testing.T, n wire.Network) {
		w := start(t, n, Options{})
		tc := w.dial(t)
		for i := range int32(5) {
			tc.send(t, request(keyHeld, i, nil))
		}
		w.until(t, func() bool { return w.api.heldCount() == 5 }, func() string { return fmt.Sprint(w.api.heldCount()) })
		_ = tc.Close()
		w.wantClosed(t, closedByPeer, 1)
		for i := range 5 {
			w.api.completeHeld(i) // too late, and harmless
		}
		w.api.lock(func() {
			if w.api.dropped != 5 {
				t.Errorf("%d dropped", w.api.dropped)
			}
		})
	})
}

// A quiet connection goes on as a new goroutine, and nobody notices.
func TestNap(t *testing.T) {
	w := start(t, wire.TCP{}, Options{}, func(l *limits) { l.nap = 5 * time.Millisecond })
	tc := w.dial(t)
	naps := func(want bool) {
		t.Helper()
		stacks := make([]byte, 1<<20)
		w.until(t, func() bool {
			return bytes.Contains(stacks[:runtime.Stack(stacks, true)], []byte(").nap(")) == want
		}, func() string { return string(stacks) })
	}
	for i := range int32(5) {
		tc.send(t, request(keyEcho, i, []byte("awake")))
		tc.wantEcho(t, i, "awake")
		naps(true)
	}
	p := request(keyEcho, 9, []byte("in two"))
	tc.send(t, p[:3])
	naps(false)
	tc.send(t, p[3:])
	tc.wantEcho(t, 9, "in two")
	naps(true)
	_ = tc.Close()
	w.wantClosed(t, closedByPeer, 1)
}
