package cli

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/brokerd/brokerd/pkg/client"
	"github.com/spf13/cobra"
)

func (a *app) verifyCommand() *cobra.Command {
	var topics []string
	c := a.connects(&cobra.Command{Use: "verify", Short: "Read every replica and tell where they differ", Args: cobra.NoArgs,
		Long: `Read every replica from its own broker and tell where they differ.

All batches below the high watermark are compared with the leader's byte for byte,
and each with its checksum; of a compacted topic all records that both still have.

Exit code 0: all replicas are equal. 1: some differ. 7: some could not be compared.`,
		Example: "  brokerd verify\n  brokerd verify --topic orders --topic 'pay.*'\n  brokerd verify -o json"})
	c.Flags().StringSliceVar(&topics, "topic", nil, "only topics of this `NAME` or regular expression; may be given again (default all, internal ones too)")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if len(topics) == 0 {
			topics = []string{".*"}
		}
		cl, ctx, done, err := a.dial(c)
		if err != nil {
			return err
		}
		defer done()
		list, err := a.verify(ctx, cl.Admin(), topics)
		if err != nil {
			return err
		}
		if a.json() {
			err = printJSON(a.e.Out, list)
		} else {
			err = a.verifyText(list)
		}
		if err != nil {
			return err
		}
		return verdict(list)
	}
	return c
}

func (a *app) verify(ctx context.Context, admin *client.Admin, patterns []string) ([]*verified, error) {
	names, topics, policies, err := a.toVerify(ctx, admin, patterns)
	if err != nil {
		return nil, err
	}
	total, told, bytes := 0, time.Now(), int64(0)
	for _, t := range topics {
		total += len(t.Partitions)
	}
	list := []*verified{}
	v := &verifier{admin: admin, timeout: a.timeout, read: func(n int64) {
		if bytes += n; time.Since(told) > 10*time.Second {
			told = time.Now()
			a.note("%d of %d partitions of %d topics compared, %d MB read", len(list), total, len(names), bytes>>20)
		}
	}}
	for _, t := range topics {
		for _, p := range t.Partitions {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			list = append(list, v.partition(ctx, t, p, policies[t.Name]))
		}
	}
	return list, nil
}

// toVerify gives the topics, and which of them are compacted.
func (a *app) toVerify(ctx context.Context, admin *client.Admin, patterns []string) (names []string, topics []client.TopicDescription, compacted map[string]bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	if names, err = a.topicsNamed(ctx, admin, patterns); err != nil {
		if slices.Equal(patterns, []string{".*"}) {
			return nil, nil, nil, &cliError{text: "there is no topic to verify", code: exitNotFound}
		}
		return nil, nil, nil, err
	}
	if topics, err = admin.DescribeTopics(ctx, names...); err != nil {
		return nil, nil, nil, err
	}
	settings, err := admin.DescribeConfigs(ctx, topicResources(names)...)
	if err != nil {
		return nil, nil, nil, err
	}
	compacted = map[string]bool{}
	for r, list := range settings {
		for _, s := range list {
			if s.Name == "cleanup.policy" && s.Value != nil {
				compacted[r.Name] = strings.Contains(*s.Value, "compact")
			}
		}
	}
	return names, topics, compacted, nil
}

func (a *app) verifyText(list []*verified) error {
	rows := [][]string{{"TOPIC", "PARTITION", "OFFSETS", "REPLICAS", "RESULT"}}
	offsets, bytes := int64(0), int64(0)
	var lines []string
	for _, v := range list {
		result := "equal"
		switch {
		case !v.equal():
			result = "DIFFERENT"
		case len(v.NotCompared) > 0:
			result = "not all compared"
		}
		rows = append(rows, []string{v.Topic, strconv.Itoa(int(v.Partition)), fmt.Sprintf("%d-%d", v.From, v.To), dash(join(v.Replicas, ",")), result})
		offsets, bytes = offsets+v.To-v.From, bytes+v.Bytes
		for _, d := range v.Differences {
			lines = append(lines, fmt.Sprintf("%s-%d: node %d, offset %d: %s", v.Topic, v.Partition, d.Broker, d.Offset, d.What))
		}
		if v.More > 0 {
			lines = append(lines, fmt.Sprintf("%s-%d: and %d more", v.Topic, v.Partition, v.More))
		}
		for _, n := range v.NotCompared {
			lines = append(lines, fmt.Sprintf("%s-%d: node %d was not compared: %s", v.Topic, v.Partition, n.Broker, n.Reason))
		}
	}
	if err := printTable(a.e.Out, rows); err != nil {
		return err
	}
	for _, l := range lines {
		fmt.Fprintln(a.e.Out, l)
	}
	a.note("%d partitions, %d offsets, %d bytes", len(list), offsets, bytes)
	return nil
}

// verdict turns what was found into an exit code.
func verdict(list []*verified) error {
	different, partly := 0, 0
	for _, v := range list {
		switch {
		case !v.equal():
			different++
		case len(v.NotCompared) > 0:
			partly++
		}
	}
	switch {
	case different > 0:
		return &cliError{text: fmt.Sprintf("the replicas of %d of %d partitions differ", different, len(list)), code: exitFailed,
			hint: "where one replica alone is not whole, stop its broker, move the partition's directory away and start it: the replica is fetched anew.\n" +
				"A running broker does so by itself with what its scrubber finds (log.scrub.interval.ms)"}
	case partly > 0:
		return &cliError{text: fmt.Sprintf("the replicas of %d of %d partitions could not all be compared", partly, len(list)), code: exitPartly,
			hint: "start the brokers that are missing and wait until all replicas are in sync: brokerd topics describe"}
	}
	return nil
}
