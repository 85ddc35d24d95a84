package replica_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/step"
)

// moveDir moves a replica to the other log directory of its broker.
func (x *node) moveDir(t *meta.Topic) (to string) {
	x.b.T.Helper()
	at, ok := x.Store.PlaceOf(step.PartitionID{Topic: t.ID})
	if !ok {
		x.b.T.Fatalf("broker %d has no replica", x.ID)
	}
	to = logDirs[1-slices.Index(logDirs, at)]
	if err := x.M.MoveReplica(t, 0, to); err != nil {
		x.b.T.Fatal(err)
	}
	return to
}

// inDir waits until a replica is in a log directory, and the controller knows.
func (x *node) inDir(t *meta.Topic, dir string) {
	b := x.b
	b.T.Helper()
	b.eventually(20*time.Second, fmt.Sprintf("broker %d has it in %s", x.ID, dir), func() bool {
		rec := b.Record(t, 0)
		at, _ := x.Store.PlaceOf(step.PartitionID{Topic: t.ID})
		return at == dir && x.Store.Moves().Moving == 0 && rec.Dirs != nil &&
			rec.Dirs[slices.Index(rec.Replicas, x.ID)] == x.dirID(byte(slices.Index(logDirs, dir)))
	})
}

// TestMoveBetweenDirs: leader and followers go from one log directory to the other and
// back under load, on disks whose syncs take long; one that is killed on its way goes on.
func TestMoveBetweenDirs(t *testing.T) {
	for _, durability := range []string{"fsync", "isr"} {
		for _, dies := range []int32{0, 1, 2} {
			t.Run(fmt.Sprint(durability, " kill ", dies), func(t *testing.T) {
				trio(t, nil, func(b *brokers) {
					for _, x := range b.Nodes {
						x.SyncTime = 3 * time.Millisecond
						x.Stop()
						x.Start()
					}
					topic := b.Topic("t", map[string]string{"durability": durability}, 2, []int32{1, 2, 3})
					w := b.write(topic)
					time.Sleep(2 * time.Second)
					for range 3 {
						to := map[int32]string{}
						for id, x := range b.Nodes {
							to[id] = x.moveDir(topic)
						}
						if dies > 0 {
							time.Sleep(10 * time.Millisecond)
							w.alone(b.Nodes[dies].Kill)
							b.Nodes[dies].Fence()
							w.alone(b.Nodes[dies].Start)
						}
						for id, x := range b.Nodes {
							if id == dies { // whether it had begun to move, only its disk knows
								if at, ok := x.Store.PlaceOf(step.PartitionID{Topic: topic.ID}); ok && at != to[id] && len(x.Store.Dirs()[slices.Index(logDirs, to[id])].Futures) == 0 {
									to[id] = at
								}
							}
							x.inDir(topic, to[id])
						}
						b.eventually(20*time.Second, "all are in sync", func() bool { return b.isr(topic, 0) == "[1 2 3]" })
					}
					w.finish(b.Record(topic, 0).Leader, 100)
					b.same(topic, 0, 1, 2, 3)
				})
			})
		}
	}
}
