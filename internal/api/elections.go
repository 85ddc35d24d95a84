package api

import (
	"errors"

	"github.com/brokerd/brokerd/internal/auth"
	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/step"
	"github.com/brokerd/brokerd/internal/wire"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The types of ElectLeaders (43). Version 0 knows the first only.
const (
	preferredElection = 0
	uncleanElection   = 1
)

// election is one partition of an ElectLeaders request on its way.
type election struct {
	topic string
	index int32
	id    step.TopicID
	err   error
	at    int
}

// elect gives leads to preferred replicas or, where nobody leads, to whoever is
// there. Topics null asks for every partition that needs it.
func (a *clusterAPI) elect(c *wire.Call) wire.Outcome {
	req := kmsg.NewPtrElectLeadersRequest()
	if !read(c, req) {
		return malformed()
	}
	v := look(a.d, c)
	unclean := req.ElectionType == uncleanElection
	list, err := v.planElections(req)
	var cmds []meta.Command
	for i := range list {
		if e := &list[i]; e.err == nil {
			e.at = len(cmds)
			cmds = append(cmds, meta.ElectLeader{Topic: e.id, Partition: e.index, Unclean: unclean})
		}
	}
	return propose(a.d, c, cmds, timeout(req.TimeoutMillis), func(verdict verdict) kmsg.Response {
		for i := range list {
			if e := &list[i]; e.err == nil {
				e.err = electionFault(verdict.of(e.at), unclean)
			}
		}
		return elected(req, list, err)
	})
}

// planElections finds the partitions that a request means. err is of the whole
// request, for every partition of it.
func (v view) planElections(req *kmsg.ElectLeadersRequest) (list []election, err error) {
	switch {
	case !v.may(auth.Alter, auth.TheCluster):
		err = faultf(kerr.ClusterAuthorizationFailed, "Cluster authorization failed.")
	case req.ElectionType != preferredElection && req.ElectionType != uncleanElection:
		err = faultf(kerr.InvalidRequest, "election type %d does not exist: 0 elects preferred replicas, 1 elects uncleanly", req.ElectionType)
	case req.Topics == nil:
		return v.needElection(req.ElectionType == uncleanElection), nil
	}
	for i := range req.Topics {
		rt := &req.Topics[i]
		t, ok := v.im.TopicNamed(rt.Topic)
		for _, p := range rt.Partitions {
			e := election{topic: rt.Topic, index: p, err: err}
			switch {
			case err != nil:
			case !ok:
				e.err = faultf(kerr.UnknownTopicOrPartition, "No such topic as %s", printable(rt.Topic))
			default:
				e.id = t.ID // the command checks the index
			}
			list = append(list, e)
		}
	}
	return list, err
}

// needElection lists the partitions that another leader may be elected for.
func (v view) needElection(unclean bool) (list []election) {
	for t := range v.im.Topics() {
		for i := range t.Partitions() {
			p, _ := t.Partition(i)
			if p.Leader < 0 || !unclean && p.Leader != p.Replicas[0] {
				list = append(list, election{topic: t.Name, index: i, id: t.ID})
			}
		}
	}
	return list
}

// electionFault: who asks for preferred replicas hears of those.
func electionFault(err error, unclean bool) error {
	if !unclean && errors.Is(err, meta.ErrNoEligibleLeader) {
		return faultf(kerr.PreferredLeaderNotAvailable, "The preferred leader was not available.")
	}
	return err
}

// elected answers an ElectLeaders request. Version 0 has no error of the whole.
func elected(req *kmsg.ElectLeadersRequest, list []election, err error) kmsg.Response {
	resp := kmsg.NewPtrElectLeadersResponse()
	resp.ErrorCode = code(err)
	for i := range list {
		e := &list[i]
		if req.Topics == nil && code(e.err) == kerr.ElectionNotNeeded.Code {
			continue // somebody else was faster, and nobody named it
		}
		if n := len(resp.Topics); n == 0 || resp.Topics[n-1].Topic != e.topic {
			resp.Topics = append(resp.Topics, kmsg.ElectLeadersResponseTopic{Topic: e.topic})
		}
		o := kmsg.ElectLeadersResponseTopicPartition{Partition: e.index}
		o.ErrorCode, o.ErrorMessage = codeText(e.err)
		t := &resp.Topics[len(resp.Topics)-1]
		t.Partitions = append(t.Partitions, o)
	}
	return resp
}
