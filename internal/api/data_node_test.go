package api

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/brokerd/brokerd/internal/auth"
	"github.com/brokerd/brokerd/internal/catalog"
	"github.com/brokerd/brokerd/internal/conf"
	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/record"
	"github.com/brokerd/brokerd/internal/replica"
	"github.com/brokerd/brokerd/internal/step"
	"github.com/brokerd/brokerd/internal/storage"
	"github.com/brokerd/brokerd/internal/vfs"
	"github.com/brokerd/brokerd/internal/wire"
)

// dataNode is a broker for the data path: metadata without raft, logs on memory,
// calls without sockets.
type dataNode struct {
	t       testing.TB
	d       Deps
	api     *Dispatcher
	client  *wire.Client
	catalog *catalog.Store
	fsm     *catalog.FSM
	index   uint64
	stop    func()
}

const nodeID = 1

func startData(t testing.TB, fs vfs.FS) *dataNode {
	t.Helper()
	b, err := conf.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	b.NodeID = nodeID
	n := &dataNode{t: t, catalog: catalog.NewStore(), client: &wire.Client{
		ID: 1, Listener: "PLAINTEXT", Remote: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9}, Principal: wire.Anonymous,
	}}
	n.fsm = catalog.NewFSM(n.catalog)
	n.must(meta.Bootstrap{ClusterID: "test", Level: meta.MaxLevel})
	r := n.must(meta.RegisterBroker{ID: nodeID, ClusterID: "test", Incarnation: step.TopicID{9}, Dirs: []step.TopicID{{7, 7}},
		Endpoints: []meta.Endpoint{{Listener: "PLAINTEXT", Host: "h1", Port: 9092}}})
	n.must(meta.SetBrokerState{ID: nodeID, Epoch: r.Epoch, State: meta.Active})

	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	w := wire.NewWriters()
	m := replica.New(replica.Options{Self: nodeID, Catalog: n.catalog, Conf: b, NewHandoff: w.NewHandoff, Logger: log,
		Ready: func(im *meta.Image) bool { _, ok := im.Broker(nodeID); return ok }})
	store, err := storage.Open(context.Background(), storage.Options{
		FS: fs, Dirs: []string{"d0"}, Flushed: m.Flushed, DirFailed: m.DirFailed, Logger: log,
		MaxOpenFiles: 64, RetentionInterval: time.Hour, CheckpointInterval: time.Hour, ProducerExpiry: time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	m.Attach(store)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = w.Run(ctx) })
	wg.Go(func() { _ = m.Run(ctx) })
	<-m.Started()
	n.d = Deps{Catalog: n.catalog, Conf: b, Replicas: m, Log: log, Auth: auth.AllowAll{}}
	n.api = New(n.d)
	n.stop = sync.OnceFunc(func() {
		m.Shutdown()
		cancel()
		wg.Wait()
		_ = store.Close() // a test may have broken its directory
	})
	t.Cleanup(n.stop)
	return n
}

// must applies one command that is right.
func (n *dataNode) must(c meta.Command) meta.Result {
	n.t.Helper()
	n.index++
	out := n.fsm.Apply(&raft.Log{Index: n.index, Type: raft.LogCommand, Data: meta.EncodeEntry([]meta.Command{c})})
	r := out.([]meta.Result)[0]
	if r.Err != nil {
		n.t.Fatal(r.Err)
	}
	return r
}

// topic creates a topic that this broker leads.
func (n *dataNode) topic(name string, partitions int, config map[string]string) *meta.Topic {
	n.t.Helper()
	id := step.TopicID{1}
	copy(id[1:8], name)
	binary.BigEndian.PutUint64(id[8:], n.index+1)
	var all [][]int32
	for range partitions {
		all = append(all, []int32{nodeID})
	}
	n.must(meta.CreateTopic{ID: id, Name: name, Assignments: all, Config: config})
	t, _ := n.catalog.Image().TopicNamed(name)
	return t
}

// serve takes a request up as the server does.
func (n *dataNode) serve(req kmsg.Request) wire.Outcome {
	n.t.Helper()
	trait := n.api.Trait(req.Key(), req.GetVersion())
	if !trait.Known {
		n.t.Fatalf("key %d version %d is not served", req.Key(), req.GetVersion())
	}
	body := req.AppendTo(nil)
	o := n.api.Serve(&wire.Call{Key: req.Key(), Version: req.GetVersion(), Correlation: 5, Body: body, Client: n.client})
	for i := range body {
		body[i] = 0xdb // whatever outlives Serve must have been copied
	}
	return o
}

// finish waits for an outcome as the server does, and takes its answer.
func (n *dataNode) finish(o wire.Outcome) wire.Answer {
	n.t.Helper()
	if o.Ready() {
		return o.Finish(false)
	}
	done := make(chan struct{})
	o.Notify(func(*wire.Handoff) { close(done) })
	timer := time.NewTimer(time.Until(o.Deadline()))
	defer timer.Stop()
	select {
	case <-done:
		return o.Finish(false)
	case <-timer.C:
		return o.Finish(true)
	}
}

// ask sends req and decodes the answer into resp; it returns why the connection
// was closed instead, if it was.
func (n *dataNode) ask(req kmsg.Request) (kmsg.Response, string) {
	n.t.Helper()
	return n.decode(req, n.finish(n.serve(req)))
}

func (n *dataNode) decode(req kmsg.Request, a wire.Answer) (kmsg.Response, string) {
	n.t.Helper()
	if a.Close != "" || a.Frame == nil {
		return nil, a.Close
	}
	var whole bytes.Buffer
	at := 0
	for _, f := range a.Files {
		whole.Write(a.Frame[at:f.At])
		at = f.At
		if _, err := f.Data.WriteTo(&whole); err != nil {
			n.t.Fatal(err)
		}
	}
	whole.Write(a.Frame[at:])
	if a.Release != nil {
		a.Release()
	}
	b := whole.Bytes()
	if int(binary.BigEndian.Uint32(b)) != len(b)-4 {
		n.t.Fatalf("frame says %d bytes, has %d", binary.BigEndian.Uint32(b), len(b)-4)
	}
	resp := req.ResponseKind()
	resp.SetVersion(req.GetVersion())
	b = b[8:]
	if resp.IsFlexible() {
		b = b[1:]
	}
	if err := resp.ReadFrom(b); err != nil {
		n.t.Fatalf("%T v%d: %v", resp, req.GetVersion(), err)
	}
	return resp, ""
}

// records builds a batch of count records of now.
func records(t testing.TB, count int, s record.Spec) record.Batch {
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

func produceReq(version int16, acks int16, t *meta.Topic, batches ...[]byte) *kmsg.ProduceRequest {
	req := kmsg.NewPtrProduceRequest()
	req.Version, req.Acks, req.TimeoutMillis = version, acks, 30_000
	topic := kmsg.NewProduceRequestTopic()
	topic.Topic, topic.TopicID = t.Name, t.ID
	for i, b := range batches {
		p := kmsg.NewProduceRequestTopicPartition()
		p.Partition, p.Records = int32(i), b
		topic.Partitions = append(topic.Partitions, p)
	}
	req.Topics = append(req.Topics, topic)
	return req
}

// produce writes one batch to partition 0 and expects code.
func (n *dataNode) produce(t *meta.Topic, b []byte, want int16) kmsg.ProduceResponseTopicPartition {
	n.t.Helper()
	resp, closed := n.ask(produceReq(9, -1, t, b))
	if closed != "" {
		n.t.Fatal(closed)
	}
	p := resp.(*kmsg.ProduceResponse).Topics[0].Partitions[0]
	if p.ErrorCode != want {
		n.t.Fatalf("code %d, want %d", p.ErrorCode, want)
	}
	return p
}

func fetchReq(version int16, t *meta.Topic, offsets ...int64) *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.Version, req.ReplicaID, req.MaxWaitMillis, req.MinBytes, req.MaxBytes = version, -1, 500, 1, 1<<20
	req.SessionEpoch = -1
	topic := kmsg.NewFetchRequestTopic()
	topic.Topic, topic.TopicID = t.Name, t.ID
	for i, o := range offsets {
		p := kmsg.NewFetchRequestTopicPartition()
		p.Partition, p.FetchOffset, p.PartitionMaxBytes = int32(i), o, 1<<20
		topic.Partitions = append(topic.Partitions, p)
	}
	req.Topics = append(req.Topics, topic)
	return req
}

// offsetsOf lists the base offsets of the batches in p.
func offsetsOf(t testing.TB, p []byte) (list []int64) {
	t.Helper()
	for len(p) > 0 {
		b, rest, err := record.Next(p)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.VerifyStored(); err != nil {
			t.Fatal(err)
		}
		list = append(list, b.BaseOffset())
		p = rest
	}
	return list
}
