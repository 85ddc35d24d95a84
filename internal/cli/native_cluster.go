package cli

import (
	"fmt"
	"strconv"

	"github.com/brokerd/brokerd/pkg/client"
	"github.com/spf13/cobra"
)

func (a *app) clusterCommand() *cobra.Command {
	c := a.connects(&cobra.Command{Use: "cluster", Short: "Its id, its brokers, and the level that all of them understand"})
	c.AddCommand(a.clusterInfo(), a.clusterFeatures(), a.clusterUnregister())
	return c
}

func (a *app) clusterInfo() *cobra.Command {
	c := &cobra.Command{Use: "info", Short: "Show the cluster's id and its brokers", Args: cobra.NoArgs}
	c.RunE = func(c *cobra.Command, _ []string) error {
		admin, ctx, done, err := a.admin(c)
		if err != nil {
			return err
		}
		defer done()
		cluster, err := admin.Cluster(ctx)
		if err != nil {
			return err
		}
		full := admin.FullDirs(ctx, idsOf(cluster.Brokers)...)
		if a.json() {
			return printJSON(a.e.Out, struct {
				client.Cluster
				Full []client.LogDir `json:"fullLogDirs"`
			}{cluster, full})
		}
		fmt.Fprintf(a.e.Out, "cluster %s\n\n", cluster.ID)
		rows := [][]string{{"BROKER", "ADDRESS", "RACK"}}
		for _, b := range cluster.Brokers {
			rows = append(rows, []string{strconv.Itoa(int(b.ID)), fmt.Sprintf("%s:%d", b.Host, b.Port), b.Rack})
		}
		if err := printTable(a.e.Out, rows); err != nil {
			return err
		}
		a.warnFull(full)
		return nil
	}
	return c
}

// warnFull says which log directories take no records, and what to do.
func (a *app) warnFull(full []client.LogDir) {
	for _, d := range full {
		a.warn(fmt.Sprintf("broker %d takes no records in %s: its disk is full; free space there, lower a retention or delete a topic (others in sync lead meanwhile)", d.Broker, d.Dir))
	}
}

func (a *app) clusterUnregister() *cobra.Command {
	c := &cobra.Command{Use: "unregister NODE", Short: "Forget a broker that is gone for good", Args: cobra.ExactArgs(1),
		Long: `Forget a broker that is gone for good. It must not run. Replicas that are assigned to it stay assigned: move them first.`}
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
		if err := admin.Unregister(ctx, node); err != nil {
			return err
		}
		a.note("broker %d is forgotten", node)
		return nil
	}
	return c
}

func (a *app) clusterFeatures() *cobra.Command {
	c := &cobra.Command{Use: "features", Short: "Show the metadata level, and raise it after an upgrade",
		Long: `Show the metadata level, and raise it after an upgrade.

The level says what all nodes understand. A newer brokerd beside older ones keeps to the level of the cluster, so that a node can go
back to the version before. Once every node runs the new one, raise it: from then on older versions refuse to start.`,
		Example: "  brokerd cluster features\n  brokerd cluster features upgrade --dry-run\n  brokerd cluster features upgrade"}
	describe := &cobra.Command{Use: "describe", Short: "Show the level, and who knows which", Args: cobra.NoArgs, RunE: a.describeFeatures}
	c.Args, c.RunE = cobra.NoArgs, a.describeFeatures
	c.AddCommand(describe, a.moveLevel("upgrade", "Raise the level, to the newest that this cluster can take or to --level", client.Upgrade),
		a.moveLevel("downgrade", "Ask for an older level: refused, the metadata is written in the newer one", client.SafeDowngrade))
	return c
}

func (a *app) describeFeatures(c *cobra.Command, _ []string) error {
	admin, ctx, done, err := a.admin(c)
	if err != nil {
		return err
	}
	defer done()
	f, err := admin.Feature(ctx, client.MetadataFeature)
	if err != nil {
		return err
	}
	if a.json() {
		return printJSON(a.e.Out, f)
	}
	return a.featureText(f)
}

func (a *app) featureText(f client.Feature) error {
	if err := printTable(a.e.Out, [][]string{{"feature", f.Name}, {"level", fmt.Sprintf("%d (epoch %d)", f.Finalized, f.Epoch)}}); err != nil {
		return err
	}
	fmt.Fprintln(a.e.Out)
	rows := [][]string{{"BROKER", "KNOWS"}}
	for _, n := range f.Nodes {
		knows := fmt.Sprintf("%d-%d", n.Min, n.Max)
		if n.Err != nil {
			knows = "does not say: " + n.Err.Error()
		}
		rows = append(rows, []string{strconv.Itoa(int(n.Node)), knows})
	}
	if err := printTable(a.e.Out, rows); err != nil {
		return err
	}
	if most := common(f); most > f.Finalized {
		fmt.Fprintf(a.e.Out, "\nevery broker knows level %d. When no node is to go back to an older version any more: brokerd cluster features upgrade\n", most)
	}
	return nil
}

// common is the newest level that all brokers know.
func common(f client.Feature) int16 {
	most := f.Finalized
	for i, n := range f.Nodes {
		switch {
		case n.Err != nil:
			return f.Finalized
		case i == 0:
			most = n.Max
		}
		most = min(most, n.Max)
	}
	return max(most, f.Finalized)
}

func (a *app) moveLevel(verb, short string, kind client.UpgradeType) *cobra.Command {
	var level int16
	var dry bool
	c := &cobra.Command{Use: verb, Short: short, Args: cobra.NoArgs, Example: "  brokerd cluster features " + verb + " --level 2"}
	c.Flags().Int16Var(&level, "level", 0, "the `LEVEL` to go to")
	c.Flags().BoolVar(&dry, "dry-run", false, "only ask whether it would be done")
	c.RunE = func(c *cobra.Command, _ []string) error {
		admin, ctx, done, err := a.admin(c)
		if err != nil {
			return err
		}
		defer done()
		f, err := admin.Feature(ctx, client.MetadataFeature)
		if err != nil {
			return err
		}
		switch to := common(f); {
		case level == 0 && kind != client.Upgrade:
			level = f.Finalized - 1
		case level == 0:
			level = to
		}
		if err := admin.UpdateFeatures(ctx, []client.FeatureUpdate{{Name: f.Name, Level: level, Type: kind}}, dry); err != nil {
			return err
		}
		return a.levelMoved(f.Finalized, level, dry)
	}
	return c
}

// levelMoved says what was done, or would be.
func (a *app) levelMoved(from, to int16, dry bool) error {
	switch {
	case from == to:
		a.note("the metadata level is %d already", to)
	case dry:
		a.note("the metadata level can go from %d to %d", from, to)
	default:
		a.note("the metadata level went from %d to %d: brokers that know less refuse to start from now on", from, to)
	}
	if !a.json() {
		return nil
	}
	return printJSON(a.e.Out, map[string]any{"feature": client.MetadataFeature, "from": from, "to": to, "dryRun": dry})
}
