package client

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// key is one setting of a Java client. apply is nil for a key that has no
// meaning here and does no harm.
type key struct {
	name  string
	apply func(c *config, value string) ([]kgo.Opt, error)
}

// keys returns the table of every client property that we know. Groups of keys
// that only make sense together (TLS, SASL, acks with idempotence) are applied
// by their own functions; they stand here without one.
func keys() []key {
	return []key{
		{"bootstrap.servers", func(c *config, v string) ([]kgo.Opt, error) { return nil, Brokers(v)(c) }},
		{"client.id", func(c *config, v string) ([]kgo.Opt, error) { return []kgo.Opt{kgo.ClientID(v)}, nil }},
		{"client.rack", func(c *config, v string) ([]kgo.Opt, error) { return []kgo.Opt{kgo.Rack(v)}, nil }},
		{"socket.connection.setup.timeout.ms", millis(func(c *config, d time.Duration) kgo.Opt { c.connectTimeout = d; return nil })},
		{"max.block.ms", millis(func(c *config, d time.Duration) kgo.Opt { c.maxBlock = d; return nil })},
		{"connections.max.idle.ms", millis(func(_ *config, d time.Duration) kgo.Opt {
			if d < 0 { // never
				d = 15 * time.Minute
			}
			return kgo.ConnIdleTimeout(min(max(d, time.Second), 15*time.Minute)) // franz-go's bounds
		})},
		{"metadata.max.age.ms", millis(func(_ *config, d time.Duration) kgo.Opt { return kgo.MetadataMaxAge(max(d, 10*time.Second)) })},
		{"retry.backoff.ms", millis(func(_ *config, d time.Duration) kgo.Opt {
			return kgo.RetryBackoffFn(func(int) time.Duration { return d })
		})},
		{"request.timeout.ms", millis(func(_ *config, d time.Duration) kgo.Opt {
			return kgo.ProduceRequestTimeout(max(d, 100*time.Millisecond))
		})},

		{"linger.ms", millis(func(_ *config, d time.Duration) kgo.Opt { return kgo.ProducerLinger(min(d, time.Minute)) })},
		// Java's batch.size is where a batch is full, not a limit: a larger record
		// goes alone, up to max.request.size. franz-go knows only the limit.
		{"batch.size", number(func(_ *config, n int64) kgo.Opt {
			if n <= batchLimit {
				return nil
			}
			return kgo.ProducerBatchMaxBytes(int32(min(n, math.MaxInt32)))
		})},
		{"max.request.size", number(func(_ *config, n int64) kgo.Opt {
			return kgo.ProducerBatchMaxBytes(int32(min(max(n, 1<<10), math.MaxInt32)))
		})},
		{"buffer.memory", number(func(_ *config, n int64) kgo.Opt { return kgo.MaxBufferedBytes(int(n)) })},
		{"retries", number(func(_ *config, n int64) kgo.Opt { return kgo.RecordRetries(int(min(n, math.MaxInt32))) })},
		{"delivery.timeout.ms", millis(func(c *config, d time.Duration) kgo.Opt { _ = DeliveryTimeout(d)(c); return nil })}, // has no error
		{"compression.type", compression},
		{"transactional.id", func(_ *config, v string) ([]kgo.Opt, error) { return []kgo.Opt{kgo.TransactionalID(v)}, nil }},
		{"transaction.timeout.ms", millis(func(_ *config, d time.Duration) kgo.Opt { return kgo.TransactionTimeout(d) })},
		{"acks", nil},
		{"enable.idempotence", nil},
		{"max.in.flight.requests.per.connection", nil},

		{"group.id", nil},
		{"group.instance.id", func(_ *config, v string) ([]kgo.Opt, error) { return []kgo.Opt{kgo.InstanceID(v)}, nil }},
		{"auto.offset.reset", nil},
		{"enable.auto.commit", nil},
		{"auto.commit.interval.ms", nil},
		{"partition.assignment.strategy", nil},
		{"session.timeout.ms", nil},
		{"heartbeat.interval.ms", nil},
		{"max.poll.interval.ms", nil},
		{"isolation.level", isolation},
		{"fetch.min.bytes", number(func(_ *config, n int64) kgo.Opt { return kgo.FetchMinBytes(int32(n)) })},
		{"fetch.max.bytes", number(func(_ *config, n int64) kgo.Opt { return kgo.FetchMaxBytes(int32(n)) })},
		{"fetch.max.wait.ms", millis(func(_ *config, d time.Duration) kgo.Opt { return kgo.FetchMaxWait(d) })},
		{"max.partition.fetch.bytes", number(func(_ *config, n int64) kgo.Opt { return kgo.FetchMaxPartitionBytes(int32(n)) })},

		{"security.protocol", nil},
		{"sasl.mechanism", nil},
		{"sasl.jaas.config", nil},
		{"ssl.truststore.location", nil},
		{"ssl.truststore.certificates", nil},
		{"ssl.truststore.type", nil},
		{"ssl.keystore.location", nil},
		{"ssl.keystore.certificate.chain", nil},
		{"ssl.keystore.key", nil},
		{"ssl.keystore.type", nil},
		{"ssl.endpoint.identification.algorithm", nil},

		// Known, and without meaning or need here.
		{"key.serializer", nil}, {"value.serializer", nil}, {"key.deserializer", nil}, {"value.deserializer", nil},
		{"allow.auto.create.topics", nil}, {"auto.include.jmx.reporter", nil}, {"bootstrap.controllers", nil},
		{"check.crcs", nil}, {"client.dns.lookup", nil}, {"compression.gzip.level", nil}, {"compression.lz4.level", nil},
		{"compression.zstd.level", nil}, {"default.api.timeout.ms", nil}, {"enable.metrics.push", nil},
		{"exclude.internal.topics", nil}, {"group.protocol", nil}, {"group.remote.assignor", nil},
		{"interceptor.classes", nil}, {"max.poll.records", nil},
		{"metadata.max.idle.ms", nil}, {"metadata.recovery.rebootstrap.trigger.ms", nil}, {"metadata.recovery.strategy", nil},
		{"metric.reporters", nil}, {"metrics.num.samples", nil}, {"metrics.recording.level", nil},
		{"metrics.sample.window.ms", nil}, {"partitioner.adaptive.partitioning.enable", nil},
		{"partitioner.availability.timeout.ms", nil}, {"partitioner.class", nil}, {"partitioner.ignore.keys", nil},
		{"receive.buffer.bytes", nil}, {"reconnect.backoff.max.ms", nil}, {"reconnect.backoff.ms", nil},
		{"retry.backoff.max.ms", nil}, {"security.providers", nil}, {"send.buffer.bytes", nil},
		{"socket.connection.setup.timeout.max.ms", nil}, {"transaction.two.phase.commit.enable", nil},
		{"ssl.protocol", nil}, {"ssl.provider", nil}, {"ssl.enabled.protocols", nil}, {"ssl.cipher.suites", nil},
		{"ssl.truststore.password", nil}, {"ssl.keystore.password", nil}, {"ssl.key.password", nil},
		{"ssl.keymanager.algorithm", nil}, {"ssl.trustmanager.algorithm", nil}, {"ssl.secure.random.implementation", nil},
		{"ssl.engine.factory.class", nil}, {"sasl.client.callback.handler.class", nil}, {"sasl.login.class", nil},
		{"sasl.login.callback.handler.class", nil}, {"sasl.kerberos.service.name", nil},
	}
}

// applyProperties goes through the properties in name order.
func (c *config) applyProperties() ([]kgo.Opt, error) {
	table := map[string]key{}
	for _, k := range keys() {
		table[k.name] = k
	}
	var opts []kgo.Opt
	for _, name := range c.props.sorted() {
		k, known := table[name]
		if !known {
			c.warnings = append(c.warnings, unknownKey(name, table))
			continue
		}
		if k.apply == nil {
			continue
		}
		o, err := k.apply(c, strings.TrimSpace(c.props[name]))
		if err != nil {
			return nil, fmt.Errorf("%s=%s: %w", name, c.props[name], err)
		}
		for _, opt := range o {
			if opt != nil {
				opts = append(opts, opt)
			}
		}
	}
	for _, group := range []func(*config) ([]kgo.Opt, error){acks, security, credentials} {
		o, err := group(c)
		if err != nil {
			return nil, err
		}
		opts = append(opts, o...)
	}
	return opts, nil
}

// batchLimit is franz-go's default limit of a batch.
const batchLimit = 1_000_012

func millis(set func(*config, time.Duration) kgo.Opt) func(*config, string) ([]kgo.Opt, error) {
	return number(func(c *config, n int64) kgo.Opt {
		if n > math.MaxInt64/int64(time.Millisecond) {
			n = math.MaxInt64 / int64(time.Millisecond)
		}
		return set(c, time.Duration(n)*time.Millisecond)
	})
}

func number(set func(*config, int64) kgo.Opt) func(*config, string) ([]kgo.Opt, error) {
	return func(c *config, v string) ([]kgo.Opt, error) {
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("is not a whole number")
		}
		return []kgo.Opt{set(c, n)}, nil
	}
}

func compression(_ *config, v string) ([]kgo.Opt, error) {
	codec, ok := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}[strings.ToLower(v)]
	if !ok {
		return nil, fmt.Errorf("is not a codec: none, gzip, snappy, lz4 or zstd")
	}
	return []kgo.Opt{kgo.ProducerBatchCompression(codec)}, nil
}

func isolation(_ *config, v string) ([]kgo.Opt, error) {
	switch strings.ToLower(v) {
	case "read_committed":
		return []kgo.Opt{kgo.FetchIsolationLevel(kgo.ReadCommitted())}, nil
	case "read_uncommitted":
		return []kgo.Opt{kgo.FetchIsolationLevel(kgo.ReadUncommitted())}, nil
	}
	return nil, fmt.Errorf("is neither read_committed nor read_uncommitted")
}

// acks applies acks together with enable.idempotence, as Java resolves them: an
// idempotent producer needs acks=all, and is given up quietly for fewer unless
// it was asked for by name.
func acks(c *config) ([]kgo.Opt, error) {
	v, given := c.props["acks"]
	idempotent, asked := c.props["enable.idempotence"]
	wanted := !asked || strings.EqualFold(strings.TrimSpace(idempotent), "true")
	opts := []kgo.Opt{}
	level := kgo.AllISRAcks()
	switch strings.ToLower(strings.TrimSpace(v)) {
	case "0":
		level = kgo.NoAck()
	case "1":
		level = kgo.LeaderAck()
	case "-1", "all", "":
	default:
		return nil, fmt.Errorf("acks=%s: is none of 0, 1, all and -1", v)
	}
	weak := level != kgo.AllISRAcks()
	if weak && asked && wanted {
		return nil, fmt.Errorf("acks=%s: an idempotent producer (enable.idempotence=true) needs acks=all", v)
	}
	if given {
		opts = append(opts, kgo.RequiredAcks(level))
	}
	if weak || !wanted {
		opts = append(opts, kgo.DisableIdempotentWrite())
		if n, err := strconv.Atoi(c.props["max.in.flight.requests.per.connection"]); err == nil && n > 0 {
			opts = append(opts, kgo.MaxProduceRequestsInflightPerBroker(n))
		}
	}
	return opts, nil
}

// unknownKey warns of a key, with the nearest one that exists.
func unknownKey(name string, table map[string]key) string {
	known := make([]string, 0, len(table))
	for _, k := range keys() { // in table order: the same suggestion every time
		known = append(known, k.name)
	}
	best := Nearest(name, known)
	if best == "" {
		return fmt.Sprintf("unknown client property %q (ignored)", name)
	}
	return fmt.Sprintf("unknown client property %q: did you mean %q? (ignored)", name, best)
}

// Nearest gives the name that somebody may have meant: the first of those that
// differ least, by at most two characters; empty if there is none.
func Nearest(name string, among []string) string {
	best, distance := "", 3
	for _, other := range among {
		if d := editDistance(name, other, distance); d < distance {
			best, distance = other, d
		}
	}
	return best
}

// editDistance is Levenshtein's, given up at limit.
func editDistance(a, b string, limit int) int {
	if d := len(a) - len(b); d >= limit || -d >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal, lowest := row[0], i
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := diagonal
			if a[i-1] != b[j-1] {
				cost = 1 + min(diagonal, row[j], row[j-1])
			}
			diagonal, row[j] = row[j], cost
			lowest = min(lowest, cost)
		}
		if lowest >= limit {
			return limit
		}
	}
	return row[len(b)]
}
