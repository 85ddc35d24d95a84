package cli

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/brokerd/brokerd/pkg/client"
	"github.com/spf13/cobra"
)

func (a *app) nodeDecommission() *cobra.Command {
	j := &nodeJob{with: -1}
	var wait time.Duration
	c := &cobra.Command{Use: "decommission NODE", Short: "Move everything off a node, take its vote, and forget it once it has stopped", Args: needNames("node"),
		Example: "  brokerd node decommission 3\n  brokerd node decommission 3 --wait 10m   goes on when node 3 has been stopped",
		Long: `Move everything off a node, take its vote, and forget it once it has stopped.

Its replicas go to the brokers of other racks that have least, internal topics included. The node may be dead,
where other replicas have what it had. Run it again to go on after an interruption.`}
	f := c.Flags()
	f.BoolVar(&j.fewer, "fewer-replicas", false, "where the brokers left are too few, partitions keep as many replicas as there are brokers")
	emptyFlags(c, j, &wait)
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) > 1 {
			return usageErr("decommission one after the other", "%d nodes at once", len(args))
		}
		return a.job(c, j, args[0], func(ctx context.Context, j *nodeJob) error { return j.remove(ctx, wait) })
	}
	return c
}

func (a *app) nodeReplace() *cobra.Command {
	j := &nodeJob{}
	var wait time.Duration
	c := &cobra.Command{Use: "replace NODE --with NODE", Short: "Give another node all that a node has, then remove the node", Args: needNames("node"),
		Example: "  brokerd node replace 3 --with 4",
		Long: `Give another node all that a node has, its vote included, then remove the node as decommission does.

Replicas that the other node has already go to the brokers that have least. The node may be dead, where other
replicas have what it had.`}
	c.Flags().Int32Var(&j.with, "with", -1, "the node that takes over; it runs, and belongs to the cluster")
	hideDefault(c, "with")
	emptyFlags(c, j, &wait)
	c.RunE = func(c *cobra.Command, args []string) error {
		if j.with < 0 || len(args) > 1 {
			return usageErr("as in: brokerd node replace 3 --with 4", "one node, and --with the one that takes over")
		}
		return a.job(c, j, args[0], func(ctx context.Context, j *nodeJob) error { return j.remove(ctx, wait) })
	}
	return c
}

func emptyFlags(c *cobra.Command, j *nodeJob, wait *time.Duration) {
	c.Flags().Int64Var(&j.rate, "throttle", 0, "bytes per second that each broker sends and fetches for the moves (default: no limit)")
	c.Flags().DurationVar(wait, "wait", 0, "how long to wait, once it is empty, for the node to be stopped")
}

// remove empties a node, takes its vote and, when it does not run, forgets it.
func (j *nodeJob) remove(ctx context.Context, wait time.Duration) error {
	s, err := j.first(ctx)
	if err != nil {
		return err
	}
	if !s.isKnown(j.node) {
		// It may have been forgotten by a call that ended before it cleared the mark.
		if err := j.mark(ctx, false); err != nil {
			return err
		}
		return noSuchNode(j.node, s)
	}
	if err := j.mayRemove(s); err != nil {
		return err
	}
	if err := j.mark(ctx, true); err != nil {
		return err
	}
	if err := j.moveAll(ctx); err != nil {
		return err
	}
	if err := j.moveVote(ctx); err != nil {
		return err
	}
	return j.forget(ctx, wait)
}

// mayRemove refuses what could not be finished, before anything is begun.
func (j *nodeJob) mayRemove(s *clusterState) error {
	if j.with >= 0 {
		switch {
		case j.with == j.node:
			return usageErr("--with names another one", "node %d cannot replace itself", j.node)
		case !s.isLive(j.with):
			return &cliError{text: fmt.Sprintf("node %d does not run, or does not belong to this cluster", j.with), hint: "start it first: `brokerd quorum status` shows who is there", code: exitConflict}
		case s.draining[j.with]:
			return &cliError{text: fmt.Sprintf("node %d is about to go itself", j.with), hint: fmt.Sprintf("`brokerd node drain %d --undo` keeps it", j.with), code: exitConflict}
		}
	}
	if lost := s.onlyOn(j.node); !s.isLive(j.node) && len(lost) > 0 {
		return &cliError{code: exitConflict, text: fmt.Sprintf("node %d does not run, and nobody else has what it has of %d partition%s", j.node, len(lost), plural(len(lost))),
			hint: firstLines(lost, 10) + "\nstart the node again, or give its records up: delete the topics, or elect other replicas with kafka-leader-election --election-type unclean"}
	}
	if tight := j.tooFew(s); len(tight) > 0 {
		return &cliError{code: exitConflict, text: fmt.Sprintf("the replicas of %d partition%s do not fit on the brokers that are left", len(tight), plural(len(tight))),
			hint: firstLines(tight, 10) + "\nadd a broker, or accept fewer replicas: --fewer-replicas"}
	}
	others := 0
	for _, m := range s.quorum.Members {
		if m.Voter && m.Node != j.node {
			others++
		}
	}
	if _, votes := s.vote(j.node); votes && others == 0 && j.with < 0 {
		return &cliError{code: exitConflict, text: fmt.Sprintf("node %d is the only one that votes", j.node), hint: "give another its vote first: `brokerd quorum add`"}
	}
	return nil
}

// onlyOn lists partitions of which nobody but a node has all.
func (s *clusterState) onlyOn(node int32) (lines []string) {
	s.each(func(id client.Partition, p client.PartitionDescription) {
		if p.Leader < 0 && slices.Contains(p.Replicas, node) {
			lines = append(lines, id.String())
		}
	})
	return lines
}

// tooFew lists partitions that cannot have as many replicas without the node.
func (j *nodeJob) tooFew(s *clusterState) (lines []string) {
	room := s.receivers(j.node)
	s.each(func(id client.Partition, p client.PartitionDescription) {
		t := target(p)
		if !slices.Contains(t, j.node) {
			return
		}
		free := 0
		for _, b := range room {
			if !slices.Contains(t, b.ID) {
				free++
			}
		}
		if free == 0 && (len(t) == 1 || !j.fewer) {
			lines = append(lines, fmt.Sprintf("%s has %d replicas, %d brokers can take them", id, len(t), len(t)-1))
		}
	})
	return lines
}

// moveAll moves replicas, moveBatch partitions at a time, until the node has none.
func (j *nodeJob) moveAll(ctx context.Context) error {
	moved := map[client.Partition]bool{}
	throttled := map[string]bool{}
	err := j.until(ctx, func(ctx context.Context, s *clusterState) (bool, error) {
		left, underway := s.holds(j.node), 0
		s.each(func(id client.Partition, p client.PartitionDescription) {
			if slices.Contains(p.Replicas, j.node) && moving(p) {
				underway++
				moved[id], throttled[id.Topic] = true, true // begun by a call before this one, too
			}
		})
		if left == 0 {
			return true, nil
		}
		j.say("node %d: %d partition%s left, %d of them on the move", j.node, left, plural(left), underway)
		list, err := j.nextMoves(s, moveBatch-underway)
		if err != nil {
			return false, err
		}
		for _, p := range list {
			moved[p.Partition], throttled[p.Topic] = true, true
		}
		if err := j.limit(ctx, s, list); err != nil {
			return false, err
		}
		return false, j.begin(ctx, list)
	})
	j.report.Replicas = len(moved)
	if err != nil || j.rate == 0 {
		return err
	}
	return j.unlimit(ctx, throttled)
}

// nextMoves plans at most n of the partitions that are not on their way yet.
func (j *nodeJob) nextMoves(s *clusterState, n int) (list []client.Assignment, err error) {
	p := newPlacer(s.receivers(j.node))
	s.each(func(_ client.Partition, d client.PartitionDescription) { p.count(target(d)) })
	s.each(func(id client.Partition, d client.PartitionDescription) {
		t := target(d)
		at := slices.Index(t, j.node)
		if err != nil || at < 0 || len(list) >= n {
			return
		}
		rest := slices.Delete(slices.Clone(t), at, at+1)
		to := j.with
		if to < 0 || slices.Contains(rest, to) {
			got, fillErr := p.fill(rest, len(t))
			switch {
			case fillErr == nil:
				to = got[len(got)-1]
			case j.fewer && len(rest) > 0:
				list = append(list, client.Assignment{Partition: id, Replicas: rest})
				return
			default:
				err = &cliError{text: fmt.Sprintf("%s: %v", id, fillErr), hint: "add a broker, and run this again", code: exitConflict}
				return
			}
		}
		p.load[to]++
		list = append(list, client.Assignment{Partition: id, Replicas: slices.Insert(rest, at, to)})
	})
	return list, err
}

// limit throttles the moves that are about to begin, with those that go on.
func (j *nodeJob) limit(ctx context.Context, s *clusterState, list []client.Assignment) error {
	if j.rate == 0 || len(list) == 0 {
		return nil
	}
	var current []client.Assignment
	var under []client.Move
	s.each(func(id client.Partition, p client.PartitionDescription) {
		switch {
		case moving(p):
			under = append(under, client.Move{Partition: id, Replicas: p.Replicas, Adding: p.Adding, Removing: p.Removing})
		case slices.ContainsFunc(list, func(a client.Assignment) bool { return a.Partition == id }):
			current = append(current, client.Assignment{Partition: id, Replicas: p.Replicas})
		}
	})
	routes := client.Moving(list, current, under)
	for i := range routes { // a node that is away sends nothing, and can be told nothing
		routes[i].From = slices.DeleteFunc(slices.Clone(routes[i].From), func(id int32) bool { return !s.isLive(id) })
	}
	return j.admin.ThrottleMoves(ctx, routes, j.rate)
}

func (j *nodeJob) unlimit(ctx context.Context, topics map[string]bool) error {
	s, err := j.look(ctx)
	if err != nil {
		return err
	}
	within, cancel := context.WithTimeout(ctx, j.a.timeout)
	defer cancel()
	var names []string
	for _, t := range s.topics {
		if topics[t.Name] {
			names = append(names, t.Name)
		}
	}
	return j.admin.LiftThrottles(within, idsOf(s.live), names)
}

// moveVote takes the node's vote, after its successor got one.
func (j *nodeJob) moveVote(ctx context.Context) error {
	return j.until(ctx, func(ctx context.Context, s *clusterState) (bool, error) {
		vote, votes := s.vote(j.node)
		if !votes {
			return true, nil
		}
		if _, has := s.vote(j.with); j.with >= 0 && !has {
			at := slices.IndexFunc(s.quorum.Members, func(m client.Member) bool { return m.Node == j.with })
			if at < 0 {
				j.say("node %d is not yet a member of the metadata quorum", j.with)
				return false, nil
			}
			err := j.admin.AddVoter(ctx, j.with, s.quorum.Members[at].Directory)
			j.report.VoteGiven = j.report.VoteGiven || err == nil
			return false, err
		}
		err := j.admin.RemoveVoter(ctx, j.node, vote.Directory)
		j.report.VoteRemoved = j.report.VoteRemoved || err == nil
		return false, err
	})
}

// forget unregisters the node if it does not run, and waits for that if told to.
func (j *nodeJob) forget(ctx context.Context, wait time.Duration) error {
	deadline := time.Now().Add(wait)
	return j.until(ctx, func(ctx context.Context, s *clusterState) (bool, error) {
		switch {
		case !s.isKnown(j.node):
			j.report.Status, j.report.Unregistered = "removed", true
			j.a.note("node %d is removed: it held nothing, and the cluster has forgotten it", j.node)
			return true, mark(ctx, j.admin, j.node, false)
		case !s.isLive(j.node):
			return false, j.admin.Unregister(ctx, j.node)
		case time.Now().After(deadline):
			j.report.Status = "empty"
			j.a.note("node %d holds nothing and has no vote. Stop it, then run the same again: the cluster forgets it\n"+
				"(to keep it after all: brokerd node drain %s --undo)", j.node, strconv.Itoa(int(j.node)))
			return true, nil
		}
		j.say("node %d holds nothing and has no vote: stop it", j.node)
		return false, nil
	})
}
