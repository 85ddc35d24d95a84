//go:build cluster

package cluster

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/brokerd/brokerd/test/harness"
)

var kills = flag.Int("kills", 6, "how many nodes TestReplicasSurvive kills")

// load writes acks=all with idempotence and keeps every acknowledged record.
type load struct {
	cl   *kgo.Client
	stop context.CancelFunc
	all  sync.WaitGroup

	mu    sync.Mutex
	acked map[string]int64 // value to offset, by "partition value"
	last  time.Time        // the last acknowledgement
	gap   time.Duration    // the longest time without one
	errs  []error
}

func startLoad(t *testing.T, c *harness.Cluster, topic string, partitions int) *load {
	cl, err := kgo.NewClient(kgo.SeedBrokers(addrs(c)...), kgo.MetadataMinAge(20*time.Millisecond), kgo.RecordRetries(1000000),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0), kgo.RetryBackoffFn(func(int) time.Duration { return 20 * time.Millisecond }))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	l := &load{cl: cl, stop: stop, acked: map[string]int64{}, last: time.Now()}
	for p := range int32(partitions) {
		l.all.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				r := &kgo.Record{Topic: topic, Partition: p, Value: fmt.Appendf(nil, "%d/%d", p, i)}
				err := cl.ProduceSync(context.Background(), r).FirstErr()
				l.mu.Lock()
				if err != nil {
					l.errs = append(l.errs, err)
				} else {
					l.acked[string(r.Value)] = r.Offset
					l.gap, l.last = max(l.gap, time.Since(l.last)), time.Now()
				}
				l.mu.Unlock()
			}
		})
	}
	return l
}

func addrs(c *harness.Cluster) (out []string) {
	for _, n := range c.Nodes {
		out = append(out, n.Addr())
	}
	return out
}

func (l *load) finish() {
	l.stop()
	l.all.Wait()
	l.cl.Close()
}

func (l *load) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acked)
}

// await waits for more acknowledgements.
func (l *load) await(t *testing.T, more int) {
	t.Helper()
	want := l.count() + more
	eventually(t, "acknowledgements", func() error {
		if n := l.count(); n < want {
			return fmt.Errorf("%d of %d", n, want)
		}
		return nil
	})
}

// allInSync waits until every partition has all its replicas in sync.
func allInSync(t *testing.T, c *harness.Cluster, topic string, replicas int) {
	t.Helper()
	adm := kadm.NewClient(client(t, addrs(c)...))
	eventually(t, "replicas in sync", func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		topics, err := adm.ListTopics(ctx, topic)
		if err != nil {
			return err
		}
		for _, p := range topics[topic].Partitions.Sorted() {
			if len(p.ISR) != replicas || p.Leader < 0 {
				return fmt.Errorf("partition %d: leader %d, in sync %v", p.Partition, p.Leader, p.ISR)
			}
		}
		return nil
	})
}

// TestReplicasSurvive kills followers, leaders and the controller under load;
// nothing acknowledged may be missing, and the replicas' files are the same.
func TestReplicasSurvive(t *testing.T) {
	const partitions = 3
	c := harness.Start(t, harness.Options{Nodes: 3})
	agree(t, c.Nodes, 3)
	if _, err := kadm.NewClient(client(t, addrs(c)...)).CreateTopic(within(t), partitions, 3, nil, "kept"); err != nil {
		t.Fatal(err)
	}
	l := startLoad(t, c, "kept", partitions)
	began := time.Now()
	l.await(t, 300)
	t.Logf("300 acknowledged, one after the other in each of %d partitions, in %v", partitions, time.Since(began))
	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))
	for k := range *kills {
		n := c.Nodes[k%3]
		before := l.count()
		n.Kill()
		at := time.Now()
		l.await(t, 100)
		t.Logf("node %d killed: %d acknowledged in %v", n.ID, l.count()-before, time.Since(at))
		time.Sleep(time.Duration(rng.IntN(1000)) * time.Millisecond)
		began := time.Now()
		n.Restart()
		ready := time.Since(began)
		allInSync(t, c, "kept", 3)
		t.Logf("node %d is ready after %v, in sync after %v", n.ID, ready, time.Since(began))
		l.await(t, 100)
	}
	l.finish()
	allInSync(t, c, "kept", 3)
	t.Logf("%d acknowledged, the longest gap was %v, errors %v", len(l.acked), l.gap, l.errs)
	if len(l.errs) > 0 {
		t.Errorf("%d errors, the first: %v", len(l.errs), l.errs[0])
	}
	audit(t, c, "kept", partitions, l.acked)
	for _, n := range c.Nodes {
		n.Stop()
	}
	sameFiles(t, c, "kept", partitions)
}

// audit reads everything and looks for what was acknowledged: at its offset, once.
func audit(t *testing.T, c *harness.Cluster, topic string, partitions int, acked map[string]int64) {
	t.Helper()
	adm := kadm.NewClient(client(t, addrs(c)...))
	ends, err := adm.ListEndOffsets(within(t), topic)
	if err != nil {
		t.Fatal(err)
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(addrs(c)...), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	left := map[int32]int64{}
	for p := range int32(partitions) {
		end, _ := ends.Lookup(topic, p)
		left[p] = end.Offset
	}
	seen := map[string]int64{}
	for ctx := within(t); len(left) > 0; {
		f := cl.PollFetches(ctx)
		if err := f.Err0(); err != nil {
			t.Fatal(err)
		}
		f.EachRecord(func(r *kgo.Record) {
			if at, twice := seen[string(r.Value)]; twice {
				t.Errorf("%s is at %d and at %d", r.Value, at, r.Offset)
			}
			seen[string(r.Value)] = r.Offset
			if r.Offset >= left[r.Partition]-1 {
				delete(left, r.Partition)
			}
		})
	}
	for v, at := range acked {
		if got, ok := seen[v]; !ok || got != at {
			t.Errorf("%s was acknowledged at %d: found %v, at %d", v, at, ok, got)
		}
	}
	t.Logf("%d acknowledged records audited, %d are there", len(acked), len(seen))
}

// sameFiles compares the segments of all replicas.
func sameFiles(t *testing.T, c *harness.Cluster, topic string, partitions int) {
	t.Helper()
	for p := range partitions {
		var first []byte
		for i, n := range c.Nodes {
			files, err := filepath.Glob(filepath.Join(n.Dir, "data", fmt.Sprintf("%s-%d", topic, p), "*.log"))
			if err != nil || len(files) == 0 {
				t.Fatalf("node %d has no log of %s-%d: %v", n.ID, topic, p, err)
			}
			slices.Sort(files)
			var all []byte
			for _, f := range files {
				b, err := os.ReadFile(f)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, b...)
			}
			if i == 0 {
				first = all
			} else if !bytes.Equal(all, first) {
				t.Errorf("%s-%d: node %d has %d bytes, node %d has %d, or others", topic, p, c.Nodes[0].ID, len(first), n.ID, len(all))
			}
		}
	}
}
