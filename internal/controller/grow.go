package controller

import (
	"cmp"
	"slices"

	"github.com/brokerd/brokerd/internal/meta"
)

// InternalReplicas is how many replicas an internal topic gets where there are
// brokers enough, and nobody set another number.
const InternalReplicas = 3

// growing gives internal topics that were made while there were few brokers the
// replicas that they would be made with now. It takes none away: who removes a
// broker says so.
type growing struct {
	topics []string
	seen   uint64 // index of the last image that gave nothing to propose
}

func (g *growing) plan(im *meta.Image) (cmds []meta.Command) {
	if len(g.topics) == 0 || g.seen == im.Index() {
		return nil
	}
	var brokers []*meta.Broker
	for b := range im.Brokers() {
		if b.State == meta.Active && !shunned(im, b) {
			brokers = append(brokers, b)
		}
	}
	want := min(InternalReplicas, len(brokers))
	for _, name := range g.topics {
		if t, ok := im.TopicNamed(name); ok {
			cmds = append(cmds, growTopic(t, brokers, want)...)
		}
	}
	cmds = possible(im, cmds[:min(len(cmds), planLimit)])
	if len(cmds) == 0 {
		g.seen = im.Index()
	}
	return cmds
}

// growTopic adds replicas to the partitions of a topic that have too few and are
// not on their way already. One that nobody leads has nobody to copy from.
func growTopic(t *meta.Topic, brokers []*meta.Broker, want int) (cmds []meta.Command) {
	load := map[int32]int{}
	for i := range t.Partitions() {
		p, _ := t.Partition(i)
		for _, id := range p.Replicas {
			load[id]++
		}
	}
	for i := range t.Partitions() {
		p, _ := t.Partition(i)
		if len(p.Replicas) >= want || len(p.Adding)+len(p.Removing) > 0 || p.Leader < 0 {
			continue
		}
		target := slices.Clone(p.Replicas)
		for len(target) < want {
			id, ok := lightest(brokers, target, load)
			if !ok {
				break // its replicas are on brokers that are away
			}
			load[id]++
			target = append(target, id)
		}
		if len(target) > len(p.Replicas) {
			cmds = append(cmds, meta.Reassign{Topic: t.ID, Partition: i, Target: target})
		}
	}
	return cmds
}

// lightest is the broker with the fewest replicas, of a rack that has least of
// this partition's, beside those that have one.
func lightest(brokers []*meta.Broker, have []int32, load map[int32]int) (id int32, ok bool) {
	racks := map[string]int{}
	var free []*meta.Broker
	for _, b := range brokers {
		if slices.Contains(have, b.ID) {
			racks[b.Rack]++
		} else {
			free = append(free, b)
		}
	}
	if len(free) == 0 {
		return 0, false
	}
	best := slices.MinFunc(free, func(a, b *meta.Broker) int {
		return cmp.Or(cmp.Compare(racks[a.Rack], racks[b.Rack]), cmp.Compare(load[a.ID], load[b.ID]), cmp.Compare(a.ID, b.ID))
	})
	return best.ID, true
}
