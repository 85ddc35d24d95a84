package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/brokerd/brokerd/pkg/client"
	"github.com/spf13/cobra"
)

func (a *app) quorumCommand() *cobra.Command {
	c := a.connects(&cobra.Command{Use: "quorum", Short: "Show the controllers, and say who votes among them"})
	c.AddCommand(a.quorumStatus(), a.quorumVoter("add", "Give a member of the metadata quorum a vote", "votes now", (*client.Admin).AddVoter),
		a.quorumVoter("remove", "Take a controller's vote away: of one whose disk is lost, before its new self is added", "votes no more", (*client.Admin).RemoveVoter),
		a.quorumRecover(), a.quorumRejoin())
	return c
}

// silentAfter is when a member counts as silent: brokers beat twice a second.
const silentAfter = 3 * time.Second

func (a *app) quorumStatus() *cobra.Command {
	c := &cobra.Command{Use: "status", Short: "Who votes, who leads, who is missing, and what to do", Args: cobra.NoArgs,
		Example: "  brokerd quorum status\n  brokerd quorum status -o json"}
	c.RunE = func(c *cobra.Command, _ []string) error {
		admin, ctx, done, err := a.admin(c)
		if err != nil {
			return err
		}
		defer done()
		q, err := admin.Quorum(ctx)
		if err != nil {
			return noController(explained(err, a.address))
		}
		if a.json() {
			return printJSON(a.e.Out, q)
		}
		cluster, err := admin.Cluster(ctx)
		if err != nil {
			return err
		}
		return a.quorumText(cluster.ID, q, time.Now())
	}
	return c
}

// noController adds what it means that nobody can tell.
func noController(e *cliError) *cliError {
	if e.code == exitFailed && e.hint == "" {
		e.hint = "without a controller metadata changes are refused; reads and writes on partitions that have a leader continue.\n" +
			"Who is missing is in the log of each node and at its http://HOST:9095/readyz. Start them: a majority of the voters is enough"
	}
	return e
}

func (a *app) quorumText(cluster string, q client.Quorum, now time.Time) error {
	head := [][]string{{"cluster", cluster}, {"controller", fmt.Sprintf("node %d (epoch %d)", q.Leader, q.Epoch)}, {"committed", strconv.FormatInt(q.Committed, 10)}}
	if err := printTable(a.e.Out, head); err != nil {
		return err
	}
	fmt.Fprintln(a.e.Out)
	rows := [][]string{{"NODE", "ROLE", "STATE", "LAG", "DIRECTORY", "ADDRESS"}}
	for _, m := range q.Members {
		rows = append(rows, []string{strconv.Itoa(int(m.Node)), memberRole(q, m), memberState(q, m, now), memberLag(q, m), m.Directory, m.Address})
	}
	if err := printTable(a.e.Out, rows); err != nil {
		return err
	}
	for _, r := range q.Recoveries {
		fmt.Fprintf(a.e.Out, "\n%s: the quorum was lost and made anew of node %d, with the metadata up to entry %d; lost voters: %s\n",
			r.Time.UTC().Format(time.RFC3339), r.Node, r.Kept, strings.Join(r.Lost, ", "))
	}
	for _, line := range quorumAdvice(q, now) {
		fmt.Fprintln(a.e.Out, line)
	}
	return nil
}

func memberRole(q client.Quorum, m client.Member) string {
	switch {
	case m.Voter && m.Node == q.Leader:
		return "controller"
	case m.Voter:
		return "voter"
	}
	return "member"
}

// silent says whether the controller has not heard of a member lately. Of a
// controller without a broker it never hears.
func silent(q client.Quorum, m client.Member, now time.Time) bool {
	return m.Node != q.Leader && !m.LastSeen.IsZero() && now.Sub(m.LastSeen) > silentAfter
}

func memberState(q client.Quorum, m client.Member, now time.Time) string {
	switch {
	case silent(q, m, now):
		return "silent for " + now.Sub(m.LastSeen).Round(time.Second).String()
	case m.LastSeen.IsZero():
		return "not known"
	}
	return "alive"
}

func memberLag(q client.Quorum, m client.Member) string {
	if m.LogEnd < 0 {
		return "-"
	}
	return strconv.FormatInt(max(q.Committed-m.LogEnd, 0), 10)
}

// quorumAdvice says what the state means and what to do about it.
func quorumAdvice(q client.Quorum, now time.Time) (lines []string) {
	voters, alive := 0, 0
	fresh := map[int32]client.Member{} // members without a vote, by node
	for _, m := range q.Members {
		if !m.Voter {
			fresh[m.Node] = m
		}
	}
	for _, m := range q.Members {
		if !m.Voter {
			continue
		}
		voters++
		other, wiped := fresh[m.Node]
		switch {
		case wiped:
			lines = append(lines, fmt.Sprintf("\nnode %d came back with another disk: its old self votes and is gone. Give its vote to the new one:\n"+
				"  brokerd quorum remove %d %s\n  brokerd quorum add %d %s", m.Node, m.Node, m.Directory, other.Node, other.Directory))
		case silent(q, m, now):
			lines = append(lines, fmt.Sprintf("\nnode %d is silent: start it, or, if it is lost for good, `brokerd quorum remove %d %s`", m.Node, m.Node, m.Directory))
		default:
			alive++
		}
	}
	if spare := alive - (voters/2 + 1); voters > 1 && alive < voters {
		lines = append(lines, fmt.Sprintf("\n%d of %d voters are there: %s", alive, voters, map[bool]string{
			true: fmt.Sprintf("%d more may fail", spare), false: "if one more fails, metadata changes are refused until one returns"}[spare > 0]))
	}
	return lines
}

func (a *app) quorumVoter(verb, short, result string, do func(*client.Admin, context.Context, int32, string) error) *cobra.Command {
	c := &cobra.Command{Use: verb + " NODE DIRECTORY", Short: short, Args: cobra.ExactArgs(2),
		Example: "  brokerd quorum " + verb + " 3 u9DBMnTjR0eWgg3Y0hLOHg\n  (`brokerd quorum status` shows nodes with their directories)"}
	c.RunE = func(c *cobra.Command, args []string) error {
		node, err := nodeID(args[0])
		if err != nil {
			return err
		}
		admin, ctx, done, err := a.admin(c)
		if err != nil {
			return err
		}
		defer done()
		if err := do(admin, ctx, node, args[1]); err != nil {
			return err
		}
		a.note("node %d with directory %s %s", node, args[1], result)
		return nil
	}
	return c
}
