package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/brokerd/brokerd/pkg/client"
)

// kafkaDeleteRecords is kafka-delete-records: records before given offsets go.
func kafkaDeleteRecords(e *Env, args []string) int {
	return plainTool{options: deleteRecordsOptions, about: "This tool helps to delete records of the given partitions down to the specified offset.",
		needs: []string{"bootstrap-server", "offset-json-file"}, run: deleteRecords}.main(e, args)
}

func deleteRecords(ctx context.Context, e *Env, set *jset) error {
	file := set.one("offset-json-file", "")
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("Unable to read file %s", file)
	}
	before, err := parseRecordsJSON(text)
	if err != nil {
		return err
	}
	c, ctx, closeClient, err := dialFace(ctx, e, set)
	if err != nil {
		return err
	}
	defer closeClient()
	fmt.Fprintln(e.Out, "Executing records delete operation")
	done, err := c.Admin().DeleteRecords(ctx, before)
	if err != nil {
		return err
	}
	fmt.Fprintln(e.Out, "Records delete operation completed:")
	for _, d := range done {
		if d.Err != nil {
			fmt.Fprintf(e.Out, "partition: %s\terror: %s\n", d.Partition, javaText(d.Err))
		} else {
			fmt.Fprintf(e.Out, "partition: %s\tlow_watermark: %d\n", d.Partition, d.Offset)
		}
	}
	return nil
}

// parseRecordsJSON reads the offsets before which records go.
func parseRecordsJSON(text []byte) ([]client.PartitionOffset, error) {
	var doc struct {
		Version    *int `json:"version"`
		Partitions *[]struct {
			Topic     *string `json:"topic"`
			Partition *int32  `json:"partition"`
			Offset    *int64  `json:"offset"`
		} `json:"partitions"`
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		return nil, errors.New("The input string is not a valid JSON")
	}
	if doc.Version != nil && *doc.Version != 1 {
		return nil, fmt.Errorf("Not supported version field value %d", *doc.Version)
	}
	if doc.Partitions == nil {
		return nil, errors.New("Missing partitions field")
	}
	var out []client.PartitionOffset
	var ids []client.Partition
	for _, p := range *doc.Partitions {
		for field, lacks := range map[string]bool{"topic": p.Topic == nil, "partition": p.Topic != nil && p.Partition == nil,
			"offset": p.Topic != nil && p.Partition != nil && p.Offset == nil} {
			if lacks {
				return nil, fmt.Errorf("No such field exists: `%s`", field)
			}
		}
		id := client.Partition{Topic: *p.Topic, Partition: *p.Partition}
		ids = append(ids, id)
		out = append(out, client.PartitionOffset{Partition: id, Offset: *p.Offset})
	}
	if twice := repeated(ids); len(twice) > 0 {
		return nil, fmt.Errorf("Offset json file contains duplicate topic partitions: %s", commas(twice))
	}
	return out, nil
}
