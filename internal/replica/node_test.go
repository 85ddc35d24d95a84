package replica

import (
	"context"
	"encoding/binary"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/brokerd/brokerd/internal/catalog"
	"github.com/brokerd/brokerd/internal/conf"
	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/record"
	"github.com/brokerd/brokerd/internal/step"
	"github.com/brokerd/brokerd/internal/storage"
	"github.com/brokerd/brokerd/internal/vfs"
	"github.com/brokerd/brokerd/internal/wire"
)

// node is a broker without doors: metadata without raft, logs on a crashable
// file system.
type node struct {
	t       testing.TB
	fs      vfs.FS
	dirs    []string // d0 alone, if there are none
	conf    *conf.Broker
	catalog *catalog.Store
	fsm     *catalog.FSM
	index   uint64
	m       *Manager
	store   *storage.Store
	stop    func()

	mu     sync.Mutex
	faults []Fault
}

const self = 1

func startNode(t testing.TB, fs vfs.FS) *node {
	n := &node{t: t, fs: fs}
	b, err := conf.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	b.NodeID = self
	n.conf = b
	n.catalog = catalog.NewStore()
	n.fsm = catalog.NewFSM(n.catalog)
	n.must(meta.Bootstrap{ClusterID: "test", Level: meta.MaxLevel})
	n.register()
	n.boot()
	return n
}

// register makes broker 1 known and active.
func (n *node) register() {
	var seen int64
	if b, ok := n.catalog.Image().Broker(self); ok {
		seen = b.Epoch
	}
	r := n.must(meta.RegisterBroker{
		ID: self, ClusterID: "test", Incarnation: step.TopicID{byte(n.index + 1), 9}, Dirs: []step.TopicID{{7, 7}}, Seen: seen,
	})
	n.must(meta.SetBrokerState{ID: self, Epoch: r.Epoch, State: meta.Active})
}

// boot opens store and manager on what the file system has.
func (n *node) boot() {
	n.t.Helper()
	if n.dirs == nil {
		n.dirs = []string{"d0"}
	}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	w := wire.NewWriters()
	n.m = New(Options{
		Self: self, Catalog: n.catalog, Conf: n.conf, NewHandoff: w.NewHandoff, Logger: log,
		Ready: func(im *meta.Image) bool { _, ok := im.Broker(self); return ok },
		Fault: func(f Fault) { n.mu.Lock(); n.faults = append(n.faults, f); n.mu.Unlock() },
	})
	store, err := storage.Open(context.Background(), storage.Options{
		FS: n.fs, Dirs: n.dirs, Flushed: n.m.Flushed, DirFailed: n.m.DirFailed, Logger: log,
		MaxOpenFiles: 64, RetentionInterval: time.Hour, CheckpointInterval: time.Hour, ProducerExpiry: time.Hour,
		ConfigOf: n.m.ConfigOf,
	})
	if err != nil {
		n.t.Fatal(err)
	}
	n.store = store
	n.m.Attach(store)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = w.Run(ctx) })
	wg.Go(func() {
		if err := n.m.Run(ctx); err != nil {
			n.t.Error(err)
		}
	})
	<-n.m.Started()
	stopped := false
	n.stop = func() {
		if stopped {
			return
		}
		stopped = true
		n.m.Shutdown()
		cancel()
		wg.Wait()
		_ = store.Close() // a test may have broken its directory
	}
	n.t.Cleanup(n.stop)
}

// must applies one command that is right.
func (n *node) must(c meta.Command) meta.Result {
	n.t.Helper()
	n.index++
	out := n.fsm.Apply(&raft.Log{Index: n.index, Type: raft.LogCommand, Data: meta.EncodeEntry([]meta.Command{c})})
	r := out.([]meta.Result)[0]
	if r.Err != nil {
		n.t.Fatal(r.Err)
	}
	return r
}

// topic creates a topic of n partitions on this broker, or on the ones given.
func (n *node) topic(name string, partitions int, config map[string]string, replicas ...int32) *meta.Topic {
	n.t.Helper()
	if replicas == nil {
		replicas = []int32{self}
	}
	id := step.TopicID{}
	copy(id[:], name)
	binary.BigEndian.PutUint64(id[8:], n.index+1)
	var all [][]int32
	for range partitions {
		all = append(all, replicas)
	}
	n.must(meta.CreateTopic{ID: id, Name: name, Assignments: all, Config: config})
	t, ok := n.catalog.Image().TopicNamed(name)
	if !ok {
		n.t.Fatal("topic is not there")
	}
	return t
}

func (n *node) partition(t *meta.Topic, i int32) *Partition {
	n.t.Helper()
	p, err := n.m.Partition(t, i)
	if err != nil {
		n.t.Fatal(err)
	}
	return p
}

// batch builds one of count records that carry the time of now.
func batch(t testing.TB, count int, s record.Spec) record.Batch {
	t.Helper()
	var rs []record.Record
	for i := range count {
		rs = append(rs, record.Record{Timestamp: time.Now().UnixMilli(), Key: []byte{byte(i)}, Value: []byte("value")})
	}
	b, err := record.Build(s, rs...)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// produced is a ticket with a channel.
type produced struct {
	Ticket
	done chan struct{}
}

func (p *produced) Completed(*Ticket, *wire.Handoff) { close(p.done) }

// produce appends and waits for the acknowledgement.
func (n *node) produce(p *Partition, b []byte, acks Acks) *produced {
	n.t.Helper()
	x := n.send(p, b, acks)
	<-x.done
	return x
}

// send appends and does not wait.
func (n *node) send(p *Partition, b []byte, acks Acks) *produced {
	x := &produced{done: make(chan struct{})}
	x.Owner = x
	if !p.Append(b, AppendOptions{Acks: acks, Zstd: true}, &x.Ticket) {
		close(x.done)
	}
	return x
}

// fetched is a waiter with a channel.
type fetched struct {
	Waiter
	woken chan struct{}
}

func newFetched(b Bound, seen int64) *fetched {
	f := &fetched{woken: make(chan struct{})}
	f.Owner, f.Bound, f.Seen = f, b, seen
	return f
}

func (f *fetched) Woken(*Waiter, *wire.Handoff) { close(f.woken) }
