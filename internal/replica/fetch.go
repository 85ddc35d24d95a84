package replica

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"time"

	"github.com/brokerd/brokerd/internal/step"
	"github.com/brokerd/brokerd/internal/wire"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	// fetchPatience is how long a leader may be silent beyond the wait it was
	// allowed; then the connection is given up.
	fetchPatience = 10 * time.Second
	// fetchVersion is the first that carries the broker epoch of who fetches.
	fetchVersion = 15
)

// errAnew begins the session anew, without a pause.
var errAnew = errors.New("fetch session begins anew")

// work is one connection of a lane, with its fetch session (KIP-227).
type work struct {
	l       *lane
	link    *wire.Link
	id      int32 // of the session, 0: not begun
	epoch   int32 // of the session's next request
	number  int64 // of the last request: the correlation of what it asks
	replied int64 // of the last reply
	sentAt  time.Time

	asks   int64        // the number that the leader wants to hear again, 0: none
	todo   []*following // to name in the next request
	forget []step.PartitionID
	resp   kmsg.FetchResponse
}

// fetch connects and fetches until there is nothing to follow, or an error.
func (l *lane) fetch(ctx context.Context) error {
	link, err := l.connect(ctx)
	if err != nil {
		return err
	}
	defer l.disconnect(link)
	w := &work{l: l, link: link}
	w.begin()
	for ctx.Err() == nil {
		if left := w.changes(); left == 0 {
			return nil
		}
		if err := w.ask(); err != nil {
			return err
		}
		if w.link.Waiting() == 0 {
			w.wait(ctx)
			continue
		}
		if err := w.reply(); err != nil {
			return err
		}
	}
	return nil
}

// begin asks everything anew.
func (w *work) begin() {
	l := w.l
	l.mu.Lock()
	l.fresh, l.gone = nil, nil
	all := make([]*following, 0, len(l.members))
	for _, f := range l.members {
		all = append(all, f)
	}
	l.mu.Unlock()
	for _, f := range all {
		f.inSession, f.queued = false, false
		w.lost(f)
		w.queue(f)
	}
}

// lost forgets the question that is open: it will be asked again.
func (w *work) lost(f *following) {
	f.p.mu.Lock()
	f.core.Lost()
	f.p.mu.Unlock()
}

func (w *work) queue(f *following) {
	if !f.queued {
		f.queued = true
		w.todo = append(w.todo, f)
	}
}

// changes takes in what was added and dropped, and says how many partitions
// there are.
func (w *work) changes() int {
	l := w.l
	l.mu.Lock()
	fresh, gone, left := l.fresh, l.gone, len(l.members)
	l.fresh, l.gone = nil, nil
	l.mu.Unlock()
	if w.number > 0 { // else the leader has not heard of them
		w.forget = append(w.forget, gone...)
	}
	for _, f := range fresh {
		w.queue(f)
	}
	return left
}

// ask sends a request if there is one to send: when none is under way, or when
// there is something to name. Under fsync it waits until all that the last reply
// brought is durable (a fetch sent earlier would be parked at the leader, and
// keep the durable end from it).
func (w *work) ask() error {
	if w.id == 0 && w.link.Waiting() > 0 {
		return nil // the session's id is on its way: the first request never waits
	}
	now := time.Now()
	var ready, later []*following
	for _, f := range w.todo {
		switch {
		case f.out.Load():
			f.queued = false
		case f.rests(now):
			later = append(later, f)
		case w.next(f):
			ready = append(ready, f)
		default:
			later = append(later, f)
			if w.link.Waiting() == 0 && f.inSession {
				// Serial: the request that would leave without it would wait for it.
				w.undo(ready)
				return nil
			}
		}
	}
	w.todo = later
	if len(ready) == 0 && len(w.forget) == 0 && w.asks == 0 && (w.link.Waiting() > 0 || w.id == 0) {
		return nil
	}
	return w.send(ready)
}

// rests says whether f must not ask yet.
func (f *following) rests(now time.Time) bool {
	if d := f.throttled(); d > 0 {
		f.after = now.Add(max(d, f.after.Sub(now)))
	}
	return f.after.After(now)
}

// undo takes back the questions that are not sent after all.
func (w *work) undo(ready []*following) {
	for _, f := range ready {
		w.lost(f)
	}
}

// next makes the question of f, if it may be asked now.
func (w *work) next(f *following) bool {
	v := f.p.log.View()
	last := f.p.log.LatestEpoch()
	f.p.mu.Lock()
	defer f.p.mu.Unlock()
	f.core.NowDurable(v.Durable)
	q, ok := f.core.Next(w.number+1, last)
	if ok {
		f.asked = q
	}
	return ok
}

func (w *work) send(ready []*following) error {
	im := w.l.m.catalog.Image()
	self, ok := im.Broker(w.l.m.self)
	if !ok {
		return fmt.Errorf("broker %d is not registered", w.l.m.self)
	}
	c := w.l.m.conf
	req := kmsg.NewPtrFetchRequest()
	req.ReplicaState.ID, req.ReplicaState.Epoch = self.ID, self.Epoch
	req.MaxWaitMillis, req.MinBytes = int32(c.ReplicaFetchWaitMax.Milliseconds()), 1
	req.MaxBytes = c.ReplicaFetchResponseMaxBytes
	req.SessionID, req.SessionEpoch = w.id, w.epoch
	var topic *kmsg.FetchRequestTopic
	for _, f := range ready {
		if topic == nil || topic.TopicID != f.p.id.Topic {
			req.Topics = append(req.Topics, kmsg.FetchRequestTopic{TopicID: f.p.id.Topic})
			topic = &req.Topics[len(req.Topics)-1]
		}
		q := kmsg.NewFetchRequestTopicPartition()
		q.Partition, q.CurrentLeaderEpoch = f.p.id.Index, f.asked.LeaderEpoch
		q.FetchOffset, q.LastFetchedEpoch = f.asked.Offset, f.asked.LastEpoch
		q.LogStartOffset, q.PartitionMaxBytes = f.p.log.View().Start, c.ReplicaFetchMaxBytes
		topic.Partitions = append(topic.Partitions, q)
		f.queued, f.inSession = false, true
	}
	for _, id := range w.forget {
		req.ForgottenTopics = append(req.ForgottenTopics, kmsg.FetchRequestForgottenTopic{TopicID: id.Topic, Partitions: []int32{id.Index}})
	}
	w.forget = w.forget[:0]
	if w.asks != 0 { // what was dropped before the answer that asked came is forgotten by now
		req.UnknownTags.Set(TagDoubt, binary.BigEndian.AppendUint64(nil, uint64(w.asks)))
		w.asks = 0
	}
	if err := w.link.Send(req, time.Now().Add(fetchPatience)); err != nil {
		return err
	}
	if req.Version < fetchVersion {
		return wire.ErrPeerVersion
	}
	w.number++
	w.sentAt = time.Now()
	w.epoch = nextSessionEpoch(w.epoch)
	return nil
}

// nextSessionEpoch counts a session's requests as KIP-227 has it.
func nextSessionEpoch(e int32) int32 {
	if e == math.MaxInt32 {
		return 1
	}
	return e + 1
}

// wait rests until something is durable or new, or a partition has rested.
func (w *work) wait(ctx context.Context) {
	t := time.NewTimer(time.Until(w.until()))
	defer t.Stop()
	select {
	case <-w.l.wake:
	case <-t.C:
	case <-ctx.Done():
	}
}

// until is when somebody has rested, at most a long wait ahead.
func (w *work) until() time.Time {
	now := time.Now()
	at := now.Add(w.l.m.conf.ReplicaFetchWaitMax + fetchPatience)
	for _, f := range w.todo {
		if f.after.Before(at) && f.after.After(now) {
			at = f.after
		}
	}
	return at
}

// reply takes one answer in, or finds that it is time to look again.
func (w *work) reply() error {
	patience := w.sentAt.Add(w.l.m.conf.ReplicaFetchWaitMax + fetchPatience)
	at := w.until()
	if patience.Before(at) {
		at = patience
	}
	w.resp.UnknownTags = kmsg.Tags{}
	buf, err := w.link.Receive(&w.resp, at)
	switch {
	case errors.Is(err, wire.ErrInterrupted):
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		if time.Now().Before(patience) {
			return nil
		}
		return fmt.Errorf("no answer within %v", w.l.m.conf.ReplicaFetchWaitMax+fetchPatience)
	case err != nil:
		return err
	}
	defer buf.Release()
	w.replied++
	if code := w.resp.ErrorCode; code != 0 {
		if code == kerr.FetchSessionIDNotFound.Code || code == kerr.InvalidFetchSessionEpoch.Code {
			return errAnew
		}
		return fmt.Errorf("the leader refuses the fetch: %w", kerr.ErrorForCode(code))
	}
	w.id = w.resp.SessionID
	w.asks = max(w.asks, DoubtOf(&w.resp.UnknownTags))
	for i := range w.resp.Topics {
		t := &w.resp.Topics[i]
		for k := range t.Partitions {
			w.l.mu.Lock()
			f := w.l.members[step.PartitionID{Topic: t.TopicID, Index: t.Partitions[k].Partition}]
			w.l.mu.Unlock()
			if f != nil && f.inSession {
				w.take(f, &t.Partitions[k])
			}
		}
	}
	return nil
}
