package api

import (
	"github.com/brokerd/brokerd/internal/auth"
	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/wire"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// deletion is one topic of a DeleteTopics request on its way. It goes from the
// image at once; its files follow after file.delete.delay.ms.
type deletion struct {
	out kmsg.DeleteTopicsResponseTopic
	err error
	at  int
}

func (t *topicsAPI) delete(c *wire.Call) wire.Outcome {
	req := kmsg.NewPtrDeleteTopicsRequest()
	if !read(c, req) {
		return malformed()
	}
	list := look(t.d, c).planDeletions(req)
	var cmds []meta.Command
	for i := range list {
		if list[i].err == nil {
			list[i].at = len(cmds)
			cmds = append(cmds, meta.DeleteTopic{ID: list[i].out.TopicID})
		}
	}
	return propose(t.d, c, cmds, timeout(req.TimeoutMillis), func(verdict verdict) kmsg.Response {
		resp := kmsg.NewPtrDeleteTopicsResponse()
		for i := range list {
			o, err := list[i].out, list[i].err
			if err == nil {
				err = verdict.of(list[i].at)
			}
			o.ErrorCode, o.ErrorMessage = codeText(err)
			resp.Topics = append(resp.Topics, o)
		}
		return resp
	})
}

// planDeletions finds each topic that a request names, by name or by id.
func (v view) planDeletions(req *kmsg.DeleteTopicsRequest) []deletion {
	asked := req.Topics
	for i := range req.TopicNames {
		asked = append(asked, kmsg.DeleteTopicsRequestTopic{Topic: &req.TopicNames[i]})
	}
	list := make([]deletion, len(asked))
	count := make(map[[16]byte]int, len(asked))
	for i, rt := range asked {
		list[i] = v.planDeletion(rt, req.Version)
		if list[i].err == nil {
			count[list[i].out.TopicID]++
		}
	}
	for i := range list {
		if d := &list[i]; d.err == nil && count[d.out.TopicID] > 1 {
			d.err = errDuplicateTopic
		}
	}
	return list
}

func (v view) planDeletion(rt kmsg.DeleteTopicsRequestTopic, version int16) deletion {
	d := deletion{out: kmsg.DeleteTopicsResponseTopic{Topic: rt.Topic, TopicID: rt.TopicID}}
	t, err := v.findTopic(rt)
	switch {
	case !v.d.Conf.DeleteTopicEnable && version < 3:
		d.err = faultf(kerr.InvalidRequest, "Topic deletion is disabled.")
	case !v.d.Conf.DeleteTopicEnable:
		d.err = faultf(kerr.TopicDeletionDisabled, "Topic deletion is disabled: set delete.topic.enable=true on the brokers to allow it.")
	case err != nil:
		d.err = err
	case !v.mayTopic(auth.Delete, t.Name):
		d.err = faultf(kerr.TopicAuthorizationFailed, "Authorization failed.")
	default:
		d.out.TopicID, d.out.Topic = t.ID, &t.Name
		d.err = mayAlterTopic(t.Name)
	}
	return d
}

// findTopic looks a topic up by name or by id. Who may not see it hears of it
// what he would hear if it were not there.
func (v view) findTopic(rt kmsg.DeleteTopicsRequestTopic) (*meta.Topic, error) {
	byID := rt.TopicID != [16]byte{}
	switch {
	case byID && rt.Topic != nil:
		return nil, faultf(kerr.InvalidRequest, "You may not specify both topic name and topic id.")
	case !byID && rt.Topic == nil:
		return nil, faultf(kerr.InvalidRequest, "Neither topic name nor id were specified.")
	case byID:
		t, ok := v.im.Topic(rt.TopicID)
		if !ok || !v.mayTopic(auth.Describe, t.Name) {
			return nil, faultf(kerr.UnknownTopicID, "This server does not host this topic ID.")
		}
		return t, nil
	case !v.mayTopic(auth.Describe, *rt.Topic):
		return nil, faultf(kerr.TopicAuthorizationFailed, "Authorization failed.")
	}
	t, ok := v.im.TopicNamed(*rt.Topic)
	if !ok {
		return nil, faultf(kerr.UnknownTopicOrPartition, "This server does not host this topic-partition.")
	}
	return t, nil
}
