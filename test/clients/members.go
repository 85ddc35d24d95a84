//go:build clients

package clients

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

const (
	// sessionMs is how long a member may be silent: the case that kills one waits for it.
	sessionMs = 8000
	// heartbeatMs is how soon a member hears that another one joins.
	heartbeatMs = 500
)

// groupSettings are what a node has beside its defaults, so that cases do not
// wait: sessions as short as sessionMs, and no delay before an empty group starts.
var groupSettings = map[string]string{
	"group.initial.rebalance.delay.ms":         "0",
	"group.consumer.session.timeout.ms":        fmt.Sprint(sessionMs),
	"group.consumer.min.session.timeout.ms":    fmt.Sprint(sessionMs),
	"group.consumer.heartbeat.interval.ms":     fmt.Sprint(heartbeatMs),
	"group.consumer.min.heartbeat.interval.ms": fmt.Sprint(heartbeatMs),
}

// crew is the running adapters of one client. A case takes as many as it has
// members; those that are whole after it serve the next one.
type crew struct {
	argv       []string
	idle, busy []*adapter
}

func (c *crew) hire() (*adapter, error) {
	if len(c.idle) > 0 {
		a := c.idle[0]
		c.idle, c.busy = c.idle[1:], append(c.busy, a)
		return a, nil
	}
	a, err := startAdapter(c.argv)
	if err == nil {
		c.busy = append(c.busy, a)
	}
	return a, err
}

// rest ends a case. After a failed one nobody knows what state its adapters are in.
func (c *crew) rest(failed bool) {
	whole := slices.DeleteFunc(c.busy, func(a *adapter) bool {
		if failed {
			a.end()
		}
		return a.ended
	})
	c.idle, c.busy = append(whole, c.idle...), nil
}

func (c *crew) end() {
	c.rest(true)
	for _, a := range c.idle {
		a.end()
	}
}

// join has an adapter become a member, as how says: the case's own one first.
// The members that are there poll meanwhile, for some clients come back only when
// the group is complete.
func (s *scene) join(name string, how request, there ...*member) (*member, error) {
	stop, _ := polling(there)
	members, err := s.joinAll(how, name)
	return members[0], errors.Join(err, stop())
}

// joinAll has several join at the same time.
func (s *scene) joinAll(how request, names ...string) ([]*member, error) {
	members, errs := make([]*member, len(names)), make([]error, len(names))
	how.Op, how.Topic, how.Group, how.Heartbeat = "join", s.topic, s.topic, heartbeatMs
	how.Reset, how.Session = cmp.Or(how.Reset, "earliest"), cmp.Or(how.Session, sessionMs)
	var all sync.WaitGroup
	for i, name := range names {
		members[i] = &member{name: name, ask: s.ask}
		if s.ask = nil; members[i].ask == nil {
			if members[i].ask, errs[i] = s.crew.hire(); errs[i] != nil {
				break
			}
		}
		mine := how
		mine.Client = name
		all.Go(func() { _, errs[i] = members[i].ask.do(mine) })
	}
	all.Wait()
	return members, errors.Join(errs...)
}

// member is an adapter that reads as a member of the case's group.
type member struct {
	name string // its client id
	ask  *adapter

	mu  sync.Mutex
	got []record // what it has read and no case has looked at yet, each once
}

func (m *member) read() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.got)
}

// add notes what was polled. What is not committed may come twice: a Fetch of
// before a rebalance may bring it, and one from the committed offset again.
func (m *member) add(records []record) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range records {
		same := func(x record) bool { return x.Partition == r.Partition && x.Offset == r.Offset }
		if !slices.ContainsFunc(m.got, same) {
			m.got = append(m.got, r)
		}
	}
}

// take gives what the member has read, in order.
func (m *member) take() []record {
	m.mu.Lock()
	defer m.mu.Unlock()
	got := m.got
	m.got = nil
	order(got)
	return got
}

// poll polls until the context ends, once at least. Each member polls at its own pace: some
// clients send heartbeats and take part in a rebalance only then, and old ones do
// not come back from it before the others have joined too.
func (m *member) poll(ctx context.Context) error {
	for {
		a, err := m.ask.do(request{Op: "poll", Count: 1, Timeout: 200})
		if err != nil {
			return err
		}
		if m.add(a.Records); ctx.Err() != nil {
			return nil
		}
	}
}

// polling has members poll until stop, which gives the first error of one.
// failed says that there is one.
func polling(members []*member) (stop func() error, failed <-chan struct{}) {
	ctx, cancel := context.WithCancelCause(context.Background())
	var all sync.WaitGroup
	for _, m := range members {
		all.Go(func() {
			if err := m.poll(ctx); err != nil {
				cancel(fmt.Errorf("member %s: %w", m.name, err))
			}
		})
	}
	return func() error {
		cancel(nil)
		all.Wait()
		if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
			return err
		}
		return nil
	}, ctx.Done()
}

// until has the members poll until done, which tells what is missing.
func until(members []*member, done func() error) error {
	stop, failed := polling(members)
	err := done()
	for deadline := time.Now().Add(readLimit); err != nil && time.Now().Before(deadline); err = done() {
		select {
		case <-failed:
			return stop()
		case <-time.After(50 * time.Millisecond):
		}
	}
	return cmp.Or(stop(), err)
}

// shares is how the broker describes the case's group: the partitions of each
// client id.
type shares struct {
	state string
	of    map[string][]int32
}

func (d shares) String() string { return fmt.Sprint(d.state, " ", d.of) }

// shares asks by ConsumerGroupDescribe, or by DescribeGroups if the group is a classic one.
func (s *scene) shares(how request) (d shares, err error) {
	d.of = map[string][]int32{}
	return d, s.admin(func(adm *kadm.Client) error {
		if how.Consumer {
			found, err := adm.DescribeConsumerGroups(s.ctx, s.topic)
			if err = errors.Join(err, found.Error()); err != nil {
				return err
			}
			g := found[s.topic]
			d.state = g.State
			for _, m := range g.Members {
				d.of[m.ClientID] = slices.Sorted(maps.Keys(m.Assignment[s.topic]))
			}
			return nil
		}
		found, err := adm.DescribeGroups(s.ctx, s.topic)
		if err = errors.Join(err, found.Error()); err != nil {
			return err
		}
		g := found[s.topic]
		d.state = g.State
		for _, m := range g.Members {
			var mine []int32
			if a, ok := m.Assigned.AsConsumer(); ok {
				for _, t := range a.Topics {
					mine = append(mine, t.Partitions...)
				}
			}
			d.of[m.ClientID] = slices.Sorted(slices.Values(mine))
		}
		return nil
	})
}

// settled polls until the group is stable with these members and no others, and
// all partitions are shared among them as evenly as can be.
func (s *scene) settled(how request, partitions int, members []*member) (d shares, err error) {
	err = until(members, func() error {
		if d, err = s.shares(how); err != nil {
			return err
		}
		return d.fair(partitions, members)
	})
	if err != nil {
		return d, err
	}
	stop, _ := polling(members) // what the broker says, each member hears at the next poll
	return d, stop()
}

func (d shares) fair(partitions int, members []*member) error {
	var names []string
	var all []int32
	for _, m := range members {
		n := len(d.of[m.name])
		if n < partitions/len(members) || n > (partitions+len(members)-1)/len(members) {
			return fmt.Errorf("the group is %v: not shared evenly", d)
		}
		names, all = append(names, m.name), append(all, d.of[m.name]...)
	}
	slices.Sort(names)
	slices.Sort(all)
	switch {
	case !strings.EqualFold(d.state, "Stable"):
		return fmt.Errorf("the group is %v: not stable", d)
	case !slices.Equal(slices.Sorted(maps.Keys(d.of)), names):
		return fmt.Errorf("the group is %v: its members should be %v", d, names)
	case len(all) != partitions || len(slices.Compact(all)) != partitions:
		return fmt.Errorf("the group is %v: %d partitions should have one owner each", d, partitions)
	}
	return nil
}

// round is records that continue a topic: as many per partition, after earlier rounds.
func round(n, each, partitions int) []record {
	records := plain(each*partitions, partitions)
	for i := range records {
		records[i].Offset += int64(n * each)
	}
	return records
}

// readShares wants the members to read exactly these records, each those of its partitions.
func (s *scene) readShares(d shares, members []*member, records []record) error {
	err := until(members, func() error {
		n := 0
		for _, m := range members {
			n += m.read()
		}
		if n < len(records) {
			return fmt.Errorf("%d records read, want %d; the group is %v", n, len(records), d)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, m := range members {
		want := slices.DeleteFunc(slices.Clone(records), func(r record) bool { return !slices.Contains(d.of[m.name], r.Partition) })
		order(want)
		if err := same(m.take(), want, 0); err != nil {
			return fmt.Errorf("member %s of %v: %w", m.name, d, err)
		}
	}
	return nil
}

// onward writes a round, and wants the members to read it and nothing else.
func (s *scene) onward(d shares, members []*member, records []record) error {
	if err := s.write(uncompressed, records); err != nil {
		return err
	}
	return s.readShares(d, members, records)
}

func commit(mode string, members ...*member) error {
	for _, m := range members {
		if _, err := m.ask.do(request{Op: "commit", Mode: mode}); err != nil {
			return err
		}
	}
	return nil
}

func leave(members ...*member) error {
	for _, m := range members {
		if _, err := m.ask.do(request{Op: "close"}); err != nil {
			return err
		}
	}
	return nil
}

// committed is what the broker says of the case's group, by partition.
func (s *scene) committed() (at map[int32]int64, err error) {
	at = map[int32]int64{}
	return at, s.admin(func(adm *kadm.Client) error {
		found, err := adm.FetchOffsets(s.ctx, s.topic)
		found.Each(func(o kadm.OffsetResponse) { at[o.Partition] = o.At })
		return err
	})
}

// wantCommitted wants partitions to be committed up to an offset.
func (s *scene) wantCommitted(partitions []int32, offset int64) error {
	got, err := s.committed()
	if err != nil {
		return err
	}
	for _, p := range partitions {
		if got[p] != offset {
			return fmt.Errorf("committed is %v, want %d of the partitions %v", got, offset, partitions)
		}
	}
	return nil
}

// upTo is so many partitions.
func upTo(partitions int32) []int32 {
	var all []int32
	for p := range partitions {
		all = append(all, p)
	}
	return all
}
