package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/brokerd/brokerd/pkg/client"
)

// kafkaLogDirs is kafka-log-dirs: what lies in the log directories of brokers.
func kafkaLogDirs(e *Env, args []string) int {
	return plainTool{options: logDirsOptions, about: "This tool helps to query log directory usage on the specified brokers.",
		needs: []string{"bootstrap-server", "describe"}, run: describeLogDirs}.main(e, args)
}

func describeLogDirs(ctx context.Context, e *Env, set *jset) error {
	wanted, err := listedBrokers(set.one("broker-list", ""))
	if err != nil {
		return err
	}
	topics := strings.FieldsFunc(set.one("topic-list", ""), func(c rune) bool { return c == ',' })
	c, ctx, closeClient, err := dialFace(ctx, e, set)
	if err != nil {
		return err
	}
	defer closeClient()
	cluster, err := c.Admin().Cluster(ctx)
	if err != nil {
		return err
	}
	all := idsOf(cluster.Brokers)
	strangers := slices.DeleteFunc(slices.Clone(wanted), func(id int32) bool { return slices.Contains(all, id) })
	if len(strangers) > 0 {
		return fmt.Errorf("ERROR: The given brokers do not exist from --broker-list: %s. Current existent brokers: %s", join(strangers, ","), join(all, ","))
	}
	if len(wanted) == 0 {
		wanted = all
	}
	fmt.Fprintln(e.Out, "Querying brokers for log directories information")
	dirs, err := c.Admin().LogDirs(ctx, wanted, topics...)
	if err != nil {
		return err
	}
	text, err := logDirsJSON(dirs)
	if err != nil {
		return err
	}
	fmt.Fprintf(e.Out, "Received log directory information from brokers %s\n%s\n", join(wanted, ","), text)
	return nil
}

func listedBrokers(text string) ([]int32, error) {
	var out []int32
	for _, s := range strings.FieldsFunc(text, func(c rune) bool { return c == ',' }) {
		n, err := strconv.ParseInt(s, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("For input string: %q", s)
		}
		out = append(out, int32(n))
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// logDirsJSON has its fields in the order in which Kafka's tool prints them.
func logDirsJSON(dirs []client.LogDir) ([]byte, error) {
	type replica struct {
		Partition string `json:"partition"`
		Size      int64  `json:"size"`
		OffsetLag int64  `json:"offsetLag"`
		IsFuture  bool   `json:"isFuture"`
	}
	type dir struct {
		Partitions []replica `json:"partitions"`
		Error      *string   `json:"error"`
		LogDir     string    `json:"logDir"`
	}
	type broker struct {
		Broker  int32 `json:"broker"`
		LogDirs []dir `json:"logDirs"`
	}
	var doc struct {
		Brokers []broker `json:"brokers"`
		Version int      `json:"version"`
	}
	doc.Version = 1
	for _, d := range dirs {
		if n := len(doc.Brokers); n == 0 || doc.Brokers[n-1].Broker != d.Broker {
			doc.Brokers = append(doc.Brokers, broker{Broker: d.Broker})
		}
		one := dir{Partitions: []replica{}, LogDir: d.Dir}
		var failed *client.Error
		if errors.As(d.Err, &failed) {
			name := javaError(failed)
			one.Error = &name
		}
		for _, r := range d.Replicas {
			one.Partitions = append(one.Partitions, replica{r.Partition.String(), r.Bytes, r.Lag, r.Future})
		}
		b := &doc.Brokers[len(doc.Brokers)-1]
		b.LogDirs = append(b.LogDirs, one)
	}
	return json.Marshal(doc)
}
