package broker

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/brokerd/brokerd/internal/conf"
	"github.com/brokerd/brokerd/internal/controller"
	"github.com/brokerd/brokerd/internal/sim"
	"github.com/brokerd/brokerd/internal/vfs"
)

// bubble is three whole brokers in a synctest bubble: real raft, the simulated
// network, crashable disks.
type bubble struct {
	t     *testing.T
	net   *sim.Net
	disks [4]*vfs.Mem
	nodes [4]*Broker          // by node id; 0 is unused
	more  map[string]string   // settings of all brokers
	slow  func(vfs.FS) vfs.FS // their disks, but for what raft has; nil: as they are
	acked map[int64]string
	sent  int
}

func inBubble(t *testing.T, scene func(c *bubble), settings ...string) {
	synctest.Test(t, func(t *testing.T) {
		c := &bubble{t: t, net: sim.NewNet(sim.Options{Seed: 1, Latency: 200 * time.Microsecond, Jitter: 100 * time.Microsecond}), acked: map[int64]string{}, more: map[string]string{}}
		for _, s := range settings {
			key, value, _ := strings.Cut(s, "=")
			c.more[key] = value
		}
		defer func() { // after a Fatal too: what would be left running hides it behind a deadlock
			for id := 1; id <= 3; id++ {
				if c.nodes[id] != nil {
					c.end(id)
				}
			}
			c.net.Close()
		}()
		began := make(chan error, 3)
		for id := 1; id <= 3; id++ {
			c.disks[id] = vfs.NewMem()
			go func() { began <- c.start(id) }()
		}
		for range 3 {
			if err := <-began; err != nil {
				t.Error(err)
			}
		}
		if !t.Failed() {
			scene(c)
		}
	})
}

func (c *bubble) host(id int) string { return fmt.Sprintf("b%d", id) }

// start runs a broker on what its disk has.
func (c *bubble) start(id int) error {
	all := map[string]string{
		"process.roles": "broker,controller", "node.id": fmt.Sprint(id), "controller.listener.names": "CONTROLLER",
		"listeners":                fmt.Sprintf("PLAINTEXT://%s:9092,CONTROLLER://%[1]s:9093", c.host(id)),
		"advertised.listeners":     fmt.Sprintf("PLAINTEXT://%s:9092", c.host(id)),
		"controller.quorum.voters": "1@b1:9093,2@b2:9093,3@b3:9093", "log.dirs": "data", "http.address": "off",
	}
	maps.Copy(all, c.more)
	settings, err := conf.New(all)
	if err != nil {
		return err
	}
	disk := c.disks[id]
	fs := vfs.FS(disk)
	if c.slow != nil {
		fs = c.slow(disk)
	}
	b, err := New(c.t.Context(), Options{Conf: settings, Version: "test", FS: fs, Network: c.net.Host(c.host(id)),
		Stores:  func(dir string, _ *slog.Logger) (controller.Stores, error) { return controller.OpenFS(disk, dir) },
		Log:     slog.New(slog.DiscardHandler),
		OnPanic: func(v any, stack []byte) { c.t.Errorf("a request panicked: %v\n%s", v, stack) }})
	if err != nil {
		return fmt.Errorf("broker %d: %w", id, err)
	}
	c.nodes[id] = b
	return nil
}

func (c *bubble) end(id int) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_ = c.nodes[id].Close(ctx) // of a crashed one: its peers are gone, its disk nobody reads again
	c.nodes[id] = nil
}

// crash takes the power from a broker: what was not synced is lost, each write
// with some chance.
func (c *bubble) crash(id int) {
	disk := c.disks[id].Crash(rand.New(rand.NewPCG(uint64(id), uint64(c.sent))), 0.5)
	c.net.Kill(c.host(id))
	c.end(id)
	c.disks[id] = disk
}

func (c *bubble) client(opts ...kgo.Opt) *kgo.Client {
	c.t.Helper()
	me := c.net.Host("client")
	cl, err := kgo.NewClient(append(opts, kgo.SeedBrokers("b1:9092", "b2:9092", "b3:9092"), kgo.MetadataMinAge(50*time.Millisecond), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.Dialer(func(ctx context.Context, _, addr string) (net.Conn, error) { return me.Dial(ctx, addr) }))...)
	if err != nil {
		c.t.Fatal(err)
	}
	return cl
}

// produce writes n records with acks=all; each must be acknowledged within a minute.
func (c *bubble) produce(n int) {
	c.t.Helper()
	cl := c.client()
	defer cl.Close()
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
	defer cancel()
	for range n {
		c.sent++
		r := &kgo.Record{Topic: "t", Value: fmt.Append(nil, "value ", c.sent)}
		if err := cl.ProduceSync(ctx, r).FirstErr(); err != nil {
			c.t.Fatalf("record %d: %v", c.sent, err)
		}
		c.acked[r.Offset] = string(r.Value)
	}
}

// readBack wants every acknowledged record at its offset.
func (c *bubble) readBack() {
	c.t.Helper()
	cl := c.client()
	defer cl.Close()
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
	defer cancel()
	cl.AddConsumePartitions(map[string]map[int32]kgo.Offset{"t": {0: kgo.NewOffset().AtStart()}})
	for left := len(c.acked); left > 0; {
		fetches := cl.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			c.t.Fatalf("%d of %d acknowledged records are not there", left, len(c.acked))
		}
		for _, r := range fetches.Records() {
			if want, ok := c.acked[r.Offset]; ok {
				left--
				if want != string(r.Value) {
					c.t.Errorf("offset %d has %q, acknowledged was %q", r.Offset, r.Value, want)
				}
			}
		}
	}
}

func (c *bubble) topic() {
	c.t.Helper()
	cl := c.client()
	defer cl.Close()
	if _, err := kadm.NewClient(cl).CreateTopic(c.t.Context(), 1, 3, nil, "t"); err != nil {
		c.t.Fatal(err)
	}
}

// TestBrokersFailOver: the power of each of three brokers fails in turn, the leader's
// and the controller's among them; writes go on, and nothing acknowledged is lost.
func TestBrokersFailOver(t *testing.T) {
	inBubble(t, func(c *bubble) {
		c.topic()
		c.produce(20)
		for id := 1; id <= 3; id++ {
			c.crash(id)
			c.produce(20)
			if err := c.start(id); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Second) // until it is in sync
		}
		c.readBack()
	})
}

// TestBrokersLosePower: the power of all fails at one moment.
func TestBrokersLosePower(t *testing.T) {
	inBubble(t, func(c *bubble) {
		c.topic()
		for range 3 {
			c.produce(20)
			for id := 1; id <= 3; id++ {
				c.crash(id)
			}
			began := make(chan error, 3)
			for id := 1; id <= 3; id++ {
				go func() { began <- c.start(id) }()
			}
			for range 3 {
				if err := <-began; err != nil {
					t.Fatal(err)
				}
			}
			c.readBack()
		}
	})
}

// TestBrokersSurviveChance does what seeds choose: power cuts, isolation, resets,
// with records written in between.
func TestBrokersSurviveChance(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			inBubble(t, func(c *bubble) {
				random := rand.New(rand.NewPCG(seed, 5))
				c.topic()
				for range 6 {
					id := random.IntN(3) + 1
					switch random.IntN(3) {
					case 0:
						c.crash(id)
						c.produce(random.IntN(15))
						if err := c.start(id); err != nil {
							t.Fatal(err)
						}
					case 1:
						c.net.Isolate(c.host(id), c.host(id%3+1), c.host((id+1)%3+1))
						c.produce(random.IntN(15))
						c.net.Heal()
					case 2:
						c.net.Reset(c.host(id), c.host(id%3+1))
						c.produce(random.IntN(15))
					}
					time.Sleep(time.Duration(random.IntN(15000)) * time.Millisecond)
				}
				c.produce(5)
				c.readBack()
			})
		})
	}
}
