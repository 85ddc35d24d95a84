package controller

import (
	"context"
	"fmt"
	"slices"

	"github.com/hashicorp/raft"

	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/step"
)

// maxMembership is how many membership changes may wait: each is rare, and
// whoever hears ErrBusy asks again.
const maxMembership = 64

// members is the queue of membership changes: raft takes one at a time.
type members struct{ queue chan membershipChange }

type membershipChange struct {
	steps func(raft.Configuration, *meta.Image) ([]Membership, error)
	done  func(error)
}

func newMembers() members { return members{make(chan membershipChange, maxMembership)} }

// AcceptMember takes a server in that says that it is there: without a vote, if
// it is new; at the address that it names. What the same node was with another
// disk is forgotten, unless that has a vote: an operator must take it away. While
// that one is alive it is refused.
func (c *Controller) AcceptMember(s Server, done func(error)) {
	c.changeMembers(func(conf raft.Configuration, im *meta.Image) ([]Membership, error) {
		if c.livesElsewhere(conf, im, s) {
			return nil, fmt.Errorf("%w: node %d lives with another disk", meta.ErrDuplicateBroker, s.Node)
		}
		return admit(conf, s)
	}, done)
}

// livesElsewhere says whether a server that is no member yet has the number of a
// broker that is surely alive.
func (c *Controller) livesElsewhere(conf raft.Configuration, im *meta.Image, s Server) bool {
	if slices.ContainsFunc(conf.Servers, func(m raft.Server) bool { return m.ID == s.raftID() }) {
		return false
	}
	b, known := im.Broker(s.Node)
	c.mu.Lock()
	defer c.mu.Unlock()
	return known && c.leading != nil && c.leading.live.occupied(b, step.TopicID{}, c.now())
}

func admit(conf raft.Configuration, s Server) (steps []Membership, err error) {
	known := false
	for _, m := range conf.Servers {
		node, dir, err := ParseServerID(string(m.ID))
		switch {
		case err != nil || node != s.Node:
		case dir == s.Directory:
			known = m.Address == s.raftAddress()
		case m.Suffrage != raft.Voter:
			steps = append(steps, Membership{Remove, Server{Node: node, Directory: dir}})
		}
	}
	if !known {
		steps = append(steps, Membership{AddObserver, s})
	}
	return steps, nil
}

// PromoteMember gives a member its vote (AddRaftVoter).
func (c *Controller) PromoteMember(node int32, dir step.TopicID, done func(error)) {
	c.changeMembers(func(conf raft.Configuration, _ *meta.Image) ([]Membership, error) {
		return promote(conf, Server{Node: node, Directory: dir})
	}, done)
}

func promote(conf raft.Configuration, s Server) ([]Membership, error) {
	for _, m := range conf.Servers {
		node, dir, err := ParseServerID(string(m.ID))
		switch {
		case err != nil || node != s.Node || m.Suffrage != raft.Voter:
		case dir == s.Directory:
			return nil, fmt.Errorf("%w: %s", ErrVoterExists, s.ID())
		default:
			return nil, fmt.Errorf("%w: node %d votes with directory %s: remove that voter first", ErrVoterExists, node, dir)
		}
		if m.ID == s.raftID() {
			s.Address, _, err = splitAddress(m.Address)
			if err != nil {
				return nil, err
			}
		}
	}
	if s.Address == "" {
		return nil, fmt.Errorf("%w: %s", ErrNoMember, s.ID())
	}
	return []Membership{{AddVoter, s}}, nil
}

// ForgetMember takes a node that is unregistered out of the group, unless it
// votes: a dead voter counts until somebody removes it.
func (c *Controller) ForgetMember(node int32, done func(error)) {
	c.changeMembers(func(conf raft.Configuration, _ *meta.Image) (steps []Membership, _ error) {
		for _, m := range conf.Servers {
			if n, dir, err := ParseServerID(string(m.ID)); err == nil && n == node && m.Suffrage != raft.Voter {
				steps = append(steps, Membership{Remove, Server{Node: n, Directory: dir}})
			}
		}
		return steps, nil
	}, done)
}

// DismissVoter takes a server's vote away (RemoveRaftVoter): one whose broker is
// registered with that disk stays a member, any other one goes.
func (c *Controller) DismissVoter(node int32, dir step.TopicID, done func(error)) {
	c.changeMembers(func(conf raft.Configuration, im *meta.Image) ([]Membership, error) {
		return dismiss(conf, im, Server{Node: node, Directory: dir})
	}, done)
}

func dismiss(conf raft.Configuration, im *meta.Image, s Server) ([]Membership, error) {
	found, voters := false, 0
	for _, m := range conf.Servers {
		if m.Suffrage == raft.Voter {
			voters++
			found = found || m.ID == s.raftID()
		}
	}
	switch {
	case !found:
		return nil, fmt.Errorf("%w: %s", ErrNoVoter, s.ID())
	case voters == 1:
		return nil, fmt.Errorf("%w: %s is the only one", ErrLastVoter, s.ID())
	}
	b, ok := im.Broker(s.Node)
	if ok && b.State != meta.Fenced && slices.Contains(b.Dirs, s.Directory) {
		return []Membership{{Demote, s}}, nil
	}
	return []Membership{{Remove, s}}, nil
}

func (c *Controller) changeMembers(steps func(raft.Configuration, *meta.Image) ([]Membership, error), done func(error)) {
	if !c.active.Load() {
		done(ErrNotLeader)
		return
	}
	select {
	case c.members.queue <- membershipChange{steps, done}:
	default:
		done(ErrBusy)
	}
}

// runMembers carries membership changes out, one after the other.
func (c *Controller) runMembers(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			c.refuseMembers()
			return
		case m := <-c.members.queue:
			m.done(c.changeMember(ctx, m))
		}
	}
}

// refuseMembers tells those who wait at the end. Whoever comes later finds that
// this node is not active.
func (c *Controller) refuseMembers() {
	for {
		select {
		case m := <-c.members.queue:
			m.done(ErrNotLeader)
		default:
			return
		}
	}
}

func (c *Controller) changeMember(ctx context.Context, m membershipChange) error {
	if !c.active.Load() || c.node == nil {
		return ErrNotLeader
	}
	im := c.o.Catalog.Image()
	steps, err := m.steps(c.node.r.GetConfiguration().Configuration(), im)
	for _, s := range steps {
		if err == nil {
			err = c.consensus.Members(ctx, s)
		}
		if err == nil {
			c.o.Log.Info("metadata quorum member changed", "server", s.Server.ID(), "change", s.Verb.String())
		}
	}
	if len(steps) > 0 && err == nil {
		c.noteVoters(ctx, c.o.Catalog.Image())
	}
	return err
}

// Member reports whether this node's own log shows it as a member, at its own
// address.
func (c *Controller) Member() bool {
	self := c.o.server()
	for _, s := range c.node.r.GetConfiguration().Configuration().Servers {
		if s.ID == self.raftID() {
			return s.Address == self.raftAddress()
		}
	}
	return false
}

// Self is this node as a member of the raft group.
func (c *Controller) Self() Server { return c.o.server() }

// Group is the recovery that made this node's quorum; zero: none did.
func (c *Controller) Group() step.TopicID { return c.node.stream.recovery() }

// LeaderAddress names the node that leads the raft group as far as this one
// knows, and where it answers.
func (c *Controller) LeaderAddress() (node int32, hostPort string, ok bool) {
	addr, id := c.node.r.LeaderWithID()
	node, _, err := ParseServerID(string(id))
	if err != nil {
		return -1, "", false
	}
	hostPort, _, err = splitAddress(addr)
	return node, hostPort, err == nil
}

// HasState reports whether this node remembers anything of a raft group.
func (c *Controller) HasState() bool {
	old, err := c.o.Stores.HasState()
	return old || err != nil // what cannot be read is not surely nothing
}
