package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/brokerd/brokerd/pkg/client"
	"github.com/spf13/cobra"
)

func (a *app) partitionsCommand() *cobra.Command {
	c := a.connects(&cobra.Command{Use: "partitions", Aliases: []string{"partition"}, Short: "Move partitions, elect their leaders, see where they lie"})
	c.AddCommand(a.partitionsMove(), a.partitionsMoves(), a.partitionsCancel(), a.partitionsElect(), a.partitionsDirs(), a.partitionsRelocate())
	return c
}

// partitionNames reads TOPIC-N, as everything here prints partitions.
func partitionNames(args []string) ([]client.Partition, error) {
	var out []client.Partition
	for _, arg := range args {
		at := strings.LastIndexByte(arg, '-')
		if at < 1 {
			return nil, usageErr("write the topic, a dash and the number: orders-0", "%q is no partition", arg)
		}
		n, err := strconv.ParseInt(arg[at+1:], 10, 32)
		if err != nil || n < 0 {
			return nil, usageErr("write the topic, a dash and the number: orders-0", "%q is no partition", arg)
		}
		out = append(out, client.Partition{Topic: arg[:at], Partition: int32(n)})
	}
	if twice := repeated(out); len(twice) > 0 {
		return nil, usageErr("name each once", "%s is named twice", twice[0])
	}
	return out, nil
}

func (a *app) partitionsMove() *cobra.Command {
	var to string
	var rate int64
	c := &cobra.Command{Use: "move PARTITION... --to BROKERS", Short: "Begin to move partitions to other brokers", Args: needNames("partition"),
		Example: "  brokerd partitions move orders-0 orders-1 --to 2,3,1   the first is to lead\n  brokerd partitions moves                              how far it is"}
	c.Flags().StringVar(&to, "to", "", "who is to hold them, the preferred leader first: `1,2,3`")
	c.Flags().Int64Var(&rate, "throttle", 0, "bytes per second that each broker sends and fetches for moves, until kafka-reassign-partitions --verify lifts it (default: no limit)")
	c.RunE = func(c *cobra.Command, args []string) error {
		ids, err := partitionNames(args)
		if err != nil {
			return err
		}
		brokers, err := brokerIDs(to)
		if err != nil || len(repeated(brokers)) > 0 {
			return usageErr("give broker ids, each once: --to 1,2,3", "--to %q", to)
		}
		admin, ctx, done, err := a.admin(c)
		if err != nil {
			return err
		}
		defer done()
		var want []client.Assignment
		for _, id := range ids {
			want = append(want, client.Assignment{Partition: id, Replicas: brokers})
		}
		if rate > 0 {
			if err := a.throttleMove(ctx, admin, want, rate); err != nil {
				return err
			}
		}
		results, err := admin.Reassign(ctx, want...)
		return a.partitionOutcomes(results, err, "moving", func(id client.Partition) string { return fmt.Sprintf("%s moves to %s", id, to) })
	}
	return c
}

func (a *app) throttleMove(ctx context.Context, admin *client.Admin, want []client.Assignment, rate int64) error {
	var names []string
	for _, w := range want {
		if !slices.Contains(names, w.Topic) {
			names = append(names, w.Topic)
		}
	}
	topics, err := admin.DescribeTopics(ctx, names...)
	if err != nil {
		return err
	}
	moving, err := admin.Moves(ctx)
	if err != nil {
		return err
	}
	var current []client.Assignment
	for _, t := range topics {
		for _, p := range t.Partitions {
			id := client.Partition{Topic: t.Name, Partition: p.Partition}
			if slices.ContainsFunc(want, func(w client.Assignment) bool { return w.Partition == id }) {
				current = append(current, client.Assignment{Partition: id, Replicas: p.Replicas})
			}
		}
	}
	return admin.ThrottleMoves(ctx, client.Moving(want, current, moving), rate)
}

// partitionOutcomes prints what came of a change of several partitions.
func (a *app) partitionOutcomes(results []client.PartitionResult, err error, status string, text func(client.Partition) string) error {
	if err != nil {
		return err
	}
	var list []outcome
	for _, r := range results {
		o := outcome{Name: r.String(), Status: status, text: text(r.Partition)}
		switch {
		case errors.Is(r.Err, client.ErrElectionNotNeeded):
			o.Status, o.text = "valid", r.String()+" has that leader"
		case r.Err != nil:
			o.err = explained(r.Err, a.address)
		}
		list = append(list, o)
	}
	return a.outcomes(list)
}

func (a *app) partitionsMoves() *cobra.Command {
	c := &cobra.Command{Use: "moves", Short: "Show the partitions that are on their way to other brokers", Args: cobra.NoArgs,
		Example: "  brokerd partitions moves -o json"}
	c.RunE = func(c *cobra.Command, _ []string) error {
		admin, ctx, done, err := a.admin(c)
		if err != nil {
			return err
		}
		defer done()
		moves, err := admin.Moves(ctx)
		if err != nil {
			return err
		}
		if a.json() {
			return printJSON(a.e.Out, append([]client.Move{}, moves...))
		}
		rows := [][]string{{"PARTITION", "REPLICAS", "COMING", "GOING"}}
		for _, m := range moves {
			rows = append(rows, []string{m.String(), join(m.Replicas, ","), dash(join(m.Adding, ",")), dash(join(m.Removing, ","))})
		}
		return printTable(a.e.Out, rows)
	}
	return c
}

func (a *app) partitionsCancel() *cobra.Command {
	c := &cobra.Command{Use: "cancel PARTITION...", Short: "End moves where they began", Args: needNames("partition"),
		Example: "  brokerd partitions cancel orders-0"}
	c.RunE = func(c *cobra.Command, args []string) error {
		ids, err := partitionNames(args)
		if err != nil {
			return err
		}
		admin, ctx, done, err := a.admin(c)
		if err != nil {
			return err
		}
		defer done()
		var back []client.Assignment
		for _, id := range ids {
			back = append(back, client.Assignment{Partition: id})
		}
		results, err := admin.Reassign(ctx, back...)
		return a.partitionOutcomes(results, err, "cancelled", func(id client.Partition) string { return fmt.Sprintf("%s stays where it was", id) })
	}
	return c
}

func (a *app) partitionsElect() *cobra.Command {
	var unclean, yes bool
	c := &cobra.Command{Use: "elect [PARTITION...]", Short: "Give the lead to preferred replicas, of all partitions that need it when none is named",
		Example: "  brokerd partitions elect\n  brokerd partitions elect orders-0 --unclean --yes   whoever is there, and what only the others have is lost"}
	c.Flags().BoolVar(&unclean, "unclean", false, "elect whoever is there where nobody leads: acknowledged records that only the others have are LOST")
	c.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	c.RunE = func(c *cobra.Command, args []string) error {
		ids, err := partitionNames(args)
		if err != nil {
			return err
		}
		if unclean {
			if len(args) == 0 {
				return usageErr("as in: brokerd partitions elect orders-0 --unclean", "--unclean needs the partitions named")
			}
			if err := a.confirm(yes, "give up records that only missing replicas have of", args...); err != nil {
				return err
			}
		}
		admin, ctx, done, err := a.admin(c)
		if err != nil {
			return err
		}
		defer done()
		kind := client.Preferred
		if unclean {
			kind = client.Unclean
		}
		results, err := admin.ElectLeaders(ctx, kind, ids)
		return a.partitionOutcomes(results, err, "elected", func(id client.Partition) string { return id.String() + " has a new leader" })
	}
	return c
}

func (a *app) partitionsDirs() *cobra.Command {
	var brokers string
	c := &cobra.Command{Use: "dirs [TOPIC...]", Short: "Show in which log directories replicas lie, and how large they are",
		Example: "  brokerd partitions dirs orders\n  brokerd partitions dirs --broker 1,2 -o json"}
	c.Flags().StringVar(&brokers, "broker", "", "only these brokers: `1,2` (default: all)")
	c.RunE = func(c *cobra.Command, topics []string) error {
		ids, err := listedBrokers(brokers)
		if err != nil {
			return usageErr("give broker ids: --broker 1,2", "--broker %q", brokers)
		}
		admin, ctx, done, err := a.admin(c)
		if err != nil {
			return err
		}
		defer done()
		dirs, err := admin.LogDirs(ctx, ids, topics...)
		if err != nil {
			return err
		}
		if a.json() {
			return printJSON(a.e.Out, dirsWithErrors(dirs))
		}
		rows := [][]string{{"BROKER", "DIRECTORY", "PARTITION", "BYTES", "NOTE"}}
		for _, d := range dirs {
			if d.Err != nil {
				rows = append(rows, []string{strconv.Itoa(int(d.Broker)), d.Dir, "failed", "-", "-"})
			}
			for _, r := range d.Replicas {
				note := "-"
				if r.Future {
					note = fmt.Sprintf("moving here, %d behind", r.Lag)
				}
				rows = append(rows, []string{strconv.Itoa(int(d.Broker)), d.Dir, r.Partition.String(), strconv.FormatInt(r.Bytes, 10), note})
			}
		}
		return printTable(a.e.Out, rows)
	}
	return c
}

// dirWithError is a log directory in JSON.
type dirWithError struct {
	client.LogDir
	Error string `json:"error,omitempty"`
}

func dirsWithErrors(dirs []client.LogDir) []dirWithError {
	out := make([]dirWithError, len(dirs))
	for i, d := range dirs {
		out[i].LogDir = d
		if d.Err != nil {
			out[i].Error = d.Err.Error()
		}
	}
	return out
}
