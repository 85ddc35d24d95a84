package controller

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/step"
	"github.com/brokerd/brokerd/internal/vfs"
)

func text(steps []Membership, err error) string {
	var out []string
	for _, s := range steps {
		out = append(out, fmt.Sprintf("%d.%d %s", s.Server.Node, s.Server.Directory[0], s.Verb))
	}
	if err != nil {
		out = append(out, errors.Unwrap(err).Error())
	}
	return strings.Join(out, ", ")
}

// TestMembershipSteps is what each wish makes of a group of two voters, 1 and 2,
// and one member without a vote, 3.
func TestMembershipSteps(t *testing.T) {
	at := func(node int32, disk byte, port int) Server {
		return Server{node, tid(disk), fmt.Sprintf("n%d:%d", node, port)}
	}
	var conf raft.Configuration
	for _, s := range []Server{at(1, 1, 1), at(2, 2, 1), at(3, 3, 1)} {
		m := raft.Server{ID: s.raftID(), Address: s.raftAddress()}
		if s.Node == 3 {
			m.Suffrage = raft.Nonvoter
		}
		conf.Servers = append(conf.Servers, m)
	}
	lone := raft.Configuration{Servers: conf.Servers[:1]}
	im := world(t, []meta.BrokerState{meta.Active, meta.Fenced, meta.Active})
	r := meta.RegisterBroker{ID: 1, ClusterID: "c", Incarnation: tid(7), Dirs: []step.TopicID{tid(1)}}
	b, _ := im.Broker(1)
	r.Seen = b.Epoch
	im = apply(t, im, r)
	b, _ = im.Broker(1)
	im = apply(t, im, meta.SetBrokerState{ID: 1, Epoch: b.Epoch, State: meta.Active})
	for _, c := range []struct {
		name string
		got  string
		want string
	}{
		{"a new node joins", text(admit(conf, at(4, 4, 1))), "4.4 joined without a vote"},
		{"a member is known", text(admit(conf, at(3, 3, 1))), ""},
		{"a voter is known", text(admit(conf, at(1, 1, 1))), ""},
		{"a voter has moved", text(admit(conf, at(1, 1, 9))), "1.1 joined without a vote"}, // raft changes its address only
		{"a member lost its disk", text(admit(conf, at(3, 33, 1))), "3.3 left, 3.33 joined without a vote"},
		{"a voter lost its disk", text(admit(conf, at(2, 22, 1))), "2.22 joined without a vote"},
		{"a member gets its vote", text(promote(conf, Server{Node: 3, Directory: tid(3)})), "3.3 votes"},
		{"a voter has it", text(promote(conf, Server{Node: 1, Directory: tid(1)})), ErrVoterExists.Error()},
		{"an old disk of it has it", text(promote(conf, Server{Node: 2, Directory: tid(22)})), ErrVoterExists.Error()},
		{"a stranger gets none", text(promote(conf, Server{Node: 3, Directory: tid(9)})), ErrNoMember.Error()},
		{"a living voter loses it", text(dismiss(conf, im, Server{Node: 1, Directory: tid(1)})), "1.1 lost its vote"},
		{"a dead voter goes", text(dismiss(conf, im, Server{Node: 2, Directory: tid(2)})), "2.2 left"},
		{"a member has no vote", text(dismiss(conf, im, Server{Node: 3, Directory: tid(3)})), ErrNoVoter.Error()},
		{"the last voter stays", text(dismiss(lone, im, Server{Node: 1, Directory: tid(1)})), ErrLastVoter.Error()},
	} {
		if c.got != c.want {
			t.Errorf("%s: %q, not %q", c.name, c.got, c.want)
		}
	}
}

// TestWipedVoterComesBack: a voter that lost its disk joins without a vote, and
// votes again when its old self has been removed and it has been added.
func TestWipedVoterComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newTrio(t)
		n := q.leader()
		q.register(1, 2, 3)
		wiped := q.id(n)%3 + 1
		old := q.server(wiped)
		q.kill(wiped)
		q.disks[wiped] = vfs.NewMem()
		q.wiped[wiped] = 77
		q.start(wiped, false)
		do := func(f func(done func(error))) error {
			done := make(chan error, 1)
			f(func(err error) { done <- err })
			return <-done
		}
		fresh := q.server(wiped)
		accept := func(done func(error)) { n.AcceptMember(fresh, done) }
		if err := do(accept); !errors.Is(err, meta.ErrDuplicateBroker) {
			t.Errorf("while its old self may be alive: %v", err)
		}
		q.fencedAfter(n, wiped)
		if err := do(accept); err != nil {
			t.Fatal(err)
		}
		q.register(wiped)
		if !q.nodes[wiped].Member() {
			t.Error("it does not know that it is a member")
		}
		if err := do(func(done func(error)) { n.PromoteMember(fresh.Node, fresh.Directory, done) }); !errors.Is(err, ErrVoterExists) {
			t.Errorf("beside its old self: %v", err)
		}
		if err := do(func(done func(error)) { n.DismissVoter(old.Node, old.Directory, done) }); err != nil {
			t.Error(err)
		}
		if err := do(func(done func(error)) { n.PromoteMember(fresh.Node, fresh.Directory, done) }); err != nil {
			t.Error(err)
		}
		quorum, err := n.Quorum()
		if err != nil || len(quorum.Voters) != 3 || len(quorum.Observers) != 0 {
			t.Errorf("%+v %v", quorum, err)
		}
		voters := n.cat.Image().Voters()
		if len(voters) != 3 || voters[wiped-1].Directory != fresh.Directory {
			t.Errorf("noted: %+v", voters)
		}
		// It carries the quorum with one other.
		other := wiped%3 + 1
		if other == q.id(n) {
			other = other%3 + 1
		}
		q.kill(other)
		n.must(topic(1, "with-its-vote", 1))
		time.Sleep(time.Second)
		q.stopAll()
	})
}
