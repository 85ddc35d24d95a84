package cli

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"time"

	"github.com/brokerd/brokerd/pkg/client"
)

const consumerGroupsHelp = "This tool helps to list all consumer groups, describe a consumer group, delete consumer group info, or reset consumer group offsets."

func kafkaConsumerGroups(e *Env, args []string) int {
	table := consumerGroupsOptions()
	set, err := parseJopt(table, args)
	var bad *badValue
	if errors.As(err, &bad) { // Java converts late
		return groupsFailed(e, &faceError{bad.Error(), "joptsimple.OptionArgumentConversionException: " + bad.Error()})
	}
	if err == nil {
		err = unavailable(set)
	}
	if err != nil {
		return uncaught(e, err)
	}
	if code, done := help(e, table, set, args, consumerGroupsHelp); done {
		return code
	}
	if noZooKeeper(e, set) {
		return 1
	}
	if err := checkConsumerGroups(e, set); err != nil {
		return usage(e, table, err.Error())
	}
	if set.has("validate-regex") {
		validateRegex(e, set.one("validate-regex", ""))
		return 0
	}
	ctx, stop := interruptible()
	defer stop()
	err = runConsumerGroups(ctx, e, set)
	var u *usageError
	if errors.As(err, &u) {
		return usage(e, table, u.text)
	}
	if err != nil && !gone(err) {
		return groupsFailed(e, err)
	}
	return 0
}

// faceError is an error with the words that Kafka's tool has for it.
type faceError struct {
	text  string // after "failed due to"
	trace string // the first line of Java's stack trace
}

func (f *faceError) Error() string { return f.text }

// groupsFailed prints an error of the whole command. Kafka's exit code is 0.
func groupsFailed(e *Env, err error) int {
	var f *faceError
	if !errors.As(err, &f) {
		f = &faceError{javaText(err), "java.util.concurrent.ExecutionException: " + javaText(err)}
	}
	fmt.Fprintln(e.Out, "\nError: Executing consumer group command failed due to "+f.text)
	fmt.Fprintln(e.Err, f.trace)
	return 0
}

// unavailable refuses options that only go with others.
func unavailable(set *jset) error {
	var names []string
	for _, r := range []struct {
		option string
		with   []string
	}{
		{"members", []string{"describe"}}, {"offsets", []string{"describe"}}, {"state", []string{"describe", "list"}},
		{"type", []string{"list"}}, {"verbose", []string{"describe"}},
	} {
		if set.has(r.option) && !slices.ContainsFunc(r.with, set.has) {
			names = append(names, r.option)
		}
	}
	if len(names) == 0 {
		return nil
	}
	return joptErrorf("UnavailableOptionException", "Option(s) [%s] are unavailable given other options on the command line", strings.Join(names, ", "))
}

var resetScenarios = []string{"to-current", "to-earliest", "to-offset", "shift-by", "from-file", "to-datetime", "by-duration", "to-latest"}

// checkConsumerGroups refuses combinations of options, in the order that Kafka does.
func checkConsumerGroups(e *Env, set *jset) error {
	if !set.has("validate-regex") && !set.has("bootstrap-server") {
		return errors.New(`Missing required argument "[bootstrap-server]"`)
	}
	noGroup := !set.has("group") && !set.has("all-groups")
	if set.has("describe") {
		if noGroup {
			return errors.New("Option [describe] takes one of these options: [group], [all-groups]")
		}
		if len(set.values["members"])+len(set.values["offsets"])+len(set.values["state"]) > 1 {
			return errors.New("Option [describe] takes at most one of these options: [members], [offsets], [state]")
		}
		if set.one("state", "") != "" {
			return errors.New("Option [describe] does not take a value for [state]")
		}
	}
	if set.has("delete") {
		if noGroup {
			return errors.New("Option [delete] takes one of these options: [group], [all-groups]")
		}
		if set.has("topic") {
			return errors.New("The consumer does not support topic-specific offset deletion from a consumer group.")
		}
	}
	if set.has("delete-offsets") && (!set.has("group") || !set.has("topic")) {
		return errors.New("Option [delete-offsets] takes the following options: [group], [topic]")
	}
	if set.has("reset-offsets") {
		if err := checkReset(e, set, noGroup); err != nil {
			return err
		}
	}
	for _, pair := range [][2]string{{"group", "all-groups"}, {"group", "list"}, {"topic", "list"}, {"topic", "describe"}} {
		if set.has(pair[0]) && set.has(pair[1]) {
			return fmt.Errorf(`Option "[%s]" can't be used with option "[%s]"`, pair[0], pair[1])
		}
	}
	actions := 0
	for _, a := range []string{"list", "describe", "delete", "reset-offsets", "delete-offsets", "validate-regex"} {
		if set.has(a) {
			actions++
		}
	}
	if actions != 1 {
		return errors.New("Command must include exactly one action: --list, --describe, --delete, --reset-offsets, --delete-offsets, --validate-regex")
	}
	return nil
}

func checkReset(e *Env, set *jset, noGroup bool) error {
	if set.has("dry-run") && set.has("execute") {
		return errors.New("Option [reset-offsets] only accepts one of [execute] and [dry-run]")
	}
	if !set.has("dry-run") && !set.has("execute") {
		fmt.Fprintln(e.Err, "WARN: No action will be performed as the --execute option is missing. In version 5.0, this command will require either --dry-run or --execute to be specified. "+
			"You should add the --dry-run option explicitly if you are scripting this command and want to keep the current default behavior without prompting.")
	}
	if noGroup {
		return errors.New("Option [reset-offsets] takes one of these options: [group], [all-groups]")
	}
	for _, a := range []string{"to-offset", "to-datetime", "by-duration", "to-earliest", "to-latest", "to-current", "shift-by", "from-file"} {
		for _, b := range resetScenarios {
			if a != b && set.has(a) && set.has(b) {
				return fmt.Errorf(`Option "[%s]" can't be used with option "[%s]"`, a, b)
			}
		}
	}
	return nil
}

// validateRegex tells whether a consumer may subscribe with a pattern. RE2 is
// Go's own kind of pattern.
func validateRegex(e *Env, pattern string) {
	if _, err := regexp.Compile(pattern); err != nil {
		why := err.Error()
		var s *syntax.Error
		if errors.As(err, &s) {
			why = s.Code.String()
		}
		fmt.Fprintf(e.Out, "The regular expression `%s` is invalid: %s.\n", pattern, why)
		return
	}
	fmt.Fprintf(e.Out, "The regular expression `%s` is valid.\n", pattern)
}

func runConsumerGroups(ctx context.Context, e *Env, set *jset) error {
	types, states, err := listFilters(set)
	if err != nil {
		return err
	}
	c, ctx, closeClient, err := dialFace(ctx, e, set)
	if err != nil {
		return err
	}
	defer closeClient()
	ctx, cancel := context.WithTimeout(ctx, time.Duration(set.number("timeout", 30000))*time.Millisecond)
	defer cancel()
	g := groupsFace{e: e, set: set, admin: c.Admin()}
	if set.has("list") {
		return g.list(ctx, types, states)
	}
	if set.has("delete-offsets") {
		return g.deleteOffsets(ctx)
	}
	groups := set.values["group"]
	if set.has("all-groups") {
		infos, err := g.consumerGroups(ctx, nil, nil)
		if err != nil {
			return err
		}
		for _, info := range infos {
			groups = append(groups, info.Name)
		}
	}
	groups = slices.Compact(slices.Sorted(slices.Values(groups)))
	switch {
	case set.has("describe"):
		return g.describe(ctx, groups)
	case set.has("delete"):
		return g.delete(ctx, groups)
	default:
		return g.reset(ctx, groups)
	}
}

// groupsFace is one call of kafka-consumer-groups.
type groupsFace struct {
	e     *Env
	set   *jset
	admin *client.Admin
}

// groupStates are those that a group of consumers can be in, in Kafka's order.
var groupStates = []string{"Assigning", "Dead", "CompletingRebalance", "Empty", "Reconciling", "PreparingRebalance", "Stable"}

func listFilters(set *jset) (types, states []string, err error) {
	if !set.has("list") {
		return nil, nil, nil
	}
	var ok bool
	if states, ok = spelled(set.one("state", ""), groupStates); !ok {
		return nil, nil, &usageError{fmt.Sprintf("Invalid state list '%s'. Valid states are: %s", set.one("state", ""), strings.Join(groupStates, ", "))}
	}
	if types, ok = spelled(set.one("type", ""), []string{"Consumer", "Classic"}); !ok {
		return nil, nil, &usageError{fmt.Sprintf("Invalid types list '%s'. Valid types are: Consumer, Classic", set.one("type", ""))}
	}
	return types, states, nil
}

// spelled reads a comma list in Kafka's spelling, whatever the case. ok is
// false if it names something else.
func spelled(list string, valid []string) (found []string, ok bool) {
	if list == "" {
		return nil, true
	}
	for _, word := range strings.Split(list, ",") {
		i := slices.IndexFunc(valid, func(v string) bool { return strings.EqualFold(v, strings.TrimSpace(word)) })
		if i < 0 {
			return nil, false
		}
		found = append(found, valid[i])
	}
	return found, true
}

// consumerGroups lists groups of consumers, and those that only commit.
func (g *groupsFace) consumerGroups(ctx context.Context, types, states []string) ([]client.GroupInfo, error) {
	all, err := g.admin.Groups(ctx, types, states)
	return slices.DeleteFunc(all, func(i client.GroupInfo) bool { return !ofConsumers(i) }), err
}

func ofConsumers(i client.GroupInfo) bool {
	return i.Type == "Consumer" || (i.Type == "Classic" || i.Type == "") && (i.Protocol == "consumer" || i.Protocol == "")
}

func (g *groupsFace) list(ctx context.Context, types, states []string) error {
	infos, err := g.consumerGroups(ctx, types, states)
	if err != nil {
		return err
	}
	if !g.set.has("type") && !g.set.has("state") {
		for _, i := range infos {
			if _, err := fmt.Fprintln(g.e.Out, i.Name); err != nil {
				return err
			}
		}
		return nil
	}
	width := 15
	for _, i := range infos {
		width = max(width, len(i.Name))
	}
	line := func(group, kind, state string) error {
		text := fmt.Sprintf("%-*s", width+10, group)
		if g.set.has("type") {
			text += fmt.Sprintf(" %-20s", kind)
		}
		if g.set.has("state") {
			text += fmt.Sprintf(" %-20s", state)
		}
		_, err := fmt.Fprintln(g.e.Out, text)
		return err
	}
	err = line("GROUP", "TYPE", "STATE")
	for _, i := range infos {
		if err == nil {
			err = line(i.Name, orUnknown(i.Type), orUnknown(i.State))
		}
	}
	return err
}

func orUnknown(s string) string {
	if s == "" {
		return "Unknown"
	}
	return s
}

func (g *groupsFace) delete(ctx context.Context, groups []string) error {
	failed, err := g.admin.DeleteGroups(ctx, groups...)
	if err != nil {
		return err
	}
	var deleted, refused []string
	for i, name := range groups {
		if failed[i] == nil {
			deleted = append(deleted, "'"+name+"'")
		} else {
			refused = append(refused, fmt.Sprintf("* Group '%s' could not be deleted due to: %s", name, javaText(withoutWords(failed[i]))))
		}
	}
	if len(refused) == 0 {
		fmt.Fprintf(g.e.Out, "Deletion of requested consumer groups (%s) was successful.\n", strings.Join(deleted, ", "))
		return nil
	}
	fmt.Fprintf(g.e.Out, "\nError: Deletion of some consumer groups failed:\n%s\n", strings.Join(refused, "\n"))
	if len(deleted) > 0 {
		fmt.Fprintf(g.e.Out, "\nThese consumer groups were deleted successfully: %s\n", strings.Join(deleted, ", "))
	}
	return nil
}

// withoutWords leaves the broker's own words out of an error: Kafka's tool speaks a
// version of DeleteGroups that has none, and prints the code's.
func withoutWords(err error) error {
	var k *client.Error
	if errors.As(err, &k) {
		return &client.Error{Doing: k.Doing, Name: k.Name, Code: k.Code}
	}
	return err
}
