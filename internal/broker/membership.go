package broker

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/api"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	memberEvery   = time.Second            // is this node still a member?
	strangerEvery = 100 * time.Millisecond // and while it is none
	memberWait    = 3 * time.Second        // for the controller to take it in
)

// leaderHint is who leads by the word of another node, for as long as no leader
// has called on this one.
type leaderHint struct {
	node int32
	addr string
}

// leaderAddress is where the controller is.
func (b *Broker) leaderAddress() (node int32, addr string, ok bool) {
	if node, addr, ok = b.control.LeaderAddress(); ok {
		return node, addr, true
	}
	if h := b.hint.Load(); h != nil {
		return h.node, h.addr, true
	}
	return -1, "", false
}

// keepMember sees to it that this node is a member of the raft group at its own
// address, and tells who is missing while there is no controller.
func (b *Broker) keepMember(ctx context.Context) error {
	circle := newCircle(b.o.Conf.NodeID, seedsOf(b.o.Conf), b.peerOptions())
	defer circle.close()
	teller := newTeller(b)
	for ctx.Err() == nil {
		member := b.control.Member()
		pause := memberEvery
		if _, _, led := b.control.LeaderAddress(); !led {
			b.look(circle.ask(ctx), teller)
		} else {
			teller.tell(nil)
		}
		if !member {
			b.introduce(ctx)
			pause = strangerEvery
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
	return ctx.Err()
}

// look asks the configured controllers who leads, and notes who is missing.
func (b *Broker) look(answers []heard, teller *teller) {
	self := b.face.describe()
	m := meeting{self: self, controller: b.o.Conf.HasRole("controller")}
	others, listed := m.others(answers)
	b.hint.Store(nil)
	if behind := m.leftBehind(others); behind != "" {
		teller.tell([]string{behind})
		return
	}
	for _, h := range others {
		if h.is != nil && h.is.Leader >= 0 && h.is.ClusterID == self.ClusterID && h.is.Leader != self.Node {
			b.hint.Store(&leaderHint{h.is.Leader, h.is.LeaderAddress})
			teller.tell(nil)
			return
		}
	}
	missing := m.objections(others, listed)
	if len(missing) == 0 {
		missing = []string{"an elected controller"}
	}
	teller.tell(missing)
}

// leftBehind says that the quorum was recovered without this node: what it
// remembers can not be brought together with what the others do.
func (m meeting) leftBehind(others []heard) string {
	for _, h := range others {
		if h.is != nil && h.is.Leader >= 0 && h.is.ClusterID == m.self.ClusterID && m.self.HasState && h.is.Recovery != m.self.Recovery && h.is.Recovery != ([16]byte{}) {
			return fmt.Sprintf("nobody: the metadata quorum was lost and recovered without this node, node %d leads the new one. Stop this node, run `brokerd quorum rejoin -c FILE`, start it again", h.is.Leader)
		}
	}
	return ""
}

// introduce tells the controller that this node is there.
func (b *Broker) introduce(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, memberWait)
	defer cancel()
	if _, _, ok := b.leaderAddress(); !ok {
		return
	}
	req, err := api.MemberRequest(b.identity.ClusterID, b.control.Self(), b.raftListener().Name)
	if err == nil {
		var resp kmsg.Response
		if resp, err = b.peers.toController(ctx, req); err == nil {
			err = lifeError(resp.(*kmsg.UpdateRaftVoterResponse).ErrorCode)
		}
	}
	if err != nil {
		b.hint.Store(nil)
		b.control.Judge(err)
		b.o.Log.Debug("the controller did not take this node in yet", "error", err)
	}
}

// teller says every few seconds who is missing.
type teller struct {
	b     *Broker
	since time.Time // when somebody began to be missing; zero: nobody is
	next  time.Time
}

func newTeller(b *Broker) *teller { return &teller{b: b} }

func (t *teller) tell(missing []string) {
	now := time.Now()
	if len(missing) == 0 {
		t.since = time.Time{}
		t.b.told.Store(nil)
		return
	}
	if t.since.IsZero() {
		t.since, t.next = now, now.Add(tellFirst)
	}
	text := strings.Join(missing, "; ")
	t.b.told.Store(&text)
	if now.Before(t.next) {
		return
	}
	t.next = now.Add(tellEvery)
	if t.b.o.Waiting != nil {
		t.b.o.Waiting(text)
	}
	t.b.o.Log.Warn("no controller yet: this node waits for others", "missing", text,
		"for", now.Sub(t.since).Round(time.Second).String(), "alone", t.b.aloneAdvice())
}

// aloneAdvice is how to start this node without the others.
func (b *Broker) aloneAdvice() string {
	c := b.o.Conf
	switch {
	case b.face.describe().HasState:
		return "not this node: it belongs to a cluster; a majority of its voters is enough"
	case !c.HasRole("controller"):
		return "start the controllers, or give this node the role: process.roles=broker,controller"
	}
	return fmt.Sprintf("--override process.roles=broker,controller --override controller.quorum.voters=%d@%s founds a cluster of this node only",
		c.NodeID, hostPort(b.raftListener().Host, b.raftListener().Port))
}
