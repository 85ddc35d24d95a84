package wire

import (
	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// KeyDescribeReplicas is the first of our own keys: how far each replica of a
// partition is, which no Kafka API tells a client. Its leader answers.
//
//	request v0   topics[ topic:string partitions:nullable[int32] ]
//
//	response v0  throttle_ms:int32 error_code:int16 error_message:nullable_string
//	             topics[ topic:string topic_id:uuid error_code:int16
//	               partitions[ partition:int32 error_code:int16
//	                 leader:int32 leader_epoch:int32
//	                 log_start:int64 last_stable:int64 high_watermark:int64
//	                 replicas[ broker:int32 state:int8
//	                   log_end:int64 durable_end:int64
//	                   lag_records:int64 lag_ms:int64 ] ] ]
//
// Strings and arrays are compact, tagged fields end every structure.
const KeyDescribeReplicas int16 = 10000

// ReplicaState says what a replica counts for.
type ReplicaState int8

const (
	OutOfSync ReplicaState = iota
	InSync                 // in the ISR
	Eligible               // in the ELR: out of the ISR, but nothing committed is missing
)

// DescribeReplicasRequest asks for topics; partitions nil asks for all of one.
type DescribeReplicasRequest struct {
	Version int16
	Topics  []DescribeReplicasRequestTopic
}

// DescribeReplicasRequestTopic is one topic asked for.
type DescribeReplicasRequestTopic struct {
	Topic      string
	Partitions []int32
}

// DescribeReplicasResponse answers it.
type DescribeReplicasResponse struct {
	Version        int16
	ThrottleMillis int32
	ErrorCode      int16
	ErrorMessage   *string
	Topics         []DescribeReplicasResponseTopic
}

// DescribeReplicasResponseTopic is one topic, in the order of the request.
type DescribeReplicasResponseTopic struct {
	Topic      string
	TopicID    [16]byte
	ErrorCode  int16
	Partitions []DescribeReplicasResponsePartition
}

// DescribeReplicasResponsePartition is one partition. With an error
// NOT_LEADER_OR_FOLLOWER the leader to ask is named, and the rest is empty.
type DescribeReplicasResponsePartition struct {
	Partition     int32
	ErrorCode     int16
	Leader        int32
	LeaderEpoch   int32
	LogStart      int64
	LastStable    int64
	HighWatermark int64
	Replicas      []DescribeReplicasResponseReplica
}

// DescribeReplicasResponseReplica is one replica, in order of assignment. What
// the leader does not know is -1: the durable end of a follower under
// durability=isr, and everything of one that has never fetched in this epoch.
type DescribeReplicasResponseReplica struct {
	Broker     int32
	State      ReplicaState
	LogEnd     int64
	DurableEnd int64
	LagRecords int64
	LagMillis  int64 // since it last had all that the leader had
}

var (
	_ kmsg.Request  = (*DescribeReplicasRequest)(nil)
	_ kmsg.Response = (*DescribeReplicasResponse)(nil)
)

func (*DescribeReplicasRequest) Key() int16                  { return KeyDescribeReplicas }
func (*DescribeReplicasRequest) MaxVersion() int16           { return 0 }
func (r *DescribeReplicasRequest) SetVersion(v int16)        { r.Version = v }
func (r *DescribeReplicasRequest) GetVersion() int16         { return r.Version }
func (*DescribeReplicasRequest) IsFlexible() bool            { return true }
func (*DescribeReplicasRequest) ResponseKind() kmsg.Response { return &DescribeReplicasResponse{} }

func (*DescribeReplicasResponse) Key() int16                 { return KeyDescribeReplicas }
func (*DescribeReplicasResponse) MaxVersion() int16          { return 0 }
func (r *DescribeReplicasResponse) SetVersion(v int16)       { r.Version = v }
func (r *DescribeReplicasResponse) GetVersion() int16        { return r.Version }
func (*DescribeReplicasResponse) IsFlexible() bool           { return true }
func (*DescribeReplicasResponse) RequestKind() kmsg.Request  { return &DescribeReplicasRequest{} }
func (r *DescribeReplicasResponse) Throttle() (int32, bool)  { return r.ThrottleMillis, true }
func (r *DescribeReplicasResponse) SetThrottle(millis int32) { r.ThrottleMillis = millis }

// AppendTo encodes the request.
func (r *DescribeReplicasRequest) AppendTo(dst []byte) []byte {
	dst = kbin.AppendCompactArrayLen(dst, len(r.Topics))
	for i := range r.Topics {
		t := &r.Topics[i]
		dst = kbin.AppendCompactString(dst, t.Topic)
		dst = kbin.AppendCompactNullableArrayLen(dst, len(t.Partitions), t.Partitions == nil)
		for _, p := range t.Partitions {
			dst = kbin.AppendInt32(dst, p)
		}
		dst = append(dst, 0)
	}
	return append(dst, 0)
}

// ReadFrom decodes the request. It allocates no more than 20 times its size.
func (r *DescribeReplicasRequest) ReadFrom(src []byte) error {
	b := ownReader{kbin.Reader{Src: src}}
	r.Topics = nil
	for range b.count(3) {
		t := DescribeReplicasRequestTopic{Topic: b.CompactString()}
		if n, null := b.nullableCount(4); !null {
			t.Partitions = make([]int32, n)
			for i := range t.Partitions {
				t.Partitions[i] = b.Int32()
			}
		}
		b.tags()
		r.Topics = append(r.Topics, t)
	}
	b.tags()
	return b.Complete()
}

// AppendTo encodes the response.
func (r *DescribeReplicasResponse) AppendTo(dst []byte) []byte {
	dst = kbin.AppendInt32(dst, r.ThrottleMillis)
	dst = kbin.AppendInt16(dst, r.ErrorCode)
	dst = kbin.AppendCompactNullableString(dst, r.ErrorMessage)
	dst = kbin.AppendCompactArrayLen(dst, len(r.Topics))
	for i := range r.Topics {
		t := &r.Topics[i]
		dst = kbin.AppendCompactString(dst, t.Topic)
		dst = kbin.AppendUuid(dst, t.TopicID)
		dst = kbin.AppendInt16(dst, t.ErrorCode)
		dst = kbin.AppendCompactArrayLen(dst, len(t.Partitions))
		for j := range t.Partitions {
			dst = t.Partitions[j].appendTo(dst)
		}
		dst = append(dst, 0)
	}
	return append(dst, 0)
}

func (p *DescribeReplicasResponsePartition) appendTo(dst []byte) []byte {
	dst = kbin.AppendInt32(dst, p.Partition)
	dst = kbin.AppendInt16(dst, p.ErrorCode)
	dst = kbin.AppendInt32(dst, p.Leader)
	dst = kbin.AppendInt32(dst, p.LeaderEpoch)
	dst = kbin.AppendInt64(dst, p.LogStart)
	dst = kbin.AppendInt64(dst, p.LastStable)
	dst = kbin.AppendInt64(dst, p.HighWatermark)
	dst = kbin.AppendCompactArrayLen(dst, len(p.Replicas))
	for _, r := range p.Replicas {
		dst = kbin.AppendInt32(dst, r.Broker)
		dst = kbin.AppendInt8(dst, int8(r.State))
		dst = kbin.AppendInt64(dst, r.LogEnd)
		dst = kbin.AppendInt64(dst, r.DurableEnd)
		dst = kbin.AppendInt64(dst, r.LagRecords)
		dst = kbin.AppendInt64(dst, r.LagMillis)
		dst = append(dst, 0)
	}
	return append(dst, 0)
}

// ReadFrom decodes the response.
func (r *DescribeReplicasResponse) ReadFrom(src []byte) error {
	b := ownReader{kbin.Reader{Src: src}}
	r.ThrottleMillis, r.ErrorCode, r.ErrorMessage = b.Int32(), b.Int16(), b.CompactNullableString()
	r.Topics = nil
	for range b.count(21) {
		t := DescribeReplicasResponseTopic{Topic: b.CompactString(), TopicID: b.Uuid(), ErrorCode: b.Int16()}
		for range b.count(40) {
			t.Partitions = append(t.Partitions, b.partition())
		}
		b.tags()
		r.Topics = append(r.Topics, t)
	}
	b.tags()
	return b.Complete()
}

func (b *ownReader) partition() (p DescribeReplicasResponsePartition) {
	p.Partition, p.ErrorCode, p.Leader, p.LeaderEpoch = b.Int32(), b.Int16(), b.Int32(), b.Int32()
	p.LogStart, p.LastStable, p.HighWatermark = b.Int64(), b.Int64(), b.Int64()
	for range b.count(38) {
		p.Replicas = append(p.Replicas, DescribeReplicasResponseReplica{
			Broker: b.Int32(), State: ReplicaState(b.Int8()),
			LogEnd: b.Int64(), DurableEnd: b.Int64(), LagRecords: b.Int64(), LagMillis: b.Int64(),
		})
		b.tags()
	}
	b.tags()
	return p
}
