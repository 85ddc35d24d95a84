package controller

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/brokerd/brokerd/internal/conf"
	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/step"
)

// Placement is what PlaceReplicas may choose from.
type Placement struct {
	Partitions        int32
	First             int32 // index of the first partition to place (CreatePartitions)
	ReplicationFactor int16
	Start             int // random start, chosen by the caller
	// Fenced lets fenced brokers take replicas too, behind those that are active
	// (internal topics).
	Fenced bool
}

// PlaceReplicas spreads replicas evenly over the unfenced brokers, rack-aware,
// round robin from a random start. meta.ErrReplicationFactor when there are too few.
//
// Brokers are put in one circle that alternates racks. Partition i begins at
// place Start+i, so leads are even; its other replicas follow at a distance that
// grows each time around, so that a dead broker's leads spread over all others.
func PlaceReplicas(im *meta.Image, p Placement) ([][]int32, error) {
	circle, racks := circleOf(im, p.Fenced, false)
	rf := int(p.ReplicationFactor)
	if rf > len(circle) {
		circle, racks = circleOf(im, p.Fenced, true)
	}
	n := len(circle)
	if rf < 1 || rf > n || rf > meta.MaxReplicas {
		return nil, fmt.Errorf("%w: %d replicas on %d live brokers", meta.ErrReplicationFactor, rf, n)
	}
	out := make([][]int32, p.Partitions)
	for i := range out {
		at := uint(p.Start) + uint(p.First) + uint(i)
		out[i] = placeOne(im, circle, racks, at, rf)
	}
	return out, nil
}

// draining says whether a broker is about to go.
func draining(im *meta.Image, id int32) bool {
	set := im.Config(meta.Resource{Type: meta.BrokerResource, Name: strconv.Itoa(int(id))})
	return set[conf.Draining] == "true"
}

// shunned says whether a broker gets no replicas as long as there are others: it is
// about to go, or its disks are full.
func shunned(im *meta.Image, b *meta.Broker) bool {
	return draining(im, b.ID) || b.FullFor(step.TopicID{})
}

// circleOf lists brokers so that neighbours are of different racks as long as
// possible. racks is how many there are. Fenced ones, and those about to go or whose
// disks are full, are among them only when that is said.
func circleOf(im *meta.Image, fenced, going bool) (circle []*meta.Broker, racks int) {
	byRack := map[string][]*meta.Broker{}
	var names []string
	live := 0
	for b := range im.Brokers() {
		if b.State != meta.Active && !(fenced && b.State == meta.Fenced) {
			continue
		}
		if !going && shunned(im, b) {
			continue
		}
		if byRack[b.Rack] == nil {
			names = append(names, b.Rack)
		}
		byRack[b.Rack] = append(byRack[b.Rack], b)
		live++
	}
	slices.Sort(names)
	for round := 0; len(circle) < live; round++ {
		for _, name := range names {
			if round < len(byRack[name]) {
				circle = append(circle, byRack[name][round])
			}
		}
	}
	return circle, len(names)
}

func placeOne(im *meta.Image, circle []*meta.Broker, racks int, at uint, rf int) []int32 {
	n := uint(len(circle))
	first := at % n
	ids := make([]int32, 0, rf)
	used := make([]string, 0, rf) // racks that have a replica
	take := func(b *meta.Broker) {
		ids = append(ids, b.ID)
		if !slices.Contains(used, b.Rack) {
			used = append(used, b.Rack)
		}
	}
	take(circle[first])
	for len(ids) < rf {
		fresh := len(used) < racks
		for k := range n { // the next place from a start that turns with each round
			b := circle[(first+1+(at/n+k)%max(n-1, 1))%n]
			if slices.Contains(ids, b.ID) || fresh && slices.Contains(used, b.Rack) {
				continue
			}
			take(b)
			break
		}
	}
	return preferActive(im, circle, ids)
}

// preferActive puts active brokers before fenced ones, those about to go and those
// whose disks are full, else in the same order: the first replica is to lead.
func preferActive(im *meta.Image, circle []*meta.Broker, ids []int32) []int32 {
	fenced := func(id int32) bool {
		i := slices.IndexFunc(circle, func(b *meta.Broker) bool { return b.ID == id })
		return circle[i].State != meta.Active || shunned(im, circle[i])
	}
	slices.SortStableFunc(ids, func(a, b int32) int {
		switch fa, fb := fenced(a), fenced(b); {
		case fa == fb:
			return 0
		case fa:
			return 1
		default:
			return -1
		}
	})
	return ids
}
