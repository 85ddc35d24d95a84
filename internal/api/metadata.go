package api

import (
	"time"

	"github.com/brokerd/brokerd/internal/auth"
	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/step"
	"github.com/brokerd/brokerd/internal/wire"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// metadataAPI answers Metadata (3): the brokers of the listener it came in on, and
// topics with their leaders.
type metadataAPI struct {
	d    Deps
	auto *autocreate
}

func newMetadata(d Deps, create func(*wire.Call) wire.Outcome) *metadataAPI {
	return &metadataAPI{d, newAutocreate(create)}
}

func (m *metadataAPI) closed(c *wire.Client) { m.auto.forget(c) }

func (m *metadataAPI) serve(c *wire.Call) wire.Outcome {
	req := kmsg.NewPtrMetadataRequest()
	if !read(c, req) {
		return malformed()
	}
	if c.Version < 4 {
		req.AllowAutoTopicCreation = true
	}
	v := look(m.d, c)
	missing := m.creatable(v, req)
	if len(missing) == 0 {
		return wire.Respond(c, v.metadata(req, nil))
	}
	return m.created(c, v, req, missing)
}

// created waits for the topics that this request brings into being, and answers
// with what is there then.
func (m *metadataAPI) created(c *wire.Call, v view, req *kmsg.MetadataRequest, missing []string) wire.Outcome {
	reply := c.Reply()
	wait := m.auto.begin(c, missing)
	p := later(time.Now().Add(visibleWithin), func(bool) wire.Answer {
		v.im = m.d.Catalog.Image()
		return reply.Answer(v.metadata(req, wait.faults()))
	})
	wait.notify(func() { p.complete(nil) })
	return p
}

// creatable names the topics that do not exist and may come into being now.
func (m *metadataAPI) creatable(v view, req *kmsg.MetadataRequest) (names []string) {
	if !m.d.Conf.AutoCreateTopics || !req.AllowAutoTopicCreation {
		return nil
	}
	seen := make(map[string]bool)
	for _, t := range req.Topics {
		if t.Topic == nil || t.TopicID != [16]byte{} || seen[*t.Topic] {
			continue
		}
		name := *t.Topic
		seen[name] = true
		if _, exists := v.im.TopicNamed(name); exists || topicNameFault(name) != "" || internalTopic(name) {
			continue
		}
		if v.may(auth.Create, auth.TheCluster) || v.may(auth.Create, auth.Resource{Type: auth.Topic, Name: name}) {
			names = append(names, name)
		}
	}
	return names
}

// metadata builds the response; faults are those of topics that could not be
// created.
func (v view) metadata(req *kmsg.MetadataRequest, faults map[string]error) *kmsg.MetadataResponse {
	resp := kmsg.NewPtrMetadataResponse()
	live := v.brokers(resp)
	if id := v.im.ClusterID(); id != "" {
		resp.ClusterID = &id
	}
	if req.IncludeClusterAuthorizedOperations {
		resp.AuthorizedOperations = v.allowed(auth.TheCluster, clusterOperations)
	}
	all := req.Topics == nil || req.Version == 0 && len(req.Topics) == 0
	if all {
		for t := range v.im.Topics() {
			if v.mayTopic(auth.Describe, t.Name) {
				resp.Topics = append(resp.Topics, v.topic(req, t, live))
			}
		}
		return resp
	}
	type key struct {
		name  string
		named bool
		id    step.TopicID
	}
	seen := make(map[key]bool, len(req.Topics))
	resp.Topics = make([]kmsg.MetadataResponseTopic, 0, len(req.Topics))
	for _, rt := range req.Topics {
		k := key{id: rt.TopicID}
		if rt.Topic != nil {
			k.name, k.named = *rt.Topic, true
		}
		if !seen[k] {
			seen[k] = true
			resp.Topics = append(resp.Topics, v.asked(req, rt, live, faults))
		}
	}
	return resp
}

// asked looks up one topic that a request names, by id or by name.
func (v view) asked(req *kmsg.MetadataRequest, rt kmsg.MetadataRequestTopic, live map[int32]bool, faults map[string]error) kmsg.MetadataResponseTopic {
	byID := rt.TopicID != [16]byte{}
	switch {
	case byID && req.Version < 12, !byID && rt.Topic == nil:
		return failedTopic(rt, kerr.InvalidRequest.Code) // 10 and 11 have the field, but not the look-up
	case byID:
		t, ok := v.im.Topic(rt.TopicID)
		if !ok || !v.mayTopic(auth.Describe, t.Name) {
			rt.Topic = nil
			return failedTopic(rt, kerr.UnknownTopicID.Code)
		}
		return v.topic(req, t, live)
	}
	name := *rt.Topic
	if !v.mayTopic(auth.Describe, name) {
		return failedTopic(rt, kerr.TopicAuthorizationFailed.Code)
	}
	if t, ok := v.im.TopicNamed(name); ok {
		return v.topic(req, t, live)
	}
	why := kerr.UnknownTopicOrPartition
	switch err, tried := faults[name]; {
	case topicNameFault(name) != "":
		why = kerr.InvalidTopicException
	case tried && err != nil:
		why = kafkaError(err)
	case tried:
		why = kerr.LeaderNotAvailable // on its way
	}
	t := failedTopic(rt, why.Code)
	if req.IncludeTopicAuthorizedOperations {
		t.AuthorizedOperations = v.allowed(auth.Resource{Type: auth.Topic, Name: name}, topicOperations)
	}
	return t
}

// failedTopic is the answer for a topic that is not there. Before version 12
// the name is not nullable.
func failedTopic(rt kmsg.MetadataRequestTopic, code int16) kmsg.MetadataResponseTopic {
	t := kmsg.NewMetadataResponseTopic()
	t.ErrorCode, t.Topic, t.TopicID = code, rt.Topic, rt.TopicID
	if t.Topic != nil {
		t.IsInternal = internalTopic(*t.Topic)
	}
	return t
}

// topic describes one topic that exists.
func (v view) topic(req *kmsg.MetadataRequest, t *meta.Topic, live map[int32]bool) kmsg.MetadataResponseTopic {
	out := kmsg.NewMetadataResponseTopic()
	out.Topic, out.TopicID, out.IsInternal = &t.Name, t.ID, t.Internal
	if req.IncludeTopicAuthorizedOperations {
		out.AuthorizedOperations = v.allowed(auth.Resource{Type: auth.Topic, Name: t.Name}, topicOperations)
	}
	out.Partitions = make([]kmsg.MetadataResponseTopicPartition, t.Partitions())
	for i := range out.Partitions {
		p, _ := t.Partition(int32(i))
		o := &out.Partitions[i]
		o.Partition, o.Leader, o.LeaderEpoch = int32(i), p.Leader, p.LeaderEpoch
		o.Replicas, o.ISR, o.OfflineReplicas = p.Replicas, inSync(&p), offline(p.Replicas, live)
		o.ErrorCode = leaderCode(p.Leader, live, req.Version)
		if o.ErrorCode != 0 {
			o.Leader = -1
		}
	}
	return out
}

// leaderCode is what a client hears of a leader: a broker that it can reach on
// its own listener, or none.
func leaderCode(leader int32, live map[int32]bool, version int16) int16 {
	switch {
	case leader < 0:
		return kerr.LeaderNotAvailable.Code
	case live[leader]:
		return 0
	case version >= 6:
		return kerr.ListenerNotFound.Code
	}
	return kerr.LeaderNotAvailable.Code
}

// inSync is the ISR. Nearly always it is all replicas, whose list is there already.
func inSync(p *meta.Partition) []int32 {
	if p.ISRSize() == len(p.Replicas) {
		return p.Replicas
	}
	return p.ISR()
}

// offline lists the replicas whose broker is not there.
func offline(replicas []int32, live map[int32]bool) (gone []int32) {
	for _, r := range replicas {
		if !live[r] {
			gone = append(gone, r)
		}
	}
	return gone
}
