//go:build cluster

package cluster

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/brokerd/brokerd/test/harness"
)

// snapshotSize is the largest metadata snapshot of a node.
func snapshotSize(n *harness.Node) (most int64) {
	states, _ := filepath.Glob(filepath.Join(n.Dir, "data", "raft", "snapshots", "*", "state.bin")) // the pattern is good
	for _, s := range states {
		if info, err := os.Stat(s); err == nil {
			most = max(most, info.Size())
		}
	}
	return most
}

// persist makes a topic although the controller changes meanwhile: two voters of
// three are just enough, and one that is slow for a moment makes an election.
func persist(create func() error) (err error) {
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if err = create(); err == nil || errors.Is(err, kerr.TopicAlreadyExists) {
			return nil
		}
	}
	return err
}

// TestSnapshotInstall: a node is away while the metadata grows to more than 50 MB,
// by more entries than are kept behind a snapshot. It comes back by a snapshot,
// knows all of it, and its vote counts.
func TestSnapshotInstall(t *testing.T) {
	const topics, large, between = 1300, 50 << 20, 1 << 20
	c := harness.Start(t, harness.Options{Nodes: 3, Properties: map[string]string{"metadata.log.max.record.bytes.between.snapshots": fmt.Sprint(between)}})
	agree(t, c.Nodes, 3)
	away, left := c.Nodes[2], c.Nodes[:2]
	away.Kill()
	agree(t, left, 2)
	admin := kadm.NewClient(client(t, left[0].Addr(), left[1].Addr()))
	// The newest snapshot lacks less than what lies between two: with so much more
	// than large it is large, whenever it was taken.
	list := strings.TrimSuffix(strings.Repeat("0:1,", (large+2*between)/topics/4), ",")
	var made atomic.Int32
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := made.Add(1); i <= topics && !t.Failed(); i = made.Add(1) {
				config := map[string]*string{"leader.replication.throttled.replicas": &list}
				if err := persist(func() error {
					_, err := admin.CreateTopic(within(t), 1, 1, config, fmt.Sprintf("t%04d", i))
					return err
				}); err != nil {
					t.Errorf("topic %d: %v", i, err)
				}
			}
		})
	}
	all.Wait()
	if t.Failed() {
		return
	}
	eventually(t, "large snapshots of the two", func() error {
		for _, n := range left {
			if s := snapshotSize(n); s < large {
				return fmt.Errorf("node %d has %d bytes", n.ID, s)
			}
		}
		return nil
	})
	for _, n := range left { // from now on nobody has the log in memory either
		n.Stop()
	}
	for _, n := range left {
		n.Launch()
	}
	for _, n := range left {
		n.WaitReady()
	}
	away.Restart()
	same := func(v view) string { return fmt.Sprint(v.cluster, v.brokers, len(v.leaders)) }
	if v := agreeOn(t, c.Nodes, 3, same); len(v.leaders) != topics {
		t.Errorf("%d topics of %d", len(v.leaders), topics)
	}
	t.Logf("snapshots of %d, %d and %d bytes", snapshotSize(left[0]), snapshotSize(left[1]), snapshotSize(away))
	if s := snapshotSize(away); s < large {
		t.Errorf("node 3 came back without a snapshot: %d bytes", s)
	}
	left[0].Kill()
	agreeOn(t, c.Nodes[1:], 2, same)
}
