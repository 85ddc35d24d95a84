package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/brokerd/brokerd/pkg/client"
)

// groupPlan is what a reset does to one group.
type groupPlan struct {
	group string
	plan  []client.Planned
}

// reset plans new offsets for groups without members, and commits them with
// --execute.
func (g *groupsFace) reset(ctx context.Context, names []string) error {
	groups, err := g.admin.DescribeGroups(ctx, names...)
	if err != nil {
		return err
	}
	var plans []groupPlan
	for _, group := range groups {
		switch {
		case errors.Is(group.Err, client.ErrUnknownGroup): // its first commit makes it
		case group.Err != nil:
			return group.Err
		case group.State != "Empty" && group.State != "Dead":
			fmt.Fprintf(g.e.Out, "\nError: Assignments can only be reset if the group '%s' is inactive, but the current state is %s.\n", group.Name, group.State)
			plans = append(plans, groupPlan{group: group.Name})
			continue
		}
		plan, err := g.plan(ctx, group.Name)
		if err != nil {
			return err
		}
		if g.set.has("execute") {
			if err := g.admin.CommitPlan(ctx, group.Name, plan); err != nil {
				return err
			}
		}
		plans = append(plans, groupPlan{group.Name, plan})
	}
	if g.set.has("export") {
		fmt.Fprintln(g.e.Out, planCSV(plans, len(g.set.values["group"]) == 1))
		return nil
	}
	rows := [][]string{}
	if len(plans) > 0 {
		rows = append(rows, []string{"GROUP", "TOPIC", "PARTITION", "NEW-OFFSET"})
	}
	for _, p := range plans {
		for _, o := range p.plan {
			rows = append(rows, []string{p.group, o.Topic, strconv.Itoa(int(o.Partition.Partition)), strconv.FormatInt(o.After, 10)})
		}
	}
	g.paddedTable([]int{15, 15, -10, 0}, rows)
	return nil
}

// planCSV writes plans as --from-file reads them. A file for one group leaves
// the group out.
func planCSV(plans []groupPlan, single bool) string {
	var b strings.Builder
	for _, p := range plans {
		for _, o := range p.plan {
			if !single {
				b.WriteString(p.group + ",")
			}
			fmt.Fprintf(&b, "%s,%d,%d\n", o.Topic, o.Partition.Partition, o.After)
		}
	}
	return b.String()
}

func (g *groupsFace) plan(ctx context.Context, group string) ([]client.Planned, error) {
	partitions, err := g.scope(ctx, group)
	if err != nil {
		return nil, err
	}
	to, err := g.scenario(group)
	if err != nil {
		return nil, err
	}
	if to == nil { // the file does not name the group
		return nil, nil
	}
	plan, err := g.admin.PlanReset(ctx, group, partitions, *to)
	var none *client.NothingCommittedError
	if errors.As(err, &none) {
		return nil, &usageError{fmt.Sprintf("Cannot shift offset for partition %s since there is no current committed offset", none.Partition)}
	}
	for _, p := range plan {
		switch p.Bounded {
		case client.NoneSoLate:
			fmt.Fprintf(g.e.Out, "\nWarn: Partition %d from topic %s is empty. Falling back to latest known offset.\n", p.Partition.Partition, p.Topic)
		case client.PastEnd:
			logLine(g.e.Err, "WARN", fmt.Sprintf("New offset (%d) is higher than latest offset for topic partition %s. Value will be set to %d", p.Asked, p.Partition, p.After), "org.apache.kafka.tools.OffsetsUtils")
		case client.BeforeStart:
			logLine(g.e.Err, "WARN", fmt.Sprintf("New offset (%d) is lower than earliest offset for topic partition %s. Value will be set to %d", p.Asked, p.Partition, p.After), "org.apache.kafka.tools.OffsetsUtils")
		}
	}
	return plan, err
}

// scope gives the partitions that are to be reset.
func (g *groupsFace) scope(ctx context.Context, group string) ([]client.Partition, error) {
	switch {
	case g.set.has("all-topics"):
		committed, err := g.admin.Committed(ctx, group)
		partitions := make([]client.Partition, len(committed))
		for i, c := range committed {
			partitions[i] = c.Partition
		}
		return partitions, err
	case g.set.has("topic"):
		partitions, absent, err := topicPartitions(ctx, g.admin, g.set.values["topic"])
		var wrong *topicArgError
		if errors.As(err, &wrong) {
			return nil, &usageError{wrong.Error()}
		}
		if err != nil {
			return nil, err
		}
		const unknown = "org.apache.kafka.common.errors.UnknownTopicOrPartitionException: "
		if len(absent) > 0 && absent[0].Partition < 0 {
			const text = "This server does not host this topic-partition."
			return nil, &faceError{text, unknown + text}
		}
		if len(absent) > 0 {
			names := make([]string, len(absent))
			for i, p := range absent {
				names[i] = p.String()
			}
			text := fmt.Sprintf(`The partitions "%s" do not exist`, strings.Join(names, ","))
			return nil, &faceError{text, unknown + text}
		}
		return partitions, nil
	case g.set.has("from-file"):
		return nil, nil
	}
	return nil, &usageError{"One of the reset scopes should be defined: --all-topics, --topic."}
}

// scenario reads where offsets are to be, nil if a file says nothing of the group.
func (g *groupsFace) scenario(group string) (*client.Reset, error) {
	var to client.Reset
	switch set := g.set; {
	case set.has("to-offset"):
		to = client.ResetToOffset(set.number("to-offset", 0))
	case set.has("to-earliest"):
		to = client.ResetAt(client.Earliest)
	case set.has("to-latest"):
		to = client.ResetAt(client.Latest)
	case set.has("shift-by"):
		to = client.ResetShift(set.number("shift-by", 0))
	case set.has("to-current"):
		to = client.ResetToCurrent()
	case set.has("to-datetime"):
		at, err := parseDatetime(set.one("to-datetime", ""))
		if err != nil {
			return nil, &faceError{"java.text.ParseException: " + err.Error(), "java.lang.RuntimeException: java.text.ParseException: " + err.Error()}
		}
		to = client.ResetAt(at)
	case set.has("by-duration"):
		at, err := agoMillis(set.one("by-duration", ""))
		if err != nil {
			return nil, &faceError{err.Error(), "java.time.format.DateTimeParseException: " + err.Error()}
		}
		to = client.ResetAt(at)
	case set.has("from-file"):
		file := set.one("from-file", "")
		text, err := os.ReadFile(file)
		if err != nil {
			why := "java.io.IOException: Unable to read file " + file
			return nil, &faceError{why, "java.lang.RuntimeException: " + why}
		}
		groups := g.set.values["group"]
		each, err := readPlan(string(text), groups)
		if err != nil {
			return nil, &faceError{err.Error(), "java.lang.RuntimeException: " + err.Error()}
		}
		if each[group] == nil {
			fmt.Fprintf(g.e.Out, "\nError: No reset plan for group %s found\n", group)
			return nil, nil
		}
		to = client.ResetTo(each[group])
	default:
		names := make([]string, len(resetScenarios))
		for i, s := range resetScenarios {
			names[i] = "[" + s + "]"
		}
		return nil, &usageError{"Option '[reset-offsets]' requires one of the following scenarios: [" + strings.Join(names, ", ") + "]"}
	}
	return &to, nil
}

// deleteOffsets makes a group forget offsets.
func (g *groupsFace) deleteOffsets(ctx context.Context) error {
	group := g.set.one("group", "")
	partitions, absent, err := topicPartitions(ctx, g.admin, g.set.values["topic"])
	var wrong *topicArgError
	if errors.As(err, &wrong) {
		return &usageError{wrong.Error()}
	}
	if err != nil {
		return err
	}
	const unknown = "Error: org.apache.kafka.common.errors.UnknownTopicOrPartitionException: This server does not host this topic-partition."
	type result struct {
		client.Partition
		status string
	}
	var results []result
	for _, p := range absent {
		if p.Partition >= 0 { // the broker says what it thinks of it
			partitions = append(partitions, p)
			continue
		}
		results = append(results, result{p, unknown})
	}
	done, err := g.admin.DeleteOffsets(ctx, group, partitions)
	var answered *client.Error
	if err != nil && !errors.As(err, &answered) {
		return err
	}
	top := ""
	if err != nil {
		top = faceReason(err)
		for _, p := range partitions {
			results = append(results, result{p, "Error: " + javaText(err)})
		}
	}
	for _, d := range done {
		status := "Successful"
		if d.Err != nil {
			status, top = "Error: "+javaText(d.Err), "Encountered some partition-level error, see the follow-up details."
		}
		results = append(results, result{d.Partition, status})
	}
	if top == "" {
		fmt.Fprintf(g.e.Out, "Request succeeded for deleting offsets from group %s.\n", group)
	} else {
		fmt.Fprintf(g.e.Out, "\nError: %s\n", top)
	}
	slices.SortFunc(results, func(a, b result) int { return client.ComparePartitions(a.Partition, b.Partition) })
	rows := [][]string{{"TOPIC", "PARTITION", "STATUS"}}
	for _, r := range results {
		rows = append(rows, []string{r.Topic, orMissing(int64(r.Partition.Partition)), r.status})
	}
	g.paddedTable([]int{15, -10, -15}, rows)
	return nil
}
