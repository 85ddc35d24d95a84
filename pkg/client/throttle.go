package client

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The settings that limit moves, in bytes per second: of a broker for what goes
// to and comes from other brokers, and between its own log directories.
const (
	LeaderRate   = "leader.replication.throttled.rate"
	FollowerRate = "follower.replication.throttled.rate"
	DirMoveRate  = "replica.alter.log.dirs.io.max.bytes.per.second"

	leaderReplicas   = "leader.replication.throttled.replicas"
	followerReplicas = "follower.replication.throttled.replicas"
)

// Route is who sends a partition to whom while it moves.
type Route struct {
	Partition
	From, To []int32
}

// Moving tells which ways the partitions of want would go, given where they are,
// and those that are already on their way.
func Moving(want, current []Assignment, moving []Move) []Route {
	routes := map[Partition]Route{}
	for _, m := range moving {
		from := slices.DeleteFunc(slices.Clone(m.Replicas), func(id int32) bool { return slices.Contains(m.Adding, id) })
		routes[m.Partition] = Route{m.Partition, from, m.Adding}
	}
	for _, a := range current {
		if _, ok := routes[a.Partition]; !ok {
			routes[a.Partition] = Route{a.Partition, a.Replicas, nil}
		}
	}
	for _, a := range want {
		r := routes[a.Partition]
		to := slices.DeleteFunc(slices.Clone(a.Replicas), func(id int32) bool { return slices.Contains(r.From, id) })
		routes[a.Partition] = Route{a.Partition, r.From, to}
	}
	out := make([]Route, 0, len(routes))
	for _, r := range routes {
		out = append(out, r)
	}
	slices.SortFunc(out, func(x, y Route) int { return ComparePartitions(x.Partition, y.Partition) })
	return out
}

// ThrottleMoves limits what each broker sends and fetches on these routes to
// bytesPerSecond, until LiftThrottles.
func (a *Admin) ThrottleMoves(ctx context.Context, routes []Route, bytesPerSecond int64) error {
	var brokers []int32
	for len(routes) > 0 {
		n := slices.IndexFunc(routes, func(r Route) bool { return r.Topic != routes[0].Topic })
		if n < 0 {
			n = len(routes)
		}
		var send, fetch []string
		for _, r := range routes[:n] {
			for _, id := range r.From {
				send = append(send, fmt.Sprintf("%d:%d", r.Partition.Partition, id))
			}
			for _, id := range r.To {
				fetch = append(fetch, fmt.Sprintf("%d:%d", r.Partition.Partition, id))
			}
			brokers = append(append(brokers, r.From...), r.To...)
		}
		err := a.AlterConfigs(ctx, Resource{TopicResource, routes[0].Topic},
			ConfigOp{Op: Set, Name: leaderReplicas, Value: strings.Join(send, ",")},
			ConfigOp{Op: Set, Name: followerReplicas, Value: strings.Join(fetch, ",")})
		if err != nil {
			return err
		}
		routes = routes[n:]
	}
	slices.Sort(brokers)
	rate := strconv.FormatInt(bytesPerSecond, 10)
	for _, id := range slices.Compact(brokers) {
		err := a.AlterConfigs(ctx, brokerResource(id),
			ConfigOp{Op: Set, Name: LeaderRate, Value: rate}, ConfigOp{Op: Set, Name: FollowerRate, Value: rate})
		if err != nil {
			return err
		}
	}
	return nil
}

// LiftThrottles ends the limits of ThrottleMoves, and that of moves between log
// directories, for these brokers and topics.
func (a *Admin) LiftThrottles(ctx context.Context, brokers []int32, topics []string) error {
	for _, id := range brokers {
		err := a.AlterConfigs(ctx, brokerResource(id), ConfigOp{Op: Delete, Name: LeaderRate},
			ConfigOp{Op: Delete, Name: FollowerRate}, ConfigOp{Op: Delete, Name: DirMoveRate})
		if err != nil {
			return err
		}
	}
	for _, t := range topics {
		err := a.AlterConfigs(ctx, Resource{TopicResource, t}, ConfigOp{Op: Delete, Name: leaderReplicas}, ConfigOp{Op: Delete, Name: followerReplicas})
		if err != nil {
			return err
		}
	}
	return nil
}

func brokerResource(id int32) Resource { return Resource{BrokerResource, strconv.Itoa(int(id))} }
