package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/brokerd/brokerd/pkg/client"
)

func kafkaConsumer(e *Env, args []string) int {
	table := consumerOptions()
	set, err := parseJopt(table, args)
	if err != nil {
		return usage(e, table, err.Error())
	}
	if code, done := help(e, table, set, args, "This tool helps to read data from Kafka topics and outputs it to standard output."); done {
		return code
	}
	if noZooKeeper(e, set) {
		return 1
	}
	warnDropped(e.Err, args, "whitelist", "include")
	warnDeprecated(e.Out, "Option ", set, [][2]string{{"property", "formatter-property"}, {"consumer-property", "command-property"},
		{"consumer.config", "command-config"}})
	spec, props, err := checkConsumer(set)
	var u *usageError
	if errors.As(err, &u) {
		return usage(e, table, u.text)
	}
	if err != nil {
		fmt.Fprintln(e.Err, err)
		return 1
	}
	print, err := formatter(set)
	if err != nil {
		return usage(e, table, err.Error())
	}
	return runConsumer(e, set, spec, props, print)
}

func runConsumer(e *Env, set *jset, spec client.Reading, props client.Properties, print func(*bufio.Writer, *client.Record) error) int {
	ctx, stop := interruptible()
	defer stop()
	signal.Ignore(syscall.SIGPIPE) // a closed stdout is told, as Kafka's tool does
	opts := []client.Option{client.WithProperties(props), client.Read(spec), client.AutoCreateTopics()}
	c, ctx, closeClient, err := dialFace(ctx, e, set, opts...)
	if err != nil {
		logLine(e.Err, "ERROR", "Unknown error when running consumer: "+faceReason(err), "org.apache.kafka.tools.consumer.ConsoleConsumer")
		return 1
	}
	defer closeClient()
	r := &reading{out: e.Out, print: print, skipBad: set.has("skip-message-on-error"),
		max: set.number("max-messages", -1), idle: time.Duration(max(set.number("timeout-ms", 0), 0)) * time.Millisecond,
		onError: func(err error) error { return consumerError(e, err) }}
	err = r.run(ctx, c)
	code := 0
	switch {
	case r.timedOut:
		logLine(e.Err, "ERROR", "Error processing message, terminating consumer process: org.apache.kafka.common.errors.TimeoutException", "org.apache.kafka.tools.consumer.ConsoleConsumer")
	case gone(err):
		fmt.Fprintln(e.Err, "Unable to write to standard out, closing consumer.")
	case err != nil && !errors.Is(err, context.Canceled):
		logLine(e.Err, "ERROR", "Error processing message, terminating consumer process: "+javaError(err)+": "+faceReason(err), "org.apache.kafka.tools.consumer.ConsoleConsumer")
		if errors.Is(err, client.ErrNotAuthorized) || errors.Is(err, client.ErrUnsupported) {
			code = 1
		}
	}
	if spec.Group != "" && code == 0 {
		commit, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := c.Commit(commit); err != nil && !errors.Is(err, context.Canceled) {
			logLine(e.Err, "WARN", "Offset commit failed: "+err.Error(), "org.apache.kafka.clients.consumer")
		}
	}
	fmt.Fprintf(e.Err, "Processed a total of %d messages\n", r.count)
	if set.has("enable-systest-events") {
		fmt.Fprintln(e.Out, "shutdown_complete")
	}
	return code
}

// consumerError logs what a consumer survives, and returns what it does not.
func consumerError(e *Env, err error) error {
	if errors.Is(err, client.ErrNotAuthorized) || errors.Is(err, client.ErrClosed) {
		return err
	}
	var lost *client.DataLoss
	if errors.As(err, &lost) || errors.Is(err, client.ErrUnknownTopic) || errors.Is(err, client.ErrOffsetOutOfRange) {
		logLine(e.Err, "WARN", "Error while fetching: "+err.Error(), "org.apache.kafka.clients.NetworkClient")
		return nil
	}
	return err
}

// checkConsumer reads what to consume, and the properties that options stand for.
func checkConsumer(set *jset) (client.Reading, client.Properties, error) {
	var r client.Reading
	fail := func(format string, args ...any) (client.Reading, client.Properties, error) {
		return r, nil, &usageError{fmt.Sprintf(format, args...)}
	}
	if set.has("topic") == set.has("include") {
		return fail("Exactly one of the following arguments is required: [topic], [include]")
	}
	if set.has("partition") {
		if !set.has("topic") {
			return fail("The topic is required when partition is specified.")
		}
		if set.has("from-beginning") && set.has("offset") {
			return fail("Options from-beginning and offset cannot be specified together.")
		}
	} else if set.has("offset") {
		return fail("The partition is required when offset is specified.")
	}
	if !set.has("bootstrap-server") {
		return fail(`Missing required argument "[bootstrap-server]"`)
	}
	given, err := commandProperties(set)
	if err != nil {
		return r, nil, err
	}
	if r.Group, err = consumerGroup(set, given); err != nil {
		return r, nil, err
	}
	if r.From, err = consumeFrom(set, given); err != nil {
		return r, nil, err
	}
	if t := set.one("topic", ""); t != "" {
		r.Topics = []string{t}
	}
	r.Pattern = set.one("include", "")
	if set.has("partition") {
		r.Partitions = []int32{int32(set.number("partition", 0))}
		r.OutOfRange = client.Latest // Java's default of auto.offset.reset
		if given["auto.offset.reset"] == "earliest" {
			r.OutOfRange = client.Earliest
		}
	}
	if r.Group != "" && !strings.EqualFold(given["enable.auto.commit"], "false") {
		r.CommitEvery = 5 * time.Second
		if ms, err := strconv.Atoi(given["auto.commit.interval.ms"]); err == nil && ms >= 100 {
			r.CommitEvery = time.Duration(ms) * time.Millisecond
		}
	}
	out := client.Properties{}
	if _, ok := given["client.id"]; !ok {
		out["client.id"] = "console-consumer"
	}
	if _, ok := given["isolation.level"]; set.has("isolation-level") || !ok {
		out["isolation.level"] = set.one("isolation-level", "read_uncommitted")
	}
	return r, out, nil
}

// commandProperties merges --command-config and --command-property.
func commandProperties(set *jset) (client.Properties, error) {
	given := client.Properties{}
	if file := set.one("command-config", ""); file != "" {
		loaded, err := client.LoadProperties(file)
		if err != nil {
			return nil, err
		}
		given = loaded
	}
	return given, given.Set(set.values["command-property"]...)
}

func consumerGroup(set *jset, given client.Properties) (string, error) {
	group, option := given["group.id"], set.one("group", "")
	if group != "" && option != "" && group != option {
		return "", &usageError{"The group ids provided in different places (directly using '--group', via '--command-property', or via '--command-config') do not match. " +
			fmt.Sprintf("Detected group ids: '%s', '%s'", option, group)}
	}
	if option != "" {
		group = option
	}
	if group != "" && set.has("partition") {
		return "", &usageError{"Options group and partition cannot be specified together."}
	}
	return group, nil
}

func consumeFrom(set *jset, given client.Properties) (int64, error) {
	if set.has("partition") && set.has("offset") {
		text := set.one("offset", "")
		switch strings.ToLower(text) {
		case "earliest":
			return client.Earliest, nil
		case "latest":
			return client.Latest, nil
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 0 {
			return 0, &usageError{"The provided offset value '" + text + "' is incorrect. Valid values are 'earliest', 'latest', or a non-negative long."}
		}
		return n, nil
	}
	reset, ok := given["auto.offset.reset"]
	if ok && set.has("from-beginning") && reset != "earliest" {
		return 0, fmt.Errorf("Can't simultaneously specify --from-beginning and 'auto.offset.reset=%s', please remove one option", reset)
	}
	if set.has("from-beginning") || reset == "earliest" {
		return client.Earliest, nil
	}
	return client.Latest, nil
}

// formatter finds the message formatter: Kafka's classes by name.
func formatter(set *jset) (func(*bufio.Writer, *client.Record) error, error) {
	props := client.Properties{}
	if file := set.one("formatter-config", ""); file != "" {
		loaded, err := client.LoadProperties(file)
		if err != nil {
			return nil, err
		}
		props = loaded
	}
	if d := set.one("key-deserializer", ""); d != "" {
		props["key.deserializer"] = d
	}
	if d := set.one("value-deserializer", ""); d != "" {
		props["value.deserializer"] = d
	}
	for _, pair := range set.values["formatter-property"] { // a missing value is an empty one
		k, v, _ := strings.Cut(pair, "=")
		props[k] = v
	}
	class := set.one("formatter", "DefaultMessageFormatter")
	w, err := newRecordWriter(props)
	if err != nil {
		return nil, err
	}
	switch class[strings.LastIndexByte(class, '.')+1:] {
	case "DefaultMessageFormatter":
		return w.write, nil
	case "LoggingMessageFormatter":
		return func(out *bufio.Writer, r *client.Record) error {
			fmt.Fprintf(out, "%s\n", loggingText(r))
			return w.write(out, r)
		}, nil
	case "NoOpMessageFormatter":
		return func(*bufio.Writer, *client.Record) error { return nil }, nil
	}
	return nil, fmt.Errorf("class %s is not known here: DefaultMessageFormatter, LoggingMessageFormatter and NoOpMessageFormatter are", class)
}

func loggingText(r *client.Record) string {
	key := "null"
	if r.Key != nil {
		key = string(r.Key)
	}
	return fmt.Sprintf("%s, key:%s, value:%s", timestampText(r), key, r.Value)
}
