package api

import (
	"github.com/brokerd/brokerd/internal/auth"
	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/wire"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// clusterAPI answers DescribeCluster (60), DescribeQuorum (55), DescribeLogDirs (35),
// AlterPartitionReassignments (45), ListPartitionReassignments (46) and ElectLeaders (43).
type clusterAPI struct{ d Deps }

// What DescribeCluster can be asked for.
const (
	brokerEndpoints     int8 = 1
	controllerEndpoints int8 = 2
)

func (a *clusterAPI) describe(c *wire.Call) wire.Outcome {
	req := kmsg.NewPtrDescribeClusterRequest()
	if !read(c, req) {
		return malformed()
	}
	v := look(a.d, c)
	if c.Version == 0 {
		req.EndpointType = brokerEndpoints
	}
	resp := kmsg.NewPtrDescribeClusterResponse()
	here := brokerEndpoints
	if a.d.Conf.IsController(v.listener) {
		here = controllerEndpoints
	}
	if err := checkEndpointType(req.EndpointType, here); err != nil {
		if resp.ErrorCode, resp.ErrorMessage = codeText(err); c.Version == 0 {
			resp.ErrorCode = kerr.InvalidRequest.Code // it knows no kinds of endpoints
		}
		return wire.Respond(c, resp)
	}
	resp.EndpointType = req.EndpointType
	resp.ClusterID = v.im.ClusterID()
	if req.IncludeClusterAuthorizedOperations {
		resp.ClusterAuthorizedOperations = v.allowed(auth.TheCluster, clusterOperations)
	}
	if here == controllerEndpoints {
		v.controllers(resp)
	} else {
		v.clusterBrokers(req, resp)
	}
	return wire.Respond(c, resp)
}

func checkEndpointType(asked, here int8) error {
	name := func(t int8) string { return map[int8]string{1: "BROKER", 2: "CONTROLLER"}[t] }
	switch {
	case asked == here:
		return nil
	case name(asked) == "":
		return faultf(kerr.UnsupportedEndpointType, "Unsupported endpoint type %d", asked)
	}
	return faultf(kerr.MismatchedEndpointType, "The request was sent to an endpoint of type %s, but we wanted an endpoint of type %s", name(here), name(asked))
}

// clusterBrokers lists brokers on the client's own listener, fenced ones where asked.
func (v view) clusterBrokers(req *kmsg.DescribeClusterRequest, resp *kmsg.DescribeClusterResponse) {
	list, live := v.reachables()
	resp.ControllerID = v.controllerFor(list, live)
	for b := range v.im.Brokers() {
		e, ok := endpointOn(b, v.listener)
		fenced := b.State == meta.Fenced
		if !ok || fenced && !req.IncludeFencedBrokers {
			continue
		}
		resp.Brokers = append(resp.Brokers, kmsg.DescribeClusterResponseBroker{
			NodeID: b.ID, Host: e.Host, Port: e.Port, Rack: rack(b.Rack), IsFenced: fenced,
		})
	}
}

// controllers lists the voters of the quorum: as the active controller knows
// them, elsewhere as they were noted last.
func (v view) controllers(resp *kmsg.DescribeClusterResponse) {
	if node, ok := v.d.Controller.Leader(); ok {
		resp.ControllerID = node
	}
	add := func(node int32, endpoints []meta.Endpoint) {
		if len(endpoints) > 0 {
			e := endpoints[0]
			resp.Brokers = append(resp.Brokers, kmsg.DescribeClusterResponseBroker{NodeID: node, Host: e.Host, Port: e.Port})
		}
	}
	q, err := v.d.Controller.Quorum()
	for _, m := range q.Voters {
		add(m.ID, v.raftEndpoints(m))
	}
	if err != nil {
		for _, voter := range v.im.Voters() {
			add(voter.Node, voter.Endpoints)
		}
	}
}

// quorum answers DescribeQuorum. Its one partition is Kafka's metadata log,
// which stands for our raft group.
func (a *clusterAPI) quorum(c *wire.Call) wire.Outcome {
	req := kmsg.NewPtrDescribeQuorumRequest()
	if !read(c, req) {
		return malformed()
	}
	v := look(a.d, c)
	resp := kmsg.NewPtrDescribeQuorumResponse()
	if !v.may(auth.Describe, auth.TheCluster) {
		resp.ErrorCode = kerr.ClusterAuthorizationFailed.Code
		return wire.Respond(c, resp)
	}
	q, err := a.d.Controller.Quorum()
	for _, rt := range req.Topics {
		o := kmsg.DescribeQuorumResponseTopic{Topic: rt.Topic}
		for _, rp := range rt.Partitions {
			p := kmsg.NewDescribeQuorumResponseTopicPartition()
			p.Partition = rp.Partition
			switch {
			case rt.Topic != clusterMetadataTopic || rp.Partition != 0:
				p.ErrorCode, p.ErrorMessage = codeText(kerr.UnknownTopicOrPartition)
			case err != nil:
				p.ErrorCode, p.ErrorMessage = codeText(faultf(kerr.NotLeaderForPartition, "%v", err))
			default:
				p.LeaderID, p.LeaderEpoch, p.HighWatermark = q.Leader, int32(q.LeaderEpoch), int64(q.HighWatermark)
				p.CurrentVoters, p.Observers = quorumStates(q.Voters), quorumStates(q.Observers)
			}
			o.Partitions = append(o.Partitions, p)
		}
		resp.Topics = append(resp.Topics, o)
	}
	if err == nil {
		resp.Nodes = v.quorumNodes(q)
	}
	if list := v.im.Recoveries(); len(list) > 0 {
		resp.UnknownTags.Set(tagRecoveries, recoveriesJSON(list))
	}
	return wire.Respond(c, resp)
}
