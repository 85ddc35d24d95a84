//go:build hostile

package hostile

import (
	"encoding/binary"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/brokerd/brokerd/test/harness"
)

// TestSlow gives a live broker peers that are slow in every way, all at once: each
// is closed for its own reason, at its limit, and who is not slow is served.
func TestSlow(t *testing.T) {
	node := harness.Start(t, harness.Options{Properties: map[string]string{"connections.max.idle.ms": "3000"}}).Nodes[0]
	v := victim{t, node}
	before := v.state()
	ask := binary.BigEndian.AppendUint32(nil, 10)
	ask = append(ask, 0, 18, 0, 0, 0, 0, 0, 7, 0xff, 0xff) // ApiVersions v0, no client id
	body := append(binary.BigEndian.AppendUint32(nil, 30000), ask[4:]...)
	cases := []struct {
		name, reason string
		peer         func(net.Conn) error
		limit        time.Duration
	}{
		{"never says a word", "idle", func(net.Conn) error { return nil }, 3 * time.Second},
		{"asks once", "idle", func(c net.Conn) error { return send(c, ask) }, 3 * time.Second},
		{"half a length", "slow header", func(c net.Conn) error { return send(c, ask[:2]) }, 5 * time.Second},
		{"header byte by byte", "slow header", func(c net.Conn) error {
			for _, b := range ask[:12] {
				if err := send(c, []byte{b}); err != nil {
					return nil // closed meanwhile
				}
				time.Sleep(600 * time.Millisecond) // the pace of this peer
			}
			return nil
		}, 5 * time.Second},
		{"body that stops", "slow body", func(c net.Conn) error { return send(c, body) }, 10 * time.Second},
		{"asks on and reads nothing", "peer does not read", func(c net.Conn) error {
			_ = c.SetWriteDeadline(time.Now().Add(time.Minute))
			for {
				if _, err := c.Write(ask); err != nil {
					return nil // full, then closed
				}
			}
		}, 30 * time.Second},
	}
	began := time.Now()
	var peers sync.WaitGroup
	for _, tc := range cases {
		c, err := net.Dial("tcp", node.Addr())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() }) // closed by the broker before
		peers.Go(func() {
			if err := tc.peer(c); err != nil {
				t.Errorf("%s: %v", tc.name, err)
			}
			for tc.reason != "peer does not read" {
				if _, err := c.Read(make([]byte, 4096)); err != nil {
					break
				}
			}
			if took := time.Since(began); tc.reason != "peer does not read" && (took < tc.limit-time.Second || took > 4*tc.limit+10*time.Second) {
				t.Errorf("%s: closed after %v, the limit is %v", tc.name, took, tc.limit)
			}
		})
	}
	peers.Wait()
	want := map[string]float64{}
	for _, tc := range cases {
		want[tc.reason]++
	}
	for reason, n := range want {
		limit := time.Now().Add(time.Minute)
		for v.state().closed[reason]-before.closed[reason] < n {
			if time.Now().After(limit) {
				t.Fatalf("closed as %q: %v, want %v more", reason, v.state().closed[reason], n)
			}
			time.Sleep(100 * time.Millisecond) // a poll with a limit: the broker is another process
		}
	}
	fresh, err := net.Dial("tcp", node.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer fresh.Close()
	_ = fresh.SetDeadline(time.Now().Add(10 * time.Second))
	if err := send(fresh, ask); err != nil {
		t.Fatal(err)
	}
	if n, err := fresh.Read(make([]byte, 4096)); err != nil || n < 8 {
		t.Fatalf("who is not slow is not served: %d bytes, %v", n, err)
	}
	if after := v.state(); after.panics > before.panics {
		t.Errorf("%v panics", after.panics)
	}
}

func send(c net.Conn, p []byte) error {
	_, err := c.Write(p)
	return err
}
