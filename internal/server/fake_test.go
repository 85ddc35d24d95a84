package server

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/brokerd/brokerd/internal/wire"
)

// The fake API: each key behaves in one way, and answers with the body it got.
const (
	keyEcho    = 1  // ready
	keyLater   = 2  // waits, reads on; completed by another goroutine
	keySlow    = 3  // waits, stops the reading; completed by another goroutine
	keySilent  = 4  // ready, answers nothing
	keyClose   = 5  // ready, closes after its answer
	keyPanic   = 6  // panics in Serve
	keyFile    = 7  // ready, its body comes back as a file range
	keyHeld    = 8  // waits, reads on, until the test completes it
	keyTimeout = 9  // waits for ever, with a deadline of 300 ms
	keyUpgrade = 10 // takes the connection over
	keyPanics2 = 11 // waits, panics in Finish
	keyBig     = 12 // ready, answers 300,000 bytes
	keyLight   = 13 // as keyHeld, but light
	keyFileLtr = 14 // waits, then a file range
	keyNothing = 15 // Serve returns nil
	keyShort   = 16 // a file range that comes short
	keyGather  = 17 // reads its body in Gather where that follows; ready or completed by another goroutine
)

type fakeAPI struct {
	writers *wire.Writers // completes through these if set

	mu             sync.Mutex
	held           []*waitingOutcome
	slow, slowMost int // requests of keySlow that wait now, and at most
	served         int
	closed         int
	dropped        int
	taken          int // answers made whose release is due
	upgraded       chan net.Conn
	later          int   // calls that waited for Gather
	runs           []int // how many each Gather had
}

func (f *fakeAPI) Trait(key, version int16) wire.Trait {
	t := wire.Trait{Known: key >= keyEcho && key <= keyGather && version == 0, Gathers: key == keyGather}
	switch key {
	case keySlow:
	case keyLight:
		t.ReadsOn, t.Light = true, true
	default:
		t.ReadsOn = true
	}
	t.Flexible = key == keyFile
	return t
}

func (f *fakeAPI) Closed(*wire.Client) { f.lock(func() { f.closed++ }) }

func (f *fakeAPI) lock(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
}

func (f *fakeAPI) Serve(c *wire.Call) wire.Outcome {
	f.lock(func() { f.served++ })
	if c.Later {
		f.lock(func() { f.later++ })
		return &waitingOutcome{f: f, reply: c.Reply(), body: c.Body} // as it stands in the read buffer
	}
	body := append([]byte(nil), c.Body...)
	switch c.Key {
	case keyEcho:
		return &wire.Ready{Answer: f.echo(c.Correlation, body)}
	case keySilent:
		return &wire.Ready{}
	case keyClose:
		a := f.echo(c.Correlation, body)
		a.Close = "told to"
		return &wire.Ready{Answer: a}
	case keyPanic:
		panic("served badly")
	case keyNothing:
		return nil
	case keyFile:
		return &wire.Ready{Answer: f.file(c.Correlation, body, int64(len(body)))}
	case keyShort:
		return &wire.Ready{Answer: f.file(c.Correlation, body, int64(len(body))+10)}
	case keyBig:
		return &wire.Ready{Answer: f.echo(c.Correlation, make([]byte, 300_000))}
	case keyUpgrade:
		a := f.echo(c.Correlation, body)
		a.Upgrade = func(nc net.Conn) {
			select {
			case f.upgraded <- nc:
			default:
				_ = nc.Close()
			}
		}
		return &wire.Ready{Answer: a}
	}
	w := &waitingOutcome{f: f, reply: c.Reply(), body: body}
	switch c.Key {
	case keySlow:
		f.lock(func() {
			f.slow++
			f.slowMost = max(f.slowMost, f.slow)
		})
		go func() {
			time.Sleep(time.Duration(rand.IntN(300)) * time.Microsecond)
			f.lock(func() { f.slow-- })
			w.complete()
		}()
	case keyLater, keyFileLtr, keyPanics2, keyGather:
		go func() {
			time.Sleep(time.Duration(rand.IntN(300)) * time.Microsecond)
			w.complete()
		}()
	case keyHeld, keyLight:
		f.lock(func() { f.held = append(f.held, w) })
	case keyTimeout:
		w.deadline = time.Now().Add(300 * time.Millisecond)
	}
	return w
}

func (f *fakeAPI) Gather(run []wire.Outcome) {
	f.lock(func() { f.runs = append(f.runs, len(run)) })
	for _, o := range run {
		w := o.(*waitingOutcome)
		w.body = append([]byte(nil), w.body...)
		if bytes.Equal(w.body, []byte("gather badly")) {
			panic("gathered badly")
		}
		if rand.IntN(2) == 0 {
			w.complete()
			continue
		}
		go func() {
			time.Sleep(time.Duration(rand.IntN(300)) * time.Microsecond)
			w.complete()
		}()
	}
}

// completeHeld completes the i-th request of keyHeld.
func (f *fakeAPI) completeHeld(i int) {
	f.mu.Lock()
	w := f.held[i]
	f.mu.Unlock()
	w.complete()
}

func (f *fakeAPI) heldCount() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.held)
}

func (f *fakeAPI) release() { f.lock(func() { f.taken-- }) }

func (f *fakeAPI) echo(correlation int32, body []byte) wire.Answer {
	f.lock(func() { f.taken++ })
	b := wire.Take(8 + len(body))
	b.B = binary.BigEndian.AppendUint32(b.B, uint32(4+len(body)))
	b.B = binary.BigEndian.AppendUint32(b.B, uint32(correlation))
	b.B = append(b.B, body...)
	return wire.Answer{Frame: b.B, Release: func() { b.Release(); f.release() }}
}

// file answers with body in two ranges, and four bytes of frame around each.
func (f *fakeAPI) file(correlation int32, body []byte, promised int64) wire.Answer {
	f.lock(func() { f.taken++ })
	fr := wire.NewFrame(wire.Reply{Correlation: correlation}, false, 64)
	half := len(body) / 2
	fr.B = append(fr.B, "one:"...)
	fr.File(&memRange{body[:half], int64(half)})
	fr.B = append(fr.B, "two:"...)
	fr.File(&memRange{body[half:], promised - int64(half)})
	fr.B = append(fr.B, "end."...)
	a := fr.Answer()
	release := a.Release
	a.Release = func() { release(); f.release() }
	return a
}

type memRange struct {
	p []byte
	n int64
}

func (r *memRange) Len() int64 { return r.n }
func (r *memRange) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(r.p)
	return int64(n), err
}

// waitingOutcome is completed by another goroutine, through the writers now and then.
type waitingOutcome struct {
	f        *fakeAPI
	reply    wire.Reply
	body     []byte
	deadline time.Time

	mu     sync.Mutex
	isDone bool
	done   func(*wire.Handoff)
	ended  bool
}

func (w *waitingOutcome) complete() {
	w.mu.Lock()
	done := w.done
	w.isDone, w.done = true, nil
	w.mu.Unlock()
	if done == nil {
		return
	}
	if w.f.writers != nil && rand.IntN(2) == 0 {
		h := w.f.writers.NewHandoff()
		done(h)
		h.Flush()
		return
	}
	done(nil)
}

func (w *waitingOutcome) Ready() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.isDone
}

func (w *waitingOutcome) Deadline() time.Time { return w.deadline }

func (w *waitingOutcome) Notify(done func(*wire.Handoff)) {
	w.mu.Lock()
	at := w.isDone
	if !at {
		w.done = done
	}
	w.mu.Unlock()
	if at {
		done(nil)
	}
}

func (w *waitingOutcome) end(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended {
		panic(what + " after the end")
	}
	w.ended = true
}

func (w *waitingOutcome) Finish(expired bool) wire.Answer {
	w.end("Finish")
	switch {
	case w.reply.Key == keyPanics2:
		panic("finished badly")
	case w.reply.Key == keyFileLtr:
		return w.f.file(w.reply.Correlation, w.body, int64(len(w.body)))
	case expired:
		return w.f.echo(w.reply.Correlation, []byte("expired"))
	}
	return w.f.echo(w.reply.Correlation, w.body)
}

func (w *waitingOutcome) Drop() {
	w.end("Drop")
	w.f.lock(func() { w.f.dropped++ })
}

// request builds a frame of the fake API.
func request(key int16, correlation int32, body []byte) []byte {
	h := wire.Header{Key: key, Correlation: correlation, ClientID: []byte("tester")}
	version := 1
	if key == keyFile {
		version = 2
	}
	p := h.AppendHeader(make([]byte, 4, 32+len(body)), version)
	p = append(p, body...)
	binary.BigEndian.PutUint32(p, uint32(len(p)-4))
	return p
}

// wantBody is what the fake API answers to a body.
func wantBody(key int16, body []byte) []byte {
	if key != keyFile && key != keyFileLtr {
		return body
	}
	half := len(body) / 2
	return fmt.Appendf(nil, "one:%stwo:%send.", body[:half], body[half:])
}

type testClient struct {
	net.Conn
	r *bufio.Reader
}

func (tc *testClient) send(t *testing.T, p []byte) {
	t.Helper()
	if _, err := tc.Write(p); err != nil {
		t.Fatal(err)
	}
}

// answer reads one answer, within 10 s.
func (tc *testClient) answer(t *testing.T) (correlation int32, body []byte) {
	t.Helper()
	correlation, body, err := tc.read()
	if err != nil {
		t.Fatal(err)
	}
	return correlation, body
}

func (tc *testClient) read() (correlation int32, body []byte, err error) {
	_ = tc.SetReadDeadline(time.Now().Add(10 * time.Second))
	var head [8]byte
	if _, err := io.ReadFull(tc.r, head[:]); err != nil {
		return 0, nil, err
	}
	body = make([]byte, binary.BigEndian.Uint32(head[:])-4)
	_, err = io.ReadFull(tc.r, body)
	return int32(binary.BigEndian.Uint32(head[4:])), body, err
}

// wantEnd reads until the server has ended the connection.
func (tc *testClient) wantEnd(t *testing.T) {
	t.Helper()
	_ = tc.SetReadDeadline(time.Now().Add(60 * time.Second))
	if n, err := io.Copy(io.Discard, tc.r); err != nil && isTimeout(err) {
		t.Fatalf("still open after %d bytes", n)
	}
}

func isTimeout(err error) bool {
	ne, ok := err.(net.Error)
	return ok && ne.Timeout()
}

func (tc *testClient) wantEcho(t *testing.T, correlation int32, body string) {
	t.Helper()
	gotC, got := tc.answer(t)
	if gotC != correlation || string(got) != body {
		t.Fatalf("answer %d %.40q, want %d %.40q", gotC, got, correlation, body)
	}
}

// world is a running server with its fake API.
type world struct {
	*Server
	api  *fakeAPI
	net  wire.Network
	addr string
	ran  chan struct{}
}

// start runs a server until the end of the test, when nothing may be left over.
func start(t *testing.T, network wire.Network, o Options, change ...func(*limits)) *world {
	t.Helper()
	w := &world{api: &fakeAPI{upgraded: make(chan net.Conn, 1)}, net: network, ran: make(chan struct{})}
	o.Network = network
	if o.Dispatcher == nil {
		o.Dispatcher = w.api
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.OnPanic == nil {
		o.OnPanic = func(v any, stack []byte) { t.Errorf("panic: %v\n%s", v, stack) }
	}
	w.Server = New(o)
	for _, f := range change {
		f(&w.limits)
	}
	w.memory.limit = w.limits.queuedBytes
	addr, err := w.Listen(t.Context(), Listener{Name: "TEST", Addr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	w.addr = addr.String()
	w.api.writers = wire.NewWriters()
	ctx, cancel := context.WithCancel(context.Background())
	writersEnded := make(chan struct{})
	go func() { _ = w.api.writers.Run(ctx); close(writersEnded) }()
	go func() { _ = w.Run(context.Background()); close(w.ran) }()
	t.Cleanup(func() { w.stopAndCheck(t); cancel(); <-writersEnded })
	return w
}

func (w *world) stopAndCheck(t *testing.T) {
	t.Helper()
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	_ = w.Shutdown(gone)
	<-w.ran
	st := w.Stats()
	if st.MemoryInUse != 0 || st.MemoryQueued != 0 {
		t.Errorf("budget: %d in use, %d waiting after the end", st.MemoryInUse, st.MemoryQueued)
	}
	w.api.lock(func() {
		if w.api.taken != 0 {
			t.Errorf("%d answers not released", w.api.taken)
		}
		accepted := 0
		for _, n := range st.Accepted {
			accepted += int(n)
		}
		if w.api.closed != accepted {
			t.Errorf("%d of %d connections told as closed", w.api.closed, accepted)
		}
	})
}

func (w *world) dial(t *testing.T) *testClient {
	t.Helper()
	nc, err := w.net.Dial(t.Context(), w.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	return &testClient{nc, bufio.NewReader(nc)}
}

// wantClosed waits until a connection has been counted under reason.
func (w *world) wantClosed(t *testing.T, reason string, n int64) {
	t.Helper()
	w.until(t, func() bool { return w.Stats().Closed[reason] >= n }, func() string { return fmt.Sprint(w.Stats().Closed) })
}

// until polls, on the network's clock; in a bubble that costs no time.
func (w *world) until(t *testing.T, ok func() bool, state func() string) {
	t.Helper()
	for began := time.Now(); !ok(); time.Sleep(time.Millisecond) {
		if time.Since(began) > 20*time.Second {
			t.Fatal("not reached; now ", state())
		}
	}
}
