package cli

import (
	"fmt"
	"log/slog"
	"strings"

	"github.com/brokerd/brokerd/internal/broker"
	"github.com/spf13/cobra"
)

func (a *app) quorumRecover() *cobra.Command {
	var file, dataDir string
	var yes, dry bool
	c := &cobra.Command{Use: "recover", Short: "Make a new quorum of this stopped node, when a majority of the voters is lost for good", Args: cobra.NoArgs,
		Long: `Make a new quorum of this stopped node, when a majority of the voters is lost for good.

What this node remembers becomes the metadata; changes that it had not heard of are lost. Of several that survive take the one whose
metadata goes farthest (--dry-run on each shows it). It is refused while a majority could be had. The nodes that are left join with
"brokerd quorum rejoin"; old voters that come back are strangers. docs/operations.md has it step by step.`,
		Example: "  brokerd quorum recover --config server.properties --dry-run\n  brokerd quorum recover --config server.properties --yes"}
	f := c.Flags()
	f.StringVarP(&file, "config", "c", "", "the server's property `file`")
	f.StringVar(&dataDir, "data-dir", "", "the metadata is in `DIR` instead of log.dirs")
	f.BoolVar(&dry, "dry-run", false, "show what would be done, and change nothing")
	f.BoolVar(&yes, "yes", false, "do not ask")
	c.RunE = func(c *cobra.Command, _ []string) error {
		settings, err := a.settings(file, dataDir)
		if err != nil {
			return err
		}
		plan, err := broker.RecoverQuorum(c.Context(), settings, slog.New(slog.DiscardHandler), true)
		if err != nil {
			return err
		}
		if !dry {
			if !a.json() {
				a.quorumPlan(plan)
			}
			if err := a.confirm(yes, "make a new metadata quorum of this node alone, for cluster", plan.Identity.ClusterID); err != nil {
				return err
			}
			// Asked again: who was silent may have come back meanwhile.
			if plan, err = broker.RecoverQuorum(c.Context(), settings, slog.New(slog.DiscardHandler), false); err != nil {
				return err
			}
		}
		if a.json() {
			return printJSON(a.e.Out, planJSON(plan))
		}
		if dry {
			a.quorumPlan(plan)
			return nil
		}
		fmt.Fprintf(a.e.Out, "node %d is the only voter of the new quorum %s. Start it; then, on each other node that is left and stopped:\n"+
			"  brokerd quorum rejoin --config FILE\nand give votes: brokerd quorum status\n", plan.Self.Node, plan.Done.ID)
		return nil
	}
	return c
}

func (a *app) quorumPlan(p broker.QuorumPlan) {
	rows := [][]string{{"cluster", p.Identity.ClusterID}, {"this node", p.Self.ID()},
		{"remembers", fmt.Sprintf("the metadata up to entry %d of term %d", p.Remains.Index, p.Remains.Term)},
		{"voters", fmt.Sprintf("%d, a majority of which is lost", len(p.Remains.Voters))},
		{"answer", servers(p.Answers)}, {"are silent", servers(p.Silent)}}
	_ = printTable(a.e.Out, rows) // whoever does not read it will not confirm it
}

func servers(list []broker.Member) string {
	if len(list) == 0 {
		return "none"
	}
	var names []string
	for _, s := range list {
		names = append(names, fmt.Sprintf("%d at %s", s.Node, s.Address))
	}
	return strings.Join(names, ", ")
}

func planJSON(p broker.QuorumPlan) map[string]any {
	ids := func(list []broker.Member) []string {
		out := []string{}
		for _, s := range list {
			out = append(out, s.ID())
		}
		return out
	}
	doc := map[string]any{"clusterId": p.Identity.ClusterID, "node": p.Self.ID(), "index": p.Remains.Index, "term": p.Remains.Term,
		"voters": ids(p.Remains.Voters), "answer": ids(p.Answers), "silent": ids(p.Silent), "recovered": p.Done != nil}
	if p.Done != nil {
		doc["recovery"] = p.Done.ID.String()
	}
	return doc
}

func (a *app) quorumRejoin() *cobra.Command {
	var file, dataDir string
	c := &cobra.Command{Use: "rejoin", Short: "Bring this stopped node back into a quorum that was recovered without it", Args: cobra.NoArgs,
		Long: `Bring this stopped node back into a quorum that was recovered without it. What it remembers of the metadata is set aside, its partitions stay;
it is a member without a vote until "brokerd quorum add". A node of the recovered quorum must run and be reachable.`,
		Example: "  brokerd quorum rejoin --config server.properties"}
	c.Flags().StringVarP(&file, "config", "c", "", "the server's property `file`")
	c.Flags().StringVar(&dataDir, "data-dir", "", "the metadata is in `DIR` instead of log.dirs")
	c.RunE = func(c *cobra.Command, _ []string) error {
		settings, err := a.settings(file, dataDir)
		if err != nil {
			return err
		}
		done, err := broker.RejoinQuorum(c.Context(), settings, slog.New(slog.DiscardHandler))
		if err != nil {
			return err
		}
		if a.json() {
			return printJSON(a.e.Out, map[string]any{"clusterId": done.Identity.ClusterID, "node": done.Identity.NodeID, "leader": done.Leader, "aside": done.Aside})
		}
		fmt.Fprintf(a.e.Out, "node %d joins the quorum that node %d leads, when it is started. What it remembered is in %s; delete that when all is well\n",
			done.Identity.NodeID, done.Leader, done.Aside)
		return nil
	}
	return c
}
