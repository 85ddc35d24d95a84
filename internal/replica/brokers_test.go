package replica_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/brokerd/brokerd/internal/api"
	"github.com/brokerd/brokerd/internal/auth"
	"github.com/brokerd/brokerd/internal/catalog"
	"github.com/brokerd/brokerd/internal/conf"
	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/record"
	"github.com/brokerd/brokerd/internal/replica"
	"github.com/brokerd/brokerd/internal/server"
	"github.com/brokerd/brokerd/internal/sim"
	"github.com/brokerd/brokerd/internal/step"
	"github.com/brokerd/brokerd/internal/storage"
	"github.com/brokerd/brokerd/internal/vfs"
	"github.com/brokerd/brokerd/internal/wire"
)

var logDirs = []string{"d0", "d1"}

// brokers is a cluster without a controller: real replicas, logs, fetch API and
// server per broker, over one network and crashable disks. The metadata is one
// ordered list of commands, guarded as raft's would be; a broker that is held
// back applies them later.
type brokers struct {
	T     testing.TB
	Net   *sim.Net
	Nodes map[int32]*node

	mu      sync.Mutex
	entries []*raft.Log
	truth   *catalog.Store // what a controller would see
	fsm     *catalog.FSM
	deaf    bool // proposals get no answer
	lose    bool // proposals are applied, their answers lost
}

// node is one of them, running or not.
type node struct {
	b     *brokers
	ID    int32
	FS    *vfs.Mem
	Disk  *vfs.Fault // over FS
	Conf  *conf.Broker
	M     *replica.Manager
	Store *storage.Store

	SyncTime time.Duration // of its disk, from the next start on

	catalog *catalog.Store
	fsm     *catalog.FSM
	applied int
	held    bool
	boot    int // of its operating system
	epoch   int64
	stop    func()
}

// newBrokers makes a cluster of n brokers, 1 to n, all of them running.
func newBrokers(t testing.TB, n int, settings map[string]string) *brokers {
	return newBrokersAt(t, meta.MaxLevel, n, settings)
}

// newBrokersAt makes one at a metadata level.
func newBrokersAt(t testing.TB, level int16, n int, settings map[string]string) *brokers {
	b := &brokers{T: t, Net: sim.NewNet(sim.Options{Latency: 100 * time.Microsecond}), Nodes: map[int32]*node{}, truth: catalog.NewStore()}
	b.fsm = catalog.NewFSM(b.truth)
	b.Must(meta.Bootstrap{ClusterID: "sim", Level: level})
	for i := range n {
		c, err := conf.New(settings)
		if err != nil {
			t.Fatal(err)
		}
		x := &node{b: b, ID: int32(i + 1), FS: vfs.NewMem(), Conf: c}
		for _, dir := range logDirs {
			if err := errors.Join(x.FS.MkdirAll(dir), x.FS.SyncDir(".")); err != nil {
				t.Fatal(err)
			}
		}
		c.NodeID = x.ID
		b.Nodes[x.ID] = x
		x.Start()
	}
	return b
}

// Close stops everything, in order.
func (b *brokers) Close() {
	for _, x := range b.Nodes {
		x.Stop()
	}
	b.Net.Close()
}

// Image is the metadata that everybody will have.
func (b *brokers) Image() *meta.Image { return b.truth.Image() }

// Must applies one command that is right.
func (b *brokers) Must(c meta.Command) meta.Result {
	b.T.Helper()
	r := b.Propose([]meta.Command{c})[0]
	if r.Err != nil {
		b.T.Fatal(r.Err)
	}
	return r
}

// Propose appends one entry and shows it to all who are not held back.
func (b *brokers) Propose(cmds []meta.Command) []meta.Result {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := &raft.Log{Index: uint64(len(b.entries) + 1), Type: raft.LogCommand, Data: meta.EncodeEntry(cmds)}
	b.entries = append(b.entries, e)
	out := b.fsm.Apply(e).([]meta.Result)
	for _, x := range b.Nodes {
		x.catchUpLocked()
	}
	return out
}

func (x *node) catchUpLocked() {
	for x.fsm != nil && !x.held && x.applied < len(x.b.entries) {
		x.fsm.Apply(x.b.entries[x.applied])
		x.applied++
	}
}

// Hold keeps the metadata from a broker until Release.
func (x *node) Hold() {
	x.b.mu.Lock()
	x.held = true
	x.b.mu.Unlock()
}

// Release shows it what it has missed.
func (x *node) Release() {
	x.b.mu.Lock()
	x.held = false
	x.catchUpLocked()
	x.b.mu.Unlock()
}

// Answers says what becomes of ISR proposals: none: they are not heard; lost:
// they are applied, but the answer does not come.
func (b *brokers) Answers(none, lost bool) {
	b.mu.Lock()
	b.deaf, b.lose = none, lost
	b.mu.Unlock()
}

// alter is the controller's side of AlterPartition.
func (b *brokers) alter(ctx context.Context, req *kmsg.AlterPartitionRequest) (*kmsg.AlterPartitionResponse, error) {
	b.mu.Lock()
	deaf, lose := b.deaf, b.lose
	b.mu.Unlock()
	if !deaf {
		cmds, build := api.AlterPartitionCommands(req)
		results := b.Propose(cmds)
		if !lose {
			return build(results), nil
		}
	}
	<-ctx.Done()
	return nil, ctx.Err()
}

// Start registers the broker and runs it on what its disk has.
func (x *node) Start() {
	b := x.b
	t := b.T
	x.Disk = vfs.NewFault(x.FS)
	if x.SyncTime > 0 {
		x.Disk.Add(vfs.Rule{Op: vfs.OpSync, Delay: x.SyncTime})
		x.Disk.Add(vfs.Rule{Op: vfs.OpSyncAll, Delay: x.SyncTime})
	}
	x.catalog = catalog.NewStore()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	if os.Getenv("SIM_LOG") != "" {
		log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug})).With("broker", x.ID)
	}
	host := b.Net.Host(fmt.Sprintf("b%d", x.ID))
	writers := wire.NewWriters()
	x.M = replica.New(replica.Options{
		Self: x.ID, Catalog: x.catalog, Conf: x.Conf, NewHandoff: writers.NewHandoff, Logger: log,
		Ready: func(im *meta.Image) bool { me, ok := im.Broker(x.ID); return ok && me.Epoch == x.epoch },
		Peer: func(id int32) (wire.PeerOptions, error) {
			return wire.PeerOptions{Network: host, Addr: fmt.Sprintf("b%d:9092", id), ClientID: "follower", Software: "brokerd", SoftwareVersion: "1"}, nil
		},
		Alter: b.alter,
		Fault: x.report,
		Dirs:  map[string]step.TopicID{logDirs[0]: x.dirID(0), logDirs[1]: x.dirID(1)},
		Assign: func(_ context.Context, dir step.TopicID, ids []step.PartitionID) error {
			return b.Propose([]meta.Command{meta.AssignDir{Broker: x.ID, BrokerEpoch: x.epoch, Dir: dir, Partitions: ids}})[0].Err
		},
	})
	store, err := storage.Open(context.Background(), storage.Options{
		FS: x.Disk, Dirs: logDirs, Flushed: x.M.Flushed, DirFailed: x.M.DirFailed, Logger: log,
		MaxOpenFiles: 64, RetentionInterval: time.Hour, CheckpointInterval: time.Hour, ProducerExpiry: time.Hour,
		ConfigOf: x.M.ConfigOf, ScrubInterval: x.Conf.ScrubInterval, Damaged: x.M.Damaged,
		Arriving: x.M.Arriving, Moved: x.M.Moved, MoveRate: x.M.MoveRate,
	})
	if err != nil {
		t.Fatal(err)
	}
	x.Store = store
	x.M.Attach(store)
	srv := server.New(server.Options{
		Network: host, Logger: log, RequestMaxBytes: 100 << 20,
		Dispatcher: api.New(api.Deps{Catalog: x.catalog, Conf: x.Conf, Replicas: x.M, Auth: auth.AllowAll{}, Log: log}),
		OnPanic:    func(v any, stack []byte) { t.Errorf("%v\n%s", v, stack) },
	})
	ctx, cancel := context.WithCancel(context.Background())
	if _, err := srv.Listen(ctx, server.Listener{Name: "PLAINTEXT", Addr: fmt.Sprintf("b%d:9092", x.ID)}); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() { _ = writers.Run(ctx) })
	all.Go(func() { _ = srv.Run(ctx) })
	all.Go(func() { _ = x.M.Run(ctx) })
	x.register()
	<-x.M.Started()
	x.stop = func() {
		x.M.Shutdown()
		b.Net.Kill(fmt.Sprintf("b%d", x.ID))
		cancel()
		all.Wait()
		_ = store.Close() // of a crashed broker: it writes to a disk that nobody reads again
	}
}

// report takes bad replicas to the controller; it does not block its caller.
func (x *node) report(f replica.Fault) {
	go x.b.Propose([]meta.Command{meta.ReportFault{Broker: x.ID, BrokerEpoch: x.epoch, Corrupt: f.Corrupt, Partitions: f.Partitions}})
}

// dirID is the id of one of its log directories.
func (x *node) dirID(n byte) step.TopicID { return step.TopicID{0, n + 1, byte(x.ID)} }

// register makes the broker known in a new life, and active.
func (x *node) register() {
	b := x.b
	var seen int64
	if old, ok := b.Image().Broker(x.ID); ok {
		seen = old.Epoch
	}
	reg := meta.RegisterBroker{
		ID: x.ID, ClusterID: "sim", Incarnation: step.TopicID{1, byte(x.ID), byte(seen >> 8), byte(seen), 1}, Seen: seen,
		Dirs:   []step.TopicID{x.dirID(0), x.dirID(1)},
		BootID: fmt.Sprintf("%d.%d", x.ID, x.boot), Intact: true,
		Endpoints: []meta.Endpoint{{Listener: "PLAINTEXT", Host: fmt.Sprintf("b%d", x.ID), Port: 9092}},
	}
	r := b.Must(reg)
	b.mu.Lock()
	x.epoch, x.applied, x.held = r.Epoch, 0, false
	x.fsm = catalog.NewFSM(x.catalog)
	x.catchUpLocked()
	b.mu.Unlock()
	b.Must(meta.SetBrokerState{ID: x.ID, Epoch: r.Epoch, State: meta.Active})
}

// Stop ends the broker in order; its disk keeps everything.
func (x *node) Stop() {
	if x.stop == nil {
		return
	}
	x.b.mu.Lock()
	x.fsm = nil
	x.b.mu.Unlock()
	x.stop()
	x.stop = nil
}

// Kill ends the process: what it wrote stays in the page cache.
func (x *node) Kill() { x.end(1) }

// PowerCut loses what was not synced, each write with some chance.
func (x *node) PowerCut() {
	x.boot++
	x.end(0.5)
}

func (x *node) end(keep float64) {
	disk := x.FS.Crash(rand.New(rand.NewPCG(uint64(x.ID), uint64(x.boot))), keep)
	x.Stop()
	x.FS = disk
}

// Fence is what the controller does when the broker's session ends.
func (x *node) Fence() {
	x.b.Must(meta.SetBrokerState{ID: x.ID, Epoch: x.epoch, State: meta.Fenced})
}

// Unfence lets it back in without a new life.
func (x *node) Unfence() {
	x.b.Must(meta.SetBrokerState{ID: x.ID, Epoch: x.epoch, State: meta.Active})
}

// Topic creates a topic of one partition per assignment.
func (b *brokers) Topic(name string, config map[string]string, minISR int8, assignments ...[]int32) *meta.Topic {
	b.T.Helper()
	id := step.TopicID{2}
	copy(id[1:8], name)
	binary.BigEndian.PutUint64(id[8:], b.Image().Index()+1)
	b.Must(meta.CreateTopic{ID: id, Name: name, Assignments: assignments, Config: config, MinISR: minISR})
	t, _ := b.Image().TopicNamed(name)
	return t
}

// Record is the metadata of one partition.
func (b *brokers) Record(t *meta.Topic, i int32) meta.Partition {
	b.T.Helper()
	now, ok := b.Image().Topic(t.ID)
	if !ok {
		b.T.Fatalf("topic %s is gone", t.Name)
	}
	rec, _ := now.Partition(i)
	return rec
}

// Partition opens a partition at a broker.
func (x *node) Partition(t *meta.Topic, i int32) *replica.Partition {
	x.b.T.Helper()
	p, err := x.M.Partition(t, i)
	if err != nil {
		x.b.T.Fatalf("broker %d: %v", x.ID, err)
	}
	return p
}

// sent is a batch on its way.
type sent struct {
	replica.Ticket
	done chan struct{}
}

func (s *sent) Completed(*replica.Ticket, *wire.Handoff) { close(s.done) }

// Wait gives why it was not acknowledged; within bounds the wait.
func (s *sent) Wait(within time.Duration) error {
	select {
	case <-s.done:
		return s.Err
	case <-time.After(within):
		if s.Cancel() {
			return s.Err
		}
		<-s.done
		return s.Err
	}
}

// Send appends one record with a value at a broker.
func (x *node) Send(t *meta.Topic, i int32, acks replica.Acks, value string) *sent {
	x.b.T.Helper()
	batch, err := record.Build(record.Spec{}, record.Record{Timestamp: time.Now().UnixMilli(), Value: []byte(value)})
	if err != nil {
		x.b.T.Fatal(err)
	}
	s := &sent{done: make(chan struct{})}
	s.Owner = s
	p, err := x.M.Partition(t, i)
	if err != nil {
		s.Err = err
		close(s.done)
		return s
	}
	if !p.Append(batch, replica.AppendOptions{Acks: acks, Zstd: true}, &s.Ticket) {
		close(s.done)
	}
	return s
}

// Bytes is everything in a broker's log of a partition.
func (x *node) Bytes(t *meta.Topic, i int32) []byte {
	x.b.T.Helper()
	log := x.Partition(t, i).Log()
	var all []byte
	for at := log.View().Start; at < log.View().End; {
		r, err := log.Read(storage.ReadSpec{From: at, Limit: log.View().End, MaxBytes: 1 << 20, FirstWhole: true})
		if err != nil {
			x.b.T.Fatalf("broker %d: %v", x.ID, err)
		}
		p, err := r.ReadAll(nil)
		r.Release()
		if err != nil {
			x.b.T.Fatalf("broker %d: %v", x.ID, err)
		}
		all = append(all, p...)
		for len(p) > 0 {
			var batch record.Batch
			if batch, p, err = record.Next(p); err != nil {
				x.b.T.Fatalf("broker %d: %v", x.ID, err)
			}
			at = batch.NextOffset()
		}
	}
	return all
}
