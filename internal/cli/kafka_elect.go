package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/brokerd/brokerd/pkg/client"
)

const electHelp = "This tool attempts to elect a new leader for a set of topic partitions. The type of elections supported are preferred replicas and unclean replicas."

// kafkaElect is kafka-leader-election.
func kafkaElect(e *Env, args []string) int {
	return plainTool{options: electOptions, about: electHelp, run: electLeaders}.main(e, args)
}

func electLeaders(ctx context.Context, e *Env, set *jset) error {
	if err := checkElect(set); err != nil {
		return err
	}
	kind := client.Preferred
	if strings.EqualFold(set.one("election-type", ""), "unclean") {
		kind = client.Unclean
	}
	partitions, err := electPartitions(set)
	if err != nil {
		return err
	}
	c, ctx, closeClient, err := dialFace(ctx, e, set)
	if err != nil {
		return err
	}
	defer closeClient()
	results, err := c.Admin().ElectLeaders(ctx, kind, partitions)
	if errors.Is(err, client.ErrNotAuthorized) {
		const text = "Not authorized to perform leader election"
		fmt.Fprintln(e.Out, text)
		return errors.New(text)
	}
	if err != nil {
		return err
	}
	return printElected(e, kind, results)
}

func printElected(e *Env, kind client.ElectionType, results []client.PartitionResult) error {
	var elected, valid []string
	failed := 0
	var bad strings.Builder
	for _, r := range results {
		switch {
		case r.Err == nil:
			elected = append(elected, r.String())
		case errors.Is(r.Err, client.ErrElectionNotNeeded):
			valid = append(valid, r.String())
		default:
			failed++
			fmt.Fprintf(&bad, "Error completing leader election (%s) for partition: %s: %s\n", kind, r.Partition, javaText(r.Err))
		}
	}
	if len(elected) > 0 {
		fmt.Fprintf(e.Out, "Successfully completed leader election (%s) for partitions %s\n", kind, strings.Join(elected, ", "))
	}
	if len(valid) > 0 {
		fmt.Fprintf(e.Out, "Valid replica already elected for partitions %s\n", strings.Join(valid, ", "))
	}
	fmt.Fprint(e.Out, bad.String())
	if failed > 0 {
		return fmt.Errorf("%d replica(s) could not be elected", failed)
	}
	return nil
}

func checkElect(set *jset) error {
	var missing []string
	for _, o := range []string{"bootstrap-server", "election-type"} {
		if !set.has(o) {
			missing = append(missing, o)
		}
	}
	if len(missing) > 0 {
		return errors.New("Missing required option(s): " + strings.Join(missing, ", "))
	}
	which := []string{"topic", "all-topic-partitions", "path-to-json-file"}
	n := 0
	for _, o := range which {
		if set.has(o) {
			n++
		}
	}
	switch {
	case n != 1:
		return errors.New("One and only one of the following options is required: " + strings.Join(which, ", "))
	case set.has("topic") && !set.has("partition"):
		return errors.New("Missing required option(s): partition")
	case !set.has("topic") && set.has("partition"):
		return errors.New("Option partition is only allowed if topic is used")
	}
	return nil
}

// electPartitions are those that the command line names, nil: all that need it.
func electPartitions(set *jset) ([]client.Partition, error) {
	if set.has("topic") {
		return []client.Partition{{Topic: set.one("topic", ""), Partition: int32(set.number("partition", 0))}}, nil
	}
	if !set.has("path-to-json-file") {
		return nil, nil
	}
	file := set.one("path-to-json-file", "")
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, throwf(noFile, "%s: Unable to read file %s", noFile, file)
	}
	return parseElections(text)
}

func parseElections(text []byte) ([]client.Partition, error) {
	var doc struct {
		Partitions *[]struct {
			Topic     *string `json:"topic"`
			Partition *int32  `json:"partition"`
		} `json:"partitions"`
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		return nil, errors.New("Replica election data is empty")
	}
	if doc.Partitions == nil {
		return nil, errors.New(`Replica election data is missing "partitions" field`)
	}
	list := []client.Partition{}
	for _, p := range *doc.Partitions {
		for field, lacks := range map[string]bool{"topic": p.Topic == nil, "partition": p.Topic != nil && p.Partition == nil} {
			if lacks {
				return nil, throwf(badField, "%s: No such field exists: `%s`", badField, field)
			}
		}
		list = append(list, client.Partition{Topic: *p.Topic, Partition: *p.Partition})
	}
	if twice := repeated(list); len(twice) > 0 {
		return nil, fmt.Errorf("Replica election data contains duplicate partitions: [%s]", strings.ReplaceAll(commas(twice), ",", ", "))
	}
	return list, nil
}
