package wire

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// pipeNet hands every dialed connection to serve, which plays the broker.
type pipeNet struct {
	serve func(nc net.Conn)
	all   sync.WaitGroup

	mu    sync.Mutex
	dials int
	fail  error
}

func (n *pipeNet) Listen(context.Context, string) (net.Listener, error) { panic("not here") }

func (n *pipeNet) Dial(context.Context, string) (net.Conn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.dials++
	if n.fail != nil {
		return nil, n.fail
	}
	a, b := net.Pipe()
	n.all.Go(func() { n.serve(b); _ = b.Close() })
	return a, nil
}

// readRequest reads one frame and parses its header.
func readRequest(nc net.Conn) (Header, []byte, error) {
	var prefix [4]byte
	if _, err := io.ReadFull(nc, prefix[:]); err != nil {
		return Header{}, nil, err
	}
	p := make([]byte, binary.BigEndian.Uint32(prefix[:]))
	if _, err := io.ReadFull(nc, p); err != nil {
		return Header{}, nil, err
	}
	h, rest := ParseFixed(p)
	req := kmsg.RequestForKey(h.Key)
	req.SetVersion(h.Version)
	body, err := h.ParseRest(rest, req.IsFlexible())
	return h, body, err
}

func reply(nc net.Conn, h Header, resp kmsg.Response) {
	_, _ = nc.Write(Reply{Key: h.Key, Version: h.Version, Correlation: h.Correlation}.AppendResponse(nil, resp))
}

// greet answers ApiVersions: Metadata 0-9 and DescribeCluster 0-0 are served.
func greet(nc net.Conn) bool {
	h, _, err := readRequest(nc)
	if err != nil || h.Key != keyApiVersions {
		return false
	}
	resp := kmsg.NewPtrApiVersionsResponse()
	resp.ApiKeys = []kmsg.ApiVersionsResponseApiKey{{ApiKey: 3, MinVersion: 0, MaxVersion: 9}, {ApiKey: 60}}
	reply(nc, h, resp)
	return true
}

// honest answers Metadata with the number of topics asked for as controller id.
func honest(nc net.Conn) {
	if !greet(nc) {
		return
	}
	for {
		h, body, err := readRequest(nc)
		if err != nil {
			return
		}
		req := kmsg.NewPtrMetadataRequest()
		req.SetVersion(h.Version)
		if req.ReadFrom(body) != nil {
			return
		}
		resp := kmsg.NewPtrMetadataResponse()
		resp.ControllerID = int32(len(req.Topics))
		reply(nc, h, resp)
	}
}

func ask(topics int) *kmsg.MetadataRequest {
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = make([]kmsg.MetadataRequestTopic, topics)
	for i := range req.Topics {
		req.Topics[i].Topic = kmsg.StringPtr("t")
	}
	return req
}

// peerTest runs f in a bubble with a Peer to a broker that serve plays.
func peerTest(t *testing.T, serve func(net.Conn), o PeerOptions, f func(t *testing.T, n *pipeNet, p *Peer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := &pipeNet{serve: serve}
		o.Network, o.Addr, o.Software, o.SoftwareVersion = n, "broker:9092", "brokerd", "1"
		p := NewPeer(o)
		defer n.all.Wait()
		defer p.Close()
		f(t, n, p)
	})
}

func TestPeerPipelines(t *testing.T) {
	peerTest(t, honest, PeerOptions{}, func(t *testing.T, n *pipeNet, p *Peer) {
		var all []*Pending
		for i := range 100 {
			all = append(all, p.Send(ask(i)))
		}
		for i, q := range all {
			resp, err := q.Wait(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			m := resp.(*kmsg.MetadataResponse)
			if m.ControllerID != int32(i) || m.Version != 9 {
				t.Fatalf("answer %d in version %d to request %d", m.ControllerID, m.Version, i)
			}
		}
		if n.dials != 1 {
			t.Fatalf("%d connections", n.dials)
		}
	})
}

func TestPeerRefusesWhatTheBrokerDoesNotServe(t *testing.T) {
	peerTest(t, honest, PeerOptions{}, func(t *testing.T, _ *pipeNet, p *Peer) {
		unknown, known := p.Send(kmsg.NewPtrProduceRequest()), p.Send(ask(1))
		if _, err := unknown.Wait(t.Context()); !errors.Is(err, ErrPeerVersion) {
			t.Fatal(err)
		}
		if _, err := known.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

// A broker that is asked while it comes up serves little yet. What it refused then
// it is asked anew, and nothing that was under way is lost for that.
func TestPeerAsksForVersionsAgain(t *testing.T) {
	first := true
	serve := func(nc net.Conn) {
		if !first {
			honest(nc)
			return
		}
		first = false
		h, _, err := readRequest(nc)
		if err != nil {
			return
		}
		resp := kmsg.NewPtrApiVersionsResponse()
		resp.ApiKeys = []kmsg.ApiVersionsResponseApiKey{{ApiKey: 60}} // DescribeCluster alone
		reply(nc, h, resp)
		for {
			if h, _, err = readRequest(nc); err != nil {
				return
			}
			time.Sleep(time.Second)
			reply(nc, h, kmsg.NewPtrDescribeClusterResponse())
		}
	}
	peerTest(t, serve, PeerOptions{}, func(t *testing.T, n *pipeNet, p *Peer) {
		slow := p.Send(kmsg.NewPtrDescribeClusterRequest())
		for range 2 { // the second while slow is under way
			if _, err := p.Send(ask(1)).Wait(t.Context()); !errors.Is(err, ErrPeerVersion) {
				t.Fatal(err)
			}
		}
		if _, err := slow.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Send(ask(1)).Wait(t.Context()); err != nil {
			t.Fatalf("the broker serves it by now: %v", err)
		}
		if n.dials != 2 {
			t.Fatalf("%d connections", n.dials)
		}
	})
}

// The broker goes away after the second request: what was written is lost, and
// what comes later finds a new connection.
func TestPeerLosesWhatWasWritten(t *testing.T) {
	first := true
	serve := func(nc net.Conn) {
		if !first {
			honest(nc)
			return
		}
		first = false
		greet(nc)
		_, _, _ = readRequest(nc)
		_, _, _ = readRequest(nc)
	}
	peerTest(t, serve, PeerOptions{}, func(t *testing.T, n *pipeNet, p *Peer) {
		a, b := p.Send(ask(1)), p.Send(ask(2))
		for _, q := range []*Pending{a, b} {
			if _, err := q.Wait(t.Context()); !errors.Is(err, ErrPeerLost) {
				t.Fatal(err)
			}
		}
		resp, err := p.Send(ask(3)).Wait(t.Context())
		if err != nil || resp.(*kmsg.MetadataResponse).ControllerID != 3 || n.dials != 2 {
			t.Fatal(resp, err, n.dials)
		}
	})
}

func TestPeerBacksOff(t *testing.T) {
	refused := errors.New("connection refused")
	peerTest(t, honest, PeerOptions{}, func(t *testing.T, n *pipeNet, p *Peer) {
		n.fail = refused
		began := time.Now()
		for range 10 {
			if _, err := p.Send(ask(1)).Wait(t.Context()); !errors.Is(err, ErrPeerUnreachable) || !errors.Is(err, refused) {
				t.Fatal(err)
			}
		}
		// 0 + 50 + 100 + 200 + 400 + 800 ms + 4 × 1 s
		if d := time.Since(began); d < 5*time.Second || d > 6*time.Second {
			t.Fatalf("ten failures took %v", d)
		}
		n.mu.Lock()
		n.fail = nil
		n.mu.Unlock()
		if _, err := p.Send(ask(1)).Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

func TestPeerGivesASilentBrokerUp(t *testing.T) {
	silent := func(nc net.Conn) {
		greet(nc)
		_, _ = io.Copy(io.Discard, nc)
	}
	peerTest(t, silent, PeerOptions{Timeout: 3 * time.Second}, func(t *testing.T, _ *pipeNet, p *Peer) {
		began := time.Now()
		a := p.Send(ask(1))
		time.Sleep(2 * time.Second)
		b := p.Send(ask(2)) // moves nothing: the oldest counts
		for _, q := range []*Pending{a, b} {
			if _, err := q.Wait(t.Context()); !errors.Is(err, ErrPeerLost) {
				t.Fatal(err)
			}
		}
		if d := time.Since(began); d != 3*time.Second {
			t.Fatalf("after %v", d)
		}
	})
}

func TestPeerGivesASilentGreetingUp(t *testing.T) {
	mute := func(nc net.Conn) { _, _ = io.Copy(io.Discard, nc) }
	peerTest(t, mute, PeerOptions{}, func(t *testing.T, _ *pipeNet, p *Peer) {
		began := time.Now()
		if _, err := p.Send(ask(1)).Wait(t.Context()); !errors.Is(err, ErrPeerUnreachable) {
			t.Fatal(err)
		}
		if d := time.Since(began); d != peerDialTimeout {
			t.Fatalf("after %v", d)
		}
	})
}

func TestPeerWaitEndsWithItsContext(t *testing.T) {
	slow := func(nc net.Conn) {
		greet(nc)
		h, _, _ := readRequest(nc)
		time.Sleep(5 * time.Second)
		reply(nc, h, kmsg.NewPtrMetadataResponse())
		_, _ = io.Copy(io.Discard, nc)
	}
	peerTest(t, slow, PeerOptions{}, func(t *testing.T, _ *pipeNet, p *Peer) {
		q := p.Send(ask(1))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := q.Wait(ctx); err != context.DeadlineExceeded {
			t.Fatal(err)
		}
		if _, err := q.Wait(t.Context()); err != nil {
			t.Fatal(err) // the request was still under way
		}
	})
}

func TestPeerIsBounded(t *testing.T) {
	silent := func(nc net.Conn) {
		greet(nc)
		_, _ = io.Copy(io.Discard, nc)
	}
	peerTest(t, silent, PeerOptions{MaxPending: 5}, func(t *testing.T, _ *pipeNet, p *Peer) {
		var all []*Pending
		for range 6 {
			all = append(all, p.Send(ask(1)))
		}
		if _, err := all[5].Wait(t.Context()); !errors.Is(err, ErrPeerBusy) {
			t.Fatal(err)
		}
		p.Close()
		for _, q := range all[:5] {
			if _, err := q.Wait(t.Context()); !errors.Is(err, ErrPeerLost) && !errors.Is(err, ErrPeerClosed) {
				t.Fatal(err)
			}
		}
		if _, err := p.Send(ask(1)).Wait(t.Context()); !errors.Is(err, ErrPeerClosed) {
			t.Fatal(err)
		}
	})
}

func TestPeerTrustsNoAnswer(t *testing.T) {
	for name, answer := range map[string]func(nc net.Conn, h Header){
		"size -1":     func(nc net.Conn, _ Header) { _, _ = nc.Write([]byte{0xff, 0xff, 0xff, 0xff}) },
		"size 2^31-1": func(nc net.Conn, _ Header) { _, _ = nc.Write([]byte{0x7f, 0xff, 0xff, 0xff}) },
		"another's":   func(nc net.Conn, h Header) { h.Correlation++; reply(nc, h, kmsg.NewPtrMetadataResponse()) },
		"garbage": func(nc net.Conn, h Header) {
			_, _ = nc.Write(append([]byte{0, 0, 0, 8}, 0, 0, 0, byte(h.Correlation), 0, 9, 9, 9))
		},
		"length of a lie":  func(nc net.Conn, _ Header) { _, _ = nc.Write([]byte{0x30, 0, 0, 0, 1}) },
		"nothing, and end": func(net.Conn, Header) {},
	} {
		t.Run(name, func(t *testing.T) {
			serve := func(nc net.Conn) {
				greet(nc)
				h, _, err := readRequest(nc)
				if err == nil {
					answer(nc, h)
				}
			}
			peerTest(t, serve, PeerOptions{}, func(t *testing.T, _ *pipeNet, p *Peer) {
				if _, err := p.Send(ask(1)).Wait(t.Context()); !errors.Is(err, ErrPeerLost) {
					t.Fatal(err)
				}
			})
		})
	}
}

func TestPeerLargeAnswer(t *testing.T) {
	serve := func(nc net.Conn) {
		greet(nc)
		h, _, err := readRequest(nc)
		if err != nil {
			return
		}
		resp := kmsg.NewPtrMetadataResponse()
		resp.Topics = make([]kmsg.MetadataResponseTopic, 100_000)
		reply(nc, h, resp)
	}
	peerTest(t, serve, PeerOptions{}, func(t *testing.T, _ *pipeNet, p *Peer) {
		resp, err := p.Send(ask(0)).Wait(t.Context())
		if err != nil || len(resp.(*kmsg.MetadataResponse).Topics) != 100_000 {
			t.Fatal(err)
		}
	})
}
