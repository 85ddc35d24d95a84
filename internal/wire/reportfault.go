package wire

import (
	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// KeyReportFault is the API key of ReportFault.
const KeyReportFault int16 = 10003

// ReportFaultRequest tells the controller of replicas that a broker cannot serve
// any more. Version 0, flexible:
//
//	broker        int32
//	broker epoch  int64
//	corrupt       bool     their data is bad; else their log directory has failed
//	topics        [ topic id uuid, partitions [int32], tags ]
//	tags
type ReportFaultRequest struct {
	Version     int16
	Broker      int32
	BrokerEpoch int64
	Corrupt     bool
	Topics      []ReportFaultRequestTopic
}

// ReportFaultRequestTopic is some partitions of one topic.
type ReportFaultRequestTopic struct {
	TopicID    [16]byte
	Partitions []int32
}

// ReportFaultResponse answers it. Version 0, flexible:
//
//	error code  int16
//	tags
type ReportFaultResponse struct {
	Version   int16
	ErrorCode int16
}

var (
	_ kmsg.Request  = (*ReportFaultRequest)(nil)
	_ kmsg.Response = (*ReportFaultResponse)(nil)
)

func (*ReportFaultRequest) Key() int16                  { return KeyReportFault }
func (*ReportFaultRequest) MaxVersion() int16           { return 0 }
func (r *ReportFaultRequest) SetVersion(v int16)        { r.Version = v }
func (r *ReportFaultRequest) GetVersion() int16         { return r.Version }
func (*ReportFaultRequest) IsFlexible() bool            { return true }
func (*ReportFaultRequest) ResponseKind() kmsg.Response { return new(ReportFaultResponse) }

func (r *ReportFaultRequest) AppendTo(b []byte) []byte {
	b = kbin.AppendInt32(b, r.Broker)
	b = kbin.AppendInt64(b, r.BrokerEpoch)
	b = kbin.AppendBool(b, r.Corrupt)
	b = kbin.AppendCompactArrayLen(b, len(r.Topics))
	for _, t := range r.Topics {
		b = kbin.AppendUuid(b, t.TopicID)
		b = kbin.AppendCompactArrayLen(b, len(t.Partitions))
		for _, p := range t.Partitions {
			b = kbin.AppendInt32(b, p)
		}
		b = append(b, 0)
	}
	return append(b, 0)
}

func (r *ReportFaultRequest) ReadFrom(src []byte) error {
	b := ownReader{kbin.Reader{Src: src}}
	r.Broker, r.BrokerEpoch, r.Corrupt, r.Topics = b.Int32(), b.Int64(), b.Bool(), nil
	for range b.count(18) {
		t := ReportFaultRequestTopic{TopicID: b.Uuid()}
		for range b.count(4) {
			t.Partitions = append(t.Partitions, b.Int32())
		}
		b.tags()
		r.Topics = append(r.Topics, t)
	}
	b.tags()
	return b.Complete()
}

func (*ReportFaultResponse) Key() int16                { return KeyReportFault }
func (*ReportFaultResponse) MaxVersion() int16         { return 0 }
func (r *ReportFaultResponse) SetVersion(v int16)      { r.Version = v }
func (r *ReportFaultResponse) GetVersion() int16       { return r.Version }
func (*ReportFaultResponse) IsFlexible() bool          { return true }
func (*ReportFaultResponse) RequestKind() kmsg.Request { return new(ReportFaultRequest) }

func (r *ReportFaultResponse) AppendTo(b []byte) []byte {
	return append(kbin.AppendInt16(b, r.ErrorCode), 0)
}

func (r *ReportFaultResponse) ReadFrom(src []byte) error {
	b := ownReader{kbin.Reader{Src: src}}
	r.ErrorCode = b.Int16()
	b.tags()
	return b.Complete()
}
