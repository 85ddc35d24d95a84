package cli

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/brokerd/brokerd/pkg/client"
)

// placer chooses brokers for replicas: of the racks that have fewest of the
// partition's, the broker that has least to do. It counts what it hands out.
type placer struct {
	brokers []client.Broker // that may be chosen, by id
	load    map[int32]int   // replicas on each, after what was handed out
	leads   map[int32]int   // partitions whose first replica each is
}

func newPlacer(brokers []client.Broker) *placer {
	return &placer{brokers: brokers, load: map[int32]int{}, leads: map[int32]int{}}
}

// count notes an assignment that stays as it is.
func (p *placer) count(replicas []int32) {
	for i, id := range replicas {
		p.load[id]++
		if i == 0 {
			p.leads[id]++
		}
	}
}

// next is the best broker beside those of a partition; false when there is none.
func (p *placer) next(have []int32, racks map[string]int) (client.Broker, bool) {
	var best client.Broker
	found := false
	for _, b := range p.brokers {
		if slices.Contains(have, b.ID) {
			continue
		}
		if !found || p.before(b, best, racks, len(have) == 0) {
			best, found = b, true
		}
	}
	return best, found
}

func (p *placer) before(a, b client.Broker, racks map[string]int, first bool) bool {
	lead := 0
	if first {
		lead = cmp.Compare(p.leads[a.ID], p.leads[b.ID])
	}
	return cmp.Or(cmp.Compare(racks[a.Rack], racks[b.Rack]), lead, cmp.Compare(p.load[a.ID], p.load[b.ID])) < 0
}

// fill adds brokers to replicas until there are n of them.
func (p *placer) fill(replicas []int32, n int) ([]int32, error) {
	racks := map[string]int{}
	for _, b := range p.brokers {
		if slices.Contains(replicas, b.ID) {
			racks[b.Rack]++
		}
	}
	out := slices.Clone(replicas)
	for len(out) < n {
		b, ok := p.next(out, racks)
		if !ok {
			return nil, fmt.Errorf("%d replicas need as many brokers, %d can take them", n, len(p.brokers))
		}
		racks[b.Rack]++
		out = append(out, b.ID)
	}
	return out, nil
}

// proposal spreads partitions, each with as many replicas as its topic's first
// has, over brokers, beginning with any of them.
func proposal(current []client.Assignment, brokers []client.Broker, start int) ([]client.Assignment, error) {
	if len(brokers) > 0 {
		start %= len(brokers)
		brokers = append(slices.Clone(brokers[start:]), brokers[:start]...)
	}
	p := newPlacer(brokers)
	var out []client.Assignment
	factor := map[string]int{}
	for _, a := range current {
		if factor[a.Topic] == 0 {
			factor[a.Topic] = len(a.Replicas)
		}
		replicas, err := p.fill(nil, factor[a.Topic])
		if len(brokers) == 0 {
			return nil, throwf("org.apache.kafka.common.errors.InvalidReplicationFactorException",
				"All brokers are currently fenced, or have all their log directories cordoned.")
		}
		if err != nil {
			return nil, throwf("org.apache.kafka.common.errors.InvalidReplicationFactorException",
				"The target replication factor of %d cannot be reached because only %d broker(s) are registered or some brokers have all their log directories cordoned.", factor[a.Topic], len(brokers))
		}
		p.count(replicas)
		out = append(out, client.Assignment{Partition: a.Partition, Replicas: replicas})
	}
	return out, nil
}
