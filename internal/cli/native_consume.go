package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/brokerd/brokerd/pkg/client"
	"github.com/spf13/cobra"
)

func (a *app) consumeCommand() *cobra.Command {
	var f consumeFlags
	c := a.connects(&cobra.Command{Use: "consume TOPIC...", Short: "Print records of topics", Args: needNames("topic"),
		Example: "  brokerd consume greetings --from-beginning\n" +
			"  brokerd consume orders --partition 0 --offset 42 -n 1 -o json\n" +
			"  brokerd consume orders --group billing --print-key --print-headers"})
	fl := c.Flags()
	fl.BoolVar(&f.beginning, "from-beginning", false, "start with the oldest record (a group: where it has no offset yet)")
	fl.Int64VarP(&f.max, "max-messages", "n", -1, "end after so many records")
	hideDefault(c, "max-messages")
	fl.DurationVar(&f.idle, "idle", 0, "end when nothing comes for so long")
	fl.Int32SliceVarP(&f.partitions, "partition", "p", nil, "only partitions `N[,N]` (one topic, no group)")
	fl.Lookup("partition").DefValue = "" // else the help shows the library's empty list
	fl.StringVar(&f.offset, "offset", "", "with --partition: a number, earliest or latest")
	fl.StringVarP(&f.group, "group", "g", "", "read as a member of this group, and commit")
	fl.BoolVar(&f.committed, "read-committed", false, "leave records of unfinished and aborted transactions out")
	for name, into := range map[string]*bool{"print-key": &f.key, "print-headers": &f.headers, "print-offset": &f.offsets,
		"print-partition": &f.partition, "print-timestamp": &f.timestamp} {
		fl.BoolVar(into, name, false, strings.ReplaceAll(name, "-", " the ")+" too")
	}
	fl.StringArrayVar(&f.formatter, "formatter-property", nil, "a property of Kafka's formatter, `key=value` (print.epoch, key.separator, key.deserializer …)")
	c.RunE = func(c *cobra.Command, topics []string) error { return a.consume(c, topics, f) }
	return c
}

type consumeFlags struct {
	beginning, committed                        bool
	key, headers, offsets, partition, timestamp bool
	max                                         int64
	idle                                        time.Duration
	partitions                                  []int32
	offset, group                               string
	formatter                                   []string
}

func (f consumeFlags) reading(topics []string) (client.Reading, error) {
	r := client.Reading{Topics: topics, From: client.Latest, Group: f.group, Partitions: f.partitions}
	if f.beginning {
		r.From = client.Earliest
	}
	switch {
	case f.offset != "" && len(f.partitions) == 0:
		return r, usageErr("as in: --partition 0 --offset "+f.offset, "--offset needs --partition")
	case len(f.partitions) > 0 && f.group != "":
		return r, usageErr("leave one of them out", "--partition and --group cannot go together: a group shares partitions out itself")
	case len(f.partitions) > 0 && len(topics) > 1:
		return r, usageErr("name one topic", "--partition is for one topic")
	case f.offset != "" && f.beginning:
		return r, usageErr("leave one of them out", "--offset and --from-beginning cannot go together")
	}
	switch f.offset {
	case "":
	case "earliest":
		r.From = client.Earliest
	case "latest":
		r.From = client.Latest
	default:
		n, err := strconv.ParseInt(f.offset, 10, 64)
		if err != nil || n < 0 {
			return r, usageErr("a number, earliest or latest", "--offset %s", f.offset)
		}
		r.From = n
	}
	if f.group != "" {
		r.CommitEvery = 5 * time.Second
	}
	return r, nil
}

func (f consumeFlags) writer() (*recordWriter, error) {
	props := client.Properties{}
	if err := props.Set(f.formatter...); err != nil {
		return nil, usageErr("give --formatter-property key=value", "%v", err)
	}
	for name, on := range map[string]bool{"print.key": f.key, "print.headers": f.headers, "print.offset": f.offsets,
		"print.partition": f.partition, "print.timestamp": f.timestamp} {
		if on {
			props[name] = "true"
		}
	}
	w, err := newRecordWriter(props)
	if err != nil {
		return nil, usageErr("", "%v", err)
	}
	return w, nil
}

func (a *app) consume(c *cobra.Command, topics []string, f consumeFlags) error {
	spec, err := f.reading(topics)
	if err != nil {
		return err
	}
	w, err := f.writer()
	if err != nil {
		return err
	}
	print := w.write
	if a.json() {
		print = writeRecordJSON
	}
	opts := []client.Option{client.Read(spec)}
	if f.committed {
		opts = append(opts, client.WithProperties(client.Properties{"isolation.level": "read_committed"}))
	}
	cl, ctx, done, err := a.dial(c, opts...)
	if err != nil {
		return err
	}
	defer done()
	look, cancel := context.WithTimeout(ctx, a.timeout)
	if err = a.topicsExist(look, cl.Admin(), topics); err == nil {
		err = a.partitionsExist(look, cl.Admin(), topics[0], f.partitions)
	}
	if err == nil {
		err = a.awaitLeader(look, cl.Admin(), topics, f.partitions)
	}
	cancel()
	if err != nil {
		return err
	}
	r := &reading{out: a.e.Out, print: print, max: f.max, idle: f.idle, onError: func(err error) error { return a.survive(err) }}
	err = r.run(ctx, cl)
	if f.group != "" && errors.Is(err, client.ErrUnsupported) {
		return &cliError{text: "this broker has no consumer groups", hint: "leave --group out: every consumer then reads all partitions", code: exitFailed, err: err}
	}
	if f.group != "" {
		commit, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		err = errors.Join(err, cl.Commit(commit))
	}
	if a.verbose {
		a.note("%d records", r.count)
	}
	if errors.Is(err, client.ErrOffsetOutOfRange) {
		return &cliError{text: fmt.Sprintf("offset %s of topic %q is not in the log", f.offset, topics[0]),
			hint: fmt.Sprintf("`brokerd topics describe %s --replicas` shows where the log ends; --offset earliest and latest are always there", topics[0]), code: exitFailed, err: err}
	}
	return err
}

// partitionsExist looks for partitions of a topic that exists.
func (a *app) partitionsExist(ctx context.Context, admin *client.Admin, topic string, partitions []int32) error {
	if len(partitions) == 0 {
		return nil
	}
	all, err := admin.Topics(ctx)
	if err != nil {
		return err
	}
	for _, t := range all {
		for _, p := range partitions {
			if t.Name == topic && (p < 0 || int(p) >= t.Partitions) {
				return &cliError{text: fmt.Sprintf("topic %q has no partition %d", topic, p),
					hint: fmt.Sprintf("it has %d, from 0 on: `brokerd topics describe %s`", t.Partitions, topic), code: exitNotFound}
			}
		}
	}
	return nil
}

// awaitLeader makes sure that there is something to read: a consumer waits for
// the leader of a partition for ever, and tells nothing. Where some partitions have
// none it warns; where all have none it waits for one until ctx ends.
func (a *app) awaitLeader(ctx context.Context, admin *client.Admin, topics []string, only []int32) error {
	for text := ""; ; {
		described, err := admin.DescribeTopics(ctx, topics...)
		if err != nil && (text == "" || ctx.Err() == nil) {
			return err
		}
		told, led := text != "", 0
		if err == nil {
			led, text = leaders(described, only)
		}
		if led > 0 {
			if text != "" {
				a.warn("no leader serves " + text + ": nothing comes from there until one does; /readyz and the log of the brokers that hold it say why")
			}
			return nil
		}
		if !told {
			a.note("no leader serves %s: waiting for one", text)
		}
		select {
		case <-time.After(min(250*time.Millisecond, a.timeout/4)):
		case <-ctx.Done():
			return &cliError{text: "no leader serves " + text + ": there is nothing to read from", code: exitFailed,
				err:  &client.Error{Doing: "read", Name: topics[0], Code: client.ErrNoLeader},
				hint: "`brokerd topics describe " + topics[0] + "` shows where its replicas are; /readyz and the log of those brokers say why. --timeout waits longer for a leader"}
		}
	}
}

// leaders counts the partitions to be read that somebody serves, and names the others.
func leaders(topics []client.TopicDescription, only []int32) (led int, others string) {
	var names []string
	for _, t := range topics {
		for _, p := range t.Partitions {
			switch {
			case len(only) > 0 && !slices.Contains(only, p.Partition):
			case p.Leader >= 0:
				led++
			default:
				names = append(names, fmt.Sprintf("%s-%d", t.Name, p.Partition))
			}
		}
	}
	const shown = 5
	if len(names) == 0 {
		return led, ""
	}
	list := strings.Join(names[:min(shown, len(names))], ", ")
	if more := len(names) - shown; more > 0 {
		list += fmt.Sprintf(" and %d more", more)
	}
	return led, list
}

// survive lets a consumer go on over what passes by itself.
func (a *app) survive(err error) error {
	var lost *client.DataLoss
	if errors.As(err, &lost) {
		a.warn(fmt.Sprintf("%s-%d: records %d to %d are gone from the log, going on at %d", lost.Topic, lost.Partition, lost.ConsumedTo, lost.ResetTo, lost.ResetTo))
		return nil
	}
	return err
}

// recordJSON is one record in NDJSON. What is not UTF-8 travels as base64.
type recordJSON struct {
	Topic         string       `json:"topic"`
	Partition     int32        `json:"partition"`
	Offset        int64        `json:"offset"`
	Timestamp     int64        `json:"timestamp"`
	TimestampType string       `json:"timestampType"`
	Epoch         int32        `json:"epoch"`
	Headers       []headerJSON `json:"headers"`
	Key           *string      `json:"key"`
	KeyBase64     []byte       `json:"keyBase64,omitempty"`
	Value         *string      `json:"value"`
	ValueBase64   []byte       `json:"valueBase64,omitempty"`
}

type headerJSON struct {
	Key         string  `json:"key"`
	Value       *string `json:"value"`
	ValueBase64 []byte  `json:"valueBase64,omitempty"`
}

func writeRecordJSON(out *bufio.Writer, r *client.Record) error {
	kind, _, _ := strings.Cut(timestampText(r), ":")
	doc := recordJSON{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Timestamp: r.Timestamp.UnixMilli(),
		TimestampType: kind, Epoch: r.LeaderEpoch, Headers: []headerJSON{}}
	doc.Key, doc.KeyBase64 = textOrBytes(r.Key)
	doc.Value, doc.ValueBase64 = textOrBytes(r.Value)
	for _, h := range r.Headers {
		j := headerJSON{Key: h.Key}
		j.Value, j.ValueBase64 = textOrBytes(h.Value)
		doc.Headers = append(doc.Headers, j)
	}
	return printLine(out, doc)
}

func textOrBytes(b []byte) (*string, []byte) {
	if b == nil {
		return nil, nil
	}
	if !utf8.Valid(b) {
		return nil, b
	}
	s := string(b)
	return &s, nil
}
