package replica

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/record"
	"github.com/brokerd/brokerd/internal/vfs"
)

// TestColdReplicaMovesAway: a replica that nobody has used since the start is given
// up like any other when the metadata takes it away. The other partition stays.
func TestColdReplicaMovesAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, vfs.NewMem())
		defer func() { n.stop() }()
		epoch := n.second()
		topic := n.topic("t", 2, nil, self)
		for i := range int32(2) {
			if x := n.produce(n.partition(topic, i), batch(t, 1, record.Spec{}), AcksAll); x.Err != nil {
				t.Fatal(x.Err)
			}
		}
		n.stop()
		n.register()
		n.boot()
		n.must(meta.Reassign{Topic: topic.ID, Target: []int32{2}})
		topic, _ = n.catalog.Image().Topic(topic.ID)
		rec, _ := topic.Partition(0)
		b, _ := n.catalog.Image().Broker(self)
		n.must(meta.AlterPartition{
			Broker: self, BrokerEpoch: b.Epoch, Topic: topic.ID, LeaderEpoch: rec.LeaderEpoch, PartitionEpoch: rec.PartitionEpoch,
			ISR: []meta.ISRMember{{ID: self, Epoch: b.Epoch}, {ID: 2, Epoch: epoch}},
		})
		time.Sleep(time.Second)
		if s := n.m.Stored(); len(s) != 1 || s[0].ID.Index != 1 {
			t.Fatalf("on disk are %+v", s)
		}
		if x := n.produce(n.partition(topic, 1), batch(t, 1, record.Spec{}), AcksAll); x.Err != nil {
			t.Error(x.Err)
		}
	})
}
