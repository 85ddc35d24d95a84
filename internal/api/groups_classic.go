package api

import (
	"errors"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/auth"
	"github.com/brokerd/brokerd/internal/coord"
	"github.com/brokerd/brokerd/internal/group"
	"github.com/brokerd/brokerd/internal/wire"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The classic group protocol: JoinGroup 11, Heartbeat 12, LeaveGroup 13,
// SyncGroup 14, and what operators ask: DescribeGroups 15, ListGroups 16,
// DeleteGroups 42.

func (a *groupsAPI) join(c *wire.Call) wire.Outcome {
	req := kmsg.NewPtrJoinGroupRequest()
	if !read(c, req) {
		return malformed()
	}
	from := group.Client{ID: strings.Clone(c.ClientID), Host: "/" + host(c.Client.Remote)}
	event := group.JoinGroup{Client: from, Req: req, May: a.mayDescribe(c)}
	return a.member(c, req.Group, event, func(code int16) kmsg.Response {
		r := kmsg.NewPtrJoinGroupResponse()
		r.ErrorCode, r.MemberID, r.Generation = code, req.MemberID, -1
		if req.Version < 7 {
			r.Protocol = kmsg.StringPtr("")
		}
		return r
	})
}

func (a *groupsAPI) sync(c *wire.Call) wire.Outcome {
	req := kmsg.NewPtrSyncGroupRequest()
	if !read(c, req) {
		return malformed()
	}
	return a.member(c, req.Group, group.SyncGroup{Req: req}, func(code int16) kmsg.Response {
		r := kmsg.NewPtrSyncGroupResponse()
		r.ErrorCode, r.MemberAssignment = code, []byte{}
		return r
	})
}

func (a *groupsAPI) heartbeat(c *wire.Call) wire.Outcome {
	req := kmsg.NewPtrHeartbeatRequest()
	if !read(c, req) {
		return malformed()
	}
	return a.member(c, req.Group, group.Heartbeat{Req: req}, func(code int16) kmsg.Response {
		r := kmsg.NewPtrHeartbeatResponse()
		r.ErrorCode = code
		return r
	})
}

func (a *groupsAPI) leave(c *wire.Call) wire.Outcome {
	req := kmsg.NewPtrLeaveGroupRequest()
	if !read(c, req) {
		return malformed()
	}
	return a.member(c, req.Group, group.LeaveGroup{Req: req}, func(code int16) kmsg.Response {
		r := kmsg.NewPtrLeaveGroupResponse()
		r.ErrorCode = code
		return r
	})
}

// groupOperations is what can be allowed on a group.
var groupOperations = []auth.Operation{auth.Read, auth.Delete, auth.Describe, auth.DescribeConfigs, auth.AlterConfigs}

func (a *groupsAPI) describe(c *wire.Call) wire.Outcome {
	req := kmsg.NewPtrDescribeGroupsRequest()
	if !read(c, req) {
		return malformed()
	}
	v := look(a.d, c)
	ask := func(i int, done coord.Done) {
		if err := v.allowedGroup(auth.Describe, req.Groups[i]); err != nil {
			done(nil, err, nil)
			return
		}
		a.submit(&v, req.Groups[i], group.DescribeGroup{Version: req.Version, Group: req.Groups[i]}, done)
	}
	return askAll(c, len(req.Groups), ask, func(all []heard) kmsg.Response {
		resp := kmsg.NewPtrDescribeGroupsResponse()
		for i, h := range all {
			g := kmsg.NewDescribeGroupsResponseGroup()
			if h.err != nil {
				g.Group, g.ErrorCode = req.Groups[i], groupCode(h.err)
			} else {
				g = *h.body.(*kmsg.DescribeGroupsResponseGroup)
			}
			if req.IncludeAuthorizedOperations && g.ErrorCode == 0 {
				g.AuthorizedOperations = v.allowed(auth.Resource{Type: auth.Group, Name: g.Group}, groupOperations)
			}
			resp.Groups = append(resp.Groups, g)
		}
		return resp
	})
}

func (a *groupsAPI) list(c *wire.Call) wire.Outcome {
	req := kmsg.NewPtrListGroupsRequest()
	if !read(c, req) {
		return malformed()
	}
	v := look(a.d, c)
	var led []int32
	if a.d.Groups != nil {
		led = a.d.Groups.Led()
	}
	ask := func(i int, done coord.Done) { a.d.Groups.Submit(led[i], group.ListGroups{Req: req}, done) }
	return askAll(c, len(led), ask, v.listed)
}

// listed puts what the coordinators of this broker know together. As in Kafka's,
// an error says that there may be more; what another broker lists is none.
func (v view) listed(all []heard) kmsg.Response {
	resp := kmsg.NewPtrListGroupsResponse()
	resp.Groups = []kmsg.ListGroupsResponseGroup{}
	everything := v.may(auth.Describe, auth.TheCluster)
	for _, h := range all {
		if errors.Is(h.err, coord.ErrNotCoordinator) {
			continue
		}
		if h.err != nil {
			resp.ErrorCode = groupCode(h.err)
			continue
		}
		for _, g := range h.body.(*kmsg.ListGroupsResponse).Groups {
			if everything || v.allowedGroup(auth.Describe, g.Group) == nil {
				resp.Groups = append(resp.Groups, g)
			}
		}
	}
	slices.SortFunc(resp.Groups, func(x, y kmsg.ListGroupsResponseGroup) int { return strings.Compare(x.Group, y.Group) })
	return resp
}

func (a *groupsAPI) delete(c *wire.Call) wire.Outcome {
	req := kmsg.NewPtrDeleteGroupsRequest()
	if !read(c, req) {
		return malformed()
	}
	v := look(a.d, c)
	names := slices.Compact(slices.Sorted(slices.Values(req.Groups)))
	ask := func(i int, done coord.Done) {
		if err := v.allowedGroup(auth.Delete, names[i]); err != nil {
			done(nil, err, nil)
			return
		}
		a.submit(&v, names[i], group.DeleteGroup{Group: names[i]}, done)
	}
	return askAll(c, len(names), ask, func(all []heard) kmsg.Response {
		resp := kmsg.NewPtrDeleteGroupsResponse()
		for i, h := range all {
			g := kmsg.NewDeleteGroupsResponseGroup()
			if h.err != nil {
				g.Group, g.ErrorCode = names[i], groupCode(h.err)
			} else {
				g = *h.body.(*kmsg.DeleteGroupsResponseGroup)
			}
			resp.Groups = append(resp.Groups, g)
		}
		return resp
	})
}
