package cli

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/brokerd/brokerd/internal/bench"
	"github.com/spf13/cobra"
)

func (a *app) benchCommand() *cobra.Command {
	c := &cobra.Command{Use: "bench", Short: "Measure brokerd on this machine, or another controller beside it",
		Example: "  brokerd bench metadata\n  brokerd bench metadata --partitions 100000 -o json"}
	c.AddCommand(a.benchMetadata())
	return c
}

func (a *app) benchMetadata() *cobra.Command {
	var b bench.Metadata
	c := &cobra.Command{Use: "metadata", Short: "Measure a controller that holds two million partitions", Args: cobra.NoArgs,
		Long: `Measure a controller that holds two million partitions.

A controller without a broker is started, in a directory that is removed afterwards, and
three brokers that exist in name only: they register, send heartbeats and lead what is
placed on them, three replicas each. Then, one after the other: topics are created until
there are enough partitions; 10,000 topics of one partition are; one broker is fenced, and
a third of all partitions get another leader; all of the metadata is asked for, where
controllers answer that; the controller is stopped and started again.

--command starts another controller instead, Apache Kafka's for one: it is run by sh, in
the foreground, and again after it was stopped.`,
		Example: `  brokerd bench metadata
  brokerd bench metadata --partitions 100000 -o json
  brokerd bench metadata --within 5m --controller 127.0.0.1:19093 --command 'exec kafka-server-start.sh controller.properties'`}
	f := c.Flags()
	f.IntVar(&b.Partitions, "partitions", bench.Most, "how many partitions the controller holds in the end")
	f.IntVar(&b.PerTopic, "per-topic", 10, "how many of them a topic has")
	f.DurationVar(&b.Within, "within", 30*time.Minute, "how long topics are created; what is there then is measured")
	f.StringVar(&b.Command, "command", "", "start this `COMMAND` as the controller")
	f.StringVar(&b.Address, "controller", "", "`HOST:PORT` where the controller of --command listens")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := checkMetadata(&b); err != nil {
			return err
		}
		b.Note, b.Called = a.note, a.e.Args[0]
		result, err := b.Run(c.Context())
		var why *bench.StartError
		if errors.As(err, &why) {
			return &cliError{text: why.Error(), hint: lastLines(why.Said), code: exitFailed, err: err}
		}
		if err != nil {
			return err
		}
		if a.json() {
			return printJSON(a.e.Out, result)
		}
		return printTable(a.e.Out, metadataRows(result))
	}
	return c
}

func checkMetadata(b *bench.Metadata) error {
	switch {
	case b.PerTopic < 1 || b.PerTopic > bench.MostPerTopic:
		return usageErr(fmt.Sprintf("give --per-topic from 1 to %d", bench.MostPerTopic), "a topic of %d partitions is not created here", b.PerTopic)
	case b.Partitions < b.PerTopic || b.Partitions > bench.Most:
		return usageErr(fmt.Sprintf("give --partitions from %d, a topic's, to %d", b.PerTopic, bench.Most), "%d partitions are not measured", b.Partitions)
	case (b.Command == "") != (b.Address == ""):
		return usageErr("give both, or none for a brokerd", "--command and --controller belong together")
	}
	return nil
}

// metadataRows is a result as people read it.
func metadataRows(r *bench.Result) [][]string {
	ms := func(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) + " ms" }
	each := func(v float64, unit string) string {
		return strconv.FormatFloat(v/float64(r.Partitions), 'f', 2, 64) + " " + unit
	}
	// What an empty controller takes is not the partitions'.
	rows := [][]string{
		{"WHAT", "FIGURE", "PER PARTITION"},
		{"topics", strconv.Itoa(r.Topics), ""},
		{"partitions", strconv.Itoa(r.Partitions), ""},
		{"start, empty", ms(r.StartMs), ""},
		{"create what is there", ms(r.GrowMs), each(r.GrowMs*1e3, "µs")},
		{fmt.Sprintf("create %d topics of one partition", r.Created), ms(r.CreateMs), ""},
		{"resident memory", fmt.Sprintf("%.1f MB", r.ResidentMB), each((r.ResidentMB-r.EmptyMB)*(1<<20), "B")},
		{"fence one of three brokers", ms(r.FenceMs), each(r.FenceMs*1e3, "µs")},
		{"start again", ms(r.RestartMs), each(math.Max(r.RestartMs-r.StartMs, 0)*1e3, "µs")},
		{"resident memory after that", fmt.Sprintf("%.1f MB", r.RestartedMB), each((r.RestartedMB-r.EmptyMB)*(1<<20), "B")},
	}
	if r.MetadataMs > 0 {
		rows = append(rows, []string{"all metadata in one answer", ms(r.MetadataMs), each(r.MetadataMs*1e3, "µs")})
	}
	return rows
}
