//go:build chaos

package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// groupLoad is one consumer group that reads the topic while faults happen, with
// members that come and go, and what its members and an observer know:
//
//	member ── poll, note what was delivered, commit ──► acknowledged offsets
//	observer ── asks for the committed offsets ──► none is below what was acknowledged
//	            before it asked, nor below what it saw before
//
// A commit of a member that has lost a partition would take its offset back, so
// what the observer sees also says that no partition has two owners.
type groupLoad struct {
	t     *testing.T
	name  string
	opts  []kgo.Opt
	seeds []string
	stop  chan struct{}
	done  sync.WaitGroup

	commits, refused, lives, looks atomic.Int64

	mu        sync.Mutex
	acked     [spread]int64    // committed offsets that were acknowledged
	by        [spread]string   // when and to whom
	seen      [spread]int64    // committed offsets that the observer saw
	delivered [spread][]uint64 // a bit per offset
}

const members = 3 // of a group at a time

// groups starts one group of each protocol.
func groups(t *testing.T, seeds []string) []*groupLoad {
	return []*groupLoad{startGroup(t, seeds, "classic"), startGroup(t, seeds, "consumer", kgo.ServerSideBalancer(), kgo.Balancers(kgo.RangeBalancer()))}
}

func startGroup(t *testing.T, seeds []string, name string, opts ...kgo.Opt) *groupLoad {
	g := &groupLoad{t: t, name: name, opts: opts, seeds: seeds, stop: make(chan struct{})}
	for i := range members {
		g.done.Go(func() { g.member(rand.New(rand.NewPCG(uint64(i), 7))) })
	}
	g.done.Go(g.observe)
	return g
}

// finish ends the members and the observer.
func (g *groupLoad) finish() {
	close(g.stop)
	g.done.Wait()
}

func (g *groupLoad) stopped() bool {
	select {
	case <-g.stop:
		return true
	case <-g.t.Context().Done():
		return true
	default:
		return false
	}
}

// patience is longer than any fault: a request that a client gave up on could be
// carried out after its repetition, and take an offset back in an orderly way.
var patience = []kgo.Opt{kgo.RequestTimeoutOverhead(time.Minute), kgo.DialTimeout(time.Second), kgo.MetadataMinAge(50 * time.Millisecond),
	kgo.RetryBackoffFn(func(int) time.Duration { return 50 * time.Millisecond }), kgo.RequestRetries(1 << 20)}

// member lives for a few seconds, leaves in order or without a word, and begins anew.
func (g *groupLoad) member(random *rand.Rand) {
	for !g.stopped() {
		opts := append([]kgo.Opt{kgo.SeedBrokers(g.seeds...), kgo.ConsumerGroup("chaos-" + g.name), kgo.ConsumeTopics(audited), kgo.DisableAutoCommit(),
			kgo.BlockRebalanceOnPoll(), kgo.SessionTimeout(6 * time.Second), kgo.HeartbeatInterval(500 * time.Millisecond),
			kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(200 * time.Millisecond)}, patience...)
		c, err := kgo.NewClient(append(opts, g.opts...)...)
		if err != nil {
			g.t.Error(err)
			return
		}
		g.lives.Add(1)
		g.live(c, time.Duration(2000+random.IntN(15000))*time.Millisecond)
		if random.IntN(3) == 0 {
			c.Close() // without a word: its session has to end
		} else {
			c.CloseAllowingRebalance()
		}
	}
}

func (g *groupLoad) live(c *kgo.Client, life time.Duration) {
	ctx, cancel := context.WithTimeout(g.t.Context(), life)
	defer cancel()
	for ctx.Err() == nil && !g.stopped() {
		polling, polled := context.WithTimeout(ctx, time.Second)
		fetches := c.PollRecords(polling, 2000)
		polled()
		records := fetches.Records()
		g.deliver(records)
		if len(records) > 0 {
			committing, committed := context.WithTimeout(g.t.Context(), patient)
			g.commit(committing, c, records)
			committed()
		}
		c.AllowRebalance()
	}
}

func (g *groupLoad) deliver(records []*kgo.Record) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, r := range records {
		d := &g.delivered[r.Partition]
		for int64(len(*d)) <= r.Offset/64 {
			*d = append(*d, 0)
		}
		(*d)[r.Offset/64] |= 1 << (r.Offset % 64)
	}
}

// commit commits what was delivered, and notes what the coordinator says it has:
// of a partition that a member has just lost the client asks nothing.
func (g *groupLoad) commit(ctx context.Context, c *kgo.Client, records []*kgo.Record) {
	offsets := map[int32]kgo.EpochOffset{}
	for _, r := range records {
		offsets[r.Partition] = kgo.EpochOffset{Epoch: r.LeaderEpoch, Offset: r.Offset + 1}
	}
	c.CommitOffsetsSync(ctx, map[string]map[int32]kgo.EpochOffset{audited: offsets}, func(_ *kgo.Client, req *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, err error) {
		if err != nil {
			g.refused.Add(1) // its outcome is not known
			return
		}
		g.commits.Add(1)
		g.mu.Lock()
		defer g.mu.Unlock()
		for _, t := range resp.Topics {
			for _, p := range t.Partitions {
				if p.ErrorCode != 0 {
					g.refused.Add(1) // by an epoch
					continue
				}
				if o := offsets[p.Partition].Offset; o > g.acked[p.Partition] {
					g.acked[p.Partition] = o
					g.by[p.Partition] = fmt.Sprintf("%s to member %s of epoch %d", time.Now().Format("15:04:05.000"), req.MemberID, req.Generation)
				}
			}
		}
	})
}

// observe asks over and over for the committed offsets.
func (g *groupLoad) observe() {
	c, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(g.seeds...)}, patience...)...)
	if err != nil {
		g.t.Error(err)
		return
	}
	defer c.Close()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-g.stop:
			return
		case <-g.t.Context().Done():
			return
		case <-tick.C:
			_, _ = g.look(kadm.NewClient(c)) // without an answer nothing is known: it asks again
		}
	}
}

// look asks once, and complains of what is lost or went back.
func (g *groupLoad) look(adm *kadm.Client) (now [spread]int64, err error) {
	g.mu.Lock()
	before, seen := g.acked, g.seen
	g.mu.Unlock()
	ctx, cancel := context.WithTimeout(g.t.Context(), patient)
	defer cancel()
	got, err := adm.FetchOffsets(ctx, "chaos-"+g.name)
	if err != nil {
		return now, err
	}
	if err := got.Error(); err != nil {
		return now, err
	}
	g.looks.Add(1)
	g.mu.Lock()
	defer g.mu.Unlock()
	for p := range now {
		if o, ok := got.Lookup(audited, int32(p)); ok {
			now[p] = o.At
		}
		switch {
		case now[p] < before[p]:
			g.t.Errorf("group %s, partition %d: offset %d is committed at %s, %d was acknowledged before (now %d, at %s)", g.name, p, now[p],
				time.Now().Format("15:04:05.000"), before[p], g.acked[p], g.by[p])
		case now[p] < seen[p]:
			g.t.Errorf("group %s, partition %d: offset %d is committed, it was %d", g.name, p, now[p], seen[p])
		}
		g.seen[p] = max(g.seen[p], now[p])
	}
	return now, nil
}

// judge waits until the group has come to the end, and holds against it what
// producers know: every acknowledged record was delivered to some member.
func (g *groupLoad) judge(c *three) {
	c.Helper()
	var behind string
	for end := time.Now().Add(patient); ; time.Sleep(200 * time.Millisecond) {
		if time.Now().After(end) {
			c.Fatalf("faults are over, and for %v the group %s is behind: %s", patient, g.name, behind)
		}
		ends, err := c.adm.ListEndOffsets(c.Context(), audited)
		if err != nil {
			behind = err.Error()
			continue
		}
		now, err := g.look(c.adm)
		if err != nil {
			behind = err.Error()
			continue
		}
		behind = ""
		for p := range now {
			if o, ok := ends.Lookup(audited, int32(p)); !ok || o.Err != nil || now[p] < o.Offset {
				behind += fmt.Sprintf("partition %d at %d of %d %v; ", p, now[p], o.Offset, o.Err)
			}
		}
		if behind == "" {
			break
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for p := range spread {
		missing := 0
		for offset := range c.load.history(p).acked {
			if d := g.delivered[p]; offset/64 >= int64(len(d)) || d[offset/64]&(1<<(offset%64)) == 0 {
				if missing++; missing <= 5 {
					c.Errorf("group %s: offset %d of partition %d is committed, and was delivered to nobody", g.name, offset, p)
				}
			}
		}
	}
}
