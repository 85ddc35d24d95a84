package client

import (
	"context"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Assignment is who is to hold a partition, the preferred leader first. No
// Replicas cancel a move that is under way.
type Assignment struct {
	Partition
	Replicas []int32 `json:"replicas"`
}

// Move is a partition on its way to other replicas. Replicas has all of them,
// those that come and those that go too.
type Move struct {
	Partition
	Replicas []int32 `json:"replicas"`
	Adding   []int32 `json:"adding"`
	Removing []int32 `json:"removing"`
}

// Target is who holds the partition when the move is done.
func (m Move) Target() []int32 {
	return slices.DeleteFunc(slices.Clone(m.Replicas), func(id int32) bool { return slices.Contains(m.Removing, id) })
}

// PartitionResult is what came of a change of one partition; Err is an *Error.
type PartitionResult struct {
	Partition
	Err error
}

// Moves lists the partitions that are on their way to other replicas, by topic
// and number: those given, or all of the cluster.
func (a *Admin) Moves(ctx context.Context, partitions ...Partition) ([]Move, error) {
	const doing = "list reassignments"
	req := kmsg.NewPtrListPartitionReassignmentsRequest()
	req.TimeoutMillis = int32(adminTimeout.Milliseconds())
	for topic, indexes := range byTopic(partitions) {
		req.Topics = append(req.Topics, kmsg.ListPartitionReassignmentsRequestTopic{Topic: topic, Partitions: indexes})
	}
	resp, err := req.RequestWith(ctx, a.c.raw)
	if err != nil {
		return nil, a.c.explain(doing, "", err)
	}
	if err := answer(doing, "", resp.ErrorCode, resp.ErrorMessage); err != nil {
		return nil, err
	}
	var list []Move
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			list = append(list, Move{Partition{t.Topic, p.Partition}, p.Replicas, p.AddingReplicas, p.RemovingReplicas})
		}
	}
	slices.SortFunc(list, func(x, y Move) int { return ComparePartitions(x.Partition, y.Partition) })
	return list, nil
}

// Reassign begins to move partitions, or cancels moves. It returns when they
// have begun: Moves tells which still go on. The results are by topic and number.
func (a *Admin) Reassign(ctx context.Context, list ...Assignment) ([]PartitionResult, error) {
	return a.reassign(ctx, list, true)
}

// ReassignKeepingFactor is Reassign for as many replicas as there are: the broker
// refuses what would change their number.
func (a *Admin) ReassignKeepingFactor(ctx context.Context, list ...Assignment) ([]PartitionResult, error) {
	return a.reassign(ctx, list, false)
}

func (a *Admin) reassign(ctx context.Context, list []Assignment, anyFactor bool) ([]PartitionResult, error) {
	const doing = "reassign"
	req := kmsg.NewPtrAlterPartitionAssignmentsRequest()
	req.TimeoutMillis, req.AllowReplicationFactorChange = int32(adminTimeout.Milliseconds()), anyFactor
	at := map[string]int{}
	for _, p := range list {
		n, ok := at[p.Topic]
		if !ok {
			n = len(req.Topics)
			at[p.Topic] = n
			req.Topics = append(req.Topics, kmsg.AlterPartitionAssignmentsRequestTopic{Topic: p.Topic})
		}
		t := &req.Topics[n]
		rp := kmsg.NewAlterPartitionAssignmentsRequestTopicPartition()
		rp.Partition, rp.Replicas = p.Partition.Partition, p.Replicas
		t.Partitions = append(t.Partitions, rp)
	}
	resp, err := req.RequestWith(ctx, a.c.raw)
	if err != nil {
		return nil, a.c.explain(doing, "", err)
	}
	if err := answer(doing, "", resp.ErrorCode, resp.ErrorMessage); err != nil {
		return nil, err
	}
	var out []PartitionResult
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			out = append(out, partitionResult(doing, t.Topic, p.Partition, p.ErrorCode, p.ErrorMessage))
		}
	}
	return sorted(out), nil
}

// ElectionType is which replicas ElectLeaders may choose.
type ElectionType int8

const (
	// Preferred elects the first replica of each partition, if it is in sync.
	Preferred ElectionType = 0
	// Unclean elects whoever is there where nobody leads: acknowledged records
	// that only the others have are lost.
	Unclean ElectionType = 1
)

// String is the name that Kafka's tools print.
func (t ElectionType) String() string {
	if t == Unclean {
		return "UNCLEAN"
	}
	return "PREFERRED"
}

// ElectLeaders elects leaders of the given partitions, of all that need it when
// partitions is nil. A partition that needs no election has ErrElectionNotNeeded.
func (a *Admin) ElectLeaders(ctx context.Context, t ElectionType, partitions []Partition) ([]PartitionResult, error) {
	const doing = "elect the leader of"
	req := kmsg.NewPtrElectLeadersRequest()
	req.ElectionType, req.TimeoutMillis = int8(t), int32(adminTimeout.Milliseconds())
	if partitions != nil {
		req.Topics = []kmsg.ElectLeadersRequestTopic{}
	}
	for topic, indexes := range byTopic(partitions) {
		req.Topics = append(req.Topics, kmsg.ElectLeadersRequestTopic{Topic: topic, Partitions: indexes})
	}
	resp, err := req.RequestWith(ctx, a.c.raw)
	if err != nil {
		return nil, a.c.explain("elect leaders", "", err)
	}
	if err := answer("elect leaders", "", resp.ErrorCode, nil); err != nil {
		return nil, err
	}
	var out []PartitionResult
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			out = append(out, partitionResult(doing, t.Topic, p.Partition, p.ErrorCode, p.ErrorMessage))
		}
	}
	return sorted(out), nil
}

// ErrElectionNotNeeded: the partition has the leader that was asked for.
var ErrElectionNotNeeded error = kerr.ElectionNotNeeded

func partitionResult(doing, topic string, partition int32, code int16, message *string) PartitionResult {
	id := Partition{topic, partition}
	return PartitionResult{id, answer(doing, id.String(), code, message)}
}

// sorted orders results by topic and number.
func sorted(list []PartitionResult) []PartitionResult {
	slices.SortStableFunc(list, func(x, y PartitionResult) int { return ComparePartitions(x.Partition, y.Partition) })
	return list
}
