package wire

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// slow answers each Metadata in two halves, a second apart.
func slow(nc net.Conn) {
	if !greet(nc) {
		return
	}
	for {
		h, _, err := readRequest(nc)
		if err != nil {
			return
		}
		resp := kmsg.NewPtrMetadataResponse()
		resp.ControllerID = h.Correlation
		p := Reply{Key: h.Key, Version: h.Version, Correlation: h.Correlation}.AppendResponse(nil, resp)
		_, _ = nc.Write(p[:6])
		time.Sleep(time.Second)
		if _, err := nc.Write(p[6:]); err != nil {
			return
		}
	}
}

// TestLinkInterrupted: an interruption and a deadline come in the middle of an
// answer; nothing of it is lost, and the next request's answer follows.
func TestLinkInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &pipeNet{serve: slow}
		k, err := DialLink(t.Context(), PeerOptions{Network: n, Addr: "b:1", Software: "brokerd", SoftwareVersion: "1"})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { k.Close(); k.Release(); n.all.Wait() }()
		if err := k.Send(kmsg.NewPtrMetadataRequest(), time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		var resp kmsg.MetadataResponse
		time.AfterFunc(100*time.Millisecond, k.Interrupt)
		if _, err := k.Receive(&resp, time.Now().Add(time.Minute)); !errors.Is(err, ErrInterrupted) {
			t.Fatal(err)
		}
		if _, err := k.Receive(&resp, time.Now().Add(100*time.Millisecond)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
		k.Interrupt() // before the call: it returns at once
		if _, err := k.Receive(&resp, time.Now().Add(time.Minute)); !errors.Is(err, ErrInterrupted) {
			t.Fatal(err)
		}
		for want := range int32(2) {
			buf, err := k.Receive(&resp, time.Now().Add(time.Minute))
			if err != nil {
				t.Fatal(err)
			}
			buf.Release()
			if resp.ControllerID != 1+want || k.Waiting() != 0 { // 0 was ApiVersions
				t.Errorf("answer %d, waiting for %d more", resp.ControllerID, k.Waiting())
			}
			if want == 0 {
				if err := k.Send(kmsg.NewPtrMetadataRequest(), time.Now().Add(time.Minute)); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

// TestLinkRefuses: what is not served, and answers that are none.
func TestLinkRefuses(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer []byte
		want   error
	}{
		{"another correlation id", []byte{0, 0, 0, 8, 0, 0, 0, 9, 0, 0, 0, 0}, errCorrelation},
		{"an impossible size", []byte{0xff, 0, 0, 0}, errFrameSize},
		{"the connection ends in the middle", []byte{0, 0, 0, 90, 1}, io.EOF},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := &pipeNet{serve: func(nc net.Conn) {
				if greet(nc) {
					if _, _, err := readRequest(nc); err == nil {
						_, _ = nc.Write(c.answer)
					}
				}
			}}
			k, err := DialLink(t.Context(), PeerOptions{Network: n, Addr: "b:1", Software: "brokerd", SoftwareVersion: "1"})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { k.Close(); k.Release(); n.all.Wait() }()
			if err := k.Send(kmsg.NewPtrFetchRequest(), time.Now().Add(time.Minute)); !errors.Is(err, ErrPeerVersion) {
				t.Error(err)
			}
			if err := k.Send(kmsg.NewPtrMetadataRequest(), time.Now().Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
			if _, err := k.Receive(kmsg.NewPtrMetadataResponse(), time.Now().Add(time.Minute)); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
}
