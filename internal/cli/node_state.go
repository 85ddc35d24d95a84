package cli

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/brokerd/brokerd/internal/conf"
	"github.com/brokerd/brokerd/pkg/client"
)

// clusterState is what the node commands decide by. All of it comes from the
// cluster at each look: a command that was ended goes on where it was.
type clusterState struct {
	live     []client.Broker // by id; not fenced
	known    []client.Broker // fenced ones too
	draining map[int32]bool  // of the live ones
	topics   []client.TopicDescription
	quorum   client.Quorum
	minISR   map[string]int // by topic, what acks=all needs
}

func lookAtCluster(ctx context.Context, admin *client.Admin) (*clusterState, error) {
	s := &clusterState{draining: map[int32]bool{}, minISR: map[string]int{}}
	cluster, err := admin.Cluster(ctx)
	if err != nil {
		return nil, err
	}
	s.live = cluster.Brokers
	if s.known, err = admin.RegisteredBrokers(ctx); err != nil {
		return nil, err
	}
	if s.quorum, err = admin.Quorum(ctx); err != nil {
		return nil, err
	}
	list, err := admin.Topics(ctx)
	if err != nil {
		return nil, err
	}
	if s.topics, err = admin.DescribeTopics(ctx, topicNames(list)...); err != nil {
		return nil, err
	}
	return s, s.lookAtSettings(ctx, admin)
}

func (s *clusterState) lookAtSettings(ctx context.Context, admin *client.Admin) error {
	var resources []client.Resource
	for _, b := range s.live {
		resources = append(resources, client.Resource{Type: client.BrokerResource, Name: strconv.Itoa(int(b.ID))})
	}
	for _, t := range s.topics {
		resources = append(resources, client.Resource{Type: client.TopicResource, Name: t.Name})
	}
	configs, err := admin.DescribeConfigs(ctx, resources...)
	if err != nil {
		return err
	}
	for r, settings := range configs {
		for _, set := range settings {
			switch {
			case set.Value == nil:
			case r.Type == client.BrokerResource && set.Name == conf.Draining && *set.Value == "true":
				if id, err := strconv.ParseInt(r.Name, 10, 32); err == nil { // it was formatted above
					s.draining[int32(id)] = true
				}
			case r.Type == client.TopicResource && set.Name == "min.insync.replicas":
				if n, err := strconv.Atoi(*set.Value); err == nil { // else the broker's own business
					s.minISR[r.Name] = n
				}
			}
		}
	}
	return nil
}

func (s *clusterState) isLive(id int32) bool  { return hasBroker(s.live, id) }
func (s *clusterState) isKnown(id int32) bool { return hasBroker(s.known, id) }

func hasBroker(list []client.Broker, id int32) bool {
	return slices.ContainsFunc(list, func(b client.Broker) bool { return b.ID == id })
}

// topicResources names topics for DescribeConfigs.
func topicResources(names []string) []client.Resource {
	list := make([]client.Resource, len(names))
	for i, n := range names {
		list[i] = client.Resource{Type: client.TopicResource, Name: n}
	}
	return list
}

func idsOf(brokers []client.Broker) []int32 {
	ids := make([]int32, len(brokers))
	for i, b := range brokers {
		ids[i] = b.ID
	}
	return ids
}

// each visits the partitions of all topics.
func (s *clusterState) each(visit func(id client.Partition, p client.PartitionDescription)) {
	for _, t := range s.topics {
		for _, p := range t.Partitions {
			visit(client.Partition{Topic: t.Name, Partition: p.Partition}, p)
		}
	}
}

// target is who holds a partition when its move, if it moves, is done.
func target(p client.PartitionDescription) []int32 {
	return slices.DeleteFunc(slices.Clone(p.Replicas), func(id int32) bool { return slices.Contains(p.Removing, id) })
}

func moving(p client.PartitionDescription) bool { return len(p.Adding)+len(p.Removing) > 0 }

// receivers are the brokers that may get what a leaving one has.
func (s *clusterState) receivers(leaving int32) []client.Broker {
	return slices.DeleteFunc(slices.Clone(s.live), func(b client.Broker) bool { return b.ID == leaving || s.draining[b.ID] })
}

// vote is the member of a node that votes.
func (s *clusterState) vote(node int32) (client.Member, bool) {
	for _, m := range s.quorum.Members {
		if m.Node == node && m.Voter {
			return m, true
		}
	}
	return client.Member{}, false
}

// holds counts the replicas that a node has or is to have.
func (s *clusterState) holds(node int32) (n int) {
	s.each(func(_ client.Partition, p client.PartitionDescription) {
		if slices.Contains(p.Replicas, node) {
			n++
		}
	})
	return n
}

// leads counts the partitions that a node leads.
func (s *clusterState) leads(node int32) (n int) {
	s.each(func(_ client.Partition, p client.PartitionDescription) {
		if p.Leader == node {
			n++
		}
	})
	return n
}

// blockers lists, for people, the partitions that would have no leader, or would
// refuse acks=all, without a node.
func (s *clusterState) blockers(node int32) (lines []string) {
	s.each(func(id client.Partition, p client.PartitionDescription) {
		if !slices.Contains(p.ISR, node) {
			return
		}
		left := len(p.ISR) - 1
		switch need := min(s.minISR[id.Topic], len(target(p))); {
		case left == 0:
			lines = append(lines, fmt.Sprintf("%s: node %d has its only replica in sync", id, node))
		case left < need:
			lines = append(lines, fmt.Sprintf("%s: %d of %d replicas would be in sync, and acks=all needs %d", id, left, len(target(p)), need))
		}
	})
	return lines
}

// mark sets or clears the sign that a node is about to go. Any broker takes it,
// the node itself may be dead.
func mark(ctx context.Context, admin *client.Admin, node int32, going bool) error {
	op := client.ConfigOp{Op: client.Delete, Name: conf.Draining}
	if going {
		op = client.ConfigOp{Op: client.Set, Name: conf.Draining, Value: "true"}
	}
	return admin.AlterBrokerAnywhere(ctx, node, op)
}
