package group

import (
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// describe takes a DescribeGroups of one group.
func (t *turn) describe(e DescribeGroup) {
	r := kmsg.NewDescribeGroupsResponseGroup()
	r.Group, r.State = e.Group, "Dead"
	g := t.groups[e.Group]
	switch {
	case g != nil && g.consumer != nil:
		why := fmt.Sprintf("Group %s is not a classic group.", e.Group)
		if r.ErrorMessage = &why; e.Version >= 6 {
			r.ErrorCode = codeGroupNotFound
		}
	case g != nil:
		g.classic.describe(&r)
	case e.Version >= 6:
		r.ErrorCode, r.ErrorMessage = codeGroupNotFound, notFound(e.Group)
	}
	t.answer(e.Group, &r)
}

func notFound(group string) *string {
	s := fmt.Sprintf("Group %s not found.", group)
	return &s
}

func (c *classic) describe(r *kmsg.DescribeGroupsResponseGroup) {
	r.State, r.ProtocolType = c.state.String(), c.kind
	r.Members = []kmsg.DescribeGroupsResponseGroupMember{}
	if c.state == stable {
		r.Protocol = text(c.protocol)
	}
	for _, m := range c.members {
		d := kmsg.NewDescribeGroupsResponseGroupMember()
		d.MemberID, d.InstanceID, d.ClientID, d.ClientHost = m.id, m.instance, m.client.ID, m.client.Host
		d.MemberAssignment = m.assigned
		if c.state == stable {
			d.ProtocolMetadata = m.metadata(c.protocol)
		}
		r.Members = append(r.Members, d)
	}
}

// list takes a ListGroups.
func (t *turn) list(r *kmsg.ListGroupsRequest) {
	resp := kmsg.NewPtrListGroupsResponse()
	resp.Version, resp.Groups = r.Version, []kmsg.ListGroupsResponseGroup{}
	states, types := folded(r.StatesFilter), folded(r.TypesFilter)
	for _, id := range sorted(t.groups) {
		c := &t.groups[id].classic
		listed := kmsg.NewListGroupsResponseGroup()
		listed.Group, listed.ProtocolType = id, c.kind
		listed.GroupState, listed.GroupType = c.state.String(), "classic"
		if n := t.groups[id].consumer; n != nil {
			listed.ProtocolType, listed.GroupState, listed.GroupType = consumerProtocol, n.stateName(), "consumer"
		}
		if wanted(states, listed.GroupState) && wanted(types, listed.GroupType) {
			resp.Groups = append(resp.Groups, listed)
		}
	}
	t.answer("", resp)
}

func folded(filter []string) []string {
	all := make([]string, len(filter))
	for i, s := range filter {
		all[i] = strings.ToLower(strings.TrimSpace(s))
	}
	return all
}

func wanted(filter []string, s string) bool {
	return len(filter) == 0 || slices.Contains(filter, strings.ToLower(s))
}

// deleteGroup takes a DeleteGroups of one group. Only an empty one goes, with
// its offsets, those staged in open transactions included.
func (t *turn) deleteGroup(id string) {
	r := kmsg.NewDeleteGroupsResponseGroup()
	r.Group = id
	g := t.groups[id]
	switch {
	case g == nil:
		r.ErrorCode, r.ErrorMessage = codeGroupNotFound, notFound(id)
	case g.used():
		message := "The group is not empty."
		r.ErrorCode, r.ErrorMessage = codeNonEmptyGroup, &message
	default:
		all := map[partition]bool{}
		for _, p := range sortedPartitions(g.offsets) {
			all[p] = true
		}
		for _, producer := range sorted(g.staged) {
			for _, p := range sortedPartitions(g.staged[producer]) {
				all[p] = true
			}
		}
		for _, p := range sortedPartitions(all) {
			t.append(g, offsetTombstone(id, p, t.in.UnixMs))
		}
		t.end(g)
	}
	t.answer(id, &r)
}

// used tells whether a group has members.
func (g *group) used() bool {
	return g.classic.state != empty || g.consumer != nil && len(g.consumer.members) > 0
}

// end writes the end of a group's metadata and forgets who was to join.
func (t *turn) end(g *group) {
	if g.consumer != nil {
		t.endConsumer(g)
	}
	for _, id := range sorted(g.classic.pending) {
		t.timer(timerKey(keySession, g.id, id), 0)
	}
	g.classic = classic{}
	if g.meta != nil {
		t.append(g, groupTombstone(g.id, t.in.UnixMs))
	}
}
