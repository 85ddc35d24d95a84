package group

import "github.com/twmb/franz-go/pkg/kmsg"

// The events of Machine.Step. A request carries the message as the client sent
// it, its Version included: answers differ by it. What names several groups
// comes as one event for each, since each may live in another partition. The
// comment says of what type the answer's Body is.
//
// The machine keeps no bytes of a request: what it needs later it copies.

// Client is who sent a request.
type Client struct {
	ID   string // client.id
	Host string // as Kafka shows it: "/127.0.0.1"
}

// JoinGroup is answered with *kmsg.JoinGroupResponse when the rebalance is over.
// May is that of ConsumerGroupHeartbeat.
type JoinGroup struct {
	Client Client
	Req    *kmsg.JoinGroupRequest
	May    func(topic string) bool
}

// SyncGroup is answered with *kmsg.SyncGroupResponse when the leader's
// assignment has been written.
type SyncGroup struct{ Req *kmsg.SyncGroupRequest }

// Heartbeat is answered with *kmsg.HeartbeatResponse.
type Heartbeat struct{ Req *kmsg.HeartbeatRequest }

// LeaveGroup is answered with *kmsg.LeaveGroupResponse.
type LeaveGroup struct{ Req *kmsg.LeaveGroupRequest }

// OffsetCommit is answered with *kmsg.OffsetCommitResponse. Topics come by name
// or, from version 10 on, by id; those that do not exist are answered here.
type OffsetCommit struct{ Req *kmsg.OffsetCommitRequest }

// TxnOffsetCommit is answered with *kmsg.TxnOffsetCommitResponse.
type TxnOffsetCommit struct{ Req *kmsg.TxnOffsetCommitRequest }

// OffsetFetch asks for one group's offsets and is answered with
// *kmsg.OffsetFetchResponseGroup. Group.Topics nil asks for all topics. A
// request below version 8 is put into this form by its handler.
type OffsetFetch struct {
	Version       int16
	Group         kmsg.OffsetFetchRequestGroup
	RequireStable bool
}

// OffsetDelete is answered with *kmsg.OffsetDeleteResponse.
type OffsetDelete struct{ Req *kmsg.OffsetDeleteRequest }

// DescribeGroup is answered with *kmsg.DescribeGroupsResponseGroup.
type DescribeGroup struct {
	Version int16
	Group   string
}

// ListGroups lists this machine's groups and is answered with
// *kmsg.ListGroupsResponse, by group id. It belongs to no scope.
type ListGroups struct{ Req *kmsg.ListGroupsRequest }

// DeleteGroup is answered with *kmsg.DeleteGroupsResponseGroup.
type DeleteGroup struct{ Group string }

// ConsumerGroupHeartbeat is answered with *kmsg.ConsumerGroupHeartbeatResponse.
// May tells which topics the sender may know of when it subscribes by a regular
// expression; nil: all of them.
type ConsumerGroupHeartbeat struct {
	Client Client
	Req    *kmsg.ConsumerGroupHeartbeatRequest
	May    func(topic string) bool
}

// ConsumerGroupDescribe is answered with *kmsg.ConsumerGroupDescribeResponseGroup.
type ConsumerGroupDescribe struct{ Group string }

// TimerFired tells that a timer is due.
type TimerFired struct{ Key string }

// TopicsDeleted tells that topics are no more, or may be, as after a load: the
// machine compares what it has with Input.Cluster, and the offsets of topics
// that are not there go.
type TopicsDeleted struct{}

// TopicsChanged tells that topics came, went or grew, or may have: groups look at
// what they subscribe to again.
type TopicsChanged struct{}
