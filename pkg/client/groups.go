package client

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// GroupInfo is one group in a list.
type GroupInfo struct {
	Name        string `json:"name"`
	Type        string `json:"type"`     // Classic, Consumer, Share or Streams; "" from an old broker
	Protocol    string `json:"protocol"` // consumer, connect …; "" of a group that only commits
	State       string `json:"state"`    // "" from an old broker
	Coordinator int32  `json:"coordinator"`
}

// Group is everything that its coordinator says of a group.
type Group struct {
	Name        string        `json:"name"`
	Type        string        `json:"type"` // Classic or Consumer
	Protocol    string        `json:"protocol"`
	State       string        `json:"state"`
	Assignor    string        `json:"assignor"`
	Epoch       *int32        `json:"epoch,omitempty"`       // of consumer groups
	TargetEpoch *int32        `json:"targetEpoch,omitempty"` // of their assignment
	Coordinator Broker        `json:"coordinator"`
	Members     []GroupMember `json:"members"`
	Err         error         `json:"-"` // an *Error: the group could not be described
}

// GroupMember is one member of a group.
type GroupMember struct {
	ID         string      `json:"id"`
	InstanceID string      `json:"instanceId,omitempty"`
	ClientID   string      `json:"clientId"`
	Host       string      `json:"host"`
	Rack       string      `json:"rack,omitempty"`
	Assigned   []Partition `json:"assigned"` // by topic and number
	// Of consumer groups only: what it is to have, and how far it is there.
	Epoch    *int32      `json:"epoch,omitempty"`
	Target   []Partition `json:"target,omitempty"`
	Upgraded *bool       `json:"upgraded,omitempty"` // it speaks the protocol of consumer groups
}

// Groups lists the groups of the cluster by name, only those of the given types
// and states if there are any, in Kafka's spelling.
func (a *Admin) Groups(ctx context.Context, types, states []string) ([]GroupInfo, error) {
	const doing = "list groups"
	req := kmsg.NewPtrListGroupsRequest()
	req.StatesFilter, req.TypesFilter = states, types
	out := []GroupInfo{}
	for _, shard := range a.c.raw.RequestSharded(ctx, req) {
		if shard.Err != nil {
			return nil, a.c.explain(doing, "", shard.Err)
		}
		resp := shard.Resp.(*kmsg.ListGroupsResponse)
		if err := answer(doing, "", resp.ErrorCode, nil); err != nil {
			return nil, err
		}
		for _, g := range resp.Groups {
			info := GroupInfo{Name: g.Group, Type: titled(g.GroupType), Protocol: g.ProtocolType, State: g.GroupState, Coordinator: shard.Meta.NodeID}
			if wants(types, info.Type) && wants(states, info.State) { // an old broker does not filter
				out = append(out, info)
			}
		}
	}
	slices.SortFunc(out, func(a, b GroupInfo) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

func wants(filter []string, what string) bool {
	return len(filter) == 0 || slices.ContainsFunc(filter, func(f string) bool { return strings.EqualFold(f, what) })
}

// titled is a type of group as Kafka's tools write it.
func titled(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + strings.ToLower(s[1:])
}

// DescribeGroups describes groups, in the order of names. What could not be
// described has its Err: ErrUnknownGroup, if there is no such group.
func (a *Admin) DescribeGroups(ctx context.Context, names ...string) ([]Group, error) {
	if err := a.coordinated(ctx, names...); err != nil {
		return nil, err
	}
	found := map[string]Group{}
	classic, err := a.describeConsumer(ctx, names, found)
	if err == nil && len(classic) > 0 {
		err = a.describeClassic(ctx, classic, found)
	}
	if err != nil {
		return nil, err
	}
	out := make([]Group, len(names))
	for i, n := range names {
		g, ok := found[n]
		if !ok {
			g = Group{Name: n, Err: &Error{Doing: "describe group", Name: n, Code: kerr.UnknownServerError, Message: "the answer does not hold the group"}}
		}
		out[i] = g
	}
	return out, nil
}

// describeConsumer asks for groups as consumer groups (KIP-848), and names
// those that are none.
func (a *Admin) describeConsumer(ctx context.Context, names []string, found map[string]Group) ([]string, error) {
	const doing = "describe group"
	req := kmsg.NewPtrConsumerGroupDescribeRequest()
	req.Groups = slices.Compact(slices.Sorted(slices.Values(names)))
	var classic []string
	for _, shard := range a.c.raw.RequestSharded(ctx, req) {
		if unsupported(shard.Err) {
			classic = append(classic, shard.Req.(*kmsg.ConsumerGroupDescribeRequest).Groups...)
			continue
		}
		if shard.Err != nil {
			if err := a.undescribed(shard.Req.(*kmsg.ConsumerGroupDescribeRequest).Groups, shard.Err, found); err != nil {
				return nil, err
			}
			continue
		}
		for _, g := range shard.Resp.(*kmsg.ConsumerGroupDescribeResponse).Groups {
			failed := answer(doing, g.Group, g.ErrorCode, g.ErrorMessage)
			if errors.Is(failed, ErrUnknownGroup) || unsupported(failed) {
				classic = append(classic, g.Group)
				continue
			}
			found[g.Group] = Group{Name: g.Group, Type: "Consumer", Protocol: "consumer", State: g.State, Assignor: g.AssignorName, Err: failed,
				Epoch: &g.Epoch, TargetEpoch: &g.AssignmentEpoch, Members: consumerMembers(g.Members),
				Coordinator: Broker{ID: shard.Meta.NodeID, Host: shard.Meta.Host, Port: shard.Meta.Port}}
		}
	}
	return classic, nil
}

// undescribed gives groups the error that their request was answered with: their
// coordinator may be away, and the others' not. An error that is no answer is returned.
func (a *Admin) undescribed(names []string, why error, found map[string]Group) error {
	for _, n := range names {
		err := a.c.explain("describe group", n, why)
		var answered *Error
		if !errors.As(err, &answered) {
			return err
		}
		found[n] = Group{Name: n, Members: []GroupMember{}, Err: err}
	}
	return nil
}

func consumerMembers(list []kmsg.ConsumerGroupDescribeResponseGroupMember) []GroupMember {
	out := make([]GroupMember, len(list))
	for i, m := range list {
		epoch := m.MemberEpoch
		out[i] = GroupMember{ID: m.MemberID, InstanceID: deref(m.InstanceID), ClientID: m.ClientID, Host: m.ClientHost, Rack: deref(m.RackID),
			Epoch: &epoch, Assigned: assignment(m.Assignment), Target: assignment(m.TargetAssignment)}
		if m.MemberType >= 0 {
			upgraded := m.MemberType == 1
			out[i].Upgraded = &upgraded
		}
	}
	return out
}

func assignment(a kmsg.Assignment) []Partition {
	out := []Partition{}
	for _, t := range a.TopicPartitions {
		for _, p := range t.Partitions {
			out = append(out, Partition{t.Topic, p})
		}
	}
	slices.SortFunc(out, ComparePartitions)
	return out
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func (a *Admin) describeClassic(ctx context.Context, names []string, found map[string]Group) error {
	const doing = "describe group"
	req := kmsg.NewPtrDescribeGroupsRequest()
	req.Groups = names
	for _, shard := range a.c.raw.RequestSharded(ctx, req) {
		if shard.Err != nil {
			if err := a.undescribed(shard.Req.(*kmsg.DescribeGroupsRequest).Groups, shard.Err, found); err != nil {
				return err
			}
			continue
		}
		for _, g := range shard.Resp.(*kmsg.DescribeGroupsResponse).Groups {
			out := Group{Name: g.Group, Type: "Classic", Protocol: g.ProtocolType, State: g.State, Assignor: g.Protocol,
				Err: answer(doing, g.Group, g.ErrorCode, g.ErrorMessage), Members: make([]GroupMember, len(g.Members)),
				Coordinator: Broker{ID: shard.Meta.NodeID, Host: shard.Meta.Host, Port: shard.Meta.Port}}
			if out.Err == nil && g.State == "Dead" { // before version 6 there was no error for it
				out.Err = &Error{Doing: doing, Name: g.Group, Code: ErrUnknownGroup, Message: "Group " + g.Group + " not found."}
			}
			for i, m := range g.Members {
				out.Members[i] = GroupMember{ID: m.MemberID, InstanceID: deref(m.InstanceID), ClientID: m.ClientID, Host: m.ClientHost,
					Assigned: classicAssignment(g.ProtocolType, m.MemberAssignment)}
			}
			found[g.Group] = out
		}
	}
	return nil
}

// classicAssignment reads what the leader of a classic group assigned; none of
// another protocol than consumers'.
func classicAssignment(protocol string, raw []byte) []Partition {
	out := []Partition{}
	var read kmsg.ConsumerMemberAssignment
	if protocol != "consumer" || read.ReadFrom(raw) != nil {
		return out
	}
	for _, t := range read.Topics {
		for _, p := range t.Partitions {
			out = append(out, Partition{t.Topic, p})
		}
	}
	slices.SortFunc(out, ComparePartitions)
	return out
}

// PartitionLag is how far a group is in one partition.
type PartitionLag struct {
	Partition
	Committed   int64        `json:"committed"`   // -1: nothing yet
	LeaderEpoch int32        `json:"leaderEpoch"` // of what is committed; -1: not known
	End         int64        `json:"end"`         // of the log; -1: not known
	Lag         int64        `json:"lag"`         // -1: not known
	Member      *GroupMember `json:"-"`           // who has the partition; nil: nobody
}

// Lag tells how far a group is in the partitions that its members have, and in
// those for which it has committed: first by member, who has most before the
// others, then what no member has.
func (a *Admin) Lag(ctx context.Context, g Group) ([]PartitionLag, error) {
	committed, err := a.Committed(ctx, g.Name)
	if err != nil {
		return nil, err
	}
	at := map[Partition]PartitionOffset{}
	for _, c := range committed {
		at[c.Partition] = c
	}
	rows := []PartitionLag{}
	add := func(p Partition, m *GroupMember) {
		row := PartitionLag{Partition: p, Committed: -1, LeaderEpoch: -1, End: -1, Lag: -1, Member: m}
		if c, ok := at[p]; ok {
			row.Committed, row.LeaderEpoch = c.Offset, c.LeaderEpoch
		}
		rows = append(rows, row)
	}
	assigned := map[Partition]bool{}
	members := slices.Clone(g.Members)
	slices.SortStableFunc(members, func(a, b GroupMember) int { return cmp.Compare(len(b.Assigned), len(a.Assigned)) })
	for i := range members {
		for _, p := range members[i].Assigned {
			add(p, &members[i])
			assigned[p] = true
		}
	}
	for _, c := range committed {
		if !assigned[c.Partition] {
			add(c.Partition, nil)
		}
	}
	partitions := make([]Partition, len(rows))
	for i, r := range rows {
		partitions[i] = r.Partition
	}
	ends, err := a.Offsets(ctx, Latest, partitions)
	if err != nil {
		return nil, err
	}
	for i, end := range ends {
		if end.Err != nil {
			continue // its leader does not answer, or the topic has gone: the rest is worth knowing
		}
		rows[i].End = end.Offset
		if rows[i].Committed >= 0 {
			rows[i].Lag = end.Offset - rows[i].Committed
		}
	}
	return rows, nil
}

// coordinatorWait is how long __consumer_offsets may take to be made and led.
const coordinatorWait = 10 * time.Second

// coordinated waits until every group has a coordinator: the first who asks a new
// cluster has __consumer_offsets made, and franz-go takes "not yet" for the answer.
// A group whose coordinator stays away is not waited for longer than that: the
// request goes on, for the others, and its answer says so of the one.
func (a *Admin) coordinated(ctx context.Context, names ...string) error {
	limit := time.After(coordinatorWait)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		failed := ""
		for _, c := range a.adm.FindGroupCoordinators(ctx, names...) {
			if errors.Is(c.Err, kerr.CoordinatorNotAvailable) {
				failed = c.Name
			}
		}
		if failed == "" {
			return nil // anything else that is wrong the request itself will tell
		}
		select {
		case <-tick.C:
		case <-limit:
			return nil
		case <-ctx.Done():
			return &Error{Doing: "find the coordinator of group", Name: failed, Code: kerr.CoordinatorNotAvailable}
		}
	}
}

// DeleteGroups deletes groups without members, with their offsets. It gives an
// error, or nil, for each name.
func (a *Admin) DeleteGroups(ctx context.Context, names ...string) ([]error, error) {
	const doing = "delete group"
	if err := a.coordinated(ctx, names...); err != nil {
		return nil, err
	}
	req := kmsg.NewPtrDeleteGroupsRequest()
	req.Groups = names
	failed := map[string]error{}
	for _, shard := range a.c.raw.RequestSharded(ctx, req) {
		if shard.Err != nil {
			for _, n := range shard.Req.(*kmsg.DeleteGroupsRequest).Groups {
				failed[n] = a.c.explain(doing, n, shard.Err)
			}
			continue
		}
		for _, g := range shard.Resp.(*kmsg.DeleteGroupsResponse).Groups {
			failed[g.Group] = answer(doing, g.Group, g.ErrorCode, g.ErrorMessage)
		}
	}
	out := make([]error, len(names))
	for i, n := range names {
		out[i] = failed[n]
	}
	return out, ctx.Err()
}
