//go:build clients

package clients

import (
	"path/filepath"
	"regexp"
	"strings"
)

// Client is one client in one version.
type Client struct {
	Name, Version, Language string
	// command starts its adapter; BOOTSTRAP stands for the address, CACHE for
	// where scripts/clients installed it, HERE for this directory.
	command string
	// lacks says which calls it does not have, and why.
	lacks map[string]string
	// kafkaToo says why a case fails with this client, against Apache Kafka as well.
	kafkaToo map[string]string
	// unsteady is what it does now and then, against Apache Kafka as well or by its
	// own makers' word: a case that fails by it is asked again, twice at most.
	unsteady *flaw
	// kafkaOnly says why a case fails against Apache Kafka that passes against brokerd.
	kafkaOnly map[string]string
	// unserved: Apache Kafka 4.4 has dropped versions of the protocol that it needs.
	unserved bool
}

// flaw is a failure that a client makes now and then, whatever the broker does.
type flaw struct {
	cases string         // how the cases begin that it may happen in
	says  *regexp.Regexp // what the failure says: any other is red at once
	why   string
}

// of says whether it may happen in a case.
func (f *flaw) of(k Case) bool { return f != nil && strings.HasPrefix(k.ID, f.cases) }

// ID names it in output and as a subtest.
func (c *Client) ID() string { return c.Name + "-" + c.Version }

func (c *Client) argv(here, cache, bootstrap string) []string {
	r := strings.NewReplacer("BOOTSTRAP", bootstrap, "CACHE", cache, "HERE", here, "VERSION", c.Version)
	return strings.Fields(r.Replace(c.command))
}

// lack is why it cannot go through a case, "" if it can.
func (c *Client) lack(k Case) string {
	for _, need := range k.Needs {
		if why := c.lacks[need]; why != "" {
			return why
		}
	}
	return ""
}

const javaCommand = "java -Xmx512M -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -cp CACHE/java-VERSION:CACHE/java-VERSION/* Adapter BOOTSTRAP VERSION"

// merged is the first map with the entries of the others added.
func merged(maps ...map[string]string) map[string]string {
	all := map[string]string{}
	for _, m := range maps {
		for k, v := range m {
			all[k] = v
		}
	}
	return all
}

// lacking gives one reason for several calls.
func lacking(why string, needs ...string) map[string]string {
	m := map[string]string{}
	for _, n := range needs {
		m[n] = why
	}
	return m
}

// javaGroups is what came to the groups of the Java client after 2.3.
var javaGroups = merged(
	lacking("The Java client has cooperative rebalancing since 2.4.", needCooperative),
	lacking("The Java client has the new group protocol since 3.7.", needConsumer))

// librdkafkaKinds is what makes librdkafka's groups seem to have an assignor of the program's own.
var librdkafkaKinds = map[string]string{
	"group-kinds-again": "Its leader puts what members said of themselves into what they are assigned; a broker takes that for the data of an unknown assignor, and refuses to upgrade the group."}

// Clients is every client that the matrix has, the slow ones first.
var Clients = []Client{
	{Name: "java", Version: "0.9.0.1", Language: "Java", command: javaCommand, unserved: true,
		lacks: merged(
			lacking("The Java client has an administration client since 0.11.",
				needCreate, needDescribe, needDelete, needGrow, needConfigs, needAlter, needTrim),
			lacking("The Java client has timestamps since 0.10.", needStamp, needTimestamps),
			lacking("The Java client looks up timestamps since 0.10.1.", needTime),
			lacking("The Java client has headers since 0.11.", needHeaders),
			javaGroups, lacking("The Java client has static members since 2.3.", needStatic), lacking("The Java client lists groups since 2.0.", needGroups),
			lacking("The Java client has idempotent sends since 0.11.", needIdempotent),
			lacking("The Java client has zstd since 2.1.", needZstd))},
	{Name: "java", Version: "0.11.0.3", Language: "Java", command: javaCommand, unserved: true,
		lacks: merged(
			lacking("The Java client adds partitions since 1.0.", needGrow),
			lacking("The Java client deletes records since 1.1.", needTrim),
			javaGroups, lacking("The Java client has static members since 2.3.", needStatic), lacking("The Java client lists groups since 2.0.", needGroups),
			lacking("The Java client has zstd since 2.1.", needZstd))},
	{Name: "java", Version: "1.1.1", Language: "Java", command: javaCommand, unserved: true,
		lacks: merged(
			javaGroups, lacking("The Java client has static members since 2.3.", needStatic), lacking("The Java client lists groups since 2.0.", needGroups),
			lacking("The Java client has zstd since 2.1.", needZstd))},
	{Name: "java", Version: "2.3.0", Language: "Java", command: javaCommand, lacks: javaGroups},
	{Name: "java", Version: "3.9.1", Language: "Java", command: javaCommand,
		unsteady: &flaw{"group-consumer", regexp.MustCompile(`^one .*: member \w+ of .*: (\d+ records, |record \d+ is at )`),
			"Now and then a member that is given partitions while it asks for the committed offsets of others begins the new ones anew (KAFKA-17674, mended in 4.0)."}},
	{Name: "java", Version: "4.4.0", Language: "Java", command: javaCommand},
	{Name: "kafka-python", Version: "1.3.5", Language: "Python", command: "CACHE/kafka-python-1.3.5/bin/python HERE/python/kafka_python.py BOOTSTRAP", unserved: true,
		lacks: merged(
			lacking("This version has no administration client.",
				needCreate, needDescribe, needDelete, needGrow, needConfigs, needAlter, needTrim, needGroups),
			lacking("This version has no such assignor.", needCooperative),
			lacking("This version has no static members.", needStatic),
			lacking("kafka-python has classic groups only.", needConsumer),
			lacking("This version has no headers.", needHeaders),
			lacking("This version has no zstd.", needZstd),
			lacking("This version has no idempotent producer.", needIdempotent))},
	{Name: "kafka-python", Version: "2.0.2", Language: "Python", command: "CACHE/kafka-python-2.0.2/bin/python HERE/python/kafka_python.py BOOTSTRAP",
		lacks: merged(
			lacking("This version has no such call.", needTrim),
			lacking("This version has no such assignor.", needCooperative),
			lacking("This version has no static members.", needStatic),
			lacking("kafka-python has classic groups only.", needConsumer),
			lacking("This version has no idempotent producer.", needIdempotent),
			lacking("It takes only bytes as a header's value.", needNullHeader))},
	{Name: "kafka-python", Version: "3.0.12", Language: "Python", command: "CACHE/kafka-python-3.0.12/bin/python HERE/python/kafka_python.py BOOTSTRAP",
		unsteady: &flaw{"group-", regexp.MustCompile(`\d+ records read, want \d+; the group is |^nothing arrives$`),
			"Now and then a member that has its partitions never begins to read, against Apache Kafka 4.4.0 as well."},
		lacks: merged(
			lacking("kafka-python has classic groups only.", needConsumer),
			lacking("It takes only bytes as a header's value.", needNullHeader))},
	{Name: "aiokafka", Version: "0.14.0", Language: "Python", command: "CACHE/aiokafka-0.14.0/bin/python HERE/python/aiokafka_adapter.py BOOTSTRAP",
		lacks: merged(
			lacking("aiokafka has no such assignor.", needCooperative),
			lacking("aiokafka has classic groups only.", needConsumer),
			lacking("Its description asks for Metadata that creates the topic.", needPure))},
	{Name: "confluent-kafka", Version: "1.4.2", Language: "Python, librdkafka 1.4.2", command: "CACHE/confluent-kafka-1.4.2/bin/python HERE/python/confluent.py BOOTSTRAP", unserved: true, // looking up offsets ends in _BAD_MSG
		lacks: merged(
			lacking("This version has no such call.", needTrim, needGroups),
			lacking("librdkafka has cooperative rebalancing since 1.6.", needCooperative),
			lacking("librdkafka has the new group protocol since 2.4.", needConsumer),
			lacking("Its description asks for Metadata that creates the topic.", needPure))},
	{Name: "confluent-kafka", Version: "2.16.1", Language: "Python, librdkafka 2.16.1", command: "CACHE/confluent-kafka-2.16.1/bin/python HERE/python/confluent.py BOOTSTRAP",
		kafkaToo: librdkafkaKinds},
	{Name: "kcat", Version: "1.7.1", Language: "C, librdkafka 2.0.2", command: "CACHE/goclients kcat BOOTSTRAP",
		lacks: merged(
			lacking("kcat has no such call.", needCreate, needDelete, needGrow, needConfigs, needAlter, needTrim, needSeek, needPause, needGroups, needCommitted),
			lacking("kcat commits by itself.", needCommit),
			lacking("librdkafka has the new group protocol since 2.4.", needConsumer),
			lacking("kcat gives every record the current time.", needStamp)),
		kafkaToo: map[string]string{"group-cooperative": "Who takes a partition over does not read what was never committed."}},
	{Name: "franz-go", Version: "1.22.2", Language: "Go", command: "CACHE/goclients franz-go BOOTSTRAP"},
	{Name: "sarama", Version: "1.61.1", Language: "Go", command: "CACHE/goclients sarama BOOTSTRAP",
		lacks: merged(
			lacking("sarama has no such call.", needAsync, needSeek, needNone),
			lacking("sarama has classic groups only, and no cooperative strategy.", needConsumer, needCooperative))},
	{Name: "kafka-go", Version: "0.4.51", Language: "Go", command: "CACHE/goclients kafka-go BOOTSTRAP",
		lacks: merged(
			lacking("kafka-go has no such call.", needTrim, needIdempotent, needAsync, needSeek, needPause, needNone),
			lacking("kafka-go has classic groups only, without static members or a cooperative balancer.", needConsumer, needStatic, needCooperative),
			lacking("Its Reader gives null for an empty value.", needNull, needNullHeader)),
		kafkaOnly: map[string]string{
			"produce-auto-create": "Kafka answers that the topic is unknown while it makes it, which the client takes as final.",
			"read-restart":        "Its Reader reads nothing any more after Kafka's restart, which takes seconds."}},
	{Name: "confluent-kafka-go", Version: "2.11.1", Language: "Go, librdkafka 2.11.1", command: "CACHE/goclients confluent-kafka-go BOOTSTRAP",
		lacks:    lacking("Its commit waits for the answer.", needAsync),
		kafkaToo: librdkafkaKinds},
	{Name: "rdkafka", Version: "0.39.0", Language: "Rust, librdkafka", command: "CACHE/rust/release/adapter BOOTSTRAP",
		kafkaToo: merged(librdkafkaKinds, map[string]string{
			"configs-wrong":      "Its call drops the error of a setting.",
			"group-commit-async": "The callback of its commits is never called."})},
	{Name: "kafkajs", Version: "2.2.4", Language: "JavaScript", command: "CACHE/node/node_modules/.bin/node CACHE/node/kafkajs.js BOOTSTRAP",
		lacks: merged(
			lacking("kafkajs has classic groups only, without static members or a cooperative assigner.", needConsumer, needStatic, needCooperative),
			lacking("kafkajs has no such setting.", needNone),
			lacking("It takes only bytes as a header's value.", needNullHeader)),
		kafkaOnly: map[string]string{"read-restart": "After Kafka's restart, which takes seconds, its consumer begins at the start again."}},
	{Name: "platformatic-kafka", Version: "2.12.1", Language: "TypeScript", command: "CACHE/node/node_modules/.bin/node CACHE/node/platformatic.js BOOTSTRAP",
		lacks: merged(
			lacking("It has no cooperative assigner.", needCooperative),
			lacking("It has no such call.", needSeek, needPause))},
}

// root is the module's directory as seen from this package.
func here(root string) string { return filepath.Join(root, "test", "clients") }
