package controller

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/sim"
	"github.com/brokerd/brokerd/internal/step"
	"github.com/brokerd/brokerd/internal/vfs"
	"github.com/brokerd/brokerd/internal/wire"
)

// trio is three voters over a simulated network, on crashable disks.
type trio struct {
	t     *testing.T
	net   *sim.Net
	mu    sync.Mutex
	nodes [4]*node // by node id; 0 is unused. Written by the test under mu
	disks [4]*vfs.Mem
	wiped [4]byte             // marks the disk that a node has now; 0: its first
	logs  [4]*raft.InmemStore // instead of a log on disk, where a test writes much
}

func (q *trio) server(id int32) Server {
	return Server{Node: id, Directory: tid(byte(id), 9, q.wiped[id]), Address: fmt.Sprintf("n%d:9093", id)}
}

func (q *trio) set(id int32, n *node) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.nodes[id] = n
}

func newTrio(t *testing.T, prepare ...func(*trio)) *trio {
	q := &trio{t: t, net: sim.NewNet(sim.Options{Seed: 1, Latency: 200 * time.Microsecond, Jitter: 100 * time.Microsecond})}
	for _, f := range prepare {
		f(q)
	}
	for id := int32(1); id <= 3; id++ {
		q.disks[id] = vfs.NewMem()
		q.start(id, id == 1)
	}
	t.Cleanup(q.net.Close)
	return q
}

func (q *trio) options(id int32) Options {
	q.t.Helper()
	stores, err := OpenFS(q.disks[id], "meta")
	if err != nil {
		q.t.Fatal(err)
	}
	if l := q.logs[id]; l != nil {
		stores.Log, stores.Stable = l, l
	}
	s := q.server(id)
	return Options{
		Node: id, Directory: s.Directory, ClusterID: "here", Address: s.Address,
		Network: q.net.Host(fmt.Sprintf("n%d", id)), Stores: stores, Remote: remote{q},
	}
}

func (q *trio) start(id int32, bootstrap bool) {
	q.t.Helper()
	o := q.options(id)
	if bootstrap {
		o.Bootstrap = []Server{q.server(1), q.server(2), q.server(3)}
	}
	n := start(q.t, o)
	q.set(id, n)
	l, err := o.Network.Listen(q.t.Context(), o.Address)
	if err != nil {
		q.t.Fatal(err)
	}
	go serveStreams(n.Controller, l)
	q.t.Cleanup(func() { _ = l.Close() })
}

// kill ends a node as kill -9 does, its peers seeing their connections break.
// Its disk keeps what was synced, and what chance gives beside that.
func (q *trio) kill(id int32) {
	q.net.Kill(fmt.Sprintf("n%d", id))
	disk := q.disks[id].Crash(rand.New(rand.NewPCG(uint64(id), 3)), 0.5)
	q.nodes[id].stop()
	q.disks[id] = disk
	q.set(id, nil)
}

// serveStreams is what the API layer does with OpenRaftStream.
func serveStreams(c *Controller, l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			req, err := readStreamRequest(conn)
			if err == nil {
				err = c.CheckStream(req)
			}
			resp := wire.OpenRaftStreamResponse{}
			if err != nil {
				resp.ErrorCode, resp.Message = 41, err.Error()
			}
			b := append([]byte{0, 0, 0, 0, 0, 0, 0, 1, 0}, resp.AppendTo(nil)...)
			binary.BigEndian.PutUint32(b, uint32(len(b)-4))
			if _, wrote := conn.Write(b); err != nil || wrote != nil {
				_ = conn.Close()
				return
			}
			_ = c.Stream(conn, req)
		}()
	}
}

func readStreamRequest(conn net.Conn) (*wire.OpenRaftStreamRequest, error) {
	var size [4]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return nil, err
	}
	frame := make([]byte, binary.BigEndian.Uint32(size[:]))
	if _, err := io.ReadFull(conn, frame); err != nil {
		return nil, err
	}
	h, rest := wire.ParseFixed(frame)
	body, err := h.ParseRest(rest, true)
	if err != nil {
		return nil, err
	}
	req := new(wire.OpenRaftStreamRequest)
	return req, req.ReadFrom(body)
}

// remote is the wire between brokers and their controller, without a wire.
type remote struct{ q *trio }

func (r remote) at(id int32) (*Controller, error) {
	r.q.mu.Lock()
	defer r.q.mu.Unlock()
	if n := r.q.nodes[id]; n != nil {
		return n.Controller, nil
	}
	return nil, ErrNotLeader
}

func (r remote) Register(ctx context.Context, id int32, cmd meta.RegisterBroker) (int64, error) {
	c, err := r.at(id)
	if err != nil {
		return 0, err
	}
	deadline, _ := ctx.Deadline()
	done := make(chan Committed, 1)
	c.AcceptRegistration(cmd, deadline, func(com Committed) { done <- com })
	com := <-done
	if com.Err != nil {
		return 0, com.Err
	}
	return com.Results[0].Epoch, com.Results[0].Err
}

func (r remote) Heartbeat(_ context.Context, id int32, h Heartbeat) (HeartbeatReply, error) {
	c, err := r.at(id)
	if err != nil {
		return HeartbeatReply{}, err
	}
	return c.AcceptHeartbeat(h)
}

// leader waits for one of the nodes to be the active controller.
func (q *trio) leader() *node {
	q.t.Helper()
	for range 3000 {
		for _, n := range q.nodes {
			if n != nil && n.Active() {
				return n
			}
		}
		time.Sleep(5 * time.Millisecond) // fake time
	}
	q.t.Fatal("no controller after 15 s")
	return nil
}

func (q *trio) id(n *node) int32 {
	for id := range q.nodes {
		if q.nodes[id] == n {
			return int32(id)
		}
	}
	return 0
}

// settle waits until every node has applied index.
func (q *trio) settle(index uint64) {
	q.t.Helper()
	ctx, cancel := context.WithTimeout(q.t.Context(), 10*time.Second)
	defer cancel()
	for _, n := range q.nodes {
		if n == nil {
			continue
		}
		if _, err := n.cat.Await(ctx, index); err != nil {
			q.t.Fatalf("node %d at %d, not %d: %v", q.id(n), n.cat.Image().Index(), index, err)
		}
	}
}

func (q *trio) register(ids ...int32) {
	q.t.Helper()
	for _, id := range ids {
		q.nodes[id].Register(meta.RegisterBroker{Dirs: []step.TopicID{q.server(id).Directory}, BootID: "boot"})
	}
	for _, id := range ids {
		q.nodes[id].await(q.nodes[id].WaitActive)
	}
}

func (q *trio) sameImages() {
	q.t.Helper()
	var first *node
	for _, n := range q.nodes {
		if n == nil {
			continue
		}
		if first == nil {
			first = n
		}
		if !meta.Equal(first.cat.Image(), n.cat.Image()) {
			q.t.Fatalf("R15: images of %d and %d differ at %d", q.id(first), q.id(n), n.cat.Image().Index())
		}
	}
}

func TestThreeVoters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newTrio(t)
		began := time.Now()
		n := q.leader()
		t.Logf("first controller after %v of virtual time", time.Since(began))
		q.register(1, 2, 3)
		com := n.must(topic(1, "a", 1, 2, 3))

		// A quiet commit reaches everybody by the Barrier, not by CommitTimeout.
		at := time.Now()
		q.settle(com.Index)
		if d := time.Since(at); d > 20*time.Millisecond {
			t.Fatalf("followers heard of a commit after %v", d)
		}
		seen := make(chan struct{})
		n.WhenApplied(com.Index, time.Second, func() { close(seen) })
		<-seen
		if d := time.Since(at); d > 50*time.Millisecond {
			t.Fatalf("the brokers reported it after %v", d)
		}

		quorum, err := n.Quorum()
		if err != nil || len(quorum.Voters) != 3 || quorum.Leader != q.id(n) {
			t.Fatalf("%+v %v", quorum, err)
		}
		for _, v := range quorum.Voters {
			if v.LogEnd < int64(com.Index) {
				t.Errorf("voter %d: log end %d before %d", v.ID, v.LogEnd, com.Index)
			}
		}
		follower := q.nodes[q.id(n)%3+1]
		if c := follower.submit(topic(9, "x", 1)); !errors.Is(c.Err, ErrNotLeader) {
			t.Fatalf("a follower proposed: %+v", c)
		}
		if id, ok := follower.Leader(); !ok || id != q.id(n) {
			t.Fatalf("follower thinks %d %v leads", id, ok)
		}

		// The leader dies: another one leads, fences it, and elects.
		dead := q.id(n)
		q.kill(dead)
		at = time.Now()
		n = q.leader()
		t.Logf("next controller after %v", time.Since(at))
		for {
			im := n.cat.Image()
			top, _ := im.TopicNamed("a")
			p, _ := top.Partition(0)
			if b, _ := im.Broker(dead); b.State == meta.Fenced && p.Leader != dead && p.Leader > 0 && !p.InISR(dead) {
				break
			}
			if time.Since(at) > 10*time.Second {
				t.Fatalf("broker %d is not fenced", dead)
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Logf("dead broker fenced after %v", time.Since(at))

		// It comes back with its disk and is let in again.
		q.start(dead, false)
		q.register(dead)
		com = n.must(topic(2, "b", dead))
		q.settle(com.Index)
		q.sameImages()
		q.stopAll()
	})
}

func (q *trio) stopAll() {
	for _, n := range q.nodes {
		if n != nil {
			n.stop()
		}
	}
	q.net.Close()
}

func TestStreamForAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newTrio(t)
		q.leader()
		ask := func(cluster, id string) error {
			l := newStreamLayer(Options{Node: 7, Directory: tid(7), ClusterID: cluster, Network: q.net.Host("n7")}, step.TopicID{})
			conn, err := l.Dial(raft.ServerAddress("n2:9093#"+id), time.Second)
			if err == nil {
				_ = conn.Close()
			}
			return errors.Join(err, l.Close())
		}
		right := q.server(2).ID()
		if err := ask("here", right); err != nil {
			t.Fatalf("the right server refused: %v", err)
		}
		for _, c := range []struct{ cluster, id, says string }{
			{"here", q.server(1).ID(), "this is " + right},
			{"here", Server{Node: 2, Directory: tid(99)}.ID(), "this is " + right}, // the same node, another disk
			{"there", right, "belongs to cluster here"},
		} {
			if err := ask(c.cluster, c.id); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("stream for %s of %s: %v", c.id, c.cluster, err)
			}
		}
		q.stopAll()
	})
}

// TestWipedVoter is the trap of replication.md 2.7: a voter that comes back with
// an empty disk at its old address must not vote away what the others committed.
func TestWipedVoter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newTrio(t)
		q.leader()
		q.register(1, 2, 3)
		q.kill(3)
		n := q.leader()
		n.must(topic(1, "kept", 1, 2))
		wiped, down := int32(1), int32(2)
		q.kill(down)
		q.kill(wiped)

		// Node 1 is back with an empty disk under its old address: another server.
		q.disks[wiped] = vfs.NewMem()
		o := q.options(wiped)
		o.Directory = tid(byte(wiped), 77)
		q.set(wiped, start(t, o))
		l, err := o.Network.Listen(t.Context(), o.Address)
		if err != nil {
			t.Fatal(err)
		}
		go serveStreams(q.nodes[wiped].Controller, l)
		q.start(3, false)
		time.Sleep(30 * time.Second)
		for id, n := range q.nodes {
			if n != nil && n.Active() {
				t.Fatalf("node %d leads with a majority that forgot", id)
			}
		}
		// The one that remembers comes back: its log wins.
		q.start(down, false)
		n = q.leader()
		if _, ok := n.cat.Image().TopicNamed("kept"); !ok || q.id(n) != down {
			t.Fatalf("node %d leads, topic kept: %v", q.id(n), ok)
		}
		_ = l.Close()
		q.stopAll()
	})
}

func TestSnapshotInstall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newTrio(t, func(q *trio) {
			for id := 1; id <= 3; id++ {
				q.logs[id] = raft.NewInmemStore()
			}
		})
		q.leader()
		q.register(1, 2, 3)
		q.kill(3)
		n := q.leader()

		// More than 50 MB of image, and more entries than the log keeps.
		pad := strings.Repeat("x", 8<<10)
		size := 0
		for i := 0; size < snapshotBytes+2<<20; i++ {
			set := map[string]*string{}
			for k := range 16 {
				v := pad
				set[fmt.Sprintf("%04d-%02d", i, k)] = &v
				size += len(pad)
			}
			n.must(meta.AlterConfig{Resource: meta.Resource{Type: meta.ClientMetricsResource, Name: fmt.Sprint(i)}, Set: set})
		}
		for i := range trailingLogs + 10 {
			v := fmt.Sprint(i)
			n.must(meta.AlterConfig{Resource: meta.Resource{Type: meta.BrokerResource}, Set: map[string]*string{"a": &v}})
		}
		for _, m := range q.nodes {
			if m != nil {
				if err := m.node.r.Snapshot().Error(); err != nil {
					t.Fatal(err)
				}
			}
		}
		list, err := n.o.Stores.Snapshots.List()
		if err != nil || len(list) == 0 || list[0].Size < snapshotBytes {
			t.Fatalf("snapshots %+v %v", list, err)
		}
		first, err := n.o.Stores.Log.FirstIndex()
		if err != nil || first < 100 {
			t.Fatalf("the log begins at %d: it was not cut", first)
		}

		at := time.Now()
		q.start(3, false)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := q.nodes[3].cat.Await(ctx, n.cat.Image().Index()); err != nil {
			t.Fatal(err)
		}
		t.Logf("snapshot of %d MB installed in %v of virtual time", list[0].Size>>20, time.Since(at))
		com := n.must(topic(1, "after", 1, 2))
		q.settle(com.Index)
		q.sameImages()
		q.stopAll()
	})
}

// TestLeaderCutOff proposes at a leader that nobody hears: the outcome is not
// known, and what the majority decided wins.
func TestLeaderCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newTrio(t)
		old := q.leader()
		q.register(1, 2, 3)
		me := fmt.Sprintf("n%d", q.id(old))
		var others []string
		for id := int32(1); id <= 3; id++ {
			if id != q.id(old) {
				others = append(others, fmt.Sprintf("n%d", id))
			}
		}
		q.net.Isolate(me, others...)
		com := old.submit(topic(1, "doubtful", 1))
		if !errors.Is(com.Err, ErrUnknownOutcome) {
			t.Fatalf("%+v", com)
		}
		for old.Active() {
			time.Sleep(10 * time.Millisecond)
		}
		n := q.leader()
		if n == old {
			t.Fatal("it leads still")
		}
		n.must(topic(2, "sure", 2, 3))
		q.net.Heal()
		q.settle(n.cat.Image().Index())
		time.Sleep(5 * time.Second)
		q.settle(n.cat.Image().Index())
		q.sameImages()
		q.stopAll()
	})
}

// TestEverybodyIsTold closes a controller under load: whatever was submitted is
// answered once, in time or not.
func TestEverybodyIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newTrio(t)
		n := q.leader()
		q.register(1, 2, 3)
		var told sync.WaitGroup
		for i := range 200 {
			told.Add(1)
			n.Submit([]meta.Command{topic(byte(i+1), fmt.Sprint("t", i), 1)}, time.Now().Add(time.Duration(i)*time.Millisecond), func(Committed) { told.Done() })
		}
		n.stop()
		told.Add(1)
		n.Submit([]meta.Command{topic(250, "late", 1)}, time.Time{}, func(c Committed) {
			if !errors.Is(c.Err, ErrNotLeader) {
				t.Errorf("after the end: %v", c.Err)
			}
			told.Done()
		})
		told.Wait()
		q.stopAll()
	})
}
