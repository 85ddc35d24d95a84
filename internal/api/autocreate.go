package api

import (
	"encoding/binary"
	"errors"
	"sync"
	"time"

	"github.com/brokerd/brokerd/internal/wire"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const createTopicsKey = 19

const (
	// A typo in a loop makes topics; one connection makes this many at once,
	// and then this many per second.
	autoBurst     = 100
	autoPerSecond = 10
	// maxCreating bounds the names in flight for all connections together.
	maxCreating = 1000
)

// autocreate brings topics into being that Metadata asks for. There is one
// creation per name in flight, however many ask for it; it travels as a
// CreateTopics request in the name of the first who asked, so that it is placed,
// checked and forwarded like any other.
type autocreate struct {
	create func(*wire.Call) wire.Outcome

	mu       sync.Mutex
	inFlight map[string][]*waiting // by name, those who wait for it
	budgets  map[uint64]*budget    // by connection that has created
}

func newAutocreate(create func(*wire.Call) wire.Outcome) *autocreate {
	return &autocreate{create: create, inFlight: make(map[string][]*waiting), budgets: make(map[uint64]*budget)}
}

// begin starts what is not under way, joins what is, and returns the wait for
// all of it. Names beyond a limit are not begun: their client asks again.
func (a *autocreate) begin(c *wire.Call, names []string) *waiting {
	w := &waiting{results: make(map[string]error, len(names))}
	var fresh []string
	now := time.Now()
	a.mu.Lock()
	for _, name := range names {
		w.results[name] = nil
		waiters, under := a.inFlight[name]
		if !under {
			if len(a.inFlight) >= maxCreating || !a.budgetLocked(c.Client.ID).take(now) {
				continue
			}
			fresh = append(fresh, name)
		}
		w.left++
		a.inFlight[name] = append(waiters, w)
	}
	a.mu.Unlock()
	if len(fresh) > 0 {
		a.send(c, fresh)
	}
	return w
}

// send makes one CreateTopics of all names.
func (a *autocreate) send(c *wire.Call, names []string) {
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Version, req.TimeoutMillis = 7, int32(visibleWithin.Milliseconds())
	for _, name := range names {
		t := kmsg.NewCreateTopicsRequestTopic()
		t.Topic, t.NumPartitions, t.ReplicationFactor = name, -1, -1
		req.Topics = append(req.Topics, t)
	}
	call := *c
	call.Key, call.Version, call.Body = createTopicsKey, req.Version, req.AppendTo(nil)
	o := a.create(&call)
	if o == nil || o.Ready() {
		a.finish(names, o)
		return
	}
	o.Notify(func(*wire.Handoff) { a.finish(names, o) })
}

// finish tells everybody who waits what became of the names.
func (a *autocreate) finish(names []string, o wire.Outcome) {
	results := createResults(o)
	for _, name := range names {
		err, answered := results[name]
		if !answered {
			err = kerr.LeaderNotAvailable
		}
		a.mu.Lock()
		waiters := a.inFlight[name]
		delete(a.inFlight, name)
		a.mu.Unlock()
		for _, w := range waiters {
			w.tell(name, err)
		}
	}
}

// createResults reads the answer to our own CreateTopics request.
func createResults(o wire.Outcome) map[string]error {
	if o == nil {
		return nil
	}
	a := o.Finish(false)
	if a.Release != nil {
		defer a.Release()
	}
	const header = 4 + 4 + 1 // length, correlation, no tags
	if len(a.Frame) < header || int(binary.BigEndian.Uint32(a.Frame)) != len(a.Frame)-4 {
		return nil
	}
	resp := kmsg.NewPtrCreateTopicsResponse()
	resp.Version = 7
	if resp.ReadFrom(a.Frame[header:]) != nil {
		return nil
	}
	results := make(map[string]error, len(resp.Topics))
	for _, t := range resp.Topics {
		err := kerr.ErrorForCode(t.ErrorCode)
		if errors.Is(err, kerr.TopicAlreadyExists) {
			err = nil // somebody was faster
		}
		results[t.Topic] = err
	}
	return results
}

// forget drops what is kept for a connection.
func (a *autocreate) forget(c *wire.Client) {
	a.mu.Lock()
	delete(a.budgets, c.ID)
	a.mu.Unlock()
}

func (a *autocreate) budgetLocked(connection uint64) *budget {
	b := a.budgets[connection]
	if b == nil {
		b = &budget{left: autoBurst}
		a.budgets[connection] = b
	}
	return b
}

// budget is a token bucket.
type budget struct {
	left float64
	at   time.Time
}

func (b *budget) take(now time.Time) bool {
	if !b.at.IsZero() {
		b.left = min(autoBurst, b.left+now.Sub(b.at).Seconds()*autoPerSecond)
	}
	b.at = now
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}

// waiting is one request's wait for the topics it brings into being.
type waiting struct {
	mu      sync.Mutex
	left    int
	results map[string]error // by name; nil: made, or on its way
	done    func()
}

// tell notes what became of one name, and wakes the request after the last one.
func (w *waiting) tell(name string, err error) {
	w.mu.Lock()
	w.results[name] = err
	w.left--
	var done func()
	if w.left == 0 {
		done = w.done
	}
	w.mu.Unlock()
	if done != nil {
		done()
	}
}

// notify calls done once all names are told, at once if they are.
func (w *waiting) notify(done func()) {
	w.mu.Lock()
	now := w.left == 0
	w.done = done
	w.mu.Unlock()
	if now {
		done()
	}
}

// faults is what is known by now.
func (w *waiting) faults() map[string]error {
	w.mu.Lock()
	defer w.mu.Unlock()
	known := make(map[string]error, len(w.results))
	for name, err := range w.results {
		known[name] = err
	}
	return known
}
