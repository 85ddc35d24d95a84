package controller

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/step"
	"github.com/brokerd/brokerd/internal/wire"
)

// keepsAll is a log whose entries cannot be deleted, takesNone a store that makes no
// snapshot: a recovery is interrupted there.
type keepsAll struct{ raft.LogStore }

type takesNone struct{ raft.SnapshotStore }

var errInterrupted = errors.New("interrupted")

func (keepsAll) DeleteRange(uint64, uint64) error { return errInterrupted }

func (takesNone) Create(raft.SnapshotVersion, uint64, uint64, raft.Configuration, uint64, raft.Transport) (raft.SnapshotSink, error) {
	return nil, errInterrupted
}

// TestRecover makes a group of one of what one of three remembers, interrupted
// twice, and lets it run: everything is there, and counted on from far beyond.
func TestRecover(t *testing.T) {
	dir := t.TempDir()
	o := boltOptions(t, dir)
	self := o.server()
	n := start(t, o)
	n.Register(registration())
	n.await(n.WaitActive)
	n.must(topic(1, "a", 1))
	if err := n.node.r.Snapshot().Error(); err != nil {
		t.Fatal(err)
	}
	n.must(topic(2, "b", 1))
	before := n.cat.Image()
	n.stop()

	// Two more voters, as a configuration that this node has heard of.
	stores := boltOptions(t, dir).Stores
	last, err := stores.Log.LastIndex()
	if err != nil {
		t.Fatal(err)
	}
	lost := []Server{{2, tid(2), "n2:9093"}, {3, tid(3), "n3:9093"}}
	conf := configuration(append([]Server{self}, lost...))
	entry := &raft.Log{Index: last + 1, Term: 3, Type: raft.LogConfiguration, Data: raft.EncodeConfiguration(conf)}
	if err := stores.Log.StoreLog(entry); err != nil {
		t.Fatal(err)
	}
	r, err := stores.Remains()
	if err != nil || len(r.Voters) != 3 || r.Voters[2] != lost[1] || len(r.Observers) != 0 || r.Index != last+1 || r.Term != 3 || !r.Group.IsZero() {
		t.Fatalf("%+v %v", r, err)
	}
	if _, err := Recover(stores, self, "elsewhere", time.Now()); !errors.Is(err, meta.ErrClusterID) {
		t.Fatalf("metadata of another cluster: %v", err)
	}
	interrupted := stores
	interrupted.Snapshots = takesNone{stores.Snapshots}
	if _, err := Recover(interrupted, self, o.ClusterID, time.Now()); !errors.Is(err, errInterrupted) {
		t.Fatal(err)
	}
	if group, err := stores.Group(); err != nil || group.IsZero() {
		t.Fatalf("the old voters are not strangers yet: %v", err)
	}
	interrupted = stores // the second time it comes so far that the node only has to run
	interrupted.Log = keepsAll{stores.Log}
	if _, err := Recover(interrupted, self, o.ClusterID, time.Now()); !errors.Is(err, errInterrupted) {
		t.Fatal(err)
	}
	done, err := stores.recovery()
	if err != nil || len(done.Lost) != 2 || done.Node != self.Node || done.Kept != last+1 {
		t.Fatalf("%+v %v", done, err)
	}
	if err := stores.close(); err != nil {
		t.Fatal(err)
	}

	n = start(t, boltOptions(t, dir))
	n.Register(registration())
	epoch := n.await(n.WaitActive)
	im := n.cat.Image()
	if list := im.Recoveries(); len(list) != 1 || list[0].ID != done.ID || n.Group() != done.ID {
		t.Errorf("recorded %+v in group %s, done %+v", list, n.Group(), done)
	}
	if epoch <= int64(before.Index())+1<<20 || im.TopicCount() != 2 {
		t.Errorf("broker epoch %d, once %d; %d topics", epoch, before.Index(), im.TopicCount())
	}
	n.must(topic(3, "c", 1))
	if err := n.node.r.Snapshot().Error(); err != nil {
		t.Fatal(err)
	}

	// The old voters are strangers.
	for group, says := range map[string]string{
		o.ClusterID: "quorum rejoin", o.ClusterID + "#" + tid(9).String(): "quorum rejoin", o.ClusterID + "#" + done.ID.String(): "", "x": "belongs to cluster",
	} {
		err := n.CheckStream(&wire.OpenRaftStreamRequest{ClusterID: group, Wanted: self.ID(), Own: lost[0].ID()})
		if (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("a stream of %s: %v", group, err)
		}
	}
	n.stop()
	var text bytes.Buffer
	if err := Dump(&text, dir, false); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		" group: " + done.ID.String() + "\n| id: " + done.ID.String() + " timeMs: ", "\nrecovery id: " + done.ID.String() + " timeMs: ", ` lost: [{"node":2,`,
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%q is not in\n%s", want, text.String())
		}
	}
	stores = boltOptions(t, dir).Stores
	defer stores.close()
	if group, err := stores.Group(); err != nil || group != done.ID {
		t.Errorf("%s %v", group, err)
	}
	if err := stores.join(step.TopicID{5}); err == nil {
		t.Error("a server with state joined another group")
	}
}
