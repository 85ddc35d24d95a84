package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/brokerd/brokerd/pkg/client"
	"github.com/spf13/cobra"
)

func (a *app) groupsCommand() *cobra.Command {
	c := a.connects(&cobra.Command{Use: "groups", Aliases: []string{"group"}, Short: "List and describe consumer groups, set and delete their offsets"})
	c.AddCommand(a.groupsList(), a.groupsDescribe(), a.groupsReset(), a.groupsSeek(), a.groupsDeleteOffsets(), a.groupsDelete())
	return c
}

func (a *app) groupsList() *cobra.Command {
	var states, types string
	var noHeaders bool
	c := &cobra.Command{Use: "list [REGEX]", Short: "List groups", Args: cobra.MaximumNArgs(1),
		Example: "  brokerd groups list\n  brokerd groups list 'billing.*' --state stable,empty"}
	c.Flags().StringVar(&states, "state", "", "only groups in one of these `STATES`: stable, empty, preparingrebalance …")
	c.Flags().StringVar(&types, "type", "", "only groups of these `TYPES`: classic, consumer, share, streams")
	c.Flags().BoolVar(&noHeaders, "no-headers", false, "leave the header line out")
	c.RunE = func(c *cobra.Command, args []string) error {
		matches, err := anyOf(args)
		if err != nil {
			return err
		}
		wantStates, ok := spelled(states, append([]string{"NotReady"}, groupStates...))
		if !ok {
			return usageErr("one or more of "+strings.Join(groupStates, ", "), "--state %s: there is no such state", states)
		}
		wantTypes, ok := spelled(types, []string{"Classic", "Consumer", "Share", "Streams"})
		if !ok {
			return usageErr("one or more of classic, consumer, share, streams", "--type %s: there is no such type", types)
		}
		admin, ctx, done, err := a.admin(c)
		if err != nil {
			return err
		}
		defer done()
		all, err := admin.Groups(ctx, wantTypes, wantStates)
		if err != nil {
			return err
		}
		list := []client.GroupInfo{}
		for _, g := range all {
			if matches(g.Name) {
				list = append(list, g)
			}
		}
		if a.json() {
			return printJSON(a.e.Out, list)
		}
		rows := [][]string{{"GROUP", "TYPE", "STATE", "PROTOCOL"}}
		if a.output == "wide" {
			rows[0] = append(rows[0], "COORDINATOR")
		}
		if noHeaders {
			rows = rows[:0]
		}
		for _, g := range list {
			row := []string{g.Name, orUnknown(g.Type), orUnknown(g.State), orDash(g.Protocol)}
			if a.output == "wide" {
				row = append(row, strconv.Itoa(int(g.Coordinator)))
			}
			rows = append(rows, row)
		}
		return printTable(a.e.Out, rows)
	}
	return c
}

func orDash(s string) string {
	if s == "" {
		return missing
	}
	return s
}

// lagJSON is one partition of a described group, with its owner's id.
type lagJSON struct {
	client.PartitionLag
	MemberID string `json:"memberId,omitempty"`
}

// groupJSON is a described group; TotalLag counts what is known.
type groupJSON struct {
	client.Group
	TotalLag int64      `json:"totalLag"`
	Offsets  []lagJSON  `json:"offsets"`
	Error    *errorJSON `json:"error,omitempty"`
}

func (a *app) groupsDescribe() *cobra.Command {
	var members bool
	c := &cobra.Command{Use: "describe GROUP...", Short: "Show the state, the members, the offsets and the lag of groups", Args: needNames("group"),
		Example: "  brokerd groups describe billing\n  brokerd groups describe billing --members\n  brokerd groups describe billing -o json"}
	c.Flags().BoolVar(&members, "members", false, "who is in the group, and what each has, instead of offsets")
	c.RunE = func(c *cobra.Command, names []string) error {
		admin, ctx, done, err := a.admin(c)
		if err != nil {
			return err
		}
		defer done()
		groups, err := admin.DescribeGroups(ctx, names...)
		if err != nil {
			return err
		}
		var docs []groupJSON
		var failed []*cliError
		for _, g := range groups {
			doc := groupJSON{Group: g, Offsets: []lagJSON{}}
			err := g.Err
			if err == nil {
				var lags []client.PartitionLag
				lags, err = admin.Lag(ctx, g)
				for _, l := range lags {
					row := lagJSON{PartitionLag: l}
					if l.Member != nil {
						row.MemberID = l.Member.ID
					}
					doc.Offsets, doc.TotalLag = append(doc.Offsets, row), doc.TotalLag+max(l.Lag, 0)
				}
			}
			if err != nil {
				why := a.explainGroup(ctx, admin, g.Name, err)
				doc.Error, failed = why.json(), append(failed, why)
			}
			docs = append(docs, doc)
		}
		if a.json() {
			err = printJSON(a.e.Out, docs)
		} else {
			err = a.groupsText(docs, members)
		}
		if err != nil || len(failed) == 0 {
			return err
		}
		if len(groups) == 1 {
			return failed[0]
		}
		lines := make([]string, len(failed))
		for i, f := range failed {
			lines[i] = f.text
		}
		return &cliError{text: fmt.Sprintf("%d of %d failed", len(failed), len(groups)), hint: strings.Join(lines, "\n"), code: exitPartly}
	}
	return c
}

func (a *app) groupsText(docs []groupJSON, members bool) error {
	first := true
	for _, d := range docs {
		if d.Error != nil {
			continue
		}
		if !first {
			fmt.Fprintln(a.e.Out)
		}
		first = false
		head := [][]string{{"group", d.Name}, {"type", d.Type}, {"state", d.State}, {"assignor", orDash(d.Assignor)},
			{"coordinator", fmt.Sprintf("node %d (%s:%d)", d.Coordinator.ID, d.Coordinator.Host, d.Coordinator.Port)},
			{"members", strconv.Itoa(len(d.Members))}, {"total lag", strconv.FormatInt(d.TotalLag, 10)}}
		if d.Epoch != nil {
			head = append(head, []string{"epoch", fmt.Sprintf("%d (assignment %s)", *d.Epoch, groupEpoch(d.TargetEpoch))})
		}
		if err := printTable(a.e.Out, head); err != nil {
			return err
		}
		var rows [][]string
		if members {
			rows = memberRows(d.Members)
		} else {
			rows = lagRows(d.Offsets)
		}
		if len(rows) == 1 {
			continue
		}
		fmt.Fprintln(a.e.Out)
		if err := printTable(a.e.Out, rows); err != nil {
			return err
		}
	}
	return nil
}

func memberRows(members []client.GroupMember) [][]string {
	rows := [][]string{{"MEMBER", "INSTANCE", "CLIENT", "HOST", "PARTITIONS", "ASSIGNMENT"}}
	for _, m := range members {
		rows = append(rows, []string{m.ID, orDash(m.InstanceID), m.ClientID, strings.TrimPrefix(m.Host, "/"), strconv.Itoa(len(m.Assigned)), assignmentText(m.Assigned)})
	}
	return rows
}

func lagRows(lags []lagJSON) [][]string {
	rows := [][]string{{"TOPIC", "PARTITION", "COMMITTED", "END", "LAG", "CLIENT", "HOST"}}
	for _, l := range lags {
		lag, owner, host := missing, missing, missing
		if l.Committed >= 0 && l.End >= 0 {
			lag = strconv.FormatInt(l.Lag, 10)
		}
		if l.Member != nil {
			owner, host = l.Member.ClientID, strings.TrimPrefix(l.Member.Host, "/")
		}
		rows = append(rows, []string{l.Topic, strconv.Itoa(int(l.Partition.Partition)), orMissing(l.Committed), orMissing(l.End), lag, owner, host})
	}
	return rows
}

// explainGroup adds to a refusal what the cluster can tell about it.
func (a *app) explainGroup(ctx context.Context, admin *client.Admin, name string, err error) *cliError {
	switch {
	case errors.Is(err, client.ErrUnknownGroup):
		hint := "`brokerd groups list` shows the groups that exist"
		if all, listErr := admin.Groups(ctx, nil, nil); listErr == nil {
			names := make([]string, len(all))
			for i, g := range all {
				names[i] = g.Name
			}
			if best := client.Nearest(name, names); best != "" {
				hint = fmt.Sprintf("did you mean %q?", best)
			}
		}
		return &cliError{text: fmt.Sprintf("group %q does not exist", name), hint: hint, code: exitNotFound, err: err}
	case errors.Is(err, client.ErrNonEmptyGroup):
		return &cliError{text: fmt.Sprintf("group %q has members", name), hint: "stop them and retry; who they are: brokerd groups describe " + name + " --members", code: exitConflict, err: err}
	case errors.Is(err, client.ErrGroupSubscribed):
		return &cliError{text: fmt.Sprintf("members of group %q read the topic", name), hint: "stop them and retry; who they are: brokerd groups describe " + name + " --members", code: exitConflict, err: err}
	case errors.Is(err, client.ErrNothingCommitted):
		return &cliError{text: err.Error(), hint: "name an offset or a time instead: --to-offset, --to-earliest, --to-datetime", code: exitConflict, err: err}
	}
	return explained(err, a.address)
}

func (a *app) groupsDelete() *cobra.Command {
	var yes, ifExists, dry bool
	c := &cobra.Command{Use: "delete GROUP...", Short: "Delete groups without members, with all their offsets", Args: needNames("group"),
		Example: "  brokerd groups delete billing --yes"}
	c.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	c.Flags().BoolVar(&ifExists, "if-exists", false, "a group that does not exist is no error")
	c.Flags().BoolVar(&dry, "dry-run", false, "say what would be deleted, delete nothing")
	c.RunE = func(c *cobra.Command, names []string) error {
		if !dry {
			if err := a.confirm(yes, "delete group", names...); err != nil {
				return err
			}
		}
		admin, ctx, done, err := a.admin(c)
		if err != nil {
			return err
		}
		defer done()
		failed := make([]error, len(names))
		if dry {
			groups, err := admin.DescribeGroups(ctx, names...)
			if err != nil {
				return err
			}
			for i, g := range groups {
				failed[i] = g.Err
				if g.Err == nil && len(g.Members) > 0 {
					failed[i] = client.ErrNonEmptyGroup
				}
			}
		} else if failed, err = admin.DeleteGroups(ctx, names...); err != nil {
			return err
		}
		var list []outcome
		for i, n := range names {
			o := outcome{Name: n, Status: "deleted", text: "deleted group " + n}
			switch {
			case errors.Is(failed[i], client.ErrUnknownGroup) && ifExists:
				o.Status, o.text = "missing", "group "+n+" does not exist"
			case failed[i] != nil:
				o.err = a.explainGroup(ctx, admin, n, failed[i])
			case dry:
				o.Status, o.text = "valid", "would delete group "+n
			}
			list = append(list, o)
		}
		return a.outcomes(list)
	}
	return c
}
