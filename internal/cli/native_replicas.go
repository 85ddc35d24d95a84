package cli

import (
	"context"
	"fmt"
	"slices"

	"github.com/brokerd/brokerd/pkg/client"
	"github.com/spf13/cobra"
)

// alterReplicas begins to give every partition of topics another number of replicas.
func (a *app) alterReplicas(c *cobra.Command, patterns []string, n int, dry bool) error {
	admin, ctx, done, err := a.admin(c)
	if err != nil {
		return err
	}
	defer done()
	names, err := a.topicsNamed(ctx, admin, patterns)
	if err != nil {
		return err
	}
	s, err := lookAtCluster(ctx, admin)
	if err != nil {
		return err
	}
	var list []outcome
	for _, name := range names {
		o := outcome{Name: name, Status: "altered", text: fmt.Sprintf("topic %s gets %d replica%s of each partition: `brokerd topics describe %s` tells when all are in sync", name, n, plural(n), name)}
		if dry {
			o.Status, o.text = "valid", fmt.Sprintf("would give topic %s %d replica%s of each partition", name, n, plural(n))
		}
		if err := changeFactor(ctx, admin, s, name, n, dry); err != nil {
			o.err = explained(err, a.address)
		}
		list = append(list, o)
	}
	return a.outcomes(list)
}

func changeFactor(ctx context.Context, admin *client.Admin, s *clusterState, topic string, n int, dry bool) error {
	plan, err := planFactor(s, topic, n)
	if err != nil || dry || len(plan) == 0 {
		return err
	}
	results, err := admin.Reassign(ctx, plan...)
	if err != nil {
		return err
	}
	for _, r := range results {
		if r.Err != nil {
			return r.Err
		}
	}
	return nil
}

// planFactor says who is to hold the partitions of a topic with n replicas each.
func planFactor(s *clusterState, topic string, n int) (plan []client.Assignment, err error) {
	p := newPlacer(s.receivers(-1))
	s.each(func(_ client.Partition, d client.PartitionDescription) { p.count(target(d)) })
	s.each(func(id client.Partition, d client.PartitionDescription) {
		t := target(d)
		if id.Topic != topic || len(t) == n || err != nil {
			return
		}
		if len(t) > n {
			plan = append(plan, client.Assignment{Partition: id, Replicas: fewerReplicas(d, t, n)})
			return
		}
		got, fillErr := p.fill(t, n)
		if fillErr != nil {
			err = &cliError{text: fmt.Sprintf("topic %q: %v", topic, fillErr), hint: "start more brokers, or take a smaller --replication-factor", code: exitConflict}
			return
		}
		for _, id := range got[len(t):] {
			p.load[id]++
		}
		plan = append(plan, client.Assignment{Partition: id, Replicas: got})
	})
	return plan, err
}

// fewerReplicas keeps n, in order, those in sync before others.
func fewerReplicas(d client.PartitionDescription, t []int32, n int) []int32 {
	sorted := slices.Clone(t)
	slices.SortStableFunc(sorted, func(a, b int32) int {
		switch x, y := slices.Contains(d.ISR, a), slices.Contains(d.ISR, b); {
		case x == y:
			return 0
		case x:
			return -1
		}
		return 1
	})
	keep := sorted[:n]
	return slices.DeleteFunc(slices.Clone(t), func(id int32) bool { return !slices.Contains(keep, id) })
}
