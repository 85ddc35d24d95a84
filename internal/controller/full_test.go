package controller

import (
	"reflect"
	"slices"
	"testing"

	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/step"
)

// TestFillings: what a heartbeat says of full directories is noted once, by a cluster
// that knows how, and not before the broker itself has said anything.
func TestFillings(t *testing.T) {
	im := meta.New()
	do := func(cmds ...meta.Command) {
		t.Helper()
		im = apply(t, im, cmds...)
	}
	do(meta.Bootstrap{ClusterID: "c", Level: meta.MinLevel})
	a, b := tid(1, 1), tid(1, 2)
	do(meta.RegisterBroker{ID: 1, ClusterID: "c", Incarnation: tid(1), Dirs: []step.TopicID{a, b}})
	broker, _ := im.Broker(1)
	live := newLiveness(im, sessionNs, 0)
	beat := func(full ...step.TopicID) (news bool) {
		broker, _ = im.Broker(1)
		_, news = live.heard(broker, Heartbeat{Full: full}, 0, 1, true)
		return news
	}
	want := func(dirs ...step.TopicID) {
		t.Helper()
		cmds := Plan(im, live, 9, 0)
		if !reflect.DeepEqual(cmds, []meta.Command{meta.NoteFull{Broker: 1, BrokerEpoch: broker.Epoch, Dirs: dirs}}) {
			t.Fatalf("planned %+v", cmds)
		}
		do(cmds...)
		if cmds := Plan(im, live, 9, 0); len(cmds) != 0 {
			t.Fatalf("once more: %+v", cmds)
		}
	}
	if !beat(tid(7), b, a) || beat(a, b) {
		t.Error("news is what was not said before, of its own directories")
	}
	if cmds := Plan(im, live, 9, 0); len(cmds) != 0 {
		t.Fatalf("below its level: %+v", cmds)
	}
	do(meta.SetFeatureLevel{Level: meta.MaxLevel})
	want(a, b)
	if !beat(b) {
		t.Error("room again is no news")
	}
	want(b)
	live = newLiveness(im, sessionNs, 0) // another controller
	if cmds := Plan(im, live, 9, 0); len(cmds) != 0 {
		t.Fatalf("nobody has said anything: %+v", cmds)
	}
	beat()
	want()
}

// TestPlacementAvoidsFullDisks, as long as there are others.
func TestPlacementAvoidsFullDisks(t *testing.T) {
	im := meta.New()
	im = apply(t, im, meta.Bootstrap{ClusterID: "c", Level: meta.MaxLevel})
	for id := int32(1); id <= 3; id++ {
		dir := tid(byte(id), 1)
		im = apply(t, im, meta.RegisterBroker{ID: id, ClusterID: "c", Incarnation: tid(byte(id)), Dirs: []step.TopicID{dir}})
		epoch := int64(im.Index())
		im = apply(t, im, meta.SetBrokerState{ID: id, Epoch: epoch, State: meta.Active})
		if id == 2 {
			im = apply(t, im, meta.NoteFull{Broker: id, BrokerEpoch: epoch, Dirs: []step.TopicID{dir}})
		}
	}
	two, err := PlaceReplicas(im, Placement{Partitions: 6, ReplicationFactor: 2})
	if err != nil || slices.ContainsFunc(two, func(ids []int32) bool { return slices.Contains(ids, 2) }) {
		t.Errorf("two are enough: %v %v", two, err)
	}
	three, err := PlaceReplicas(im, Placement{Partitions: 6, ReplicationFactor: 3})
	if err != nil || slices.ContainsFunc(three, func(ids []int32) bool { return ids[2] != 2 }) {
		t.Errorf("it is needed, and goes last: %v %v", three, err)
	}
	im = apply(t, im, meta.CreateTopic{ID: tid(9), Name: "in", Internal: true, Assignments: [][]int32{{1}}})
	g := growing{topics: []string{"in"}}
	if cmds := g.plan(im); !reflect.DeepEqual(cmds, []meta.Command{meta.Reassign{Topic: tid(9), Target: []int32{1, 3}}}) {
		t.Errorf("an internal topic grows by %+v", cmds)
	}
}
