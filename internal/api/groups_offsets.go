package api

import (
	"github.com/brokerd/brokerd/internal/auth"
	"github.com/brokerd/brokerd/internal/coord"
	"github.com/brokerd/brokerd/internal/group"
	"github.com/brokerd/brokerd/internal/wire"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The offsets of groups: OffsetCommit 8, OffsetFetch 9, OffsetDelete 47.

// commit, v0–10: v1 generation and member; v2 retention (until v4); v6 leader
// epoch; v7 instance id; v8 flexible; v10 topic ids.
func (a *groupsAPI) commit(c *wire.Call) wire.Outcome {
	req := kmsg.NewPtrOffsetCommitRequest()
	if !read(c, req) {
		return malformed()
	}
	v := look(a.d, c)
	if req.Version < 1 {
		req.Generation = -1
	}
	all := req.Topics
	failed := func(err error) kmsg.Response { return commitAnswer(req.Version, all, groupCode(err)) }
	if err := v.allowedGroup(auth.Read, req.Group); err != nil {
		return wire.Respond(c, failed(err))
	}
	var denied []kmsg.OffsetCommitRequestTopic
	req.Topics = nil
	for _, t := range all {
		if v.mayReadTopic(t.Topic, t.TopicID) {
			req.Topics = append(req.Topics, t)
		} else {
			denied = append(denied, t)
		}
	}
	return a.send(&v, c, req.Group, group.OffsetCommit{Req: req}, func(h heard) kmsg.Response {
		if h.err != nil {
			return failed(h.err)
		}
		resp := h.body.(*kmsg.OffsetCommitResponse)
		if len(denied) > 0 {
			no := commitAnswer(req.Version, denied, kerr.TopicAuthorizationFailed.Code)
			resp.Topics = append(resp.Topics, no.Topics...)
		}
		return resp
	})
}

// mayReadTopic asks for a topic by name, or by id where the version has ids.
func (v view) mayReadTopic(name string, id [16]byte) bool {
	if id != ([16]byte{}) {
		t, ok := v.im.Topic(id)
		if !ok {
			return true // the machine says that there is none
		}
		name = t.Name
	}
	return v.mayTopic(auth.Read, name)
}

func commitAnswer(version int16, topics []kmsg.OffsetCommitRequestTopic, code int16) *kmsg.OffsetCommitResponse {
	resp := kmsg.NewPtrOffsetCommitResponse()
	resp.Version = version
	for _, t := range topics {
		out := kmsg.NewOffsetCommitResponseTopic()
		out.Topic, out.TopicID = t.Topic, t.TopicID
		for _, p := range t.Partitions {
			o := kmsg.NewOffsetCommitResponseTopicPartition()
			o.Partition, o.ErrorCode = p.Partition, code
			out.Partitions = append(out.Partitions, o)
		}
		resp.Topics = append(resp.Topics, out)
	}
	return resp
}

// fetch, v0–10: v2 all topics and an error for the group; v5 leader epoch; v6
// flexible; v7 require stable; v8 several groups; v9 member and epoch; v10 topic ids.
func (a *groupsAPI) fetch(c *wire.Call) wire.Outcome {
	req := kmsg.NewPtrOffsetFetchRequest()
	if !read(c, req) {
		return malformed()
	}
	v := look(a.d, c)
	groups := req.Groups
	if req.Version < 8 {
		groups = []kmsg.OffsetFetchRequestGroup{oldFetch(req)}
	}
	ask := func(i int, done coord.Done) {
		g := groups[i]
		if err := v.allowedGroup(auth.Describe, g.Group); err != nil {
			done(nil, err, nil)
			return
		}
		a.submit(&v, g.Group, group.OffsetFetch{Version: req.Version, Group: g, RequireStable: req.RequireStable}, done)
	}
	return askAll(c, len(groups), ask, func(all []heard) kmsg.Response {
		resp := kmsg.NewPtrOffsetFetchResponse()
		for i, h := range all {
			if h.err != nil {
				resp.Groups = append(resp.Groups, fetchFailed(groups[i], groupCode(h.err)))
				continue
			}
			resp.Groups = append(resp.Groups, v.shown(*h.body.(*kmsg.OffsetFetchResponseGroup), groups[i].Topics == nil))
		}
		if req.Version < 8 {
			oldAnswer(req, resp)
		}
		return resp
	})
}

// oldFetch puts a request for one group into the form of several.
func oldFetch(req *kmsg.OffsetFetchRequest) kmsg.OffsetFetchRequestGroup {
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = req.Group
	if req.Topics == nil && req.Version >= 2 {
		return g // all of them
	}
	g.Topics = []kmsg.OffsetFetchRequestGroupTopic{}
	for _, t := range req.Topics {
		to := kmsg.NewOffsetFetchRequestGroupTopic()
		to.Topic, to.Partitions = t.Topic, t.Partitions
		g.Topics = append(g.Topics, to)
	}
	return g
}

// shown keeps from a client the topics that it may not describe.
func (v view) shown(g kmsg.OffsetFetchResponseGroup, everything bool) kmsg.OffsetFetchResponseGroup {
	if !v.d.Auth.Enabled() {
		return g
	}
	topics := g.Topics
	g.Topics = nil
	for _, t := range topics {
		name := t.Topic
		if it, ok := v.im.Topic(t.TopicID); ok {
			name = it.Name
		}
		switch {
		case v.mayTopic(auth.Describe, name):
		case everything:
			continue
		default:
			for i := range t.Partitions {
				p := &t.Partitions[i]
				p.Offset, p.LeaderEpoch, p.Metadata, p.ErrorCode = -1, -1, kmsg.StringPtr(""), kerr.TopicAuthorizationFailed.Code
			}
		}
		g.Topics = append(g.Topics, t)
	}
	return g
}

func fetchFailed(q kmsg.OffsetFetchRequestGroup, code int16) kmsg.OffsetFetchResponseGroup {
	g := kmsg.NewOffsetFetchResponseGroup()
	g.Group, g.ErrorCode = q.Group, code
	for _, t := range q.Topics { // versions 0 and 1 have no other place for it
		to := kmsg.NewOffsetFetchResponseGroupTopic()
		to.Topic, to.TopicID = t.Topic, t.TopicID
		for _, p := range t.Partitions {
			o := kmsg.NewOffsetFetchResponseGroupTopicPartition()
			o.Partition, o.Offset, o.LeaderEpoch, o.Metadata, o.ErrorCode = p, -1, -1, kmsg.StringPtr(""), code
			to.Partitions = append(to.Partitions, o)
		}
		g.Topics = append(g.Topics, to)
	}
	return g
}

// oldAnswer puts the answer for one group where versions below 8 have it.
func oldAnswer(req *kmsg.OffsetFetchRequest, resp *kmsg.OffsetFetchResponse) {
	g := resp.Groups[0]
	resp.Groups, resp.ErrorCode, resp.Topics = nil, g.ErrorCode, []kmsg.OffsetFetchResponseTopic{}
	if req.Version >= 2 && g.ErrorCode != 0 {
		return
	}
	for _, t := range g.Topics {
		to := kmsg.NewOffsetFetchResponseTopic()
		to.Topic = t.Topic
		for _, p := range t.Partitions {
			o := kmsg.NewOffsetFetchResponseTopicPartition()
			o.Partition, o.Offset, o.LeaderEpoch, o.Metadata, o.ErrorCode = p.Partition, p.Offset, p.LeaderEpoch, p.Metadata, p.ErrorCode
			to.Partitions = append(to.Partitions, o)
		}
		resp.Topics = append(resp.Topics, to)
	}
}

func (a *groupsAPI) deleteOffsets(c *wire.Call) wire.Outcome {
	req := kmsg.NewPtrOffsetDeleteRequest()
	if !read(c, req) {
		return malformed()
	}
	v := look(a.d, c)
	failed := func(err error) kmsg.Response {
		r := kmsg.NewPtrOffsetDeleteResponse()
		r.ErrorCode = groupCode(err)
		return r
	}
	if err := v.allowedGroup(auth.Delete, req.Group); err != nil {
		return wire.Respond(c, failed(err))
	}
	var denied []kmsg.OffsetDeleteResponseTopic
	topics := req.Topics
	req.Topics = nil
	for _, t := range topics {
		if v.mayTopic(auth.Read, t.Topic) {
			req.Topics = append(req.Topics, t)
			continue
		}
		no := kmsg.NewOffsetDeleteResponseTopic()
		no.Topic = t.Topic
		for _, p := range t.Partitions {
			o := kmsg.NewOffsetDeleteResponseTopicPartition()
			o.Partition, o.ErrorCode = p.Partition, kerr.TopicAuthorizationFailed.Code
			no.Partitions = append(no.Partitions, o)
		}
		denied = append(denied, no)
	}
	return a.send(&v, c, req.Group, group.OffsetDelete{Req: req}, func(h heard) kmsg.Response {
		if h.err != nil {
			return failed(h.err)
		}
		resp := h.body.(*kmsg.OffsetDeleteResponse)
		resp.Topics = append(resp.Topics, denied...)
		return resp
	})
}
