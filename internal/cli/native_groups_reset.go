package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/brokerd/brokerd/pkg/client"
	"github.com/spf13/cobra"
)

func (a *app) groupsReset() *cobra.Command {
	var topics []string
	var allTopics, execute, dry, export bool
	c := &cobra.Command{Use: "reset-offsets GROUP", Short: "Set the offsets of a group without members; shows what would change unless --execute is given", Args: needGroup(1),
		Example: "  brokerd groups reset-offsets billing --all-topics --to-earliest\n" +
			"  brokerd groups reset-offsets billing --topic orders:0,1 --shift-by -100 --execute\n" +
			"  brokerd groups reset-offsets billing --all-topics --to-current --export > plan.csv\n" +
			"  brokerd groups reset-offsets billing --from-file plan.csv --execute"}
	f := c.Flags()
	f.StringArrayVar(&topics, "topic", nil, "of this `TOPIC`, or of some partitions: orders:0,1")
	f.BoolVar(&allTopics, "all-topics", false, "of everything the group has committed")
	f.Bool("to-earliest", false, "the oldest record")
	f.Bool("to-latest", false, "the end of the log")
	f.Bool("to-current", false, "what is committed; the end of the log where nothing is")
	f.Int64("to-offset", 0, "this `OFFSET`")
	f.Int64("shift-by", 0, "what is committed and `N` more, or less")
	f.String("by-duration", "", "the first record not older than this, `PnDTnHnMnS`")
	f.String("to-datetime", "", "the first record not older than `YYYY-MM-DDThh:mm:ss.sss`, UTC unless it names a zone")
	f.String("from-file", "", "what a CSV `FILE` says: [group,]topic,partition,offset")
	f.BoolVar(&execute, "execute", false, "commit the new offsets")
	f.BoolVar(&dry, "dry-run", false, "show what would change (the default)")
	f.BoolVar(&export, "export", false, "print the plan as --from-file reads it")
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := onlyOne(c, resetScenarios, []string{"execute", "dry-run"}, []string{"topic", "all-topics"}); err != nil {
			return err
		}
		to, fromFile, err := resetFlags(c, args[0])
		if err != nil {
			return err
		}
		if !allTopics && len(topics) == 0 && !fromFile {
			return usageErr("as in: --all-topics, or --topic orders, or --topic orders:0,1", "say which offsets: --all-topics or --topic")
		}
		return a.resetGroup(c, args[0], topics, to, resetHow{execute, export, "--execute commits"})
	}
	return c
}

// onlyOne refuses two flags of one set.
func onlyOne(c *cobra.Command, sets ...[]string) error {
	for _, set := range sets {
		var given []string
		for _, name := range set {
			if c.Flags().Changed(name) {
				given = append(given, "--"+name)
			}
		}
		if len(given) > 1 {
			return usageErr("leave all but one out", "%s cannot go together", strings.Join(given, " and "))
		}
	}
	return nil
}

// resetHow is what becomes of a plan.
type resetHow struct {
	execute, export bool
	apply           string // what would commit the offsets that are only shown
}

func needGroup(n int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) < n || n == 1 && len(args) > 1 {
			return usageErr("as in: "+strings.TrimSpace(strings.Split(c.Example, "\n")[0]), "%s takes %s", c.CommandPath(), strings.TrimPrefix(c.Use, c.Name()+" "))
		}
		return nil
	}
}

// resetFlags reads where offsets are to be.
func resetFlags(c *cobra.Command, group string) (to client.Reset, fromFile bool, err error) {
	f := c.Flags()
	switch {
	case f.Changed("to-earliest"):
		return client.ResetAt(client.Earliest), false, nil
	case f.Changed("to-latest"):
		return client.ResetAt(client.Latest), false, nil
	case f.Changed("to-current"):
		return client.ResetToCurrent(), false, nil
	case f.Changed("to-offset"):
		n, err := f.GetInt64("to-offset")
		return client.ResetToOffset(n), false, err
	case f.Changed("shift-by"):
		n, err := f.GetInt64("shift-by")
		return client.ResetShift(n), false, err
	case f.Changed("by-duration"):
		text := f.Lookup("by-duration").Value.String()
		at, err := agoMillis(text)
		if err != nil {
			return to, false, usageErr("as in: --by-duration PT2H, P7D, P1DT30M; or: brokerd groups seek "+group+" 2h ago", "--by-duration %s: not a duration", text)
		}
		return client.ResetAt(at), false, nil
	case f.Changed("to-datetime"):
		text := f.Lookup("to-datetime").Value.String()
		at, err := parseDatetime(text)
		if err != nil {
			return to, false, usageErr("as in: --to-datetime 2026-01-31T08:00:00.000", "--to-datetime %s: not a date and time", text)
		}
		return client.ResetAt(at), false, nil
	case f.Changed("from-file"):
		file := f.Lookup("from-file").Value.String()
		text, err := os.ReadFile(file)
		if err != nil {
			return to, true, fmt.Errorf("plan: %w", err)
		}
		plans, err := readPlan(string(text), []string{group})
		if err != nil {
			return to, true, usageErr("--export prints a file that --from-file reads", "%s: %v", file, err)
		}
		if plans[group] == nil {
			return to, true, usageErr("", "%s says nothing of group %q", file, group)
		}
		return client.ResetTo(plans[group]), true, nil
	}
	return to, false, usageErr("one of: --to-earliest --to-latest --to-current --to-offset --shift-by --by-duration --to-datetime --from-file", "say where the offsets are to be")
}

// resetGroup plans, shows, and carries out if it is asked to.
func (a *app) resetGroup(c *cobra.Command, group string, topics []string, to client.Reset, how resetHow) error {
	admin, ctx, done, err := a.admin(c)
	if err != nil {
		return err
	}
	defer done()
	if how.execute {
		if err := a.idle(ctx, admin, group); err != nil {
			return err
		}
	}
	partitions, err := a.resetScope(ctx, admin, group, topics)
	if err != nil {
		return err
	}
	plan, err := admin.PlanReset(ctx, group, partitions, to)
	if err == nil && how.execute {
		err = admin.CommitPlan(ctx, group, plan)
	}
	if err != nil {
		return a.explainGroup(ctx, admin, group, err)
	}
	for _, p := range plan {
		switch p.Bounded {
		case client.NoneSoLate:
			a.warn(fmt.Sprintf("%s: no record is so late, taking the end of the log", p.Partition))
		case "":
		default:
			a.warn(fmt.Sprintf("%s: offset %d is %s, taking %d", p.Partition, p.Asked, p.Bounded, p.After))
		}
	}
	if how.export {
		_, err := fmt.Fprint(a.e.Out, planCSV([]groupPlan{{group, plan}}, true))
		return err
	}
	if a.json() {
		return printJSON(a.e.Out, map[string]any{"group": group, "executed": how.execute, "offsets": plan})
	}
	rows := [][]string{{"TOPIC", "PARTITION", "BEFORE", "AFTER"}}
	for _, p := range plan {
		rows = append(rows, []string{p.Topic, strconv.Itoa(int(p.Partition.Partition)), orMissing(p.Before), strconv.FormatInt(p.After, 10)})
	}
	if err := printTable(a.e.Out, rows); err != nil {
		return err
	}
	if len(plan) == 0 {
		a.note("group %s has committed nothing: name topics with --topic", group)
	} else if !how.execute {
		a.note("nothing was changed; %s these offsets", how.apply)
	}
	return nil
}

// idle refuses a group with members, and says who they are.
func (a *app) idle(ctx context.Context, admin *client.Admin, group string) error {
	groups, err := admin.DescribeGroups(ctx, group)
	if err != nil {
		return err
	}
	g := groups[0]
	if errors.Is(g.Err, client.ErrUnknownGroup) || g.Err == nil && len(g.Members) == 0 {
		return nil
	}
	if g.Err != nil {
		return g.Err
	}
	const shown = 5
	var who []string
	for _, m := range g.Members[:min(shown, len(g.Members))] {
		who = append(who, fmt.Sprintf("%s (%s)", m.ClientID, strings.TrimPrefix(m.Host, "/")))
	}
	if more := len(g.Members) - shown; more > 0 {
		who = append(who, fmt.Sprintf("%d more", more))
	}
	noun := "members"
	if len(g.Members) == 1 {
		noun = "member"
	}
	return &cliError{text: fmt.Sprintf("consumer group %q is %s with %d %s; offsets can only be reset while it is empty", group, g.State, len(g.Members), noun),
		hint: fmt.Sprintf("members: %s. Stop them and retry. To see what would change now: --dry-run", strings.Join(who, ", ")), code: exitConflict}
}

// resetScope gives the partitions of topics, or all that the group has committed.
func (a *app) resetScope(ctx context.Context, admin *client.Admin, group string, topics []string) ([]client.Partition, error) {
	if len(topics) == 0 {
		committed, err := admin.Committed(ctx, group)
		partitions := make([]client.Partition, len(committed))
		for i, c := range committed {
			partitions[i] = c.Partition
		}
		return partitions, err
	}
	partitions, absent, err := topicPartitions(ctx, admin, topics)
	var wrong *topicArgError
	if errors.As(err, &wrong) {
		return nil, usageErr("as in: --topic orders, or --topic orders:0,1", "%v", wrong)
	}
	if err == nil && len(absent) > 0 {
		if absent[0].Partition < 0 {
			return nil, &cliError{text: fmt.Sprintf("topic %q does not exist", absent[0].Topic), hint: "`brokerd topics list` shows the topics that exist", code: exitNotFound}
		}
		return nil, &cliError{text: fmt.Sprintf("topic %q has no partition %d", absent[0].Topic, absent[0].Partition),
			hint: "`brokerd topics describe " + absent[0].Topic + "` shows those it has", code: exitNotFound}
	}
	return partitions, err
}

func (a *app) groupsSeek() *cobra.Command {
	var topics []string
	var dry bool
	c := &cobra.Command{Use: "seek GROUP WHEN", Short: "Let a group without members go on from a time", Args: needGroup(2),
		Long: "Let a group without members go on from a time: `2h ago`, `7d ago`, a date, a date and time, start or end.\n" +
			"It is carried out at once; --dry-run only shows what would change.",
		Example: "  brokerd groups seek billing 2h ago\n  brokerd groups seek billing 2026-01-31T08:00:00Z --topic orders\n  brokerd groups seek billing start --dry-run"}
	c.Flags().StringArrayVar(&topics, "topic", nil, "only of this `TOPIC`, or of some partitions: orders:0,1 (default: all the group has committed)")
	c.Flags().BoolVar(&dry, "dry-run", false, "show what would change, change nothing")
	c.RunE = func(c *cobra.Command, args []string) error {
		at, err := parseWhen(strings.Join(args[1:], " "), time.Now())
		if err != nil {
			return usageErr("as in: 2h ago, 7d ago, 2026-01-31, 2026-01-31T08:00:00Z, start, end", "%v", err)
		}
		return a.resetGroup(c, args[0], topics, client.ResetAt(at), resetHow{execute: !dry, apply: "without --dry-run it commits"})
	}
	return c
}

func (a *app) groupsDeleteOffsets() *cobra.Command {
	var topics []string
	var dry bool
	c := &cobra.Command{Use: "delete-offsets GROUP --topic TOPIC", Short: "Make a group forget its offsets in topics that no member reads", Args: needGroup(1),
		Example: "  brokerd groups delete-offsets billing --topic orders\n  brokerd groups delete-offsets billing --topic orders:0,1"}
	c.Flags().StringArrayVar(&topics, "topic", nil, "of this `TOPIC`, or of some partitions: orders:0,1")
	c.Flags().BoolVar(&dry, "dry-run", false, "say what would be deleted, delete nothing")
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(topics) == 0 {
			return usageErr("as in: --topic orders", "say which offsets: --topic is needed")
		}
		admin, ctx, done, err := a.admin(c)
		if err != nil {
			return err
		}
		defer done()
		partitions, err := a.resetScope(ctx, admin, args[0], topics)
		if err != nil {
			return err
		}
		gone := make([]client.PartitionOffset, len(partitions))
		for i, p := range partitions {
			gone[i].Partition = p
		}
		verb, status := "deleted", "deleted"
		if dry {
			verb, status = "would delete", "valid"
		} else if gone, err = admin.DeleteOffsets(ctx, args[0], partitions); err != nil {
			return a.explainGroup(ctx, admin, args[0], err)
		}
		var list []outcome
		for _, g := range gone {
			o := outcome{Name: g.String(), Status: status, text: fmt.Sprintf("%s the offset of %s", verb, g.Partition)}
			if g.Err != nil {
				o.err = a.explainGroup(ctx, admin, args[0], g.Err)
			}
			list = append(list, o)
		}
		return a.outcomes(list)
	}
	return c
}
