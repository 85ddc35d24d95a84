package controller

import (
	"context"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/raft"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/brokerd/brokerd/internal/step"
	"github.com/brokerd/brokerd/internal/wire"
)

var errStreamClosed = errors.New("raft streams are closed")

// maxAnswer bounds the answer to the first request of a connection.
const maxAnswer = 64 << 10

// streamLayer gives raft its connections. A raft stream is a connection that
// OpenRaftStream opened: whoever dials says which server it wants, whoever is
// dialled refuses a stream meant for another. It closes every connection that it
// handed out, which raft's transport does not.
type streamLayer struct {
	self      Server
	clusterID string
	stores    Stores // keep the name of the group
	network   wire.Network
	incoming  chan net.Conn // room for none: Accept takes them
	ended     chan string   // room for maxEnded: servers whose streams to us have ended
	closed    chan struct{}

	joining chan struct{} // full while the group's name is taken over, its write included; mu is not held

	mu    sync.Mutex
	open  map[*stream]struct{} // nil: closed
	group step.TopicID         // the recovery that made the group; zero: none did
}

func newStreamLayer(o Options, group step.TopicID) *streamLayer {
	return &streamLayer{
		self: o.server(), clusterID: o.ClusterID, group: group, stores: o.Stores, network: o.Network,
		incoming: make(chan net.Conn), ended: make(chan string, maxEnded), joining: make(chan struct{}, 1), closed: make(chan struct{}), open: make(map[*stream]struct{}),
	}
}

// stream is a connection that its layer can close.
type stream struct {
	net.Conn
	layer *streamLayer
	from  string // the ServerID of who opened it; empty: we did
	once  sync.Once
	err   error
}

func (s *stream) Read(b []byte) (int, error) {
	n, err := s.Conn.Read(b)
	if err != nil && s.from != "" {
		select {
		case s.layer.ended <- s.from:
		default:
		}
	}
	return n, err
}

func (s *stream) Close() error {
	s.once.Do(func() {
		s.layer.mu.Lock()
		delete(s.layer.open, s)
		s.layer.mu.Unlock()
		s.err = s.Conn.Close()
	})
	return s.err
}

func (l *streamLayer) track(conn net.Conn, from string) (*stream, error) {
	s := &stream{Conn: conn, layer: l, from: from}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open == nil {
		return nil, errStreamClosed
	}
	l.open[s] = struct{}{}
	return s, nil
}

// Accept hands raft the next stream that a peer opened.
func (l *streamLayer) Accept() (net.Conn, error) {
	select {
	case conn := <-l.incoming:
		return conn, nil
	case <-l.closed:
		return nil, errStreamClosed
	}
}

// Addr is what raft calls its own address.
func (l *streamLayer) Addr() net.Addr { return streamAddr(l.self.raftAddress()) }

type streamAddr string

func (streamAddr) Network() string  { return "raft" }
func (a streamAddr) String() string { return string(a) }

// Close ends every stream.
func (l *streamLayer) Close() error {
	l.mu.Lock()
	open := l.open
	l.open = nil
	l.mu.Unlock()
	if open == nil {
		return nil
	}
	close(l.closed)
	var errs []error
	for s := range open {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}

// Dial opens a stream to the server that address names.
func (l *streamLayer) Dial(address raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	hostPort, id, err := splitAddress(address)
	if err != nil {
		return nil, err
	}
	if id == l.self.ID() {
		return l.dialSelf()
	}
	if l.network == nil {
		return nil, fmt.Errorf("open raft stream to %s: this node has no network", id)
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	conn, err := l.network.Dial(ctx, hostPort)
	if err != nil {
		return nil, fmt.Errorf("open raft stream to %s: %w", id, err)
	}
	s, err := l.track(conn, "")
	if err != nil {
		_ = conn.Close() // nothing was sent
		return nil, err
	}
	deadline, _ := ctx.Deadline()
	_ = s.SetDeadline(deadline) // a connection that cannot time out fails at its first use
	if err := l.ask(s, id); err != nil {
		_ = s.Close() // the refusal is what counts
		return nil, fmt.Errorf("open raft stream to %s at %s: %w", id, hostPort, err)
	}
	return s, s.SetDeadline(time.Time{})
}

// dialSelf is for what this node asks of its own raft.
func (l *streamLayer) dialSelf() (net.Conn, error) {
	ours, theirs := net.Pipe()
	s, err := l.track(ours, "")
	if err == nil {
		err = l.accept(theirs, "")
	}
	if err != nil {
		return nil, errors.Join(err, ours.Close())
	}
	return s, nil
}

// ask sends OpenRaftStream and reads its answer.
func (l *streamLayer) ask(conn net.Conn, want string) error {
	req := &wire.OpenRaftStreamRequest{ClusterID: groupName(l.clusterID, l.recovery()), Wanted: want, Own: l.self.ID()}
	body, err := exchange(conn, req)
	if err != nil {
		return err
	}
	var resp wire.OpenRaftStreamResponse
	if err := wire.ReadResponse(body, exchangeID, &resp); err != nil {
		return err
	}
	if resp.ErrorCode != 0 {
		return fmt.Errorf("refused with code %d: %s", resp.ErrorCode, resp.Message)
	}
	return nil
}

// exchangeID is the correlation id of the one request of a connection.
const exchangeID = 1

// exchange sends the first request of a connection and returns the frame of its
// answer.
func exchange(conn net.Conn, req kmsg.Request) ([]byte, error) {
	if _, err := conn.Write(wire.AppendRequest(nil, req, exchangeID, "brokerd-raft")); err != nil {
		return nil, err
	}
	var size [4]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return nil, fmt.Errorf("no answer: %w", err)
	}
	n := binary.BigEndian.Uint32(size[:])
	if n < 5 || n > maxAnswer {
		return nil, fmt.Errorf("answer of %d bytes", n)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(conn, body); err != nil {
		return nil, fmt.Errorf("answer is cut off: %w", err)
	}
	return body, nil
}

// recovery is the one that made this server's group.
func (l *streamLayer) recovery() step.TopicID {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.group
}

// CheckStream says why a stream must be refused: it is meant for another server,
// or comes from another cluster or quorum. The text is fit for the one who dials.
func (c *Controller) CheckStream(req *wire.OpenRaftStreamRequest) error {
	self := c.o.server().ID()
	cluster, group, err := splitGroup(req.ClusterID)
	switch {
	case subtle.ConstantTimeCompare([]byte(cluster), []byte(c.o.ClusterID)) == 0:
		return fmt.Errorf("%w: this node belongs to cluster %s, not %s", ErrWrongServer, c.o.ClusterID, cluster)
	case err != nil:
		return err
	case req.Wanted != self:
		return fmt.Errorf("%w: this is %s, not %s", ErrWrongServer, self, req.Wanted)
	}
	if _, _, err := ParseServerID(req.Own); err != nil {
		return fmt.Errorf("%w: the caller calls itself %q", ErrWrongServer, req.Own)
	}
	return c.node.stream.belong(group)
}

// splitGroup reads what groupName writes.
func splitGroup(name string) (clusterID string, group step.TopicID, err error) {
	clusterID, id, recovered := strings.Cut(name, "#")
	if recovered {
		group, err = step.ParseTopicID(id)
	}
	return clusterID, group, err
}

// belong refuses who speaks for another group. Who has no state yet takes the
// name over from whoever calls.
func (l *streamLayer) belong(group step.TopicID) error {
	if group == l.recovery() {
		return nil
	}
	l.joining <- struct{}{} // full for one write at the most
	defer func() { <-l.joining }()
	if group == l.recovery() {
		return nil
	}
	switch err := l.stores.join(group); {
	case errors.Is(err, errOtherGroup):
		return fmt.Errorf("%w: the metadata quorum was lost and recovered, and this server and %s are not of the same one: `brokerd quorum rejoin` brings the one that was left behind back",
			ErrWrongServer, groupName(l.clusterID, group))
	case err != nil:
		return fmt.Errorf("take over the name of the metadata quorum: %w", err)
	}
	l.mu.Lock()
	l.group = group
	l.mu.Unlock()
	return nil
}

// ErrWrongServer says that a raft stream is meant for another server.
var ErrWrongServer = errors.New("raft stream is meant for another server")

// Stream makes conn, on which OpenRaftStream was answered, a raft stream. It
// owns conn from then on and returns at once.
func (c *Controller) Stream(conn net.Conn, req *wire.OpenRaftStreamRequest) error {
	if err := c.CheckStream(req); err != nil {
		_ = conn.Close() // the refusal is what counts
		return err
	}
	return c.node.stream.accept(conn, req.Own)
}

func (l *streamLayer) accept(conn net.Conn, from string) error {
	s, err := l.track(conn, from)
	if err != nil {
		_ = conn.Close() // the layer is closed: nobody will read
		return err
	}
	select {
	case l.incoming <- s:
		return nil
	case <-l.closed:
		return errors.Join(errStreamClosed, s.Close())
	}
}
