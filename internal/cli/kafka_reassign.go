package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/brokerd/brokerd/pkg/client"
)

const reassignHelp = "This tool helps to move topic partitions between replicas."

// reassignActions are what one call does, with the options that an action needs
// and those that it may have beside.
var reassignActions = []struct {
	name           string
	needs, permits []string
}{
	{"generate", []string{"topics-to-move-json-file", "broker-list"}, []string{"bootstrap-server", "command-config", "disable-rack-aware"}},
	{"execute", []string{"reassignment-json-file"}, []string{"additional", "bootstrap-server", "command-config", "throttle",
		"replica-alter-log-dirs-throttle", "timeout", "disallow-replication-factor-change"}},
	{"verify", []string{"reassignment-json-file"}, []string{"bootstrap-server", "command-config", "preserve-throttles"}},
	{"cancel", []string{"reassignment-json-file"}, []string{"bootstrap-server", "bootstrap-controller", "command-config", "preserve-throttles", "timeout"}},
	{"list", nil, []string{"bootstrap-server", "bootstrap-controller", "command-config"}},
}

// kafkaReassign is kafka-reassign-partitions: partitions move between brokers
// and log directories.
func kafkaReassign(e *Env, args []string) int {
	table := reassignOptions()
	set, err := parseJopt(table, args)
	var bad *badValue
	if errors.As(err, &bad) { // found when the value is asked for
		printThrown(e, &thrown{"joptsimple.OptionArgumentConversionException", err.Error()})
		return 1
	}
	if err != nil {
		return uncaught(e, err)
	}
	if code, done := help(e, table, set, args, reassignHelp); done {
		return code
	}
	action, err := reassignAction(set)
	if err != nil {
		return usage(e, table, err.Error())
	}
	ctx, stop := interruptible()
	defer stop()
	return ended(reassign(ctx, e, set, action), func(err error) {
		var told terse
		if errors.As(err, &told) {
			fmt.Fprintln(e.Out, err)
			return
		}
		printThrown(e, err)
	})
}

// thrown is an error that Kafka's tool throws, with its class.
type thrown struct{ class, text string }

func (t *thrown) Error() string { return t.text }

const (
	commandFailed   = "org.apache.kafka.tools.AdminCommandFailedException"
	operationFailed = "org.apache.kafka.tools.AdminOperationException"
	badNumber       = "java.lang.NumberFormatException"
	badField        = "com.fasterxml.jackson.databind.JsonMappingException"
	noFile          = "java.io.IOException"
	failedCall      = "java.util.concurrent.ExecutionException"
)

func throwf(class, format string, args ...any) error {
	return &thrown{class, fmt.Sprintf(format, args...)}
}

// printThrown prints an error as the tools do that print what they catch.
func printThrown(e *Env, err error) {
	t := &thrown{"java.lang.RuntimeException", err.Error()}
	var answered *client.Error
	if !errors.As(err, &t) && errors.As(err, &answered) {
		t = &thrown{failedCall, javaText(err)}
	}
	fmt.Fprintf(e.Out, "Error: %s\n%s: %s\n\n", t.text, t.class, t.text)
}

// terse is an error that Kafka's tool prints as it stands.
type terse string

func (t terse) Error() string { return string(t) }

func reassignAction(set *jset) (string, error) {
	at, names := -1, []string{}
	for i, a := range reassignActions {
		names = append(names, "--"+a.name)
		if set.has(a.name) {
			if at >= 0 {
				at = len(reassignActions)
			} else {
				at = i
			}
		}
	}
	server, controller := set.has("bootstrap-server"), set.has("bootstrap-controller")
	switch {
	case at < 0 || at == len(reassignActions):
		return "", errors.New("Command must include exactly one action: " + strings.Join(names, ", "))
	case server && controller:
		return "", errors.New("Please don't specify both --bootstrap-server and --bootstrap-controller")
	case !server && !controller:
		return "", errors.New("Please specify either --bootstrap-server or --bootstrap-controller")
	}
	a := reassignActions[at]
	for _, o := range a.needs {
		if !set.has(o) {
			return "", fmt.Errorf(`Missing required argument "[%s]"`, o)
		}
	}
	for _, o := range set.order {
		if o != a.name && !slices.Contains(a.needs, o) && !slices.Contains(a.permits, o) {
			return "", fmt.Errorf(`Option "[%s]" can't be used with action "[%s]"`, o, a.name)
		}
	}
	return a.name, nil
}

// reassigning is one call of kafka-reassign-partitions.
type reassigning struct {
	e     *Env
	set   *jset
	admin *client.Admin
}

func reassign(ctx context.Context, e *Env, set *jset, action string) error {
	text := ""
	for _, o := range []string{"reassignment-json-file", "topics-to-move-json-file"} {
		if file := set.one(o, ""); file != "" {
			b, err := os.ReadFile(file)
			if err != nil {
				return throwf(noFile, "Unable to read file %s", file)
			}
			text = string(b)
		}
	}
	c, ctx, closeClient, err := dialFace(ctx, e, set)
	if err != nil {
		return err
	}
	defer closeClient()
	r := &reassigning{e, set, c.Admin()}
	switch action {
	case "generate":
		return r.generate(ctx, text)
	case "execute":
		return r.execute(ctx, text)
	case "verify":
		return r.verify(ctx, text)
	case "cancel":
		return r.cancel(ctx, text)
	}
	return r.list(ctx)
}

func (r *reassigning) list(ctx context.Context) error {
	moves, err := r.admin.Moves(ctx)
	if err != nil {
		return err
	}
	if len(moves) == 0 {
		fmt.Fprintln(r.e.Out, "No partition reassignments found.")
		return nil
	}
	fmt.Fprintln(r.e.Out, "Current partition reassignments:")
	for _, m := range moves {
		line := fmt.Sprintf("%s: replicas: %s.", m.Partition, join(m.Replicas, ","))
		if len(m.Adding) > 0 {
			line += " adding: " + join(m.Adding, ",") + "."
		}
		if len(m.Removing) > 0 {
			line += " removing: " + join(m.Removing, ",") + "."
		}
		fmt.Fprintln(r.e.Out, line)
	}
	return nil
}

// generate proposes an even assignment of topics to brokers.
func (r *reassigning) generate(ctx context.Context, text string) error {
	wanted, err := brokerIDs(r.set.one("broker-list", ""))
	if err != nil {
		return err
	}
	topics, err := parseTopicsToMove(text)
	if err != nil {
		return err
	}
	if twice := repeated(wanted); len(twice) > 0 {
		return throwf(commandFailed, "Broker list contains duplicate entries: [%s]", join(twice, ", "))
	}
	if twice := repeated(topics); len(twice) > 0 {
		return throwf(commandFailed, "List of topics to reassign contains duplicate entries: [%s]", strings.Join(twice, ", "))
	}
	current, err := r.assignments(ctx, topics)
	if err != nil {
		return err
	}
	brokers, err := r.brokersIn(ctx, wanted)
	if err != nil {
		return err
	}
	proposed, err := proposal(current, brokers, int(time.Now().UnixNano()&0xffff))
	if err != nil {
		return err
	}
	fmt.Fprintf(r.e.Out, "Current partition replica assignment\n%s\n\n", assignmentJSON(current, r.dirsOf(ctx, current)))
	fmt.Fprintf(r.e.Out, "Proposed partition reassignment configuration\n%s\n", assignmentJSON(proposed, nil))
	return nil
}

// brokersIn are those of the wanted brokers that are there.
func (r *reassigning) brokersIn(ctx context.Context, wanted []int32) ([]client.Broker, error) {
	cluster, err := r.admin.Cluster(ctx)
	if err != nil {
		return nil, err
	}
	brokers := slices.DeleteFunc(cluster.Brokers, func(b client.Broker) bool { return !slices.Contains(wanted, b.ID) })
	rackless := 0
	for i := range brokers {
		if r.set.has("disable-rack-aware") {
			brokers[i].Rack = ""
		}
		if brokers[i].Rack == "" {
			rackless++
		}
	}
	if !r.set.has("disable-rack-aware") && rackless > 0 && rackless < len(brokers) {
		return nil, throwf(operationFailed, "Not all brokers have rack information. Add --disable-rack-aware in command line to make replica assignment without rack information.")
	}
	return brokers, nil
}

// assignments are the partitions of topics with their replicas, in order.
func (r *reassigning) assignments(ctx context.Context, topics []string) ([]client.Assignment, error) {
	var out []client.Assignment
	for _, name := range topics {
		described, err := r.admin.DescribeTopics(ctx, name)
		if errors.Is(err, client.ErrUnknownTopic) {
			return nil, throwf(failedCall, "org.apache.kafka.common.errors.UnknownTopicOrPartitionException: Topic %s not found.", name)
		}
		if err != nil {
			return nil, err
		}
		for _, p := range described[0].Partitions {
			out = append(out, client.Assignment{Partition: client.Partition{Topic: name, Partition: p.Partition}, Replicas: p.Replicas})
		}
	}
	slices.SortFunc(out, func(a, b client.Assignment) int { return client.ComparePartitions(a.Partition, b.Partition) })
	return out, nil
}

// dirsOf tells the log directories of replicas, of those whose brokers answer.
func (r *reassigning) dirsOf(ctx context.Context, list []client.Assignment) map[client.ReplicaID]string {
	out := map[client.ReplicaID]string{}
	var brokers []int32
	for _, a := range list {
		for _, id := range a.Replicas {
			out[client.ReplicaID{Partition: a.Partition, Broker: id}] = ""
			brokers = append(brokers, id)
		}
	}
	slices.Sort(brokers)
	for _, id := range slices.Compact(brokers) {
		dirs, err := r.admin.LogDirs(ctx, []int32{id})
		if err != nil {
			continue // it is what one would go back to, directories or not
		}
		for _, d := range dirs {
			for _, p := range d.Replicas {
				at := client.ReplicaID{Partition: p.Partition, Broker: id}
				if _, wanted := out[at]; wanted && !p.Future {
					out[at] = d.Dir
				}
			}
		}
	}
	return out
}
