package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/brokerd/brokerd/pkg/client"
)

func kafkaProducer(e *Env, args []string) int {
	table := producerOptions()
	set, err := parseJopt(table, args)
	if err != nil {
		return usage(e, table, err.Error())
	}
	if code, done := help(e, table, set, args, "This tool helps to read data from standard input and publish it to Kafka."); done {
		return code
	}
	if noZooKeeper(e, set) {
		return 1
	}
	if lacks := set.lacks("topic", "bootstrap-server"); lacks != "" {
		return usage(e, table, lacks)
	}
	warnDropped(e.Err, args, "broker-list", "bootstrap-server")
	warnDeprecated(e.Out, "Warning: ", set, [][2]string{{"producer-property", "command-property"}, {"property", "reader-property"},
		{"producer.config", "command-config"}, {"max-partition-memory-bytes", "batch-size"}})
	ctx, stop := interruptible()
	defer stop()
	if err := runProducer(ctx, e, set); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintf(e.Err, "%s: %s\n", javaError(err), faceReason(err))
		return 1
	}
	return 0
}

// warnDropped notes an option that Kafka no longer has.
func warnDropped(w io.Writer, args []string, old, now string) {
	for _, a := range args {
		if name, _, _ := strings.Cut(strings.TrimLeft(a, "-"), "="); name == old && strings.HasPrefix(a, "-") {
			fmt.Fprintf(w, "Warning: --%s was removed in Kafka 4.0. Use --%s instead.\n", old, now)
			return
		}
	}
}

// warnDeprecated notes options that have a new name, and gives their values to it.
func warnDeprecated(w io.Writer, prefix string, set *jset, pairs [][2]string) {
	for _, p := range pairs {
		if !set.has(p[0]) {
			continue
		}
		fmt.Fprintf(w, "%s--%s is deprecated and will be removed in a future version. Use --%s instead.\n", prefix, p[0], p[1])
		set.values[p[1]] = append(set.values[p[1]], set.values[p[0]]...)
	}
}

func runProducer(ctx context.Context, e *Env, set *jset) error {
	props, err := readerProperties(set)
	if err != nil {
		return err
	}
	var prompt io.Writer
	if e.InTTY && e.OutTTY { // as Java's System.console
		prompt = e.Out
	}
	lines, err := newLineReader(e.In, prompt, set.one("topic", ""), props)
	if err != nil {
		return err
	}
	more, err := producerProperties(set)
	if err != nil {
		return err
	}
	c, ctx, closeClient, err := dialFace(ctx, e, set, client.WithProperties(more), client.AutoCreateTopics())
	if err != nil {
		return err
	}
	defer closeClient()
	return sendLines(ctx, e, c, lines, set.has("sync"))
}

// readerProperties merges --reader-config and --reader-property.
func readerProperties(set *jset) (client.Properties, error) {
	props := client.Properties{}
	if file := set.one("reader-config", ""); file != "" {
		loaded, err := client.LoadProperties(file)
		if err != nil {
			return nil, err
		}
		props = loaded
	}
	return props, props.Set(set.values["reader-property"]...)
}

// producerProperties are those that options stand for. An option outranks a
// property, and a property the option's default.
func producerProperties(set *jset) (client.Properties, error) {
	given := client.Properties{}
	if file := set.one("command-config", ""); file != "" {
		loaded, err := client.LoadProperties(file)
		if err != nil {
			return nil, err
		}
		given = loaded
	}
	if err := given.Set(set.values["command-property"]...); err != nil {
		return nil, err
	}
	out := client.Properties{"compression.type": "none"}
	if set.has("compression-codec") {
		out["compression.type"] = set.one("compression-codec", "")
		if out["compression.type"] == "" {
			out["compression.type"] = "gzip"
		}
	}
	if _, ok := given["client.id"]; !ok {
		out["client.id"] = "console-producer"
	}
	for _, o := range []struct{ option, property, def string }{
		{"timeout", "linger.ms", "1000"}, {"request-required-acks", "acks", "-1"},
		{"request-timeout-ms", "request.timeout.ms", "1500"}, {"message-send-max-retries", "retries", "3"},
		{"retry-backoff-ms", "retry.backoff.ms", "100"}, {"socket-buffer-size", "send.buffer.bytes", "102400"},
		{"max-memory-bytes", "buffer.memory", "33554432"}, {"batch-size", "batch.size", "16384"},
		{"max-partition-memory-bytes", "batch.size", ""}, {"metadata-expiry-ms", "metadata.max.age.ms", "300000"},
		{"max-block-ms", "max.block.ms", "60000"}, {"", "delivery.timeout.ms", "120000"}, // Java's default
	} {
		_, has := given[o.property]
		switch {
		case set.has(o.option):
			out[o.property] = set.one(o.option, "")
		case !has && o.def != "":
			out[o.property] = o.def
		}
	}
	return out, nil
}

// sendLines produces every line. What the broker refuses is logged and the next
// line follows, as Kafka's tool does it; with sync the first refusal ends it.
func sendLines(ctx context.Context, e *Env, c *client.Client, lines *lineReader, sync bool) error {
	logged := &syncWriter{w: e.Err}
	for {
		rec, err := nextLine(ctx, lines)
		if errors.Is(err, io.EOF) {
			return c.Flush(ctx)
		}
		if err != nil {
			if flushed := c.Flush(ctx); flushed != nil && ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return err
		}
		if sync {
			if err := c.SendAndWait(ctx, rec); err != nil {
				return err
			}
			continue
		}
		c.Send(ctx, rec, func(r *client.Record, err error) {
			if err = c.SendError(r.Topic, err); err != nil {
				logLine(logged, "ERROR", fmt.Sprintf("Error when sending message to topic %s with key: %s, value: %s with error: %s: %s",
					r.Topic, sizeText(r.Key), sizeText(r.Value), javaError(err), faceReason(err)),
					"org.apache.kafka.clients.producer.internals.ErrorLoggingCallback")
			}
		})
	}
}

func sizeText(b []byte) string {
	if b == nil {
		return "null"
	}
	return strconv.Itoa(len(b)) + " bytes"
}
