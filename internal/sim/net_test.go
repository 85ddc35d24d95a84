package sim

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brokerd/brokerd/internal/wire"
)

var _ wire.Network = (*Host)(nil)

// echo serves a listener until it is closed.
func echo(t *testing.T, l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			_, _ = io.Copy(c, c) // ends when the peer does
			_ = c.Close()
		}()
	}
}

func TestEcho(t *testing.T) {
	for _, bus := range []bool{false, true} {
		t.Run(fmt.Sprintf("bus=%v", bus), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := NewNet(Options{Seed: 1, Latency: time.Millisecond, Jitter: time.Millisecond, Bus: bus})
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if bus {
					go n.Run(ctx)
				}
				l, err := n.Host("b").Listen(ctx, ":0")
				if err != nil {
					t.Fatal(err)
				}
				go echo(t, l)
				c, err := n.Host("a").Dial(ctx, l.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				want := bytes.Repeat([]byte("0123456789abcdef"), window/4) // four windows: both sides must wait
				go func() {
					if _, err := c.Write(want); err != nil {
						t.Error(err)
					}
				}()
				got := make([]byte, len(want))
				if _, err := io.ReadFull(c, got); err != nil {
					t.Fatal(err)
				}
				if sha256.Sum256(got) != sha256.Sum256(want) {
					t.Fatal("other bytes came back")
				}
				if d := time.Since(began); d < 2*time.Millisecond {
					t.Fatalf("there and back in %v", d)
				}
				_ = c.Close()
				n.Close()
			})
		})
	}
}

func TestFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNet(Options{Latency: time.Millisecond})
		l, _ := n.Host("b").Listen(t.Context(), "b:1")
		go echo(t, l)
		a := n.Host("a")
		if _, err := a.Dial(t.Context(), "b:2"); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Fatalf("nobody listens: %v", err)
		}
		c, err := a.Dial(t.Context(), "b:1")
		if err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 4)

		// A cut holds back; the read times out; after Heal everything arrives.
		n.Cut("b", "a")
		if _, err := c.Write([]byte("ping")); err != nil {
			t.Fatal(err)
		}
		_ = c.SetReadDeadline(time.Now().Add(time.Second))
		if _, err := c.Read(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("read over a cut: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := a.Dial(ctx, "b:1"); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("dial over a cut: %v", err)
		}
		n.Heal()
		_ = c.SetReadDeadline(time.Time{})
		if _, err := io.ReadFull(c, buf); err != nil || string(buf) != "ping" {
			t.Fatalf("%q %v", buf, err)
		}

		n.Reset("a", "b")
		if _, err := c.Read(buf); !errors.Is(err, syscall.ECONNRESET) {
			t.Fatalf("read after a reset: %v", err)
		}
		if c, err = a.Dial(t.Context(), "b:1"); err != nil {
			t.Fatal(err)
		}
		n.Kill("b")
		if _, err := c.Write(buf); err == nil {
			t.Fatal("a killed host takes bytes")
		}
		if _, err := a.Dial(t.Context(), "b:1"); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Fatalf("dial to a killed host: %v", err)
		}
		n.Close()
	})
}

// TestBusIsOneTrace runs one seed several times: the order of arrivals is one.
func TestBusIsOneTrace(t *testing.T) {
	traces := map[string]int{}
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			n := NewNet(Options{Seed: 7, Jitter: time.Millisecond, Bus: true})
			ctx, cancel := context.WithCancel(t.Context())
			go n.Run(ctx)
			l, _ := n.Host("b").Listen(ctx, "b:1")
			var mu sync.Mutex
			var trace []byte
			var readers sync.WaitGroup
			readers.Go(func() {
				for range 8 {
					c, err := l.Accept()
					if err != nil {
						t.Error(err)
						return
					}
					readers.Go(func() {
						var b [1]byte
						for {
							if _, err := c.Read(b[:]); err != nil {
								_ = c.Close()
								return
							}
							mu.Lock()
							trace = append(trace, b[0])
							mu.Unlock()
						}
					})
				}
			})
			for i := range 8 {
				c, err := n.Host("a").Dial(ctx, "b:1")
				if err != nil {
					t.Fatal(err)
				}
				for range 5 {
					if _, err := c.Write([]byte{'a' + byte(i)}); err != nil {
						t.Fatal(err)
					}
				}
				_ = c.Close()
			}
			readers.Wait()
			cancel()
			n.Close()
			traces[string(trace)]++
		})
	}
	if len(traces) != 1 {
		t.Fatalf("one seed, %d traces: %v", len(traces), traces)
	}
}
