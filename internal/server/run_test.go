package server

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/brokerd/brokerd/internal/wire"
)

// gathers builds requests first … first+n-1 of the kind that is gathered.
func gathers(first, n int32) (p []byte) {
	for i := range n {
		p = append(p, request(keyGather, first+i, fmt.Append(nil, "body ", first+i))...)
	}
	return p
}

func (tc *testClient) wantGathers(t *testing.T, first, n int32) {
	t.Helper()
	for i := range n {
		tc.wantEcho(t, first+i, fmt.Sprint("body ", first+i))
	}
}

// What has come together is gathered; what is alone is not, and nobody waits for
// a request that is not there whole.
func TestGather(t *testing.T) {
	onBoth(t, func(t *testing.T, n wire.Network) {
		w := start(t, n, Options{})
		tc := w.dial(t)
		tc.send(t, slices.Concat(gathers(0, 3), request(keyEcho, 3, []byte("between")), gathers(4, 1), request(keySlow, 5, []byte("stops")), gathers(6, 40)))
		tc.wantGathers(t, 0, 3)
		tc.wantEcho(t, 3, "between")
		tc.wantGathers(t, 4, 1)
		tc.wantEcho(t, 5, "stops")
		tc.wantGathers(t, 6, 40)

		p := gathers(46, 3)
		tc.send(t, p[:len(p)-5])
		tc.wantGathers(t, 46, 2)
		tc.send(t, p[len(p)-5:])
		tc.wantGathers(t, 48, 1)
		w.api.lock(func() {
			for _, n := range w.api.runs {
				if n < 2 || n > maxRun {
					t.Errorf("runs are of %v", w.api.runs)
				}
			}
		})
	})
}

// A run whose connection ends behind it is worked on, whoever hears of it. (Only
// the raw kind reads more than one frame at a time.)
func TestGatherBeforeTheEnd(t *testing.T) {
	w := start(t, wire.TCP{}, Options{})
	for _, bad := range [][]byte{{0xff, 0xff, 0xff, 0xff}, {0, 0, 0, 9, 0, keyGather, 0, 99, 0, 0, 0, 1, 0}, {0, 0, 0, 10, 0, keyGather, 0, 0, 0, 0, 0, 1, 0x7f, 0xff}} {
		tc := w.dial(t)
		tc.send(t, append(gathers(0, 3), bad...))
		tc.wantEnd(t)
	}
	w.api.lock(func() {
		gathered := 0
		for _, n := range w.api.runs {
			gathered += n
		}
		if w.api.served != 9 || gathered != w.api.later {
			t.Errorf("%d served, %d left to Gather, which had %d", w.api.served, w.api.later, gathered)
		}
	})
}

// A panic in Gather ends that connection alone, and every outcome of the run is dropped.
func TestGatherPanics(t *testing.T) {
	w := start(t, wire.TCP{}, Options{OnPanic: func(any, []byte) {}})
	tc := w.dial(t)
	tc.send(t, bytes.Repeat(request(keyGather, 1, []byte("gather badly")), 3))
	tc.wantEnd(t)
	w.wantClosed(t, closedPanic, 1)
	w.api.lock(func() {
		if w.api.dropped != w.api.later {
			t.Errorf("%d of %d outcomes are dropped", w.api.dropped, w.api.later)
		}
	})
	other := w.dial(t)
	other.send(t, request(keyEcho, 1, []byte("alive")))
	other.wantEcho(t, 1, "alive")
}

// A run stops at the limit of what a connection may have taken up (V7).
func TestGatherKeepsTheLimit(t *testing.T) {
	onBoth(t, func(t *testing.T, n wire.Network) {
		w := start(t, n, Options{})
		tc := w.dial(t)
		var p []byte
		for i := range int32(maxPending - 3) {
			p = append(p, request(keyHeld, i, nil)...)
		}
		tc.send(t, append(p, gathers(maxPending-3, 20)...))
		w.until(t, func() bool { return w.Stats().Requests == maxPending }, func() string { return fmt.Sprintf("%+v", w.Stats()) })
		for i := range maxPending - 3 {
			w.api.completeHeld(i)
			tc.wantEcho(t, int32(i), "")
		}
		tc.wantGathers(t, maxPending-3, 20)
	})
}
