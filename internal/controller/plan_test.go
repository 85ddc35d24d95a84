package controller

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/step"
)

// apply makes of an image what one entry of commands does.
func apply(t *testing.T, im *meta.Image, cmds ...meta.Command) *meta.Image {
	t.Helper()
	next, _, results := meta.Apply(im, im.Index()+1, cmds)
	for _, r := range results {
		if r.Err != nil {
			t.Fatal(r.Err)
		}
	}
	return next
}

// world is an image in which brokers have the given states, and racks.
func world(t *testing.T, states []meta.BrokerState, racks ...string) *meta.Image {
	t.Helper()
	im := meta.New()
	do := func(cmd meta.Command) {
		t.Helper()
		im = apply(t, im, cmd)
	}
	do(meta.Bootstrap{ClusterID: "c", Level: 1})
	for i, s := range states {
		r := meta.RegisterBroker{ID: int32(i + 1), ClusterID: "c", Incarnation: tid(byte(i + 1))}
		if i < len(racks) {
			r.Rack = racks[i]
		}
		do(r)
		b, _ := im.Broker(r.ID)
		if s != meta.Fenced {
			do(meta.SetBrokerState{ID: r.ID, Epoch: b.Epoch, State: meta.Active})
		}
		if s == meta.ControlledShutdown {
			do(meta.SetBrokerState{ID: r.ID, Epoch: b.Epoch, State: s})
		}
	}
	return im
}

const sessionNs = int64(3 * time.Second)

func TestPlan(t *testing.T) {
	sec := func(s int) step.Instant { return step.Instant(time.Duration(s) * time.Second) }
	for _, c := range []struct {
		name  string
		state meta.BrokerState
		beat  *Heartbeat // nil: never heard of since the leadership began, at 0
		at    step.Instant
		now   step.Instant
		want  meta.BrokerState
		// ours: the broker is in the controller's process
		ours bool
	}{
		{"fenced, silent", meta.Fenced, nil, 0, sec(1), meta.Fenced, false},
		{"fenced, has applied its registration", meta.Fenced, &Heartbeat{Applied: 99}, sec(1), sec(2), meta.Active, false},
		{"fenced, has not", meta.Fenced, &Heartbeat{Applied: 1}, sec(1), sec(2), meta.Fenced, false},
		{"fenced, wants to stay so", meta.Fenced, &Heartbeat{Applied: 99, WantFence: true}, sec(1), sec(2), meta.Fenced, false},
		{"fenced, is leaving", meta.Fenced, &Heartbeat{Applied: 99, WantShutdown: true}, sec(1), sec(2), meta.Fenced, false},
		{"fenced, heard long ago", meta.Fenced, &Heartbeat{Applied: 99}, sec(1), sec(5), meta.Fenced, false},
		{"active, silent within the session", meta.Active, nil, 0, sec(2), meta.Active, false},
		{"active, silent for longer", meta.Active, nil, 0, sec(3), meta.Fenced, false},
		{"active, heard", meta.Active, &Heartbeat{}, sec(9), sec(11), meta.Active, false},
		{"active, wants to be fenced", meta.Active, &Heartbeat{WantFence: true}, sec(1), sec(1), meta.Fenced, false},
		{"active, wants to leave", meta.Active, &Heartbeat{WantShutdown: true}, sec(1), sec(1), meta.ControlledShutdown, false},
		{"leaving, heard", meta.ControlledShutdown, &Heartbeat{WantShutdown: true}, sec(1), sec(2), meta.ControlledShutdown, false},
		{"leaving, silent", meta.ControlledShutdown, nil, 0, sec(3), meta.Fenced, false},
		{"active, ours, silent for long", meta.Active, &Heartbeat{}, sec(1), sec(60), meta.Active, true},
		{"active, ours, wants to be fenced", meta.Active, &Heartbeat{WantFence: true}, sec(1), sec(60), meta.Fenced, true},
		{"active, ours by its former life", meta.Active, nil, 0, sec(3), meta.Fenced, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			im := world(t, []meta.BrokerState{c.state})
			live := newLiveness(im, sessionNs, 0)
			b, _ := im.Broker(1)
			if c.beat != nil {
				live.heard(b, *c.beat, c.at, 1, true)
			}
			self := int32(9)
			if c.ours {
				self = 1
			}
			var got []meta.Command
			if got = Plan(im, live, self, c.now); c.want == c.state {
				if len(got) != 0 {
					t.Fatalf("planned %+v", got)
				}
				return
			}
			want := meta.SetBrokerState{ID: 1, Epoch: b.Epoch, State: c.want}
			if len(got) != 1 || got[0] != meta.Command(want) {
				t.Fatalf("planned %+v, want %+v", got, want)
			}
		})
	}
}

func TestPlanPurges(t *testing.T) {
	im := world(t, []meta.BrokerState{meta.Active, meta.Active})
	for i, cmd := range []meta.Command{topic(1, "t", 1, 2), meta.DeleteTopic{ID: tid(1, 7)}} {
		next, _, r := meta.Apply(im, 100+uint64(i), []meta.Command{cmd})
		if r[0].Err != nil {
			t.Fatal(r[0].Err)
		}
		im = next
	}
	live := newLiveness(im, sessionNs, 0)
	b, _ := im.Broker(2)
	beat := func(now step.Instant, applied uint64) { live.heard(b, Heartbeat{Applied: applied}, now, 1, true) }
	purged := func(now step.Instant) bool {
		one, _ := im.Broker(1)
		live.heard(one, Heartbeat{Applied: 101}, now, 1, true)
		return slices.ContainsFunc(Plan(im, live, 1, now), func(c meta.Command) bool { return c == meta.Command(meta.PurgeTopic{ID: tid(1, 7)}) })
	}
	late := step.Instant(purgeAfter)
	beat(0, 101)
	if purged(0) {
		t.Fatal("purged at once")
	}
	live.sessions[2].applied = 100
	beat(late, 100)
	if purged(late) {
		t.Fatal("purged although broker 2 has not heard of it")
	}
	beat(late, 101)
	if !purged(late) {
		t.Fatal("not purged")
	}
}

func TestOccupied(t *testing.T) {
	im := world(t, []meta.BrokerState{meta.Active})
	b, _ := im.Broker(1)
	live := newLiveness(im, sessionNs, 0)
	if live.occupied(b, tid(77), 0) {
		t.Fatal("a broker that nobody heard of holds its id")
	}
	live.heard(b, Heartbeat{}, 0, 1, true)
	if !live.occupied(b, tid(77), 1) || live.occupied(b, b.Incarnation, 1) || live.occupied(b, tid(77), step.Instant(sessionNs)) {
		t.Fatal("an id is held by the one who is heard, as long as it is")
	}

	im = world(t, []meta.BrokerState{meta.ControlledShutdown})
	b, _ = im.Broker(1)
	live = newLiveness(im, sessionNs, 0)
	live.heard(b, Heartbeat{}, 0, 1, true)
	if !live.occupied(b, tid(77), 1) {
		t.Fatal("only the broker itself can say that it leaves")
	}
	live.heard(b, Heartbeat{WantShutdown: true}, 1, 2, true)
	if live.occupied(b, tid(77), 2) {
		t.Fatal("one that leaves holds its id")
	}
}

func TestPlaceReplicas(t *testing.T) {
	active := func(n int) (s []meta.BrokerState) {
		for range n {
			s = append(s, meta.Active)
		}
		return s
	}
	t.Run("too few", func(t *testing.T) {
		im := world(t, []meta.BrokerState{meta.Active, meta.Fenced, meta.Active})
		for _, rf := range []int16{0, 3, 17} {
			if _, err := PlaceReplicas(im, Placement{Partitions: 1, ReplicationFactor: rf}); !errors.Is(err, meta.ErrReplicationFactor) {
				t.Errorf("factor %d: %v", rf, err)
			}
		}
		a, err := PlaceReplicas(im, Placement{Partitions: 3, ReplicationFactor: 3, Fenced: true})
		if err != nil || slices.ContainsFunc(a, func(ids []int32) bool { return ids[2] != 2 }) {
			t.Errorf("fenced ones go last: %v %v", a, err)
		}
	})
	for _, n := range []int{1, 3, 5, 12} {
		for rf := 1; rf <= min(n, 4); rf++ {
			t.Run(fmt.Sprintf("%d brokers, factor %d", n, rf), func(t *testing.T) {
				im := world(t, active(n), "a", "b", "c", "a", "b", "c", "a", "b", "c", "a", "b", "c")
				const parts = 600
				a, err := PlaceReplicas(im, Placement{Partitions: parts, ReplicationFactor: int16(rf), Start: 5})
				if err != nil {
					t.Fatal(err)
				}
				leads, held := map[int32]int{}, map[int32]int{}
				for _, ids := range a {
					racks := map[string]bool{}
					seen := map[int32]bool{}
					for _, id := range ids {
						b, _ := im.Broker(id)
						racks[b.Rack], seen[id] = true, true
						held[id]++
					}
					leads[ids[0]]++
					if len(seen) != rf || len(racks) != min(rf, n, 3) {
						t.Fatalf("%v: %d brokers on %d racks", ids, len(seen), len(racks))
					}
				}
				for id := int32(1); id <= int32(n); id++ {
					if want := parts / n; leads[id] != want {
						t.Errorf("broker %d leads %d, want %d", id, leads[id], want)
					}
					// Racks of unlike size cannot be even: one of a single broker takes a
					// replica of everything.
					if want := parts * rf / n; n%3 == 0 && (held[id] < want*8/10 || held[id] > want*12/10) {
						t.Errorf("broker %d holds %d, about %d would be even", id, held[id], want)
					}
				}
				// Growing goes on where creation stopped.
				more, err := PlaceReplicas(im, Placement{Partitions: 1, First: 7, ReplicationFactor: int16(rf), Start: 5})
				if err != nil || !slices.Equal(more[0], a[7]) {
					t.Errorf("partition 7 later: %v, at once: %v", more[0], a[7])
				}
			})
		}
	}
}

func TestServerNames(t *testing.T) {
	s := Server{Node: 3, Directory: tid(4), Address: "[::1]:9093"}
	node, dir, err := ParseServerID(s.ID())
	if err != nil || node != 3 || dir != s.Directory {
		t.Fatalf("%d %s %v", node, dir, err)
	}
	hostPort, id, err := splitAddress(s.raftAddress())
	if err != nil || hostPort != s.Address || id != s.ID() {
		t.Fatalf("%s %s %v", hostPort, id, err)
	}
	for _, bad := range []string{"", "3", "x@" + tid(4).String(), "3@nonsense", "-1@" + tid(4).String()} {
		if _, _, err := ParseServerID(bad); err == nil {
			t.Errorf("%q is taken for a server id", bad)
		}
	}
	for _, bad := range []string{"host:1", "host#x", "host:1#", ""} {
		if _, _, err := splitAddress(raft.ServerAddress(bad)); err == nil {
			t.Errorf("%q is taken for an address", bad)
		}
	}
}
