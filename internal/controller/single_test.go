package controller

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/brokerd/brokerd/internal/catalog"
	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/step"
)

// node is one running controller of a test.
type node struct {
	t testing.TB
	*Controller
	cat  *catalog.Store
	stop func() // Run, then Close
}

func testLog(t testing.TB) *slog.Logger {
	if os.Getenv("BROKERD_TEST_LOG") == "" {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func tid(b ...byte) (id step.TopicID) {
	copy(id[:], b)
	id[15] = 1
	return id
}

// start opens and runs a controller.
func start(t testing.TB, o Options) *node {
	t.Helper()
	o.Catalog = catalog.NewStore()
	if o.Log == nil {
		o.Log = testLog(t)
	}
	c, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := c.Run(ctx); err != nil && !errors.Is(err, meta.ErrTooNew) {
			t.Error(err)
		}
	}()
	n := &node{t: t, Controller: c, cat: o.Catalog}
	n.stop = sync.OnceFunc(func() {
		cancel()
		<-ended
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(n.stop)
	return n
}

// boltOptions is the product's stores under dir.
func boltOptions(t testing.TB, dir string) Options {
	t.Helper()
	log := testLog(t)
	stores, err := OpenBolt(dir, log)
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Node: 1, Directory: tid(1), ClusterID: "here", Address: "127.0.0.1:9093", Stores: stores, Log: log}
	if err := o.BootstrapSelf(); err != nil {
		t.Fatal(err)
	}
	return o
}

func registration() meta.RegisterBroker {
	return meta.RegisterBroker{
		Dirs: []step.TopicID{tid(1)}, BootID: "boot", Voter: true,
		Endpoints: []meta.Endpoint{{Listener: "PLAINTEXT", Host: "127.0.0.1", Port: 9092}},
	}
}

func (n *node) await(f func(context.Context) (int64, error)) int64 {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	epoch, err := f(ctx)
	if err != nil {
		n.t.Fatal(err)
	}
	return epoch
}

// submit waits for the outcome of commands.
func (n *node) submit(cmds ...meta.Command) Committed {
	n.t.Helper()
	done := make(chan Committed, 1)
	n.Submit(cmds, time.Now().Add(20*time.Second), func(c Committed) { done <- c })
	return <-done
}

func (n *node) must(cmds ...meta.Command) Committed {
	n.t.Helper()
	com := n.submit(cmds...)
	if com.Err != nil {
		n.t.Fatal(com.Err)
	}
	for i, r := range com.Results {
		if r.Err != nil {
			n.t.Fatalf("%s: %v", meta.KindName(cmds[i]), r.Err)
		}
	}
	return com
}

func topic(b byte, name string, brokers ...int32) meta.CreateTopic {
	return meta.CreateTopic{ID: tid(b, 7), Name: name, Assignments: [][]int32{brokers}}
}

func TestSingleNode(t *testing.T) {
	dir := t.TempDir()
	began := time.Now()
	n := start(t, boltOptions(t, dir))
	n.Register(registration())
	epoch := n.await(n.WaitActive)
	t.Logf("first start: active after %v", time.Since(began))

	if got, ok := n.Registered(); !ok || got != epoch {
		t.Fatalf("registered at %d %v, want %d", got, ok, epoch)
	}
	if id, ok := n.Leader(); !ok || id != 1 {
		t.Fatalf("leader %d %v", id, ok)
	}
	com := n.must(topic(1, "a", 1), topic(2, "b", 1))
	if _, ok := n.cat.Image().TopicNamed("a"); !ok {
		t.Fatal("a topic is not visible when it is answered")
	}
	seen := make(chan struct{})
	n.WhenApplied(com.Index, time.Minute, func() { close(seen) })
	select {
	case <-seen:
	default:
		t.Fatal("the only broker has applied it, and yet it is waited for")
	}
	if com = n.submit(topic(3, "a", 1)); com.Err != nil || !errors.Is(com.Results[0].Err, meta.ErrTopicExists) {
		t.Fatalf("%+v", com)
	}
	q, err := n.Quorum()
	if err != nil || q.Leader != 1 || len(q.Voters) != 1 || q.Voters[0].ID != 1 || q.Voters[0].LogEnd < 5 {
		t.Fatalf("%+v %v", q, err)
	}
	if v := n.cat.Image().Voters(); len(v) != 1 || v[0].Node != 1 || v[0].Endpoints[0].Port != 9093 {
		t.Fatalf("voters noted: %+v", v)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := n.Leave(ctx); err != nil {
		t.Fatal(err)
	}
	n.stop()

	// From the log, after a clean stop.
	began = time.Now()
	n = start(t, boltOptions(t, dir))
	r := registration()
	r.CleanEpoch = epoch
	n.Register(r)
	if next := n.await(n.WaitActive); next <= epoch {
		t.Fatalf("epoch %d after %d", next, epoch)
	}
	t.Logf("second start: active after %v", time.Since(began))
	a, ok := n.cat.Image().TopicNamed("a")
	if !ok {
		t.Fatal("a topic is lost")
	}
	p, _ := a.Partition(0)
	if p.Leader != 1 || !p.InISR(1) {
		t.Fatalf("partition after a restart: %+v", p)
	}
	if err := n.node.r.Snapshot().Error(); err != nil {
		t.Fatal(err)
	}
	n.stop()

	// From the snapshot.
	before := n.cat.Image()
	n = start(t, boltOptions(t, dir))
	if im := n.cat.Image(); !meta.Equal(im, before) {
		t.Fatal("the snapshot differs from the image")
	}
	n.Register(registration())
	n.await(n.WaitActive)
	n.must(meta.DeleteTopic{ID: tid(1, 7)})
	n.stop()

	// After a power cut whose scan proved nothing: the only replica leads, and an
	// operator is told.
	n = start(t, boltOptions(t, dir))
	r = registration()
	r.BootID = "another boot"
	n.Register(r)
	n.await(n.WaitActive)
	if got := n.UncleanElections(); got != 1 {
		t.Fatalf("%d unclean elections are counted, topic b had one", got)
	}
}

// TestKillInTheFirstCreation ends the very first start between the two commits of
// raft's bootstrap, the term and the list of voters: the next start must finish
// it. A node with a term and no voters would wait for a leader for ever.
func TestKillInTheFirstCreation(t *testing.T) {
	dir := t.TempDir()
	stores, err := OpenBolt(dir, testLog(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := stores.Stable.SetUint64(keyCurrentTerm, 1); err != nil {
		t.Fatal(err)
	}
	if err := stores.close(); err != nil {
		t.Fatal(err)
	}
	n := start(t, boltOptions(t, dir))
	n.Register(registration())
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if _, err := n.WaitActive(ctx); err != nil {
		t.Fatal(err)
	}
}

// TestStopSparesReplay: a stop after many changes leaves a snapshot, one after few
// does not, and the next start knows everything either way.
func TestStopSparesReplay(t *testing.T) {
	dir := t.TempDir()
	snapshots := func() int {
		list, err := filepath.Glob(filepath.Join(dir, "snapshots", "*", "state.bin"))
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	n := start(t, boltOptions(t, dir))
	n.Register(registration())
	n.await(n.WaitActive)
	n.must(topic(1, "few", 1))
	n.stop()
	if k := snapshots(); k != 0 {
		t.Fatalf("%d snapshots after a handful of changes", k)
	}
	n = start(t, boltOptions(t, dir))
	n.Register(registration())
	n.await(n.WaitActive)
	wide := make([][]int32, 10_000)
	for i := range wide {
		wide[i] = []int32{1}
	}
	topics := 0
	for ; n.fsm.Pending() < closeWorth; topics++ {
		n.must(meta.CreateTopic{ID: tid(byte(topics), 9), Name: fmt.Sprint("wide", topics), Assignments: wide})
	}
	n.stop()
	if k := snapshots(); k != 1 {
		t.Fatalf("%d snapshots after %d topics of %d partitions", k, topics, len(wide))
	}
	n = start(t, boltOptions(t, dir))
	n.Register(registration())
	n.await(n.WaitActive)
	if got, want := n.cat.Image().PartitionCount(), 1+topics*len(wide); got != want {
		t.Fatalf("%d partitions after a restart, there were %d", got, want)
	}
	if p := n.fsm.Pending(); p >= closeWorth {
		t.Fatalf("%d bytes of entries are replayed although there is a snapshot", p)
	}
}
