package cli

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/brokerd/brokerd/pkg/client"
)

// kafkaGetOffsets is kafka-get-offsets: one offset of each partition that the
// filters let through.
func kafkaGetOffsets(e *Env, args []string) int {
	const what = "An interactive shell for getting topic-partition offsets."
	table := getOffsetsOptions()
	if len(args) == 0 {
		return usage(e, table, what)
	}
	set, err := parseJopt(table, args)
	if err != nil {
		fmt.Fprintln(e.Err, "Error occurred: "+err.Error())
		return 1
	}
	if code, done := help(e, table, set, args, what); done {
		return code
	}
	if lacks := set.lacks("bootstrap-server"); lacks != "" {
		return usage(e, table, lacks)
	}
	for _, addr := range strings.Split(set.one("bootstrap-server", ""), ",") {
		if _, port, err := net.SplitHostPort(strings.TrimSpace(addr)); err != nil || port == "" {
			return usage(e, table, "Please provide valid host:port like host1:9091,host2:9092\n")
		}
	}
	ctx, stop := interruptible()
	defer stop()
	return ended(printOffsets(ctx, e, set), func(err error) { fmt.Fprintln(e.Err, "Error occurred: "+faceReason(err)) })
}

// partitionFilter lets partitions through.
type partitionFilter func(client.Partition) bool

func printOffsets(ctx context.Context, e *Env, set *jset) error {
	if set.has("topic-partitions") && (set.has("topic") || set.has("partitions")) {
		return errors.New("--topic-partitions cannot be used with --topic or --partitions")
	}
	at, err := offsetTime(set.one("time", "latest"))
	if err != nil {
		return err
	}
	wanted, err := offsetFilter(set)
	if err != nil {
		return err
	}
	c, ctx, closeClient, err := dialFace(ctx, e, set)
	if err != nil {
		return err
	}
	defer closeClient()
	topics, err := c.Admin().Topics(ctx)
	if err != nil {
		return err
	}
	var partitions []client.Partition
	for _, t := range topics {
		if t.Internal && set.has("exclude-internal-topics") {
			continue
		}
		for n := range t.Partitions {
			if p := (client.Partition{Topic: t.Name, Partition: int32(n)}); wanted(p) {
				partitions = append(partitions, p)
			}
		}
	}
	if len(partitions) == 0 {
		return errors.New("Could not match any topic-partitions with the specified filters")
	}
	offsets, err := c.Admin().Offsets(ctx, at, partitions)
	if err != nil {
		return err
	}
	slices.SortFunc(offsets, func(a, b client.PartitionOffset) int { return strings.Compare(a.String(), b.String()) })
	for _, o := range offsets {
		if o.Err != nil {
			fmt.Fprintf(e.Err, "Skip getting offsets for topic-partition %s due to error: %s\n", o.Partition, javaText(o.Err))
		} else if o.Offset >= 0 {
			if _, err := fmt.Fprintf(e.Out, "%s:%d:%d\n", o.Topic, o.Partition.Partition, o.Offset); err != nil {
				return err
			}
		}
	}
	return nil
}

func offsetTime(s string) (int64, error) {
	named := map[string]int64{"latest": client.Latest, "earliest": client.Earliest, "max-timestamp": client.MaxTimestamp,
		"earliest-local": client.EarliestLocal, "latest-tiered": client.LatestTiered, "earliest-pending-upload": client.EarliestPendingUpload}
	if at, ok := named[s]; ok {
		return at, nil
	}
	at, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("Malformed time argument %s. Please use -1 or latest / -2 or earliest / -3 or max-timestamp / -4 or earliest-local / "+
			"-5 or latest-tiered / -6 or earliest-pending-upload, or a specified long format timestamp", s)
	}
	return at, nil
}

func offsetFilter(set *jset) (partitionFilter, error) {
	if !set.has("topic-partitions") {
		topic, err := includeList(set.one("topic", ".*"))
		if err != nil {
			return nil, err
		}
		var numbers []int32
		for _, s := range strings.Split(set.one("partitions", ""), ",") {
			if s == "" {
				continue
			}
			n, err := strconv.ParseInt(s, 10, 32)
			if err != nil {
				return nil, fmt.Errorf("--partitions expects a comma separated list of numeric partition ids, but received: %s", set.one("partitions", ""))
			}
			numbers = append(numbers, int32(n))
		}
		return func(p client.Partition) bool {
			return topic(p.Topic) && (len(numbers) == 0 || slices.Contains(numbers, p.Partition))
		}, nil
	}
	var rules []partitionFilter
	for _, spec := range strings.Split(set.one("topic-partitions", ""), ",") {
		rule, err := offsetRule(spec)
		if err != nil {
			return nil, err
		}
		rules = append(rules, rule)
	}
	return func(p client.Partition) bool {
		return slices.ContainsFunc(rules, func(r partitionFilter) bool { return r(p) })
	}, nil
}

var ruleSpec = regexp.MustCompile(`^([^:,]*)(?::(?:(\d*)|(?:(\d*)-(\d*))))?$`)

// offsetRule reads TOPIC:N, TOPIC:N-M (M excluded), TOPIC:N-, TOPIC:-M, TOPIC, :N.
func offsetRule(spec string) (partitionFilter, error) {
	m := ruleSpec.FindStringSubmatch(spec)
	if m == nil {
		return nil, errors.New("org.apache.kafka.tools.TerseException: Invalid rule specification: " + spec)
	}
	if m[1] == "" {
		m[1] = ".*"
	}
	topic, err := includeList(m[1])
	if err != nil {
		return nil, err
	}
	low, high := int64(0), int64(math.MaxInt32)
	for text, into := range map[string]*int64{m[3]: &low, m[4]: &high} {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			*into = n
		}
	}
	if n, err := strconv.ParseInt(m[2], 10, 64); err == nil {
		low, high = n, n+1
	}
	return func(p client.Partition) bool {
		return topic(p.Topic) && int64(p.Partition) >= low && int64(p.Partition) < high
	}, nil
}

// includeList is a list of regular expressions on whole names.
func includeList(pattern string) (func(string) bool, error) {
	re, err := regexp.Compile("^(?:" + strings.ReplaceAll(strings.ReplaceAll(pattern, ",", "|"), " ", "") + ")$")
	if err != nil {
		return nil, fmt.Errorf("%s is an invalid regex.", pattern)
	}
	return re.MatchString, nil
}
