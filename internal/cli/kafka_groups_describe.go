package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/brokerd/brokerd/pkg/client"
)

// describe prints groups as kafka-consumer-groups --describe does: everything
// is asked for before the first line.
func (g *groupsFace) describe(ctx context.Context, names []string) error {
	groups, err := g.admin.DescribeGroups(ctx, names...)
	if err != nil {
		return err
	}
	for _, group := range groups {
		if group.Err != nil {
			return group.Err
		}
		if group.Protocol != "consumer" && group.Protocol != "" {
			text := fmt.Sprintf("java.lang.IllegalArgumentException: GroupId %s is not a consumer group (%s).", group.Name, group.Protocol)
			return &faceError{text, "java.util.concurrent.ExecutionException: " + text}
		}
	}
	switch {
	case g.set.has("members"):
		for _, group := range groups {
			g.activity(group)
			g.members(group)
		}
	case g.set.has("state"):
		for _, group := range groups {
			g.activity(group)
			g.state(group)
		}
	default:
		lags := make([][]client.PartitionLag, len(groups))
		for i, group := range groups {
			if lags[i], err = g.admin.Lag(ctx, group); err != nil {
				return err
			}
		}
		for i, group := range groups {
			g.activity(group)
			g.offsets(group, lags[i])
		}
	}
	return nil
}

// activity says on stderr what a reader should know of a group's state.
func (g *groupsFace) activity(group client.Group) {
	switch group.State {
	case "Empty":
		fmt.Fprintf(g.e.Err, "\nConsumer group '%s' has no active members.\n", group.Name)
	case "PreparingRebalance", "CompletingRebalance", "Assigning", "Reconciling":
		fmt.Fprintf(g.e.Err, "\nWarning: Consumer group '%s' is rebalancing.\n", group.Name)
	}
}

const missing = "-" // what a column has where there is nothing to say

func orMissing(n int64) string {
	if n < 0 {
		return missing
	}
	return strconv.FormatInt(n, 10)
}

// paddedTable prints rows that each begin with a line break; a width of 0 means
// that the column is not padded. Widths below which content grows a column are
// given by least; those that do not grow are negative.
func (g *groupsFace) paddedTable(least []int, rows [][]string) {
	widths := make([]int, len(least))
	for i, w := range least {
		widths[i] = max(w, -w)
		for _, r := range rows {
			if w > 0 {
				widths[i] = max(widths[i], len(r[i]))
			}
		}
	}
	var b strings.Builder
	for _, r := range rows {
		b.WriteByte('\n')
		for i, cell := range r {
			if i > 0 {
				b.WriteByte(' ')
			}
			fmt.Fprintf(&b, "%-*s", widths[i], cell)
		}
	}
	fmt.Fprintln(g.e.Out, b.String())
}

func (g *groupsFace) offsets(group client.Group, lags []client.PartitionLag) {
	if len(lags) == 0 {
		return
	}
	verbose := g.set.has("verbose")
	least := []int{15, 15, -10, -15, -15, -15, 15, 15, 0}
	rows := [][]string{{"GROUP", "TOPIC", "PARTITION", "CURRENT-OFFSET", "LOG-END-OFFSET", "LAG", "CONSUMER-ID", "HOST", "CLIENT-ID"}}
	if verbose {
		least = append(least[:3:3], append([]int{-15}, least[3:]...)...)
		rows[0] = append(rows[0][:3:3], append([]string{"LEADER-EPOCH"}, rows[0][3:]...)...)
	}
	for _, l := range lags {
		row := []string{group.Name, l.Topic, strconv.Itoa(int(l.Partition.Partition))}
		if verbose {
			row = append(row, orMissing(int64(l.LeaderEpoch)))
		}
		row = append(row, orMissing(l.Committed), orMissing(l.End))
		if l.Committed >= 0 && l.End >= 0 {
			row = append(row, strconv.FormatInt(l.Lag, 10)) // below 0: the log was cut after the commit
		} else {
			row = append(row, missing)
		}
		if l.Member != nil {
			row = append(row, l.Member.ID, l.Member.Host, l.Member.ClientID)
		} else {
			row = append(row, missing, missing, missing)
		}
		rows = append(rows, row)
	}
	g.paddedTable(least, rows)
}

func (g *groupsFace) members(group client.Group) {
	verbose, static, old, upgraded := g.set.has("verbose"), false, false, false
	for _, m := range group.Members {
		static = static || m.InstanceID != ""
		old = old || m.Upgraded != nil && !*m.Upgraded
		upgraded = upgraded || m.Upgraded != nil && *m.Upgraded
	}
	header, least := []string{"GROUP", "CONSUMER-ID"}, []int{15, 15}
	if static {
		header, least = append(header, "GROUP-INSTANCE-ID"), append(least, 17)
	}
	header, least = append(header, "HOST", "CLIENT-ID", "#PARTITIONS"), append(least, 15, 15, -15)
	if verbose {
		header, least = append(header, "CURRENT-EPOCH", "CURRENT-ASSIGNMENT", "TARGET-EPOCH", "TARGET-ASSIGNMENT"), append(least, -15, 20, -15, 20)
		if old && upgraded { // a group on its way from one protocol to the other
			header, least = append(header, "UPGRADED"), append(least, 0)
		}
	} else {
		header, least = append(header, ""), append(least, 0) // the line ends with a space
	}
	rows := [][]string{header}
	for _, m := range group.Members {
		row := []string{group.Name, m.ID}
		if static {
			row = append(row, m.InstanceID)
		}
		row = append(row, m.Host, m.ClientID, strconv.Itoa(len(m.Assigned)))
		if verbose {
			row = append(row, groupEpoch(m.Epoch), assignmentText(m.Assigned), groupEpoch(group.TargetEpoch), assignmentText(m.Target))
			if old && upgraded {
				row = append(row, upgradedText(m.Upgraded))
			}
		} else {
			row = append(row, "")
		}
		rows = append(rows, row)
	}
	g.paddedTable(least, rows)
}

func groupEpoch(n *int32) string {
	if n == nil {
		return missing
	}
	return strconv.Itoa(int(*n))
}

func upgradedText(b *bool) string {
	if b == nil {
		return missing
	}
	return strconv.FormatBool(*b)
}

// assignmentText writes partitions as t1:0,1;t2:0.
func assignmentText(list []client.Partition) string {
	if len(list) == 0 {
		return missing
	}
	var b strings.Builder
	for i, p := range list {
		switch {
		case i > 0 && list[i-1].Topic == p.Topic:
			b.WriteByte(',')
		case i > 0:
			b.WriteString(";" + p.Topic + ":")
		default:
			b.WriteString(p.Topic + ":")
		}
		b.WriteString(strconv.Itoa(int(p.Partition)))
	}
	return b.String()
}

func (g *groupsFace) state(group client.Group) {
	coordinator := fmt.Sprintf("%s:%d  (%d)", group.Coordinator.Host, group.Coordinator.Port, group.Coordinator.ID)
	assignor := group.Assignor
	if assignor == "" {
		assignor = missing
	}
	least := []int{15, 25, -20, -20}
	header := []string{"GROUP", "COORDINATOR (ID)", "ASSIGNMENT-STRATEGY", "STATE"}
	row := []string{group.Name, coordinator, assignor, group.State}
	if g.set.has("verbose") {
		least, header = append(least, -15, -25), append(header, "GROUP-EPOCH", "TARGET-ASSIGNMENT-EPOCH")
		row = append(row, groupEpoch(group.Epoch), groupEpoch(group.TargetEpoch))
	}
	least, header, row = append(least, 0), append(header, "#MEMBERS"), append(row, strconv.Itoa(len(group.Members)))
	g.paddedTable(least, [][]string{header, row})
}
