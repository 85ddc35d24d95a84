package cli

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/brokerd/brokerd/pkg/client"
	"github.com/spf13/cobra"
)

func (a *app) topicsDescribe() *cobra.Command {
	var replicas bool
	c := &cobra.Command{Use: "describe NAME...", Short: "Show partitions, leaders, replicas and settings of topics", Args: needNames("topic"),
		Example: "  brokerd topics describe orders\n  brokerd topics describe '.*' -o json\n  brokerd topics describe orders --replicas"}
	c.Flags().BoolVar(&replicas, "replicas", false, "how far each replica is: log end, durable end, lag")
	c.RunE = func(c *cobra.Command, patterns []string) error {
		admin, ctx, done, err := a.admin(c)
		if err != nil {
			return err
		}
		defer done()
		names, err := a.topicsNamed(ctx, admin, patterns)
		if err != nil {
			return err
		}
		if replicas {
			return a.describeReplicas(ctx, admin, names)
		}
		topics, err := admin.DescribeTopics(ctx, names...)
		if err != nil {
			return err
		}
		resources := topicResources(names)
		configs, err := admin.DescribeConfigs(ctx, resources...)
		if err != nil {
			return err
		}
		if a.json() {
			return a.describeJSON(topics, resources, configs)
		}
		if err := a.describeText(topics, resources, configs); err != nil {
			return err
		}
		a.warnFull(admin.FullDirs(ctx, wanting(topics)...))
		return nil
	}
	return c
}

// wanting is the brokers of partitions that are not whole: the disk of one may be
// full.
func wanting(topics []client.TopicDescription) (brokers []int32) {
	for _, t := range topics {
		for _, p := range t.Partitions {
			if len(p.ISR) < len(p.Replicas) {
				brokers = append(brokers, p.Replicas...)
			}
		}
	}
	slices.Sort(brokers)
	return slices.Compact(brokers)
}

// described is a topic with the settings that somebody made.
type described struct {
	client.TopicDescription
	Config map[string]*string `json:"config"`
}

func (a *app) describeJSON(topics []client.TopicDescription, resources []client.Resource, configs map[client.Resource][]client.Setting) error {
	out := make([]described, len(topics))
	for i, t := range topics {
		out[i] = described{t, map[string]*string{}}
		for _, s := range configs[resources[i]] {
			if s.Source != client.DefaultValue {
				out[i].Config[s.Name] = s.Value
			}
		}
	}
	return printJSON(a.e.Out, out)
}

func (a *app) describeText(topics []client.TopicDescription, resources []client.Resource, configs map[client.Resource][]client.Setting) error {
	for i, t := range topics {
		if i > 0 {
			fmt.Fprintln(a.e.Out)
		}
		rf := 0
		if len(t.Partitions) > 0 {
			rf = replicationFactor(t.Partitions[0])
		}
		head := [][]string{{"topic", t.Name}, {"id", t.ID}, {"partitions", strconv.Itoa(len(t.Partitions))}, {"replicas", strconv.Itoa(rf)}}
		if set := overridden(configs[resources[i]]); set != "" {
			head = append(head, []string{"config", set})
		}
		rows := [][]string{{"PARTITION", "LEADER", "EPOCH", "REPLICAS", "IN SYNC", "OUT OF SYNC", "ELIGIBLE"}}
		for _, p := range t.Partitions {
			leader := "none"
			if p.Leader >= 0 {
				leader = strconv.Itoa(int(p.Leader))
			}
			rows = append(rows, []string{strconv.Itoa(int(p.Partition)), leader, strconv.Itoa(int(p.LeaderEpoch)),
				join(p.Replicas, ","), dash(join(p.ISR, ",")), dash(join(outOfSync(p), ",")), dash(join(p.ELR, ","))})
		}
		if err := printTable(a.e.Out, head); err != nil {
			return err
		}
		if err := printTable(a.e.Out, rows); err != nil {
			return err
		}
	}
	return nil
}

// outOfSync are the replicas that are neither in sync nor eligible.
func outOfSync(p client.PartitionDescription) []int32 {
	return slices.DeleteFunc(slices.Clone(p.Replicas), func(id int32) bool {
		return slices.Contains(p.ISR, id) || slices.Contains(p.ELR, id)
	})
}

func (a *app) describeReplicas(ctx context.Context, admin *client.Admin, names []string) error {
	list, err := admin.DescribeReplicas(ctx, names...)
	if err != nil {
		return err
	}
	if a.json() {
		return printJSON(a.e.Out, list)
	}
	number := func(n int64) string {
		if n < 0 {
			return "?"
		}
		return strconv.FormatInt(n, 10)
	}
	rows := [][]string{{"TOPIC", "PARTITION", "REPLICA", "STATE", "LOG END", "DURABLE", "WATERMARK", "LAG", "LAG MS"}}
	for _, p := range list {
		for _, r := range p.Replicas {
			state := r.State.String()
			if r.Broker == p.Leader {
				state = "leader"
			}
			rows = append(rows, []string{p.Topic, strconv.Itoa(int(p.Partition)), strconv.Itoa(int(r.Broker)), state,
				number(r.LogEnd), number(r.DurableEnd), number(p.HighWatermark), number(r.Lag), number(r.LagMs)})
		}
	}
	return printTable(a.e.Out, rows)
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
