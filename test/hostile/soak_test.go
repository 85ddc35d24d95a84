//go:build hostile

package hostile

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/brokerd/brokerd/test/harness"
	"github.com/brokerd/brokerd/test/raw"
)

var soakFlag = flag.Duration("soak", time.Minute, "how long TestSoak runs")

// soakTopic rolls and deletes segments all the time, so that the disk is bounded.
const soakTopic, soakPartitions = "soak", 12

// TestSoak lives with a mixed load: producers, consumers that come and go,
// connections that do nothing, topics made and deleted, some hostile cases, and
// restarts in the first third. In the rest goroutines, descriptors and memory
// have to be flat.
func TestSoak(t *testing.T) {
	v := victim{t, harness.Start(t, harness.Options{Properties: map[string]string{
		"log.retention.check.interval.ms": "5000", "log.segment.delete.delay.ms": "1000",
	}}).Nodes[0]}
	v.topic(soakTopic, soakPartitions, "segment.bytes", "1048576", "retention.bytes", "2097152", "file.delete.delay.ms", "1000")
	g := &generator{target: v.topic("hostile", 1), apis: v.apis()}
	l := &mixedLoad{t: t, addr: v.node.Addr(), cases: g.cases(*seedFlag, 5000)}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	l.start(ctx)

	began := time.Now()
	for range 2 { // restarts under load
		time.Sleep(*soakFlag / 6)
		v.node.Stop()
		v.node.Restart()
	}
	var seen []sample
	for every := max(time.Second, *soakFlag/360); time.Since(began) < *soakFlag; time.Sleep(every) {
		s := v.descriptors()
		s["goroutines"], s["memory MiB"] = v.state().goroutines, float64(v.status("RssAnon:")>>20)
		seen = append(seen, s)
	}
	cancel()
	l.done.Wait()
	t.Logf("%v: %d records produced, %d consumed by %d consumers, %d topics made and deleted, %d connections, %d hostile cases, 2 restarts",
		time.Since(began).Round(time.Second), l.produced.Load(), l.consumed.Load(), l.consumers.Load(), l.topics.Load(), l.connections.Load(), l.hostile.Load())
	flat(t, seen)
	if n := v.state().panics; n > 0 {
		t.Errorf("%v panics were recovered", n)
	}
	for i, f := range l.judge.findings {
		if i < 20 {
			t.Errorf("%s: %s", f.what, f.name)
		}
	}
}

// sample is what was measured at one moment.
type sample map[string]float64

// Kinds of open descriptors.
const (
	sockets  = "sockets"
	segments = "open segments" // at most soakPartitions times what retention leaves of a partition
	again    = "segments open twice"
	unlinked = "deleted but open"
	others   = "other descriptors"
)

// descriptors counts what the broker has open, by kind: each has its own reason to be flat.
func (v victim) descriptors() sample {
	v.t.Helper()
	dir := fmt.Sprintf("/proc/%d/fd", v.node.Pid())
	fds, err := os.ReadDir(dir)
	if err != nil {
		v.t.Fatal(err)
	}
	s := sample{sockets: 0, segments: 0, again: 0, unlinked: 0, others: 0}
	open := map[string]bool{}
	for _, fd := range fds {
		target, err := os.Readlink(filepath.Join(dir, fd.Name()))
		switch {
		case err != nil: // closed since
		case strings.HasPrefix(target, "socket:"):
			s[sockets]++
		case strings.HasSuffix(target, "(deleted)"):
			s[unlinked]++
		case strings.HasSuffix(target, ".log") && open[target]:
			s[again]++
		case strings.HasSuffix(target, ".log"):
			open[target] = true
			s[segments]++
		default:
			s[others]++
		}
	}
	return s
}

// fewSegments is how many a load that fills them slowly comes to in the end: of each
// partition two that retention leaves, the one that is written, and one that waits
// to be looked at. A leak does not hide below it: a segment that is there counts once,
// and what was opened again, or is gone, elsewhere.
const fewSegments = 4 * soakPartitions

// flat compares the second quarter of the samples with the last one, by medians:
// the first is for caches to fill.
func flat(t *testing.T, seen []sample) {
	t.Helper()
	n := len(seen)
	if n < 8 {
		t.Fatalf("%d samples are too few: soak longer", n)
	}
	for _, m := range []struct {
		name               string
		ratio, spare, free float64 // free: so many are never too many
	}{{"goroutines", 1.1, 10, 0}, {sockets, 1.1, 10, 0}, {segments, 1.1, 10, fewSegments}, {again, 1, 2, 0}, {unlinked, 1.1, 10, 0}, {others, 1, 2, 0}, {"memory MiB", 1.15, 16, 0}} {
		early, late := median(seen[n/4:n/2], m.name), median(seen[3*n/4:], m.name)
		var course []string
		for i := range 12 {
			course = append(course, fmt.Sprint(median(seen[i*n/12:max((i+1)*n/12, i*n/12+1)], m.name)))
		}
		t.Logf("%-20s %v → %v, in twelfths %v", m.name, early, late, course)
		if late > max(early*m.ratio+m.spare, m.free) {
			t.Errorf("%s grow: %v in the second quarter, %v in the last", m.name, early, late)
		}
	}
}

func median(seen []sample, name string) float64 {
	var all []float64
	for _, s := range seen {
		all = append(all, s[name])
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// mixedLoad is everybody who uses the broker.
type mixedLoad struct {
	t     *testing.T
	addr  string
	cases []attack
	judge judge
	done  sync.WaitGroup

	produced, consumed, consumers, topics, connections, hostile atomic.Int64
}

func (l *mixedLoad) start(ctx context.Context) {
	l.judge.addr = l.addr
	for _, opts := range [][]kgo.Opt{nil, {kgo.DisableIdempotentWrite(), kgo.RequiredAcks(kgo.LeaderAck()), kgo.ProducerBatchCompression(kgo.ZstdCompression())}} {
		l.done.Go(func() { l.produce(ctx, opts) })
	}
	for range 2 {
		l.done.Go(func() { l.consume(ctx) })
	}
	l.done.Go(func() { l.administer(ctx) })
	l.done.Go(func() { l.connect(ctx) })
	l.done.Go(func() { l.attack(ctx) })
}

// every calls f at intervals until ctx ends.
func every(ctx context.Context, d time.Duration, f func()) {
	tick := time.NewTicker(d)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			f()
		}
	}
}

func (l *mixedLoad) client(opts ...kgo.Opt) *kgo.Client {
	c, err := kgo.NewClient(append(opts, kgo.SeedBrokers(l.addr), kgo.AlwaysRetryEOF(), kgo.MetadataMinAge(100*time.Millisecond))...)
	if err != nil {
		l.t.Error(err)
	}
	return c
}

func (l *mixedLoad) produce(ctx context.Context, opts []kgo.Opt) {
	c := l.client(append(opts, kgo.DefaultProduceTopic(soakTopic))...)
	defer c.Close()
	value := make([]byte, 500)
	_, _ = rand.NewChaCha8([32]byte{}).Read(value) // never fails; what compresses to nothing would roll no segment
	every(ctx, 20*time.Millisecond, func() {
		for range 10 {
			c.Produce(ctx, &kgo.Record{Key: fmt.Appendf(nil, "%d", l.produced.Load()), Value: value}, func(_ *kgo.Record, err error) {
				if err == nil {
					l.produced.Add(1)
				} else if ctx.Err() == nil {
					l.judge.find("a producer gave up", err.Error())
				}
			})
		}
	})
}

// consume reads with a new client every few seconds.
func (l *mixedLoad) consume(ctx context.Context) {
	for ctx.Err() == nil {
		l.consumers.Add(1)
		c := l.client(kgo.ConsumeTopics(soakTopic), kgo.ConsumeResetOffset(kgo.NewOffset().AtEnd()))
		life, cancel := context.WithTimeout(ctx, 5*time.Second)
		for life.Err() == nil {
			l.consumed.Add(int64(c.PollFetches(life).NumRecords()))
		}
		cancel()
		c.Close()
	}
}

// administer makes a topic, uses it, and deletes it.
func (l *mixedLoad) administer(ctx context.Context) {
	c := l.client(kgo.DefaultProduceTopic("none"))
	defer c.Close()
	adm := kadm.NewClient(c)
	every(ctx, time.Second, func() {
		name := fmt.Sprintf("churn-%d", l.topics.Add(1))
		now := "0"
		_, err := adm.CreateTopic(ctx, 4, 1, map[string]*string{"file.delete.delay.ms": &now}, name)
		if err == nil {
			err = c.ProduceSync(ctx, &kgo.Record{Topic: name, Value: []byte("x")}).FirstErr()
		}
		if err == nil {
			_, err = adm.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "retention.ms", Value: kadm.StringPtr("1000")}}, name)
		}
		_, deleted := adm.DeleteTopic(ctx, name)
		if err := errors.Join(err, deleted); err != nil && ctx.Err() == nil {
			l.t.Logf("topic %s: %v (a restart may be why)", name, err)
		}
	})
}

// connect opens connections that ask one thing and go, or nothing.
func (l *mixedLoad) connect(ctx context.Context) {
	every(ctx, 50*time.Millisecond, func() {
		c, err := raw.Dial(l.addr)
		if err != nil {
			return // a restart
		}
		defer c.Close()
		if l.connections.Add(1)%2 == 0 {
			_, _ = c.Do(0, (api{18, 0}).request()) // a restart
		}
	})
}

// attack sends some hostile cases each second, while the broker is there.
func (l *mixedLoad) attack(ctx context.Context) {
	every(ctx, time.Second, func() {
		at := int(l.hostile.Add(10)) % (len(l.cases) - 10)
		if c, err := raw.Dial(l.addr); err == nil {
			_ = c.Close()
			quiet := judge{addr: l.addr} // a restart may cut any of them
			quiet.run(l.cases[at:at+10], 1, 0)
		}
	})
}
