package cli

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/broker"
	"github.com/brokerd/brokerd/internal/group"
	"github.com/brokerd/brokerd/internal/storage"
	"github.com/spf13/cobra"
)

func kafkaDumpLog(e *Env, args []string) int {
	table := dumpOptions()
	set, err := parseJopt(table, args)
	if err != nil {
		return usage(e, table, err.Error())
	}
	if code, done := help(e, table, set, args, "This tool helps to parse a log file and dump its contents to the console, useful for debugging a seemingly corrupt log segment."); done {
		return code
	}
	if !set.has("files") {
		return usage(e, table, `Missing required argument "[files]"`)
	}
	if err := noDecoders(set); err != nil {
		fmt.Fprintln(e.Err, err)
		return 1
	}
	o := storage.DumpOptions{Records: set.has("deep-iteration"), SkipMetadata: set.has("skip-record-metadata"),
		Contents:   set.has("print-data-log") || set.has("value-decoder-class") || set.has("key-decoder-class"),
		VerifyOnly: set.has("verify-index-only"), SanityOnly: set.has("index-sanity-check")}
	if set.has("offsets-decoder") {
		o.Contents, o.Decode = true, group.Dump
	}
	if n := set.number("max-bytes", math.MaxInt32); n < math.MaxInt32 {
		o.MaxBytes = n
	}
	for _, file := range strings.Split(set.one("files", ""), ",") {
		if file = strings.TrimSpace(file); !dumpable(file) {
			fmt.Fprintf(e.Out, "Dumping %s\n", file)
			fmt.Fprintf(e.Err, "Ignoring unknown file %s\n", file)
			continue
		}
		// What an index does not agree with was printed: Kafka's tool ends well.
		err := storage.Dump(e.Out, file, o)
		if at := group.NoKey(0); errors.As(err, &at) {
			return uncaught(e, fmt.Errorf("java.lang.RuntimeException: Failed to decode message at offset %d using the specified decoder"+
				" (message had a missing key)", at))
		}
		if err != nil && !errors.Is(err, storage.ErrMismatch) {
			fmt.Fprintln(e.Err, err)
			return 1
		}
	}
	return 0
}

// noDecoders refuses what would print the records of internal topics by field.
func noDecoders(set *jset) error {
	for _, o := range []string{"cluster-metadata-decoder", "remote-log-metadata-decoder", "share-group-state-decoder", "transaction-log-decoder"} {
		if set.has(o) {
			return fmt.Errorf("--%s: this release does not take such records apart; --print-data-log shows keys and values as they are", o)
		}
	}
	for _, o := range []string{"value-decoder-class", "key-decoder-class"} {
		if class := set.one(o, ""); class != "" && !strings.HasSuffix(class, "StringDecoder") {
			return fmt.Errorf("--%s: class %s is not known here, StringDecoder is", o, class)
		}
	}
	return nil
}

// dumpable tells a file that Kafka's tool would print, or one of ours, by its name.
func dumpable(file string) bool {
	name := strings.TrimSuffix(filepath.Base(file), ".deleted")
	return slices.Contains([]string{".log", ".index", ".timeindex", ".txnindex"}, filepath.Ext(name)) || filepath.Ext(name) == "" ||
		name == "partition.metadata"
}

func (a *app) debugCommand() *cobra.Command {
	c := &cobra.Command{Use: "debug", Short: "Look inside the files of logs and metadata"}
	c.AddCommand(a.dumpCommand(), a.dumpMetadataCommand())
	return c
}

func (a *app) dumpMetadataCommand() *cobra.Command {
	return &cobra.Command{Use: "dump-metadata DIR...", Short: "Print the metadata log and snapshots of a stopped server", Args: needNames("directory"),
		Long: `Print the metadata log and snapshots of a stopped server: terms, votes, entries with their commands, and
what the snapshots hold of topics, partitions, settings and brokers. DIR is a data directory, the raft/ in it,
a raft.db, a snapshot, or a clean-stop file. -o json prints an object per line, each with its file and a type.`,
		Example: "  brokerd debug dump-metadata data\n" +
			"  brokerd debug dump-metadata data -o json | jq -c 'select(.type == \"entry\") | .index, .commands'",
		RunE: func(_ *cobra.Command, dirs []string) error {
			var errs []error
			for _, dir := range dirs {
				errs = append(errs, broker.DumpMetadata(a.e.Out, dir, a.json()))
			}
			return errors.Join(errs...)
		}}
}

func (a *app) dumpCommand() *cobra.Command {
	var o storage.DumpOptions
	var offsets bool
	c := &cobra.Command{Use: "dump-log FILE...", Short: "Print every byte of files that brokerd or Kafka wrote", Args: needNames("file"),
		Long: `Print every byte of files that brokerd or Kafka wrote: logs, indexes, epochs, producers, checkpoints.
A directory stands for all such files in it. Texts are those of Kafka's DumpLogSegments where it has one;
-o json prints an object per line: each has the file, and a type (batch, record, offset, timestamp, epoch, producer, point …).
--offsets takes the records of __consumer_offsets apart: committed offsets, groups, members and assignments.`,
		Example: "  brokerd debug dump-log data/orders-0/00000000000000000000.log --contents\n  brokerd debug dump-log data/orders-0 --verify\n" +
			"  brokerd debug dump-log data/__consumer_offsets-7 --offsets\n" +
			"  brokerd debug dump-log data/orders-0 --records -o json | jq 'select(.type == \"batch\") | .lastOffset'"}
	f := c.Flags()
	f.BoolVar(&o.Records, "records", false, "a line per record too")
	f.BoolVar(&o.Contents, "contents", false, "records with their keys and values")
	f.BoolVar(&offsets, "offsets", false, "keys and values of __consumer_offsets field by field")
	f.BoolVar(&o.SkipMetadata, "skip-metadata", false, "records without offset, time and sizes")
	f.BoolVar(&o.VerifyOnly, "verify", false, "hold indexes against their log, do not print them")
	f.BoolVar(&o.SanityOnly, "sanity", false, "check the indexes by themselves only")
	f.Int64Var(&o.MaxBytes, "max-bytes", 0, "stop a .log after so many bytes (0: never)")
	c.RunE = func(_ *cobra.Command, files []string) error {
		if o.JSON = a.json(); offsets {
			o.Contents, o.Decode = true, group.Dump
		}
		var errs []error
		for _, file := range files {
			errs = append(errs, storage.Dump(a.e.Out, file, o))
		}
		return errors.Join(errs...)
	}
	return c
}
