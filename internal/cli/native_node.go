package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/brokerd/brokerd/pkg/client"
	"github.com/spf13/cobra"
)

func (a *app) nodeCommand() *cobra.Command {
	c := a.connects(&cobra.Command{Use: "node", Short: "Empty, remove and replace nodes of a cluster",
		Long: `Empty, remove and replace nodes of a cluster.

Every command looks at the cluster first and does what is left to do: one that was interrupted, or whose
node died on the way, is run again.`})
	c.AddCommand(a.nodeDrain(), a.nodeDecommission(), a.nodeReplace())
	return c
}

// nodeJob is one of these commands at work.
type nodeJob struct {
	a      *app
	admin  *client.Admin
	node   int32
	with   int32 // replace: who takes over; -1: whoever has room
	fewer  bool  // partitions may end with fewer replicas than they have
	rate   int64 // bytes per second that moves may take; 0: as fast as they can
	report nodeReport
	said   string
	saidAt time.Time
}

// nodeReport is what a command has done.
type nodeReport struct {
	Node         int32  `json:"node"`
	Status       string `json:"status"` // drained, restored, empty, removed
	Leads        int    `json:"leadsMoved"`
	Replicas     int    `json:"replicasMoved"`
	VoteRemoved  bool   `json:"voteRemoved"`
	VoteGiven    bool   `json:"voteGiven"` // to the node that takes over
	Unregistered bool   `json:"unregistered"`
}

// nodePause is how long to wait before looking again; nodeSays how often a line
// tells how far things are where nothing changes.
const (
	nodePause = 200 * time.Millisecond
	nodeSays  = 10 * time.Second
	// moveBatch is how many partitions move at a time.
	moveBatch = 100
)

// job runs a node command with a connection, and prints what came of it.
func (a *app) job(c *cobra.Command, j *nodeJob, arg string, run func(context.Context, *nodeJob) error) error {
	node, err := nodeID(arg)
	if err != nil {
		return err
	}
	cl, ctx, done, err := a.dial(c)
	if err != nil {
		return err
	}
	defer done()
	j.a, j.admin, j.node, j.report.Node = a, cl.Admin(), node, node
	if err := run(ctx, j); err != nil {
		return err
	}
	if a.json() {
		return printJSON(a.e.Out, j.report)
	}
	return nil
}

func nodeID(arg string) (int32, error) {
	n, err := parseInt32(arg)
	if err != nil || n < 0 {
		return 0, usageErr("give a node.id, as `brokerd quorum status` shows them", "%q is no node", arg)
	}
	return n, nil
}

// say tells a person how far things are: when it changes, at most twice a
// second, and every nodeSays.
func (j *nodeJob) say(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	since := time.Since(j.saidAt)
	if text == j.said && since < nodeSays || text != j.said && j.said != "" && since < nodeSays/20 {
		return
	}
	j.said, j.saidAt = text, time.Now()
	j.a.note("%s", text)
}

// until looks at the cluster and takes steps until one says that all is done. The
// controller may change on the way, and brokers may come and go: what fails for
// such a reason is tried again for as long as one request may take.
func (j *nodeJob) until(ctx context.Context, step func(context.Context, *clusterState) (done bool, err error)) error {
	well := time.Now()
	for {
		done, err := j.once(ctx, step)
		switch {
		case err == nil:
			well = time.Now()
		case ctx.Err() != nil || !passing(err) || time.Since(well) > j.a.timeout:
			return err
		}
		if done {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(nodePause):
		}
	}
}

func (j *nodeJob) once(ctx context.Context, step func(context.Context, *clusterState) (bool, error)) (bool, error) {
	s, err := j.look(ctx)
	if err != nil {
		return false, err
	}
	within, cancel := context.WithTimeout(ctx, j.a.timeout)
	defer cancel()
	return step(within, s)
}

// first is the first look: what is decided by it is decided once.
func (j *nodeJob) first(ctx context.Context) (s *clusterState, err error) {
	err = j.until(ctx, func(_ context.Context, now *clusterState) (bool, error) {
		s = now
		return true, nil
	})
	return s, err
}

// passing says whether an error may be gone in a moment.
func passing(err error) bool {
	var ours *cliError
	var answered *client.Error
	if errors.As(err, &answered) { // one of the brokers may have left since it was listed
		return answered.Retriable() || errors.Is(err, client.ErrUnknownBroker)
	}
	return !errors.As(err, &ours) // else a connection
}

func (j *nodeJob) look(ctx context.Context) (*clusterState, error) {
	within, cancel := context.WithTimeout(ctx, j.a.timeout)
	defer cancel()
	return lookAtCluster(within, j.admin)
}

func (j *nodeJob) mark(ctx context.Context, going bool) error {
	within, cancel := context.WithTimeout(ctx, j.a.timeout)
	defer cancel()
	return mark(within, j.admin, j.node, going)
}

// begin hands assignments to the controller; the first that it refuses ends the command.
func (j *nodeJob) begin(ctx context.Context, list []client.Assignment) error {
	if len(list) == 0 {
		return nil
	}
	results, err := j.admin.Reassign(ctx, list...)
	if err != nil {
		return err
	}
	for _, r := range results {
		// A topic that was deleted meanwhile has nothing to move.
		if r.Err != nil && !errors.Is(r.Err, client.ErrUnknownTopic) {
			return r.Err
		}
	}
	return nil
}

func (a *app) nodeDrain() *cobra.Command {
	var undo bool
	c := &cobra.Command{Use: "drain NODE", Short: "Move all leads away from a node, and keep them away until --undo", Args: needNames("node"),
		Example: "  brokerd node drain 3          before maintenance: then stop it, and start it again\n  brokerd node drain 3 --undo   it leads again",
		Long: `Move all leads away from a node, and keep them away until --undo.

It becomes the last choice of every partition, and new topics go elsewhere. Refused where a partition would have
no leader, or refuse acks=all, without the node: the partitions are named.`}
	c.Flags().BoolVar(&undo, "undo", false, "the node takes its share of leads again")
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) > 1 {
			return usageErr("drain one after the other", "%d nodes at once", len(args))
		}
		return a.job(c, &nodeJob{with: -1}, args[0], func(ctx context.Context, j *nodeJob) error {
			if undo {
				return j.undrain(ctx)
			}
			return j.drain(ctx)
		})
	}
	return c
}

func (j *nodeJob) drain(ctx context.Context) error {
	s, err := j.first(ctx)
	if err != nil {
		return err
	}
	if err := j.mayDrain(s); err != nil {
		return err
	}
	j.report.Leads = s.leads(j.node)
	if err := j.mark(ctx, true); err != nil {
		return err
	}
	err = j.until(ctx, func(ctx context.Context, s *clusterState) (bool, error) {
		orders, elections, waiting := j.drainStep(s)
		if len(orders)+len(elections)+waiting == 0 {
			return true, nil
		}
		j.say("node %d leads %d of %d partitions", j.node, s.leads(j.node), s.holds(j.node))
		if err := j.begin(ctx, orders); err != nil || len(elections) == 0 {
			return false, err
		}
		_, err := j.admin.ElectLeaders(ctx, client.Preferred, elections) // one that is refused is asked for again
		return false, err
	})
	if err != nil {
		return err
	}
	j.report.Status = "drained"
	j.a.note("node %d leads nothing: it can be stopped. `brokerd node drain %d --undo` gives it leads again", j.node, j.node)
	return nil
}

// mayDrain refuses what would take partitions, or the controllers, out of service.
func (j *nodeJob) mayDrain(s *clusterState) error {
	if !s.isKnown(j.node) {
		return noSuchNode(j.node, s)
	}
	if lines := s.blockers(j.node); len(lines) > 0 {
		return &cliError{code: exitConflict,
			text: fmt.Sprintf("node %d cannot be drained: %d partition%s need it", j.node, len(lines), plural(len(lines))),
			hint: firstLines(lines, 10) + "\nwait until their other replicas are in sync, add replicas (`brokerd partitions move`), or move all that it has: `brokerd node decommission " + strconv.Itoa(int(j.node)) + "`"}
	}
	return j.quorumWithout(s)
}

// quorumWithout refuses when the other voters that are alive are no majority.
func (j *nodeJob) quorumWithout(s *clusterState) error {
	voters, alive := 0, 0
	for _, m := range s.quorum.Members {
		if !m.Voter {
			continue
		}
		voters++
		if m.Node != j.node && !silent(s.quorum, m, time.Now()) {
			alive++
		}
	}
	if _, votes := s.vote(j.node); !votes || alive >= voters/2+1 {
		return nil
	}
	return &cliError{code: exitConflict, text: fmt.Sprintf("node %d votes, and without it %d of %d controllers are left: no majority", j.node, alive, voters),
		hint: "start the others first, or change who votes: `brokerd quorum status` shows them"}
}

// drainStep is what is left to do: partitions that should name another replica
// first, those whose first replica should now lead, and how many have to finish
// a move before.
func (j *nodeJob) drainStep(s *clusterState) (orders []client.Assignment, elections []client.Partition, waiting int) {
	s.each(func(id client.Partition, p client.PartitionDescription) {
		if !slices.Contains(p.Replicas, j.node) || p.Replicas[0] != j.node && p.Leader != j.node {
			return
		}
		first := slices.IndexFunc(p.Replicas, func(r int32) bool { return r != j.node && slices.Contains(p.ISR, r) })
		switch {
		case moving(p), first < 0:
			waiting++
		case p.Replicas[0] == j.node || !slices.Contains(p.ISR, p.Replicas[0]):
			orders = append(orders, client.Assignment{Partition: id, Replicas: lastChoice(p, j.node)})
		default:
			elections = append(elections, id)
		}
	})
	return orders, elections, waiting
}

// lastChoice orders replicas: in sync first, the node last.
func lastChoice(p client.PartitionDescription, node int32) []int32 {
	out := slices.Clone(p.Replicas)
	rank := func(id int32) int {
		switch {
		case id == node:
			return 2
		case !slices.Contains(p.ISR, id):
			return 1
		}
		return 0
	}
	slices.SortStableFunc(out, func(x, y int32) int { return rank(x) - rank(y) })
	return out
}

// undrain clears the mark, and gives the node a fair share of leads again.
func (j *nodeJob) undrain(ctx context.Context) error {
	s, err := j.first(ctx)
	if err != nil {
		return err
	}
	if !s.isKnown(j.node) {
		return noSuchNode(j.node, s)
	}
	if err := j.mark(ctx, false); err != nil {
		return err
	}
	orders := fairShare(s, j.node)
	var elections []client.Partition
	for _, o := range orders {
		elections = append(elections, o.Partition)
	}
	within, cancel := context.WithTimeout(ctx, j.a.timeout)
	defer cancel()
	if err := j.begin(within, orders); err != nil {
		return err
	}
	if len(elections) > 0 {
		if _, err := j.admin.ElectLeaders(within, client.Preferred, elections); err != nil {
			return err
		}
	}
	j.report.Status, j.report.Leads = "restored", len(orders)
	j.a.note("node %d may lead again: it is now the first choice of %d more partitions", j.node, len(orders))
	return nil
}

// fairShare names the node first where the broker that is first has more
// partitions of the topic to lead than the node.
func fairShare(s *clusterState, node int32) (orders []client.Assignment) {
	byTopic := map[string]map[int32]int{}
	s.each(func(id client.Partition, p client.PartitionDescription) {
		if byTopic[id.Topic] == nil {
			byTopic[id.Topic] = map[int32]int{}
		}
		byTopic[id.Topic][p.Replicas[0]]++
	})
	s.each(func(id client.Partition, p client.PartitionDescription) {
		at, leads := slices.Index(p.Replicas, node), byTopic[id.Topic]
		if at < 1 || moving(p) || !slices.Contains(p.ISR, node) || leads[p.Replicas[0]] <= leads[node]+1 {
			return
		}
		leads[p.Replicas[0]]--
		leads[node]++
		order := append([]int32{node}, slices.Delete(slices.Clone(p.Replicas), at, at+1)...)
		orders = append(orders, client.Assignment{Partition: id, Replicas: order})
	})
	return orders
}

func noSuchNode(node int32, s *clusterState) error {
	return &cliError{text: fmt.Sprintf("node %d is not registered", node), hint: "the cluster knows nodes " + join(idsOf(s.known), ", "), code: exitNotFound}
}

func firstLines(lines []string, n int) string {
	if len(lines) > n {
		lines = append(slices.Clone(lines[:n]), fmt.Sprintf("… and %d more", len(lines)-n))
	}
	return strings.Join(lines, "\n")
}
