package wire

import (
	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// KeyDescribeNode is the API key of DescribeNode.
const KeyDescribeNode int16 = 10002

// DescribeNodeRequest asks a node who it is, before there is a cluster that could
// tell. Version 0, flexible:
//
//	tags
type DescribeNodeRequest struct{ Version int16 }

// DescribeNodeResponse answers it. Version 0, flexible:
//
//	node id         int32
//	directory id    uuid            of its metadata directory; zero while it is not formatted
//	incarnation     uuid            of the process
//	cluster id      compact string  empty while it is not formatted
//	controllers     compact string  controller.quorum.voters, or bootstrap.servers, sorted
//	open            bool            it takes raft streams
//	has state       bool            it remembers a term, an entry or a snapshot
//	leader id       int32           node that leads the raft group as far as it knows, -1: none
//	leader address  compact string  host:port of that node's raft streams
//	tag 0           uuid            the recovery that made its metadata quorum; absent: none did
type DescribeNodeResponse struct {
	Version       int16
	Node          int32
	Directory     [16]byte
	Incarnation   [16]byte
	ClusterID     string
	Controllers   string
	Open          bool
	HasState      bool
	Leader        int32
	LeaderAddress string
	Recovery      [16]byte
}

const tagRecovery = 0

var (
	_ kmsg.Request  = (*DescribeNodeRequest)(nil)
	_ kmsg.Response = (*DescribeNodeResponse)(nil)
)

func (*DescribeNodeRequest) Key() int16                  { return KeyDescribeNode }
func (*DescribeNodeRequest) MaxVersion() int16           { return 0 }
func (r *DescribeNodeRequest) SetVersion(v int16)        { r.Version = v }
func (r *DescribeNodeRequest) GetVersion() int16         { return r.Version }
func (*DescribeNodeRequest) IsFlexible() bool            { return true }
func (*DescribeNodeRequest) ResponseKind() kmsg.Response { return new(DescribeNodeResponse) }
func (*DescribeNodeRequest) AppendTo(b []byte) []byte    { return append(b, 0) }

func (r *DescribeNodeRequest) ReadFrom(b []byte) error {
	k := ownReader{kbin.Reader{Src: b}}
	k.tags()
	return k.Complete()
}

func (*DescribeNodeResponse) Key() int16                { return KeyDescribeNode }
func (*DescribeNodeResponse) MaxVersion() int16         { return 0 }
func (r *DescribeNodeResponse) SetVersion(v int16)      { r.Version = v }
func (r *DescribeNodeResponse) GetVersion() int16       { return r.Version }
func (*DescribeNodeResponse) IsFlexible() bool          { return true }
func (*DescribeNodeResponse) RequestKind() kmsg.Request { return new(DescribeNodeRequest) }

func (r *DescribeNodeResponse) AppendTo(b []byte) []byte {
	b = kbin.AppendInt32(b, r.Node)
	b = kbin.AppendUuid(b, r.Directory)
	b = kbin.AppendUuid(b, r.Incarnation)
	b = kbin.AppendCompactString(b, r.ClusterID)
	b = kbin.AppendCompactString(b, r.Controllers)
	b = kbin.AppendBool(b, r.Open)
	b = kbin.AppendBool(b, r.HasState)
	b = kbin.AppendInt32(b, r.Leader)
	b = kbin.AppendCompactString(b, r.LeaderAddress)
	if r.Recovery == ([16]byte{}) {
		return append(b, 0)
	}
	return append(append(b, 1, tagRecovery, byte(len(r.Recovery))), r.Recovery[:]...)
}

func (r *DescribeNodeResponse) ReadFrom(b []byte) error {
	k := ownReader{kbin.Reader{Src: b}}
	r.Node, r.Directory, r.Incarnation = k.Int32(), k.Uuid(), k.Uuid()
	r.ClusterID, r.Controllers = k.CompactString(), k.CompactString()
	r.Open, r.HasState = k.Bool(), k.Bool()
	r.Leader, r.LeaderAddress = k.Int32(), k.CompactString()
	k.eachTag(func(tag uint32, v []byte) {
		if tag == tagRecovery && len(v) == len(r.Recovery) {
			r.Recovery = [16]byte(v)
		}
	})
	return k.Complete()
}
