package cli

import (
	"context"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"github.com/brokerd/brokerd/pkg/client"
)

// describeTopicsFace prints topics as kafka-topics --describe does.
func describeTopicsFace(ctx context.Context, e *Env, admin *client.Admin, set *jset) error {
	names, err := topicsToDescribe(ctx, admin, set)
	if err != nil || len(names) == 0 {
		return err
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
	cluster, err := admin.Cluster(ctx)
	if err != nil {
		return err
	}
	live := map[int32]bool{}
	for _, b := range cluster.Brokers {
		live[b.ID] = true
	}
	d := describer{set: set, live: live, legacy: set.has("legacy-format")}
	for i, t := range topics {
		if err := d.print(e, t, configs[resources[i]]); err != nil {
			return err
		}
	}
	return nil
}

func topicsToDescribe(ctx context.Context, admin *client.Admin, set *jset) ([]string, error) {
	id := set.one("topic-id", "")
	if id == "" || id == "AAAAAAAAAAAAAAAAAAAAAA" {
		names, err := matchTopics(ctx, admin, set)
		if err == nil {
			err = mustExist(names, set)
		}
		return names, err
	}
	if _, err := client.ParseID(id); err != nil {
		return nil, badTopicID(id)
	}
	list, err := admin.Topics(ctx)
	if err != nil {
		return nil, err
	}
	for _, t := range list {
		if t.ID == id {
			return []string{t.Name}, nil
		}
	}
	if set.has("if-exists") {
		return nil, nil
	}
	return nil, fmt.Errorf("TopicId '%s' does not exist as expected", id)
}

// badTopicID says what Java's Uuid.fromString says.
func badTopicID(id string) error {
	if len(id) > 24 {
		return fmt.Errorf("Input string with prefix `%s` is too long to be decoded as a base64 UUID", id[:24])
	}
	b, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(id, "="))
	if err != nil {
		return fmt.Errorf("Illegal base64 character in topic id `%s`", id)
	}
	return fmt.Errorf("Input string `%s` decoded as %d bytes, which is not equal to the expected 16 bytes of a base64-encoded UUID", id, len(b))
}

// describer prints one topic after the other.
type describer struct {
	set    *jset
	live   map[int32]bool
	legacy bool // the layout of Kafka 3: no ELR
}

func (d describer) print(e *Env, t client.TopicDescription, settings []client.Setting) error {
	var b strings.Builder
	overrides := overridden(settings)
	onlyPartitions := d.set.has("unavailable-partitions") || d.set.has("under-replicated-partitions") ||
		d.set.has("under-min-isr-partitions") || d.set.has("at-min-isr-partitions")
	if !onlyPartitions && (!d.set.has("topics-with-overrides") || overrides != "") {
		d.topicLine(&b, t, overrides)
	}
	if !d.set.has("topics-with-overrides") {
		minISR := minISR(settings)
		for _, p := range t.Partitions {
			if !onlyPartitions || d.wanted(p, minISR) {
				d.partitionLine(&b, t.Name, p)
			}
		}
	}
	_, err := fmt.Fprint(e.Out, b.String())
	return err
}

func (d describer) topicLine(b *strings.Builder, t client.TopicDescription, overrides string) {
	fmt.Fprintf(b, "Topic: %s", t.Name)
	if t.ID != "" {
		fmt.Fprintf(b, "\tTopicId: %s", t.ID)
	}
	rf := 0
	if len(t.Partitions) > 0 {
		rf = replicationFactor(t.Partitions[0])
	}
	fmt.Fprintf(b, "\tPartitionCount: %d\tReplicationFactor: %d\tConfigs: %s\n", len(t.Partitions), rf, overrides)
}

func (d describer) partitionLine(b *strings.Builder, topic string, p client.PartitionDescription) {
	leader := "none"
	if p.Leader >= 0 {
		leader = strconv.Itoa(int(p.Leader))
	}
	fmt.Fprintf(b, "\tTopic: %s\tPartition: %d\tLeader: %s\tReplicas: %s\tIsr: %s",
		topic, p.Partition, leader, join(p.Replicas, ","), join(p.ISR, ","))
	if len(p.Adding)+len(p.Removing) > 0 {
		fmt.Fprintf(b, "\tAdding Replicas: %s\tRemoving Replicas: %s", join(p.Adding, ","), join(p.Removing, ","))
	}
	if !d.legacy {
		fmt.Fprintf(b, "\tElr: %s\tLastKnownElr: %s", orNA(p.ELR), orNA(p.LastKnownELR))
	}
	b.WriteByte('\n')
}

func orNA(ids []int32) string {
	if ids == nil {
		return "N/A"
	}
	return join(ids, ",")
}

// wanted reports whether one of the asked reports has the partition.
func (d describer) wanted(p client.PartitionDescription, minISR int) bool {
	leaderless := p.Leader < 0
	return d.set.has("under-replicated-partitions") && replicationFactor(p) > len(p.ISR) ||
		d.set.has("unavailable-partitions") && (leaderless || !d.live[p.Leader]) ||
		d.set.has("under-min-isr-partitions") && (leaderless || len(p.ISR) < minISR) ||
		d.set.has("at-min-isr-partitions") && len(p.ISR) == minISR
}

// replicationFactor does not count replicas that are being added.
func replicationFactor(p client.PartitionDescription) int { return len(p.Replicas) - len(p.Adding) }

// overridden lists what is not a default, by name.
func overridden(settings []client.Setting) string {
	var list []string
	for _, s := range settings {
		if s.Source != client.DefaultValue {
			list = append(list, s.Name+"="+valueOf(s.Value))
		}
	}
	return strings.Join(list, ",")
}

func valueOf(v *string) string {
	if v == nil {
		return "null"
	}
	return *v
}

func minISR(settings []client.Setting) int {
	for _, s := range settings {
		if s.Name == "min.insync.replicas" && s.Value != nil {
			n, _ := strconv.Atoi(*s.Value) // 0 when a broker writes it otherwise: nothing is under it
			return n
		}
	}
	return 1
}
