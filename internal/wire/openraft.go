package wire

import (
	"encoding/binary"
	"fmt"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// KeyOpenRaftStream is the API key of OpenRaftStream.
const KeyOpenRaftStream int16 = 10001

// OpenRaftStreamRequest turns the connection that it comes in on into a raft
// stream once it is answered without an error. Version 0, flexible:
//
//	cluster id  compact string
//	wanted      compact string   ServerID (node.id@directory.id) of whom the caller means
//	own         compact string   ServerID of the caller
//	tags
type OpenRaftStreamRequest struct {
	Version   int16
	ClusterID string
	Wanted    string
	Own       string
}

// OpenRaftStreamResponse answers it. Version 0, flexible:
//
//	error code  int16            0: the connection is a raft stream from the next byte on
//	message     compact string   why not
//	tags
type OpenRaftStreamResponse struct {
	Version   int16
	ErrorCode int16
	Message   string
}

var (
	_ kmsg.Request  = (*OpenRaftStreamRequest)(nil)
	_ kmsg.Response = (*OpenRaftStreamResponse)(nil)
)

func (*OpenRaftStreamRequest) Key() int16                  { return KeyOpenRaftStream }
func (*OpenRaftStreamRequest) MaxVersion() int16           { return 0 }
func (r *OpenRaftStreamRequest) SetVersion(v int16)        { r.Version = v }
func (r *OpenRaftStreamRequest) GetVersion() int16         { return r.Version }
func (*OpenRaftStreamRequest) IsFlexible() bool            { return true }
func (*OpenRaftStreamRequest) ResponseKind() kmsg.Response { return new(OpenRaftStreamResponse) }

func (r *OpenRaftStreamRequest) AppendTo(b []byte) []byte {
	b = kbin.AppendCompactString(b, r.ClusterID)
	b = kbin.AppendCompactString(b, r.Wanted)
	b = kbin.AppendCompactString(b, r.Own)
	return append(b, 0)
}

func (r *OpenRaftStreamRequest) ReadFrom(b []byte) error {
	k := ownReader{kbin.Reader{Src: b}}
	r.ClusterID, r.Wanted, r.Own = k.CompactString(), k.CompactString(), k.CompactString()
	k.tags()
	return k.Complete()
}

func (*OpenRaftStreamResponse) Key() int16                { return KeyOpenRaftStream }
func (*OpenRaftStreamResponse) MaxVersion() int16         { return 0 }
func (r *OpenRaftStreamResponse) SetVersion(v int16)      { r.Version = v }
func (r *OpenRaftStreamResponse) GetVersion() int16       { return r.Version }
func (*OpenRaftStreamResponse) IsFlexible() bool          { return true }
func (*OpenRaftStreamResponse) RequestKind() kmsg.Request { return new(OpenRaftStreamRequest) }

func (r *OpenRaftStreamResponse) AppendTo(b []byte) []byte {
	b = kbin.AppendInt16(b, r.ErrorCode)
	b = kbin.AppendCompactString(b, r.Message)
	return append(b, 0)
}

func (r *OpenRaftStreamResponse) ReadFrom(b []byte) error {
	k := ownReader{kbin.Reader{Src: b}}
	r.ErrorCode, r.Message = k.Int16(), k.CompactString()
	k.tags()
	return k.Complete()
}

// AppendRequest frames a flexible request: length, header v2, body. For those
// who speak to another broker before they have a Peer.
func AppendRequest(b []byte, req kmsg.Request, correlation int32, clientID string) []byte {
	start := len(b)
	b = append(b, 0, 0, 0, 0)
	b = kbin.AppendInt16(b, req.Key())
	b = kbin.AppendInt16(b, req.GetVersion())
	b = kbin.AppendInt32(b, correlation)
	b = kbin.AppendNullableString(b, &clientID)
	b = append(b, 0)
	b = req.AppendTo(b)
	binary.BigEndian.PutUint32(b[start:], uint32(len(b)-start-4))
	return b
}

// ReadResponse reads a flexible response behind its length: header v1, body.
func ReadResponse(b []byte, correlation int32, resp kmsg.Response) error {
	k := ownReader{kbin.Reader{Src: b}}
	got := k.Int32()
	k.tags()
	if err := k.Complete(); err != nil || got != correlation {
		return fmt.Errorf("answer to request %d instead of %d", got, correlation)
	}
	return resp.ReadFrom(k.Src)
}
