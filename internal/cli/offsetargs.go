package cli

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/brokerd/brokerd/pkg/client"
)

// topicArgError is a --topic that cannot be read.
type topicArgError struct{ text string }

func (t *topicArgError) Error() string { return t.text }

// topicPartitions reads arguments like orders and orders:0,1. What the cluster
// does not have is in absent; a whole topic as partition -1.
func topicPartitions(ctx context.Context, admin *client.Admin, args []string) (found, absent []client.Partition, err error) {
	topics, err := admin.Topics(ctx)
	if err != nil {
		return nil, nil, err
	}
	counts := map[string]int{}
	for _, t := range topics {
		counts[t.Name] = t.Partitions
	}
	for _, arg := range args {
		topic, list, some := strings.Cut(arg, ":")
		if !some {
			for p := range counts[topic] {
				found = append(found, client.Partition{Topic: topic, Partition: int32(p)})
			}
			if counts[topic] == 0 {
				absent = append(absent, client.Partition{Topic: topic, Partition: -1})
			}
			continue
		}
		if strings.Contains(list, ":") || topic == "" || list == "" {
			return nil, nil, &topicArgError{fmt.Sprintf("Invalid topic arg '%s', expected topic name and partitions", arg)}
		}
		for _, number := range strings.Split(list, ",") {
			n, err := strconv.ParseInt(number, 10, 32)
			if err != nil {
				return nil, nil, &topicArgError{fmt.Sprintf("Invalid partition '%s' specified in topic arg '%s''", number, arg)}
			}
			p := client.Partition{Topic: topic, Partition: int32(n)}
			if n < 0 || int(n) >= counts[topic] {
				absent = append(absent, p)
			} else {
				found = append(found, p)
			}
		}
	}
	slices.SortFunc(found, client.ComparePartitions)
	return slices.Compact(found), absent, nil
}

// readPlan reads lines of group,topic,partition,offset, or of
// topic,partition,offset where there is one group.
func readPlan(text string, groups []string) (map[string]map[client.Partition]int64, error) {
	r := csv.NewReader(strings.NewReader(text))
	r.FieldsPerRecord, r.TrimLeadingSpace = -1, true
	lines, err := r.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("not a CSV file: %w", err)
	}
	plans := map[string]map[client.Partition]int64{}
	for i, fields := range lines {
		group := ""
		switch {
		case len(fields) == 4:
			group, fields = fields[0], fields[1:]
		case len(fields) == 3 && len(groups) == 1:
			group = groups[0]
		case len(fields) == 3:
			return nil, fmt.Errorf("line %d: %q does not say of which group: it takes group,topic,partition,offset", i+1, strings.Join(fields, ","))
		default:
			return nil, fmt.Errorf("line %d: %q is not topic,partition,offset nor group,topic,partition,offset", i+1, strings.Join(fields, ","))
		}
		number, err := strconv.ParseInt(strings.TrimSpace(fields[1]), 10, 32)
		if err != nil {
			return nil, fmt.Errorf("line %d: partition %q is not a number", i+1, fields[1])
		}
		offset, err := strconv.ParseInt(strings.TrimSpace(fields[2]), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("line %d: offset %q is not a number", i+1, fields[2])
		}
		if plans[group] == nil {
			plans[group] = map[client.Partition]int64{}
		}
		plans[group][client.Partition{Topic: fields[0], Partition: int32(number)}] = offset
	}
	return plans, nil
}

// parseDatetime reads ISO 8601 as Kafka's tools do: UTC where no zone is named.
func parseDatetime(s string) (ms int64, err error) {
	_, clock, ok := strings.Cut(s, "T")
	if !ok {
		return 0, errors.New("Error parsing timestamp. It does not contain a 'T' according to ISO8601 format")
	}
	if !strings.ContainsAny(clock, "+-Z") {
		s += "Z"
	}
	for _, layout := range []string{"2006-1-2T15:4:5Z07:00", "2006-1-2T15:4:5Z0700", "2006-1-2T15:4:5Z07"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UnixMilli(), nil
		}
	}
	return 0, fmt.Errorf("Unparseable date: %q", s)
}

var isoDuration = regexp.MustCompile(`(?i)^([-+]?)P(?:([-+]?\d+)D)?(T(?:([-+]?\d+)H)?(?:([-+]?\d+)M)?(?:([-+]?\d+(?:[.,]\d{0,9})?)S)?)?$`)

// parseISODuration reads PnDTnHnMn.nS.
func parseISODuration(s string) (time.Duration, error) {
	m := isoDuration.FindStringSubmatch(s)
	if m == nil || m[2]+m[4]+m[5]+m[6] == "" || strings.EqualFold(m[3], "T") {
		return 0, errors.New("Text cannot be parsed to a Duration")
	}
	var total float64
	for i, unit := range map[int]time.Duration{2: 24 * time.Hour, 4: time.Hour, 5: time.Minute, 6: time.Second} {
		if m[i] == "" {
			continue
		}
		n, err := strconv.ParseFloat(strings.Replace(m[i], ",", ".", 1), 64)
		if err != nil {
			return 0, errors.New("Text cannot be parsed to a Duration")
		}
		total += n * float64(unit)
	}
	const longest = float64(1<<63 - 1)
	if total > longest || total < -longest {
		return 0, errors.New("Text cannot be parsed to a Duration: overflow")
	}
	if m[1] == "-" {
		total = -total
	}
	return time.Duration(total), nil
}

// agoMillis is the time that an ISO duration ago was.
func agoMillis(duration string) (int64, error) {
	d, err := parseISODuration(duration)
	return time.Now().Add(-d).UnixMilli(), err
}

var agoText = regexp.MustCompile(`^(\d+)(ms|s|m|h|d|w)`)

// parseWhen reads a time as people write it: start, end, "2h ago", a date, or a
// date and time.
func parseWhen(s string, now time.Time) (ms int64, err error) {
	switch s {
	case "start", "earliest":
		return client.Earliest, nil
	case "end", "latest":
		return client.Latest, nil
	}
	if ago, ok := strings.CutSuffix(s, "ago"); ok {
		units := map[string]time.Duration{"ms": time.Millisecond, "s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour}
		rest, total := strings.ReplaceAll(ago, " ", ""), time.Duration(0)
		for rest != "" {
			m := agoText.FindStringSubmatch(rest)
			if m == nil {
				return 0, fmt.Errorf("%q is no time ago", s)
			}
			n, err := strconv.ParseInt(m[1], 10, 32)
			if err != nil {
				return 0, fmt.Errorf("%q is too long ago", s)
			}
			total += time.Duration(n) * units[m[2]]
			rest = rest[len(m[0]):]
		}
		if total <= 0 {
			return 0, fmt.Errorf("%q is no time ago", s)
		}
		return now.Add(-total).UnixMilli(), nil
	}
	if t, err := time.ParseInLocation("2006-01-02", s, now.Location()); err == nil {
		return t.UnixMilli(), nil
	}
	if ms, err := parseDatetime(strings.Replace(s, " ", "T", 1)); err == nil {
		return ms, nil
	}
	return 0, fmt.Errorf("%q is no time", s)
}
