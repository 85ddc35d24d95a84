package cli

import (
	"context"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/brokerd/brokerd/pkg/client"
)

const (
	metricWarning = "WARNING: Due to limitations in metric names, topics with a period ('.') or underscore ('_') could collide. " +
		"To avoid issues it is best to use either, but not both."
	useConfigs = " (To alter topic configurations, the kafka-configs tool can be used.)"
)

func kafkaTopics(e *Env, args []string) int {
	table := topicsOptions()
	set, err := parseJopt(table, args)
	var bad *badValue
	if errors.As(err, &bad) { // Java converts late
		fmt.Fprintln(e.Out, "Error while executing topic command : "+bad.Error())
		return 1
	}
	if err != nil {
		fmt.Fprintln(e.Err, err)
		return 1
	}
	if len(args) == 0 {
		return usage(e, table, "Create, delete, describe, or change a topic.")
	}
	if code, done := help(e, table, set, args, "This tool helps to create, delete, describe, or change a topic."); done {
		return code
	}
	if noZooKeeper(e, set) {
		return 1
	}
	if wrong := checkTopics(e, set); wrong != nil {
		var u *usageError
		if errors.As(wrong, &u) {
			return usage(e, table, u.text)
		}
		fmt.Fprintln(e.Err, wrong)
		return 1
	}
	ctx, stop := interruptible()
	defer stop()
	return ended(runTopics(ctx, e, set), func(err error) {
		fmt.Fprintln(e.Out, "Error while executing topic command : "+faceReason(err))
		logLine(e.Err, "ERROR", javaText(err), "org.apache.kafka.tools.TopicCommand")
	})
}

// usageError is answered with the message and the list of options.
type usageError struct{ text string }

func (u *usageError) Error() string { return u.text }

// checkTopics refuses combinations of options, in the order that Kafka does.
func checkTopics(e *Env, set *jset) error {
	actions := 0
	for _, a := range []string{"create", "list", "alter", "describe", "delete"} {
		if set.has(a) {
			actions++
		}
	}
	if actions != 1 {
		return &usageError{"Command must include exactly one action: --list, --describe, --create, --alter or --delete"}
	}
	if set.has("delete-config") {
		fmt.Fprintln(e.Err, "delete-config option is no longer supported and deprecated since version 4.0. The config will be fully removed in future releases.")
	}
	if !set.has("bootstrap-server") {
		return errors.New("--bootstrap-server must be specified")
	}
	if set.has("describe") && set.has("if-exists") {
		if !set.has("topic") && !set.has("topic-id") {
			return &usageError{"--topic or --topic-id is required to describe a topic"}
		}
		if set.has("topic") && set.has("topic-id") {
			fmt.Fprintln(e.Out, "Only topic id will be used when both --topic and --topic-id are specified and topicId is not Uuid.ZERO_UUID")
		}
	}
	if !set.has("list") && !set.has("describe") && !set.has("topic") {
		return &usageError{`Missing required argument "[topic]"`}
	}
	if set.has("alter") {
		if set.has("config") {
			return &usageError{`Option combination "[[bootstrap-server], [config]]" can't be used with option "[alter]"` + useConfigs}
		}
		if !set.has("partitions") {
			return &usageError{`Missing required argument "[partitions]"`}
		}
	}
	return checkTopicPairs(set)
}

// checkTopicPairs refuses options that need another action.
func checkTopicPairs(set *jset) error {
	actions := []string{"alter", "create", "describe", "list", "delete"}
	reports := []string{"under-replicated-partitions", "under-min-isr-partitions", "at-min-isr-partitions", "unavailable-partitions"}
	rules := []struct {
		option string
		with   []string // the actions that take it
		not    []string // other options that exclude it
	}{
		{"config", []string{"alter", "create"}, nil},
		{"partitions", []string{"alter", "create"}, nil},
		{"replication-factor", []string{"create"}, nil},
		{"replica-assignment", []string{"alter", "create"}, nil},
		{"under-replicated-partitions", []string{"describe"}, []string{"topics-with-overrides"}},
		{"under-min-isr-partitions", []string{"describe"}, []string{"topics-with-overrides"}},
		{"at-min-isr-partitions", []string{"describe"}, []string{"topics-with-overrides"}},
		{"unavailable-partitions", []string{"describe"}, []string{"topics-with-overrides"}},
		{"topics-with-overrides", []string{"describe"}, reports},
		{"if-exists", []string{"alter", "delete", "describe"}, nil},
		{"if-not-exists", []string{"create"}, nil},
		{"exclude-internal", []string{"list", "describe"}, nil},
	}
	for _, r := range rules {
		if !set.has(r.option) {
			continue
		}
		for _, a := range append(actions, r.not...) {
			if set.has(a) && !slices.Contains(r.with, a) {
				return &usageError{fmt.Sprintf(`Option "[%s]" can't be used with option "[%s]"`, r.option, a)}
			}
		}
		if r.option == "replica-assignment" && set.has("create") {
			for _, o := range []string{"partitions", "replication-factor"} {
				if set.has(o) {
					return &usageError{fmt.Sprintf(`Option "[replica-assignment]" can't be used with option "[%s]"`, o)}
				}
			}
		}
	}
	return nil
}

func runTopics(ctx context.Context, e *Env, set *jset) error {
	topic := client.Topic{Name: set.one("topic", "")}
	if set.has("create") {
		if strings.ContainsAny(topic.Name, "._") {
			fmt.Fprintln(e.Out, metricWarning)
		}
		if err := wantedTopic(set, &topic); err != nil {
			return err
		}
	}
	c, ctx, closeClient, err := dialFace(ctx, e, set)
	if err != nil {
		return err
	}
	defer closeClient()
	admin := c.Admin()
	switch {
	case set.has("create"):
		_, err := admin.CreateTopic(ctx, topic)
		if errors.Is(err, client.ErrTopicExists) && set.has("if-not-exists") {
			return nil
		}
		if err == nil {
			fmt.Fprintf(e.Out, "Created topic %s.\n", topic.Name)
		}
		return err
	case set.has("list"):
		names, err := matchTopics(ctx, admin, set)
		if err == nil {
			_, err = fmt.Fprintln(e.Out, strings.Join(names, "\n"))
		}
		return err
	case set.has("describe"):
		return describeTopicsFace(ctx, e, admin, set)
	case set.has("alter"):
		return alterTopicsFace(ctx, admin, set)
	default:
		return deleteTopicsFace(ctx, admin, set)
	}
}

// wantedTopic reads what --create asks for.
func wantedTopic(set *jset, t *client.Topic) error {
	config, err := topicConfig(set.values["config"])
	if err != nil {
		return err
	}
	t.Config = config
	if rf := set.number("replication-factor", 1); rf < 1 || rf > math.MaxInt16 {
		return fmt.Errorf("The replication factor must be between 1 and %d inclusive", math.MaxInt16)
	}
	if set.number("partitions", 1) < 1 {
		return errors.New("The partitions must be greater than 0")
	}
	t.Partitions, t.Replicas = int32(set.number("partitions", 0)), int16(set.number("replication-factor", 0))
	t.Assignment, err = replicaAssignment(set.one("replica-assignment", ""))
	return err
}

func topicConfig(pairs []string) (client.Config, error) {
	config := client.Config{}
	for _, p := range pairs {
		parts := regexp.MustCompile(`\s*=\s*`).Split(p, -1)
		if len(parts) != 2 || parts[1] == "" {
			return nil, errors.New(`requirement failed: Invalid topic config: all configs to be added must be in the format "key=val".`)
		}
		config[strings.TrimSpace(parts[0])] = strings.TrimSpace(parts[1])
	}
	return config, nil
}

// replicaAssignment reads 0:1,1:2 as the replicas of partition 0 and 1.
func replicaAssignment(s string) ([][]int32, error) {
	if s == "" {
		return nil, nil
	}
	var all [][]int32
	for i, part := range strings.Split(s, ",") {
		var replicas []int32
		for _, id := range strings.Split(part, ":") {
			n, err := strconv.ParseInt(strings.TrimSpace(id), 10, 32)
			if err != nil {
				return nil, fmt.Errorf("For input string: %q", strings.TrimSpace(id))
			}
			if slices.Contains(replicas, int32(n)) {
				return nil, fmt.Errorf("Partition replica lists may not contain duplicate entries: %d", n)
			}
			replicas = append(replicas, int32(n))
		}
		if len(all) > 0 && len(replicas) != len(all[0]) {
			return nil, fmt.Errorf("Partition %d has different replication factor: %s", i, javaList(replicas))
		}
		all = append(all, replicas)
	}
	return all, nil
}

func javaList(ids []int32) string { return "[" + join(ids, ", ") + "]" }

func join(ids []int32, sep string) string {
	parts := make([]string, len(ids))
	for i, id := range ids {
		parts[i] = strconv.Itoa(int(id))
	}
	return strings.Join(parts, sep)
}

// matchTopics lists topics by name, filtered by --topic (a list of regular
// expressions) and --exclude-internal.
func matchTopics(ctx context.Context, admin *client.Admin, set *jset) ([]string, error) {
	list, err := admin.Topics(ctx)
	if err != nil {
		return nil, err
	}
	matches, err := topicFilter(set)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, t := range list {
		if matches(t.Name) && !(t.Internal && set.has("exclude-internal")) {
			names = append(names, t.Name)
		}
	}
	return names, nil
}

// topicFilter compiles --topic: commas separate alternatives, quotes are dropped.
func topicFilter(set *jset) (func(string) bool, error) {
	if !set.has("topic") {
		return func(string) bool { return true }, nil
	}
	pattern := strings.Trim(strings.TrimSpace(set.one("topic", "")), `"'`)
	pattern = strings.ReplaceAll(strings.ReplaceAll(pattern, ",", "|"), " ", "")
	re, err := regexp.Compile("^(?:" + pattern + ")$")
	if err != nil {
		return nil, fmt.Errorf("%s is an invalid regex.", pattern)
	}
	return re.MatchString, nil
}

// mustExist refuses a --topic that matched nothing.
func mustExist(found []string, set *jset) error {
	if name := set.one("topic", ""); len(found) == 0 && name != "" && !set.has("if-exists") {
		return fmt.Errorf("Topic '%s' does not exist as expected", name)
	}
	return nil
}

func alterTopicsFace(ctx context.Context, admin *client.Admin, set *jset) error {
	assignment, err := replicaAssignment(set.one("replica-assignment", ""))
	if err != nil {
		return err
	}
	names, err := matchTopics(ctx, admin, set)
	if err == nil {
		err = mustExist(names, set)
	}
	if err != nil || len(names) == 0 {
		return err
	}
	described, err := admin.DescribeTopics(ctx, names...)
	if err != nil {
		return err
	}
	for _, t := range described {
		var added [][]int32
		if assignment != nil { // the broker refuses one that is too short, an empty one too
			added = assignment[min(len(assignment), len(t.Partitions)):]
		}
		if err := admin.GrowTopic(ctx, t.Name, int32(set.number("partitions", 0)), added...); err != nil {
			return err
		}
	}
	return nil
}

func deleteTopicsFace(ctx context.Context, admin *client.Admin, set *jset) error {
	names, err := matchTopics(ctx, admin, set)
	if err == nil {
		err = mustExist(names, set)
	}
	if err != nil {
		return err
	}
	var first error // the others are deleted all the same
	for _, n := range names {
		if err := admin.DeleteTopic(ctx, n); err != nil && first == nil {
			first = err
		}
	}
	return first
}
