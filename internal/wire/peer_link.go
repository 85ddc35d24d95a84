package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/twmb/franz-go/pkg/kmsg"
)

var (
	errUnasked     = errors.New("an answer came that nothing was asked for")
	errFrameSize   = errors.New("answer of impossible size")
	errCorrelation = errors.New("answer belongs to another request")
	errOutdated    = errors.New("the broker may serve more by now")
)

const (
	// maxAnswer is the largest answer that is believed.
	maxAnswer = 1 << 30
	// answerStart is what is made for an answer before its bytes come.
	answerStart = 64 << 10
	// peerVersions is the ApiVersions that we ask in: the first that tells our name.
	peerVersions = 3
)

// peerLink is one connection of a Peer, with what it has learnt.
type peerLink struct {
	conn     net.Conn
	format   *kmsg.RequestFormatter
	o        PeerOptions
	versions map[int16][2]int16 // min and max by key, when it was made
	refused  bool               // a request was not among them: a broker that comes up serves more soon; its writer's
	nextID   int32
	out      []byte // what the writer sends next; its own
}

func newPeerLink(nc net.Conn, o PeerOptions) *peerLink {
	return &peerLink{conn: nc, o: o, format: kmsg.NewRequestFormatter(kmsg.FormatterClientID(o.ClientID))}
}

// negotiate asks which versions the broker serves.
func (l *peerLink) negotiate() error {
	req := kmsg.NewPtrApiVersionsRequest()
	req.ClientSoftwareName, req.ClientSoftwareVersion = l.o.Software, l.o.SoftwareVersion
	req.Version = peerVersions
	q := &Pending{req: req}
	l.append(q)
	if _, err := l.conn.Write(l.out); err != nil {
		return err
	}
	frame, err := l.frame()
	if err != nil {
		return err
	}
	resp, err := l.decode(q, frame)
	if err != nil {
		return err
	}
	versions := resp.(*kmsg.ApiVersionsResponse)
	if versions.ErrorCode != 0 {
		return fmt.Errorf("ApiVersions answered error %d", versions.ErrorCode)
	}
	l.versions = make(map[int16][2]int16, len(versions.ApiKeys))
	for _, k := range versions.ApiKeys {
		l.versions[k.ApiKey] = [2]int16{k.MinVersion, k.MaxVersion}
	}
	return nil
}

// encode appends q's request to out, in the highest version that both know.
func (l *peerLink) encode(q *Pending) bool {
	theirs, known := l.versions[q.req.Key()]
	version := min(q.req.MaxVersion(), theirs[1])
	if !known || version < theirs[0] {
		return false
	}
	q.req.SetVersion(version)
	l.append(q)
	return true
}

func (l *peerLink) append(q *Pending) {
	q.id = l.nextID
	l.nextID++
	start := len(l.out)
	// The formatter writes the length at the start of what it is given.
	frame := l.format.AppendRequest(l.out[start:], q.req, q.id)
	l.out = append(l.out[:start], frame...)
}

// frame reads one answer, with memory for what has come and not for what its
// length says. The memory is the answer's: decoded fields may alias it.
func (l *peerLink) frame() ([]byte, error) {
	var prefix [4]byte
	if _, err := io.ReadFull(l.conn, prefix[:]); err != nil {
		return nil, err
	}
	size := int(int32(binary.BigEndian.Uint32(prefix[:])))
	if size < 4 || size > maxAnswer {
		return nil, errFrameSize
	}
	p := make([]byte, min(size, answerStart))
	for have := 0; ; {
		if _, err := io.ReadFull(l.conn, p[have:]); err != nil {
			return nil, err
		}
		if have = len(p); have == size {
			return p, nil
		}
		bigger := make([]byte, min(size, 4*have))
		copy(bigger, p)
		p = bigger
	}
}

// decode reads the answer to q.
func (l *peerLink) decode(q *Pending, frame []byte) (kmsg.Response, error) {
	resp := q.req.ResponseKind()
	return resp, l.decodeInto(q, resp, frame)
}

func (l *peerLink) decodeInto(q *Pending, resp kmsg.Response, frame []byte) error {
	if id := int32(binary.BigEndian.Uint32(frame)); id != q.id {
		return fmt.Errorf("%w: %d, not %d", errCorrelation, id, q.id)
	}
	resp.SetVersion(q.req.GetVersion())
	body := frame[4:]
	if resp.IsFlexible() && q.req.Key() != keyApiVersions {
		var err error
		if body, err = skipTags(body); err != nil {
			return err
		}
	}
	if err := resp.ReadFrom(body); err != nil {
		return fmt.Errorf("answer to key %d: %w", q.req.Key(), err)
	}
	return nil
}
