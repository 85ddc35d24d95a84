package api

import (
	"encoding/binary"
	"errors"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/brokerd/brokerd/internal/controller"
	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/step"
	"github.com/brokerd/brokerd/internal/wire"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// What brokers tell the controller: BrokerRegistration (62), BrokerHeartbeat (63),
// AllocateProducerIds (67), AssignReplicasToDirs (73), UpdateRaftVoter (82), by which a member of the raft
// group says where it is, and ReportFault (10003). What Kafka's messages lack is in tagged
// fields of ours:
//
//	62  tag 10000  boot id      the operating system's, as text
//	    tag 10001  one byte     1 disk error, 2 logs intact, 4 durability=isr, 8 votes
//	63  tag 10000  int64        last index of the broker's raft log
//	    tag 10001  16 bytes     each: a directory that takes no records for want of space; no tag: none
const (
	tagBootID    = 10000
	tagLastIndex = 10000
	tagFacts     = 10001
	tagFull      = 10001
)

const (
	factDiskError byte = 1 << iota
	factIntact
	factISR
	factVoter
)

// peerWait bounds how long a broker's request may wait for a commit.
const peerWait = 5 * time.Second

// RegistrationRequest carries r to the controller.
func RegistrationRequest(r meta.RegisterBroker) *kmsg.BrokerRegistrationRequest {
	req := kmsg.NewPtrBrokerRegistrationRequest()
	req.BrokerID, req.ClusterID, req.IncarnationID = r.ID, r.ClusterID, r.Incarnation
	req.Rack = rack(r.Rack)
	req.PreviousBrokerEpoch = -1
	if r.CleanEpoch > 0 {
		req.PreviousBrokerEpoch = r.CleanEpoch
	}
	for _, e := range r.Endpoints {
		req.Listeners = append(req.Listeners, kmsg.BrokerRegistrationRequestListener{
			Name: e.Listener, Host: e.Host, Port: uint16(e.Port), SecurityProtocol: e.Protocol})
	}
	for _, d := range r.Dirs {
		req.LogDirs = append(req.LogDirs, d)
	}
	req.UnknownTags.Set(tagBootID, []byte(r.BootID))
	req.UnknownTags.Set(tagFacts, []byte{factsOf(r)})
	return req
}

func factsOf(r meta.RegisterBroker) (facts byte) {
	for _, f := range []struct {
		is  bool
		bit byte
	}{{r.DiskError, factDiskError}, {r.Intact, factIntact}, {r.DefaultISR, factISR}, {r.Voter, factVoter}} {
		if f.is {
			facts |= f.bit
		}
	}
	return facts
}

// registrationOf reads what RegistrationRequest writes. A broker that does not
// tell what it found is taken for one that found the worst.
func registrationOf(req *kmsg.BrokerRegistrationRequest) meta.RegisterBroker {
	r := meta.RegisterBroker{ID: req.BrokerID, ClusterID: req.ClusterID, Incarnation: req.IncarnationID}
	if req.Rack != nil {
		r.Rack = *req.Rack
	}
	r.CleanEpoch = max(req.PreviousBrokerEpoch, 0)
	for _, l := range req.Listeners {
		r.Endpoints = append(r.Endpoints, meta.Endpoint{Listener: l.Name, Host: l.Host, Port: int32(l.Port), Protocol: l.SecurityProtocol})
	}
	for _, d := range req.LogDirs {
		r.Dirs = append(r.Dirs, step.TopicID(d))
	}
	var facts byte
	req.UnknownTags.Each(func(tag uint32, v []byte) {
		switch {
		case tag == tagBootID:
			r.BootID = string(v)
		case tag == tagFacts && len(v) == 1:
			facts = v[0]
		}
	})
	r.DiskError, r.Intact = facts&factDiskError != 0, facts&factIntact != 0
	r.DefaultISR, r.Voter = facts&factISR != 0, facts&factVoter != 0
	return r
}

// HeartbeatRequest carries h to the controller.
func HeartbeatRequest(h controller.Heartbeat) *kmsg.BrokerHeartbeatRequest {
	req := kmsg.NewPtrBrokerHeartbeatRequest()
	req.BrokerID, req.BrokerEpoch, req.CurrentMetadataOffset = h.Broker, h.Epoch, int64(h.Applied)
	req.WantFence, req.WantShutdown = h.WantFence, h.WantShutdown
	req.UnknownTags.Set(tagLastIndex, binary.BigEndian.AppendUint64(nil, h.Last))
	if len(h.Full) > 0 {
		var ids []byte
		for _, dir := range h.Full {
			ids = append(ids, dir[:]...)
		}
		req.UnknownTags.Set(tagFull, ids)
	}
	return req
}

func heartbeatOf(req *kmsg.BrokerHeartbeatRequest) controller.Heartbeat {
	h := controller.Heartbeat{
		Broker: req.BrokerID, Epoch: req.BrokerEpoch, Applied: uint64(max(req.CurrentMetadataOffset, 0)),
		WantFence: req.WantFence, WantShutdown: req.WantShutdown,
	}
	req.UnknownTags.Each(func(tag uint32, v []byte) {
		switch {
		case tag == tagLastIndex && len(v) == 8:
			h.Last = binary.BigEndian.Uint64(v)
		case tag == tagFull:
			for id := range slices.Chunk(v, len(step.TopicID{})) {
				if len(id) == len(step.TopicID{}) {
					h.Full = append(h.Full, step.TopicID(id))
				}
			}
		}
	})
	return h
}

// MemberRequest carries the word of a member of the raft group to the controller.
func MemberRequest(clusterID string, s controller.Server, listener string) (*kmsg.UpdateRaftVoterRequest, error) {
	host, port, err := net.SplitHostPort(s.Address)
	if err != nil {
		return nil, err
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, err
	}
	req := kmsg.NewPtrUpdateRaftVoterRequest()
	req.ClusterID, req.VoterID, req.VoterDirectoryID = &clusterID, s.Node, s.Directory
	req.Listeners = []kmsg.UpdateRaftVoterRequestListener{{Name: listener, Host: host, Port: uint16(n)}}
	return req, nil
}

// lifeAPI serves them on the controller.
type lifeAPI struct {
	d Deps

	mu      sync.Mutex
	brokers map[uint64]int32 // by connection: whose heartbeats it carries
}

func newLife(d Deps) *lifeAPI { return &lifeAPI{d: d, brokers: map[uint64]int32{}} }

// carries notes whose heartbeats a connection carries.
func (a *lifeAPI) carries(c *wire.Client, broker int32) {
	a.mu.Lock()
	a.brokers[c.ID] = broker
	a.mu.Unlock()
}

// closed hears of a connection that has ended: whose heartbeats it carried may
// be dead.
func (a *lifeAPI) closed(c *wire.Client) {
	a.mu.Lock()
	broker, ok := a.brokers[c.ID]
	delete(a.brokers, c.ID)
	a.mu.Unlock()
	if ok {
		a.d.Controller.Suspect(broker)
	}
}

// peerCode is code for brokers, which look for the controller when they hear
// that it is elsewhere.
func peerCode(err error) int16 {
	if errors.Is(err, controller.ErrNotLeader) {
		return kerr.NotController.Code
	}
	return code(err)
}

// peerAnswer waits for an outcome of the controller and answers what build makes
// of it.
func peerAnswer(c *wire.Call, begin func(deadline time.Time, done func(controller.Committed)), build func(controller.Committed) kmsg.Response) wire.Outcome {
	deadline := time.Now().Add(peerWait)
	reply, heard := c.Reply(), make(chan controller.Committed, 1)
	p := later(deadline, func(bool) wire.Answer {
		select {
		case com := <-heard:
			return reply.Answer(build(com))
		default:
			return reply.Answer(build(controller.Committed{Err: controller.ErrUnknownOutcome}))
		}
	})
	begin(deadline, func(com controller.Committed) {
		if com.Err == nil && len(com.Results) > 0 {
			com.Err = com.Results[0].Err
		}
		heard <- com
		p.complete(nil)
	})
	return p
}

func (a *lifeAPI) register(c *wire.Call) wire.Outcome {
	req := kmsg.NewPtrBrokerRegistrationRequest()
	if !read(c, req) {
		return malformed()
	}
	r := registrationOf(req)
	return peerAnswer(c, func(deadline time.Time, done func(controller.Committed)) {
		a.d.Controller.AcceptRegistration(r, deadline, done)
	}, func(com controller.Committed) kmsg.Response {
		resp := kmsg.NewPtrBrokerRegistrationResponse()
		if resp.ErrorCode = peerCode(com.Err); com.Err == nil {
			resp.BrokerEpoch = com.Results[0].Epoch
		} else {
			a.d.Log.Info("a broker is not registered", "broker", r.ID, "error", com.Err)
		}
		return resp
	})
}

func (a *lifeAPI) heartbeat(c *wire.Call) wire.Outcome {
	req := kmsg.NewPtrBrokerHeartbeatRequest()
	if !read(c, req) {
		return malformed()
	}
	reply, err := a.d.Controller.AcceptHeartbeat(heartbeatOf(req))
	if err == nil {
		a.carries(c.Client, req.BrokerID)
	}
	resp := kmsg.NewPtrBrokerHeartbeatResponse()
	resp.ErrorCode = peerCode(err)
	resp.IsFenced, resp.IsCaughtUp, resp.ShouldShutdown = reply.Fenced, reply.CaughtUp, reply.ShouldShutDown
	return wire.Respond(c, resp)
}

func (a *lifeAPI) producerIDs(c *wire.Call) wire.Outcome {
	req := kmsg.NewPtrAllocateProducerIDsRequest()
	if !read(c, req) {
		return malformed()
	}
	cmd := meta.AllocateProducerIDs{Broker: req.BrokerID, BrokerEpoch: req.BrokerEpoch, Count: producerBlock}
	return peerAnswer(c, func(deadline time.Time, done func(controller.Committed)) {
		a.d.Controller.Submit([]meta.Command{cmd}, deadline, done)
	}, func(com controller.Committed) kmsg.Response {
		resp := kmsg.NewPtrAllocateProducerIDsResponse()
		if resp.ErrorCode = peerCode(com.Err); com.Err == nil {
			resp.ProducerIDStart, resp.ProducerIDLen = com.Results[0].FirstID, producerBlock
		}
		return resp
	})
}

func (a *lifeAPI) fault(c *wire.Call) wire.Outcome {
	req := &wire.ReportFaultRequest{}
	if !read(c, req) {
		return malformed()
	}
	cmd := meta.ReportFault{Broker: req.Broker, BrokerEpoch: req.BrokerEpoch, Corrupt: req.Corrupt}
	for _, t := range req.Topics {
		for _, i := range t.Partitions {
			cmd.Partitions = append(cmd.Partitions, step.PartitionID{Topic: t.TopicID, Index: i})
		}
	}
	return peerAnswer(c, func(deadline time.Time, done func(controller.Committed)) {
		a.d.Controller.Submit([]meta.Command{cmd}, deadline, done)
	}, func(com controller.Committed) kmsg.Response {
		return &wire.ReportFaultResponse{ErrorCode: peerCode(com.Err)}
	})
}

// dirs takes a broker's word for the directories that its replicas lie in. A broker
// of an older life is refused as a whole; what is wrong with one directory is the
// error of each partition in it.
func (a *lifeAPI) dirs(c *wire.Call) wire.Outcome {
	req := kmsg.NewPtrAssignReplicasToDirsRequest()
	if !read(c, req) {
		return malformed()
	}
	if len(req.Directories) == 0 {
		return wire.Respond(c, kmsg.NewPtrAssignReplicasToDirsResponse())
	}
	var cmds []meta.Command
	for _, d := range req.Directories {
		cmd := meta.AssignDir{Broker: req.BrokerID, BrokerEpoch: req.BrokerEpoch, Dir: d.ID}
		for _, t := range d.Topics {
			for _, p := range t.Partitions {
				cmd.Partitions = append(cmd.Partitions, step.PartitionID{Topic: t.TopicID, Index: p.Partition})
			}
		}
		cmds = append(cmds, cmd)
	}
	return peerAnswer(c, func(deadline time.Time, done func(controller.Committed)) {
		a.d.Controller.Submit(cmds, deadline, done)
	}, func(com controller.Committed) kmsg.Response {
		resp := kmsg.NewPtrAssignReplicasToDirsResponse()
		if len(com.Results) < len(cmds) || errors.Is(com.Err, meta.ErrStaleBroker) || errors.Is(com.Err, meta.ErrUnknownBroker) {
			resp.ErrorCode = peerCode(com.Err)
			return resp
		}
		for i, d := range req.Directories {
			resp.Directories = append(resp.Directories, dirAnswer(d, peerCode(com.Results[i].Err)))
		}
		return resp
	})
}

func dirAnswer(d kmsg.AssignReplicasToDirsRequestDirectory, code int16) (out kmsg.AssignReplicasToDirsResponseDirectory) {
	out.ID = d.ID
	for _, t := range d.Topics {
		o := kmsg.AssignReplicasToDirsResponseDirectoryTopic{TopicID: t.TopicID}
		for _, p := range t.Partitions {
			o.Partitions = append(o.Partitions, kmsg.AssignReplicasToDirsResponseDirectoryTopicPartition{Partition: p.Partition, ErrorCode: code})
		}
		out.Topics = append(out.Topics, o)
	}
	return out
}

func (a *lifeAPI) member(c *wire.Call) wire.Outcome {
	req := kmsg.NewPtrUpdateRaftVoterRequest()
	if !read(c, req) {
		return malformed()
	}
	err := errors.Join(sameCluster(a.d, req.ClusterID), oneListener(len(req.Listeners)))
	if err != nil {
		resp := kmsg.NewPtrUpdateRaftVoterResponse()
		resp.ErrorCode = peerCode(err)
		return wire.Respond(c, resp)
	}
	l := req.Listeners[0]
	s := controller.Server{Node: req.VoterID, Directory: req.VoterDirectoryID, Address: net.JoinHostPort(l.Host, strconv.Itoa(int(l.Port)))}
	return peerAnswer(c, func(_ time.Time, done func(controller.Committed)) {
		a.d.Controller.AcceptMember(s, func(err error) { done(controller.Committed{Err: err}) })
	}, func(com controller.Committed) kmsg.Response {
		resp := kmsg.NewPtrUpdateRaftVoterResponse()
		resp.ErrorCode = peerCode(com.Err)
		return resp
	})
}

func sameCluster(d Deps, id *string) error {
	if here := d.Catalog.Image().ClusterID(); id != nil && here != "" && *id != here {
		return faultf(kerr.InconsistentClusterID, "this is cluster %s, not %s", here, *id)
	}
	return nil
}

func oneListener(n int) error {
	if n != 1 {
		return faultf(kerr.InvalidRequest, "%d listeners; one is where raft streams are taken", n)
	}
	return nil
}
