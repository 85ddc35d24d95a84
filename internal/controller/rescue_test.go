package controller

import (
	"testing"

	"github.com/brokerd/brokerd/internal/meta"
)

// TestRescue: what the file of the active controller says of unclean elections holds
// where neither the topic nor the dynamic default says anything.
func TestRescue(t *testing.T) {
	im := world(t, []meta.BrokerState{meta.Active, meta.Active})
	do := func(cmds ...meta.Command) {
		t.Helper()
		im = apply(t, im, cmds...)
	}
	yes, no := "true", "false"
	state := func(id int32, s meta.BrokerState) {
		t.Helper()
		b, _ := im.Broker(id)
		do(meta.SetBrokerState{ID: id, Epoch: b.Epoch, State: s})
	}
	say := func(r meta.ResourceType, name string, v *string) {
		t.Helper()
		do(meta.AlterConfig{Resource: meta.Resource{Type: r, Name: name}, Set: map[string]*string{uncleanKey: v}})
	}
	for i, name := range []string{"a", "b", "other"} {
		do(meta.CreateTopic{ID: tid(byte(i + 1)), Name: name, Assignments: [][]int32{{1, 2}}})
	}
	say(meta.TopicResource, "other", &no)
	off, on := rescuing{}, rescuing{on: true}
	want := func(n int) {
		t.Helper()
		if cmds := off.plan(im); cmds != nil {
			t.Fatalf("without the setting: %v", cmds)
		}
		for range 2 { // what is not proposed in vain is asked for again
			if cmds := on.plan(im); len(cmds) != n {
				t.Fatalf("%d: %v", n, cmds)
			}
		}
	}
	want(0)
	state(2, meta.Fenced)
	state(1, meta.Fenced)
	want(0) // nobody is there
	state(2, meta.Active)
	want(2)
	say(meta.BrokerResource, "", &no)
	want(0)
	say(meta.BrokerResource, "", nil)
	want(2)
	do(on.plan(im)...)
	for i, leader := range []int32{2, 2, -1} {
		topic, _ := im.Topic(tid(byte(i + 1)))
		if p, _ := topic.Partition(0); p.Leader != leader {
			t.Errorf("%s: %+v", topic.Name, p)
		}
	}
	want(0)
	say(meta.TopicResource, "other", &yes) // which the image acts on itself
	want(0)
}
