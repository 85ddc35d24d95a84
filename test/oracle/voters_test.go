//go:build oracle

package oracle

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestVoters asks for changes of the cluster that cannot be: neither has a node
// to spare.
func TestVoters(t *testing.T) {
	p := newPair(t)
	stranger := func(*side) *string { return ptr("another") }
	own := func(s *side) *string { return &s.cluster }
	p.ask("unregister an unknown broker", 0, func(*side) kmsg.Request {
		req := kmsg.NewPtrUnregisterBrokerRequest()
		req.BrokerID = 99
		return req
	})
	for name, cluster := range map[string]func(*side) *string{"of another cluster": stranger, "of this cluster": own} {
		for v := int16(0); v <= 1; v++ {
			p.ask("add a voter "+name, v, func(s *side) kmsg.Request {
				req := kmsg.NewPtrAddRaftVoterRequest()
				req.ClusterID, req.TimeoutMillis, req.VoterID, req.VoterDirectoryID = cluster(s), 1000, 1, [16]byte{7}
				l := kmsg.NewAddRaftVoterRequestListener()
				l.Name, l.Host, l.Port = "CONTROLLER", "127.0.0.1", 1
				req.Listeners = append(req.Listeners, l)
				return req
			})
		}
		p.ask("remove a voter "+name, 0, func(s *side) kmsg.Request {
			req := kmsg.NewPtrRemoveRaftVoterRequest()
			req.ClusterID, req.VoterID, req.VoterDirectoryID = cluster(s), 99, [16]byte{7}
			return req
		})
	}
}
