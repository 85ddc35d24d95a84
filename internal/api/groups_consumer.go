package api

import (
	"strings"

	"github.com/brokerd/brokerd/internal/auth"
	"github.com/brokerd/brokerd/internal/coord"
	"github.com/brokerd/brokerd/internal/group"
	"github.com/brokerd/brokerd/internal/wire"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Groups whose members the coordinator assigns (KIP-848): ConsumerGroupHeartbeat
// 68, ConsumerGroupDescribe 69.

// beat, v0–1: v1 regular expressions, and member ids that clients make.
func (a *groupsAPI) beat(c *wire.Call) wire.Outcome {
	req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	if !read(c, req) {
		return malformed()
	}
	v := look(a.d, c)
	failed := func(err error) kmsg.Response {
		r := kmsg.NewPtrConsumerGroupHeartbeatResponse()
		r.ErrorCode = groupCode(err)
		return r
	}
	if err := v.allowedGroup(auth.Read, req.Group); err != nil {
		return wire.Respond(c, failed(err))
	}
	for _, t := range req.SubscribedTopicNames {
		if !v.mayTopic(auth.Describe, t) {
			return wire.Respond(c, failed(kerr.TopicAuthorizationFailed))
		}
	}
	event := group.ConsumerGroupHeartbeat{
		Client: group.Client{ID: strings.Clone(c.ClientID), Host: "/" + host(c.Client.Remote)}, Req: req, May: a.mayDescribe(c),
	}
	return a.send(&v, c, req.Group, event, func(h heard) kmsg.Response {
		if h.err != nil {
			return failed(h.err)
		}
		return h.body.(*kmsg.ConsumerGroupHeartbeatResponse)
	})
}

// mayDescribe tells which topics a client may know of; nil: all of them.
func (a *groupsAPI) mayDescribe(c *wire.Call) func(topic string) bool {
	if !a.d.Auth.Enabled() {
		return nil
	}
	v := look(a.d, c)
	return func(topic string) bool { return v.mayTopic(auth.Describe, topic) }
}

// describeConsumers, v0–1: v1 what kind of member each is.
func (a *groupsAPI) describeConsumers(c *wire.Call) wire.Outcome {
	req := kmsg.NewPtrConsumerGroupDescribeRequest()
	if !read(c, req) {
		return malformed()
	}
	v := look(a.d, c)
	ask := func(i int, done coord.Done) {
		if err := v.allowedGroup(auth.Describe, req.Groups[i]); err != nil {
			done(nil, err, nil)
			return
		}
		a.submit(&v, req.Groups[i], group.ConsumerGroupDescribe{Group: req.Groups[i]}, done)
	}
	return askAll(c, len(req.Groups), ask, func(all []heard) kmsg.Response {
		resp := kmsg.NewPtrConsumerGroupDescribeResponse()
		resp.Groups = []kmsg.ConsumerGroupDescribeResponseGroup{}
		for i, h := range all {
			g := kmsg.NewConsumerGroupDescribeResponseGroup()
			if h.err != nil {
				g.Group, g.ErrorCode = req.Groups[i], groupCode(h.err)
			} else {
				g = *h.body.(*kmsg.ConsumerGroupDescribeResponseGroup)
				v.hideTopics(&g)
			}
			if req.IncludeAuthorizedOperations && g.ErrorCode == 0 {
				g.AuthorizedOperations = v.allowed(auth.Resource{Type: auth.Group, Name: g.Group}, groupOperations)
			}
			resp.Groups = append(resp.Groups, g)
		}
		return resp
	})
}

// hideTopics keeps a group from a client that may not describe all of its topics.
func (v view) hideTopics(g *kmsg.ConsumerGroupDescribeResponseGroup) {
	if !v.d.Auth.Enabled() {
		return
	}
	for _, m := range g.Members {
		topics := m.SubscribedTopics
		for _, a := range []kmsg.Assignment{m.Assignment, m.TargetAssignment} {
			for _, t := range a.TopicPartitions {
				topics = append(topics, t.Topic)
			}
		}
		for _, t := range topics {
			if !v.mayTopic(auth.Describe, t) {
				g.ErrorCode = kerr.TopicAuthorizationFailed.Code
				g.ErrorMessage = kmsg.StringPtr("The group has described topic(s) that the client is not authorized to describe.")
				g.Members = []kmsg.ConsumerGroupDescribeResponseGroupMember{}
				return
			}
		}
	}
}
