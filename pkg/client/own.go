package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// describeReplicasKey is the first of the APIs that only brokerd has
// (docs/protocol.md). Strings and arrays are compact, tagged fields end every
// structure:
//
//	request v0   topics[ topic:string partitions:nullable[int32] ]
//
//	response v0  throttle_ms:int32 error_code:int16 error_message:nullable_string
//	             topics[ topic:string topic_id:uuid error_code:int16
//	               partitions[ partition:int32 error_code:int16
//	                 leader:int32 leader_epoch:int32
//	                 log_start:int64 last_stable:int64 high_watermark:int64
//	                 replicas[ broker:int32 state:int8
//	                   log_end:int64 durable_end:int64 lag_records:int64 lag_ms:int64 ] ] ]
const describeReplicasKey = 10000

// ReplicaState says what a replica counts for.
type ReplicaState int8

const (
	OutOfSync ReplicaState = 0
	InSync    ReplicaState = 1
	Eligible  ReplicaState = 2 // out of the ISR, but nothing committed is missing
)

func (s ReplicaState) String() string {
	if s >= OutOfSync && s <= Eligible {
		return [...]string{"out of sync", "in sync", "eligible"}[s]
	}
	return fmt.Sprintf("state %d", int8(s))
}

// MarshalText makes JSON carry the name.
func (s ReplicaState) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// PartitionReplicas is how far the replicas of one partition are, as its leader
// knows it.
type PartitionReplicas struct {
	Topic         string    `json:"topic"`
	Partition     int32     `json:"partition"`
	Leader        int32     `json:"leader"`
	LeaderEpoch   int32     `json:"leaderEpoch"`
	LogStart      int64     `json:"logStart"`
	LastStable    int64     `json:"lastStable"`
	HighWatermark int64     `json:"highWatermark"`
	Replicas      []Replica `json:"replicas"`
}

// Replica is one replica. What the leader does not know is -1.
type Replica struct {
	Broker     int32        `json:"broker"`
	State      ReplicaState `json:"state"`
	LogEnd     int64        `json:"logEnd"`
	DurableEnd int64        `json:"durableEnd"`
	Lag        int64        `json:"lag"`   // records behind the leader
	LagMs      int64        `json:"lagMs"` // since it last had all that the leader had
}

// DescribeReplicas tells how far every replica of the topics is. Partitions
// without a leader are left out. Only a brokerd knows it: another Kafka answers
// with ErrUnsupported.
func (a *Admin) DescribeReplicas(ctx context.Context, topics ...string) ([]PartitionReplicas, error) {
	described, err := a.DescribeTopics(ctx, topics...)
	if err != nil {
		return nil, err
	}
	byLeader := map[int32]*replicasRequest{}
	for _, t := range described {
		for _, p := range t.Partitions {
			if p.Leader < 0 {
				continue
			}
			if byLeader[p.Leader] == nil {
				byLeader[p.Leader] = &replicasRequest{}
			}
			byLeader[p.Leader].add(t.Name, p.Partition)
		}
	}
	var out []PartitionReplicas
	for leader, req := range byLeader {
		resp, err := a.c.raw.Broker(int(leader)).RetriableRequest(ctx, req)
		if err != nil {
			return nil, a.c.explain("describe replicas", "", err)
		}
		got := resp.(*replicasResponse)
		if err := answer("describe replicas", "", got.code, got.message); err != nil {
			return nil, err
		}
		if got.err != nil {
			return nil, got.err
		}
		out = append(out, got.partitions...)
	}
	sort.Slice(out, func(i, j int) bool {
		if ti, tj := slices.Index(topics, out[i].Topic), slices.Index(topics, out[j].Topic); ti != tj {
			return ti < tj
		}
		return out[i].Partition < out[j].Partition
	})
	return out, nil
}

// replicasRequest implements kmsg.Request.
type replicasRequest struct{ topics []replicasTopic }

type replicasTopic struct {
	name       string
	partitions []int32
}

func (r *replicasRequest) add(topic string, partition int32) {
	if n := len(r.topics); n == 0 || r.topics[n-1].name != topic {
		r.topics = append(r.topics, replicasTopic{name: topic})
	}
	last := &r.topics[len(r.topics)-1]
	last.partitions = append(last.partitions, partition)
}

func (*replicasRequest) Key() int16                  { return describeReplicasKey }
func (*replicasRequest) MaxVersion() int16           { return 0 }
func (*replicasRequest) SetVersion(int16)            {}
func (*replicasRequest) GetVersion() int16           { return 0 }
func (*replicasRequest) IsFlexible() bool            { return true }
func (*replicasRequest) ResponseKind() kmsg.Response { return &replicasResponse{} }

// ReadFrom is the broker's side, which is not here.
func (*replicasRequest) ReadFrom([]byte) error {
	return errors.New("a client does not read requests")
}

func (r *replicasRequest) AppendTo(dst []byte) []byte {
	dst = kbin.AppendCompactArrayLen(dst, len(r.topics))
	for _, t := range r.topics {
		dst = kbin.AppendCompactString(dst, t.name)
		dst = kbin.AppendCompactNullableArrayLen(dst, len(t.partitions), t.partitions == nil)
		for _, p := range t.partitions {
			dst = kbin.AppendInt32(dst, p)
		}
		dst = append(dst, 0)
	}
	return append(dst, 0)
}

// replicasResponse implements kmsg.Response.
type replicasResponse struct {
	throttle   int32
	code       int16
	message    *string
	partitions []PartitionReplicas
	err        error // of the first topic or partition that has one
}

func (*replicasResponse) Key() int16                { return describeReplicasKey }
func (*replicasResponse) MaxVersion() int16         { return 0 }
func (*replicasResponse) SetVersion(int16)          {}
func (*replicasResponse) GetVersion() int16         { return 0 }
func (*replicasResponse) IsFlexible() bool          { return true }
func (*replicasResponse) RequestKind() kmsg.Request { return &replicasRequest{} }

// AppendTo is the broker's side, which is not here.
func (*replicasResponse) AppendTo(dst []byte) []byte { return dst }

func (r *replicasResponse) ReadFrom(src []byte) error {
	b := kbin.Reader{Src: src}
	*r = replicasResponse{throttle: b.Int32(), code: b.Int16(), message: b.CompactNullableString()}
	for range b.CompactArrayLen() {
		topic := b.CompactString()
		b.Uuid()
		if code := b.Int16(); code != 0 && r.err == nil {
			r.err = &Error{Doing: "describe replicas of topic", Name: topic, Code: kerr.ErrorForCode(code)}
		}
		for range b.CompactArrayLen() {
			r.partition(&b, topic)
			if !b.Ok() { // a count that lies ends here, not after a billion turns
				return b.Complete()
			}
		}
		skipTags(&b)
		if !b.Ok() {
			return b.Complete()
		}
	}
	skipTags(&b)
	return b.Complete()
}

func (r *replicasResponse) partition(b *kbin.Reader, topic string) {
	p := PartitionReplicas{Topic: topic, Partition: b.Int32()}
	code := b.Int16()
	p.Leader, p.LeaderEpoch = b.Int32(), b.Int32()
	p.LogStart, p.LastStable, p.HighWatermark = b.Int64(), b.Int64(), b.Int64()
	for range b.CompactArrayLen() {
		p.Replicas = append(p.Replicas, Replica{Broker: b.Int32(), State: ReplicaState(b.Int8()),
			LogEnd: b.Int64(), DurableEnd: b.Int64(), Lag: b.Int64(), LagMs: b.Int64()})
		skipTags(b)
		if !b.Ok() {
			return
		}
	}
	skipTags(b)
	if code != 0 {
		if r.err == nil {
			r.err = &Error{Doing: "describe replicas of partition", Name: fmt.Sprintf("%s-%d", topic, p.Partition), Code: kerr.ErrorForCode(code)}
		}
		return
	}
	r.partitions = append(r.partitions, p)
}

// skipTags passes the tagged fields after a structure; none is known yet. It
// believes no count beyond the bytes there are.
func skipTags(b *kbin.Reader) {
	for range min(int(b.Uvarint()), len(b.Src)) {
		b.Uvarint()
		b.Span(int(b.Uvarint()))
	}
}
