package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/brokerd/brokerd/pkg/client"
)

// tool is one of Kafka's commands.
type tool func(e *Env, args []string) int

// face finds the Kafka tool of that name (without .sh), nil if it is none.
func face(name string) tool {
	switch name {
	case "kafka-topics":
		return kafkaTopics
	case "kafka-configs":
		return kafkaConfigs
	case "kafka-console-producer":
		return kafkaProducer
	case "kafka-console-consumer":
		return kafkaConsumer
	case "kafka-storage":
		return kafkaStorage
	case "kafka-server-start":
		return kafkaServerStart
	case "kafka-server-stop":
		return kafkaServerStop
	case "kafka-dump-log":
		return kafkaDumpLog
	case "kafka-consumer-groups":
		return kafkaConsumerGroups
	case "kafka-groups":
		return kafkaGroups
	case "kafka-get-offsets":
		return kafkaGetOffsets
	case "kafka-delete-records":
		return kafkaDeleteRecords
	case "kafka-cluster":
		return kafkaCluster
	case "kafka-features":
		return kafkaFeatures
	case "kafka-metadata-quorum":
		return kafkaQuorum
	case "kafka-reassign-partitions":
		return kafkaReassign
	case "kafka-leader-election":
		return kafkaElect
	case "kafka-log-dirs":
		return kafkaLogDirs
	case "zookeeper-server-start", "zookeeper-server-stop", "zookeeper-shell":
		return zookeeper
	}
	return nil
}

// faceNames lists the tools that install-aliases links.
func faceNames() []string {
	return []string{
		"kafka-cluster", "kafka-configs", "kafka-console-consumer", "kafka-console-producer", "kafka-consumer-groups", "kafka-delete-records",
		"kafka-dump-log", "kafka-features", "kafka-get-offsets", "kafka-groups", "kafka-leader-election", "kafka-log-dirs", "kafka-metadata-quorum",
		"kafka-reassign-partitions", "kafka-server-start", "kafka-server-stop", "kafka-storage", "kafka-topics",
		"zookeeper-server-start", "zookeeper-server-stop", "zookeeper-shell",
	}
}

func zookeeper(e *Env, _ []string) int {
	fmt.Fprintln(e.Out, "brokerd needs no ZooKeeper: its brokers keep the metadata themselves. Start one with: brokerd server [FILE], or kafka-server-start.sh FILE")
	return 0
}

// kafkaVersion is what --version prints: whose tools these are compatible with.
const kafkaVersion = "4.4.0"

// usage ends a tool as joptsimple's users do: the message, then the options,
// both on stderr, exit code 1 even for --help.
func usage(e *Env, table []jopt, message string) int {
	fmt.Fprint(e.Err, message+"\n"+joptHelp(table))
	return 1
}

// help handles --help, --version and an empty command line.
func help(e *Env, table []jopt, set *jset, args []string, message string) (code int, done bool) {
	switch {
	case len(args) == 0 || set.has("help"):
		return usage(e, table, message), true
	case set.has("version"):
		fmt.Fprintln(e.Out, kafkaVersion)
		return 0, true
	}
	return 0, false
}

// ended turns what came of a tool into its exit code. failed prints an error, to
// whoever still reads.
func ended(err error, failed func(error)) int {
	if err == nil {
		return 0
	}
	if !gone(err) {
		failed(err)
	}
	return 1
}

// plainTool is a tool that prints every error as it is.
type plainTool struct {
	options func() []jopt
	about   string
	needs   []string
	run     func(context.Context, *Env, *jset) error
}

func (t plainTool) main(e *Env, args []string) int {
	table := t.options()
	set, err := parseJopt(table, args)
	if err != nil {
		fmt.Fprintln(e.Err, err)
		return 1
	}
	if code, done := help(e, table, set, args, t.about); done {
		return code
	}
	if lacks := set.lacks(t.needs...); lacks != "" {
		return usage(e, table, lacks)
	}
	ctx, stop := interruptible()
	defer stop()
	return ended(t.run(ctx, e, set), func(err error) { fmt.Fprintln(e.Err, faceReason(err)) })
}

// lacks says which of the options that must be there is not, "": none.
func (s *jset) lacks(needs ...string) string {
	for _, need := range needs {
		if !s.has(need) {
			return fmt.Sprintf(`Missing required argument "[%s]"`, need)
		}
	}
	return ""
}

// noZooKeeper answers --zookeeper, which Kafka has dropped.
func noZooKeeper(e *Env, set *jset) bool {
	if set.has("zookeeper") {
		fmt.Fprintln(e.Err, "zookeeper is not a recognized option")
		fmt.Fprintln(e.Err, "ZooKeeper is gone; use --bootstrap-server HOST:9092")
		return true
	}
	return false
}

// dialFace connects as a tool's options say: --bootstrap-server over
// --command-property over --command-config.
func dialFace(ctx context.Context, e *Env, set *jset, more ...client.Option) (*client.Client, context.Context, context.CancelFunc, error) {
	p := client.Properties{}
	if file := set.one("command-config", ""); file != "" {
		loaded, err := client.LoadProperties(file)
		if err != nil {
			return nil, nil, nil, err
		}
		p = loaded
	}
	if err := p.Set(set.values["command-property"]...); err != nil {
		return nil, nil, nil, err
	}
	if b := set.one("bootstrap-server", set.one("bootstrap-controller", "")); b != "" {
		p["bootstrap.servers"] = b
	}
	c, err := client.New(append([]client.Option{client.WithProperties(p)}, more...)...)
	if err != nil {
		return nil, nil, nil, err
	}
	for _, w := range c.Warnings() {
		logLine(e.Err, "WARN", w, "org.apache.kafka.clients")
	}
	if err := c.Connect(ctx); err != nil {
		c.Close()
		return nil, nil, nil, err
	}
	ctx, cancel := c.Guard(ctx)
	return c, ctx, func() { cancel(); c.Close() }, nil
}

// logLine prints what Kafka's tools log through log4j, on stderr.
func logLine(w io.Writer, level, message, logger string) {
	fmt.Fprintf(w, "[%s] %s %s (%s)\n", strings.Replace(time.Now().Format("2006-01-02 15:04:05.000"), ".", ",", 1), level, message, logger)
}

// javaError names the exception that Java's client throws for an error.
func javaError(err error) string {
	var k *client.Error
	if !errors.As(err, &k) {
		return "org.apache.kafka.common.KafkaException"
	}
	special := map[string]string{
		"TOPIC_ALREADY_EXISTS":       "TopicExistsException",
		"INVALID_TOPIC_EXCEPTION":    "InvalidTopicException",
		"INVALID_CONFIG":             "InvalidConfigurationException",
		"REQUEST_TIMED_OUT":          "TimeoutException",
		"UNKNOWN_SERVER_ERROR":       "UnknownServerException",
		"MESSAGE_TOO_LARGE":          "RecordTooLargeException",
		"TOPIC_AUTHORIZATION_FAILED": "TopicAuthorizationException", "GROUP_AUTHORIZATION_FAILED": "GroupAuthorizationException",
		"CLUSTER_AUTHORIZATION_FAILED": "ClusterAuthorizationException", "SASL_AUTHENTICATION_FAILED": "SaslAuthenticationException",
		"KAFKA_STORAGE_ERROR": "KafkaStorageException", "NON_EMPTY_GROUP": "GroupNotEmptyException",
	}
	name := k.CodeName()
	if s, ok := special[name]; ok {
		return "org.apache.kafka.common.errors." + s
	}
	var b strings.Builder
	for _, w := range strings.Split(strings.ToLower(name), "_") {
		b.WriteString(strings.ToUpper(w[:1]) + w[1:])
	}
	return "org.apache.kafka.common.errors." + b.String() + "Exception"
}

// javaText is an error as Java prints the exception for it.
func javaText(err error) string { return javaError(err) + ": " + faceReason(err) }

// faceReason is what comes after "Error while …": the broker's own words, or ours.
func faceReason(err error) string {
	var k *client.Error
	if errors.As(err, &k) {
		return k.Reason()
	}
	return err.Error()
}
