package api

import (
	"net"
	"testing"
	"time"

	"github.com/brokerd/brokerd/internal/step"
	"github.com/brokerd/brokerd/internal/wire"
)

// TestOpenRaftStream: a stream becomes the controller's only where streams are
// served, and only if this very server was meant.
func TestOpenRaftStream(t *testing.T) {
	n := startNode(t)
	self, other := "1@"+step.TopicID{15: 1}.String(), "2@"+step.TopicID{15: 2}.String()
	for _, test := range []struct {
		name, listener    string
		cluster, to, from string
		want              int16
	}{
		{"right", "CONTROLLER", "the-cluster", self, other, 0},
		{"another server", "CONTROLLER", "the-cluster", other, other, 42},
		{"the same node with another disk", "CONTROLLER", "the-cluster", "1@" + step.TopicID{15: 9}.String(), other, 42},
		{"another cluster", "CONTROLLER", "elsewhere", self, other, 42},
		{"no server id", "CONTROLLER", "the-cluster", self, "me", 42},
		{"a listener for clients", "PLAINTEXT", "the-cluster", self, other, 42},
	} {
		t.Run(test.name, func(t *testing.T) {
			req := &wire.OpenRaftStreamRequest{ClusterID: test.cluster, Wanted: test.to, Own: test.from}
			a := n.serve(callOf(connection(test.listener), req))
			resp := new(wire.OpenRaftStreamResponse)
			upgrade := a.Upgrade
			n.decode(a, 0, resp)
			if resp.ErrorCode != test.want || (upgrade != nil) != (test.want == 0) || (resp.Message == "") != (test.want == 0) {
				t.Fatalf("code %d %q, upgrade %v", resp.ErrorCode, resp.Message, upgrade != nil)
			}
			if upgrade == nil {
				return
			}
			near, far := net.Pipe()
			defer near.Close()
			upgrade(far)
			// Raft reads it now: what is no message of raft's ends the stream.
			if err := near.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
				t.Fatal(err)
			}
			if _, err := near.Write([]byte{0xff}); err != nil {
				t.Fatalf("nobody reads: %v", err)
			}
			if _, err := near.Read(make([]byte, 1)); err == nil {
				t.Error("raft answers nonsense")
			}
		})
	}
}
