package wire

import (
	"io"
	"net"
	"time"
)

// Principal names who sends a request, as Kafka writes it: User:alice. On a
// listener that does not authenticate everybody is User:ANONYMOUS.
type Principal struct{ Type, Name string }

// Anonymous is everybody on a listener that does not authenticate.
var Anonymous = Principal{"User", "ANONYMOUS"}

func (p Principal) String() string { return p.Type + ":" + p.Name }

// Client is what a handler may know of the connection that a call came in on.
// The connection's goroutine owns it: only Serve may write to it.
type Client struct {
	ID              uint64 // unique in this process
	Listener        string // name of the listener, as PLAINTEXT or CONTROLLER
	Remote          net.Addr
	Principal       Principal
	Software        string // from ApiVersions 3+, empty until then
	SoftwareVersion string
}

// Call is one request as it came off a connection. It is valid until its
// outcome has been finished or dropped; then the connection uses it again.
type Call struct {
	Key, Version int16
	Correlation  int32
	ClientID     string
	// Body is the request after its header. It aliases the connection's read
	// buffer and is valid only until Serve returns (until Finish returns, for an
	// outcome that is ready at once): what must wait is copied.
	Body   []byte
	Client *Client
	// Later: more requests like this one are in hand, and Gather follows. Serve may
	// leave work to it, and Body stays valid until it returns.
	Later bool
	// Failures counts the error codes of the answer; nil: nobody does. The
	// dispatcher sets it.
	Failures *Failures
}

// Outcome is a finished answer, or one that somebody will complete.
type Outcome interface {
	// Ready reports whether Finish gives the answer at once. Asked once, right
	// after Serve.
	Ready() bool
	// Deadline is when an unfinished answer must leave anyway. It is asked when
	// the outcome comes to the head of its connection's queue.
	Deadline() time.Time
	// Notify registers the one who waits, at most once and only if not Ready.
	// done is called exactly once, by whoever completes the outcome (at once if
	// that happened meanwhile), holding no lock, and never blocks. A completer
	// that finishes many answers in a row (the flusher, a follower's fetch)
	// passes a Handoff, and sends nothing itself; others pass nil.
	Notify(done func(*Handoff))
	// Finish gives the answer, exactly once. expired says that the deadline has
	// passed before done was called; done may then still be called, or not.
	Finish(expired bool) Answer
	// Drop is called instead of Finish when the connection is gone.
	Drop()
}

// Answer is what leaves for one request.
type Answer struct {
	// Frame holds every byte that does not come from a file, length prefix
	// first. nil: nothing is sent (acks=0).
	Frame []byte
	// Files are the ranges to send in between, in order of At.
	Files []FilePart
	// Close ends the connection after Frame has left; it is the counted reason.
	Close string
	// Upgrade, if set, takes the connection over once Frame has left
	// (OpenRaftStream): it owns conn from then on, and reads first what is in
	// conn. The server forgets the connection.
	Upgrade func(conn net.Conn)
	// Release gives buffers and file references back, exactly once, whether the
	// answer was sent or not. May be nil.
	Release func()
}

// FilePart is a range of a file that leaves after Frame[:At] and before Frame[At:].
type FilePart struct {
	At   int
	Data FileRange
}

// FileRange is a range of a file that can be copied to a socket. If it comes
// short (truncated meanwhile), WriteTo returns an error and the connection is
// closed: the length has been promised already.
type FileRange interface {
	Len() int64
	WriteTo(w io.Writer) (int64, error)
}

// Size is the number of bytes that the answer puts on the wire.
func (a *Answer) Size() int64 {
	n := int64(len(a.Frame))
	for _, f := range a.Files {
		n += f.Data.Len()
	}
	return n
}

// Ready is an Outcome that is finished already.
type Ready struct{ Answer Answer }

func (r *Ready) Ready() bool           { return true }
func (r *Ready) Deadline() time.Time   { return time.Time{} }
func (r *Ready) Notify(func(*Handoff)) {}
func (r *Ready) Finish(bool) Answer    { return r.Answer }
func (r *Ready) Drop() {
	if r.Answer.Release != nil {
		r.Answer.Release()
	}
}

// Trait is what the server must know of an API before it takes a request up.
type Trait struct {
	// Known reports whether key and version are served at all.
	Known bool
	// Flexible reports whether the request header is v2 (tagged fields).
	Flexible bool
	// ReadsOn lets the connection take up the next request while this one waits
	// (Produce, Fetch, the group calls). Any other stops the reading, because
	// the next request must see its effect.
	ReadsOn bool
	// Light says that a request that waits keeps nothing of its body (Produce:
	// its records are in the log). Its share of the memory budget goes back when
	// Serve returns, so that produces which wait for a follower cannot keep that
	// follower's fetch from being read.
	Light bool
	// Gathers says that requests which have come together are better worked on
	// together: they are served with Later set, and Gather follows.
	Gathers bool
}

// Dispatcher turns calls into outcomes: the API layer, seen from the server.
type Dispatcher interface {
	Trait(key, version int16) Trait
	// Serve takes one request up. It runs on the connection's goroutine and must
	// not wait. It may return nil only to close the connection without answer.
	Serve(c *Call) Outcome
	// Gather does what Serve has left of calls with Later set, in their order. It
	// runs on the connection's goroutine before anything else of it is served, and
	// must not wait. Only then are the outcomes asked whether they are ready.
	Gather(run []Outcome)
	// Closed tells that a connection is gone, once, after its last Serve.
	Closed(c *Client)
}
