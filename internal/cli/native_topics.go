package cli

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/brokerd/brokerd/pkg/client"
	"github.com/spf13/cobra"
)

func (a *app) topicsCommand() *cobra.Command {
	c := a.connects(&cobra.Command{Use: "topics", Aliases: []string{"topic"}, Short: "Create, list, describe, alter and delete topics"})
	c.AddCommand(a.topicsCreate(), a.topicsList(), a.topicsDescribe(), a.topicsAlter(), a.topicsDelete())
	return c
}

func (a *app) topicsCreate() *cobra.Command {
	var partitions int32
	var replicas int16
	var configs []string
	var assignment string
	var ifNotExists, dry bool
	c := &cobra.Command{Use: "create NAME...", Short: "Create topics", Args: needNames("topic"),
		Example: "  brokerd topics create orders --partitions 3\n  brokerd topics create orders --config retention.ms=7d --if-not-exists"}
	f := c.Flags()
	f.Int32VarP(&partitions, "partitions", "p", 0, "number of partitions (default: the broker's num.partitions)")
	f.Int16VarP(&replicas, "replication-factor", "r", 0, "replicas of each partition (default: the broker's default.replication.factor)")
	f.StringArrayVarP(&configs, "config", "c", nil, "a setting of the topic, `key=value`; 7d and 1GiB are understood")
	f.StringVar(&assignment, "replica-assignment", "", "replicas by partition, `0:1,1:2`, instead of a number")
	f.BoolVar(&ifNotExists, "if-not-exists", false, "a topic that exists already is no error")
	f.BoolVar(&dry, "dry-run", false, "check everything, create nothing")
	c.RunE = func(c *cobra.Command, names []string) error {
		t := client.Topic{Partitions: partitions, Replicas: replicas, Config: client.Config{}}
		if f.Changed("partitions") && partitions < 1 {
			return usageErr("give at least 1", "--partitions %d", partitions)
		}
		if f.Changed("replication-factor") && replicas < 1 {
			return usageErr("give at least 1", "--replication-factor %d", replicas)
		}
		if err := client.Properties(t.Config).Set(configs...); err != nil {
			return usageErr("give --config key=value", "%v", err)
		}
		for k, v := range t.Config {
			t.Config[k] = plain(k, v)
		}
		var err error
		if t.Assignment, err = replicaAssignment(assignment); err != nil {
			return usageErr("give broker ids as 0:1,1:2", "--replica-assignment %s: %v", assignment, err)
		}
		admin, ctx, done, err := a.admin(c)
		if err != nil {
			return err
		}
		defer done()
		var list []outcome
		for _, n := range names {
			t.Name = n
			if strings.Contains(n, ".") && strings.Contains(n, "_") {
				a.warn(fmt.Sprintf("topic %q has both '.' and '_', which metric names cannot tell apart", n))
			}
			list = append(list, a.createOne(ctx, admin, t, ifNotExists, dry))
		}
		return a.outcomes(list)
	}
	return c
}

func (a *app) createOne(ctx context.Context, admin *client.Admin, t client.Topic, ifNotExists, dry bool) outcome {
	o := outcome{Name: t.Name, Status: "created", text: "created topic " + t.Name}
	create := admin.CreateTopic
	if dry {
		o.Status, o.text, create = "valid", "would create topic "+t.Name, admin.ValidateTopic
	}
	_, err := create(ctx, t)
	switch {
	case err == nil:
	case ifNotExists && errors.Is(err, client.ErrTopicExists):
		o.Status, o.text = "exists", "topic "+t.Name+" exists already"
	default:
		o.err = a.explainTopic(ctx, admin, t, err)
	}
	return o
}

// explainTopic adds to a refusal what the cluster can tell about it.
func (a *app) explainTopic(ctx context.Context, admin *client.Admin, t client.Topic, err error) *cliError {
	if !errors.Is(err, client.ErrReplicationFactor) {
		return explained(err, a.address)
	}
	cluster, lookErr := admin.Cluster(ctx)
	if lookErr != nil || int(t.Replicas) <= len(cluster.Brokers) {
		return explained(err, a.address)
	}
	ids := idsOf(cluster.Brokers)
	noun, verb := "broker", "is"
	if len(ids) != 1 {
		noun, verb = "brokers", "are"
	}
	return &cliError{code: exitFailed, err: err,
		text: fmt.Sprintf("topic %q not created: replication factor %d needs %d live brokers, %d %s registered (%s)", t.Name, t.Replicas, t.Replicas, len(ids), verb, "node "+join(ids, ", ")),
		hint: fmt.Sprintf("use --replication-factor %d here, or start more brokers (%d %s now)", max(len(ids), 1), len(ids), noun)}
}

func needNames(kind string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return usageErr("as in: "+strings.TrimSpace(strings.Split(c.Example, "\n")[0]), "name at least one %s", kind)
		}
		return nil
	}
}

func (a *app) topicsList() *cobra.Command {
	var noHeaders, noInternal bool
	c := &cobra.Command{Use: "list [REGEX]", Short: "List topics", Args: cobra.MaximumNArgs(1),
		Example: "  brokerd topics list\n  brokerd topics list 'orders.*' -o json"}
	c.Flags().BoolVar(&noHeaders, "no-headers", false, "leave the header line out")
	c.Flags().BoolVar(&noInternal, "exclude-internal", false, "leave internal topics out")
	c.RunE = func(c *cobra.Command, args []string) error {
		matches, err := anyOf(args)
		if err != nil {
			return err
		}
		admin, ctx, done, err := a.admin(c)
		if err != nil {
			return err
		}
		defer done()
		all, err := admin.Topics(ctx)
		if err != nil {
			return err
		}
		list := []client.TopicInfo{}
		for _, t := range all {
			if matches(t.Name) && !(t.Internal && noInternal) {
				list = append(list, t)
			}
		}
		if a.json() {
			return printJSON(a.e.Out, list)
		}
		rows := [][]string{{"NAME", "PARTITIONS", "REPLICAS"}}
		if a.output == "wide" {
			rows[0] = append(rows[0], "ID", "INTERNAL")
		}
		if noHeaders {
			rows = rows[:0]
		}
		for _, t := range list {
			row := []string{t.Name, strconv.Itoa(t.Partitions), strconv.Itoa(t.Replicas)}
			if a.output == "wide" {
				row = append(row, t.ID, strconv.FormatBool(t.Internal))
			}
			rows = append(rows, row)
		}
		return printTable(a.e.Out, rows)
	}
	return c
}

// anyOf compiles regular expressions on whole names; none matches everything.
func anyOf(patterns []string) (func(string) bool, error) {
	if len(patterns) == 0 {
		return func(string) bool { return true }, nil
	}
	re, err := regexp.Compile("^(?:" + strings.Join(patterns, "|") + ")$")
	if err != nil {
		return nil, usageErr("quote what stands for itself with \\", "%q is not a regular expression: %v", strings.Join(patterns, "|"), err)
	}
	return re.MatchString, nil
}

// topicsNamed resolves names and regular expressions to topics that exist.
func (a *app) topicsNamed(ctx context.Context, admin *client.Admin, patterns []string) ([]string, error) {
	all, err := admin.Topics(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	seen := map[string]bool{}
	for _, p := range patterns {
		matches, err := anyOf([]string{p})
		if err != nil {
			return nil, err
		}
		found := false
		for _, t := range all {
			if t.Name == p || matches(t.Name) {
				found = true
				if !seen[t.Name] {
					seen[t.Name], names = true, append(names, t.Name)
				}
			}
		}
		if !found {
			return nil, a.noSuchTopic(p, all)
		}
	}
	return names, nil
}

func (a *app) noSuchTopic(name string, all []client.TopicInfo) error {
	hint := "`brokerd topics list` shows the topics that exist"
	if len(all) == 0 {
		hint = "there are no topics yet: `brokerd topics create " + name + "` makes one"
	}
	if best := client.Nearest(name, topicNames(all)); best != "" {
		hint = fmt.Sprintf("did you mean %q?", best)
	}
	return &cliError{text: fmt.Sprintf("topic %q does not exist", name), hint: hint, code: exitNotFound}
}

func topicNames(list []client.TopicInfo) []string {
	names := make([]string, len(list))
	for i, t := range list {
		names[i] = t.Name
	}
	return names
}

func (a *app) topicsAlter() *cobra.Command {
	var partitions int32
	var assignment string
	var dry bool
	var replicas int16
	c := &cobra.Command{Use: "alter NAME...", Short: "Add partitions to topics, or change how many replicas they have", Args: needNames("topic"),
		Example: "  brokerd topics alter orders --partitions 6\n  brokerd topics alter orders --replication-factor 3   then: brokerd topics describe orders",
		Long: "Add partitions to topics, or change how many replicas they have: new ones go to the brokers of other racks that have least, and of\n" +
			"surplus ones those go first that are out of sync, then the last. Settings are altered by: brokerd configs alter --topic NAME --set key=value"}
	c.Flags().Int32VarP(&partitions, "partitions", "p", 0, "new number of partitions")
	c.Flags().Int16VarP(&replicas, "replication-factor", "r", 0, "new number of replicas of each partition")
	c.Flags().StringVar(&assignment, "replica-assignment", "", "replicas of all partitions, `0:1,1:2`; only those of new ones count")
	c.Flags().BoolVar(&dry, "dry-run", false, "check everything, change nothing")
	c.RunE = func(c *cobra.Command, patterns []string) error {
		if c.Flags().Changed("replication-factor") {
			if replicas < 1 || partitions != 0 || assignment != "" {
				return usageErr("as in: brokerd topics alter orders --replication-factor 3", "--replication-factor stands alone, and is at least 1")
			}
			return a.alterReplicas(c, patterns, int(replicas), dry)
		}
		if partitions < 1 {
			return usageErr("as in: brokerd topics alter orders --partitions 6", "--partitions or --replication-factor is needed, and at least 1")
		}
		all, err := replicaAssignment(assignment)
		if err != nil {
			return usageErr("give broker ids as 0:1,1:2", "--replica-assignment %s: %v", assignment, err)
		}
		admin, ctx, done, err := a.admin(c)
		if err != nil {
			return err
		}
		defer done()
		names, err := a.topicsNamed(ctx, admin, patterns)
		if err != nil {
			return err
		}
		topics, err := admin.DescribeTopics(ctx, names...)
		if err != nil {
			return err
		}
		grow, status, verb := admin.GrowTopic, "altered", "altered"
		if dry {
			grow, status, verb = admin.ValidateGrowTopic, "valid", "would alter"
		}
		var list []outcome
		for _, t := range topics {
			o := outcome{Name: t.Name, Status: status, text: fmt.Sprintf("%s topic %s: %d partitions, before %d", verb, t.Name, partitions, len(t.Partitions))}
			if err := grow(ctx, t.Name, partitions, all[min(len(t.Partitions), len(all)):]...); err != nil {
				o.err = explained(err, a.address)
			}
			list = append(list, o)
		}
		return a.outcomes(list)
	}
	return c
}

func (a *app) topicsDelete() *cobra.Command {
	var yes, ifExists, dry bool
	c := &cobra.Command{Use: "delete NAME...", Short: "Delete topics with all their records", Args: needNames("topic"),
		Example: "  brokerd topics delete orders --yes"}
	c.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	c.Flags().BoolVar(&ifExists, "if-exists", false, "a topic that does not exist is no error")
	c.Flags().BoolVar(&dry, "dry-run", false, "say what would be deleted, delete nothing")
	c.RunE = func(c *cobra.Command, names []string) error {
		if !dry {
			if err := a.confirm(yes, "delete topic", names...); err != nil {
				return err
			}
		}
		admin, ctx, done, err := a.admin(c)
		if err != nil {
			return err
		}
		defer done()
		all, err := admin.Topics(ctx)
		if err != nil {
			return err
		}
		exists := map[string]bool{}
		for _, t := range all {
			exists[t.Name] = true
		}
		var list []outcome
		for _, n := range names {
			o := outcome{Name: n, Status: "deleted", text: "deleted topic " + n}
			switch {
			case !exists[n] && ifExists:
				o.Status, o.text = "missing", "topic "+n+" does not exist"
			case !exists[n]:
				o.err = explained(a.noSuchTopic(n, all), a.address)
			case dry:
				o.Status, o.text = "valid", "would delete topic "+n
			default:
				if err := admin.DeleteTopic(ctx, n); err != nil {
					o.err = explained(err, a.address)
				}
			}
			list = append(list, o)
		}
		return a.outcomes(list)
	}
	return c
}
