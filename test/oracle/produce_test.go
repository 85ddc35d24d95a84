//go:build oracle

package oracle

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/brokerd/brokerd/internal/record"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	firstProduce, lastProduce = 3, 13
	logAppendBit              = 1 << 3
	transactionalBit          = 1 << 4
	controlBit                = 1 << 5
	horizonBit                = 1 << 6
)

// writing is one produce request to one kind of topic.
type writing struct {
	name   string
	topic  string // a prefix; "" is plain
	acks   int16
	bytes  []byte
	packed bool
	txn    *string
}

// absent reports whether there is no such topic.
func (w writing) absent() bool { return w.topic == "nowhere" || w.topic == "a b" }

func now() int64 { return time.Now().UnixMilli() }

// topicKinds are what the rules of a topic can make of a batch.
var topicKinds = map[string][]string{
	"plain":     nil,
	"compact":   {"cleanup.policy", "compact"},
	"both":      {"cleanup.policy", "compact,delete"},
	"appended":  {"message.timestamp.type", "LogAppendTime"},
	"bounded":   {"message.timestamp.before.max.ms", "60000", "message.timestamp.after.max.ms", "60000"},
	"small":     {"max.message.bytes", "200"},
	"packed":    {"compression.type", "gzip"},
	"unpacked":  {"compression.type", "uncompressed"},
	"zstd":      {"compression.type", "zstd"},
	"appendzip": {"message.timestamp.type", "LogAppendTime", "compression.type", "lz4"},
	"tight":     {"segment.bytes", "1048576", "max.message.bytes", "4194304"},
}

func writings() []writing {
	t := now()
	var list []writing
	add := func(name, topic string, b batch) {
		if b.baseTime == 0 {
			b.baseTime = t
		}
		list = append(list, writing{name: name, topic: topic, acks: -1, bytes: b.bytes(), packed: b.codec != record.None})
	}
	codecs := []record.Codec{record.None, record.Gzip, record.Snappy, record.LZ4, record.Zstd}
	for _, c := range codecs {
		for kind := range topicKinds {
			add(fmt.Sprintf("%s %s", kind, c), kind, batch{records: values(3), codec: c})
		}
		for _, kind := range []string{"plain", "packed", "compact"} {
			n := fmt.Sprintf("%s %s ", kind, c)
			add(n+"count 2 of 3", kind, batch{records: values(3), codec: c, count: ptr(int32(2)), last: ptr(int32(1))})
			add(n+"count 4 of 3", kind, batch{records: values(3), codec: c, count: ptr(int32(4)), last: ptr(int32(3))})
			add(n+"last delta too large", kind, batch{records: values(3), codec: c, last: ptr(int32(3))})
			add(n+"last delta too small", kind, batch{records: values(3), codec: c, last: ptr(int32(1))})
			add(n+"offsets with a gap", kind, batch{records: []rec{{key: []byte("a")}, {key: []byte("b"), delta: 2}}, codec: c})
			add(n+"false largest timestamp", kind, batch{records: values(2), codec: c, maxTime: ptr(t - 5000)})
			add(n+"too large timestamp", kind, batch{records: values(2), codec: c, maxTime: ptr(t + 5000)})
			add(n+"append time bit", kind, batch{records: values(2), codec: c, attrs: logAppendBit})
			add(n+"bytes behind", kind, batch{records: values(2), codec: c, tail: []byte{1, 2, 3}})
			add(n+"no key", kind, batch{records: []rec{{key: []byte("a")}, {value: []byte("b")}, {key: []byte("c")}, {}}, codec: c})
			add(n+"timestamps rise", kind, batch{records: []rec{{key: []byte("a"), time: 5}, {key: []byte("b"), time: 1}, {key: []byte("b"), time: 9}}, codec: c})
			add(n+"headers", kind, batch{records: []rec{{key: []byte("a"), headers: [][2]string{{"h", "1"}, {"h", "2"}}}}, codec: c})
		}
		for _, kind := range []string{"bounded", "appended", "plain"} {
			n := fmt.Sprintf("%s %s ", kind, c)
			add(n+"from the future", kind, batch{records: []rec{{key: []byte("a")}, {key: []byte("a"), time: 7_200_000}}, codec: c})
			add(n+"from the past", kind, batch{records: []rec{{key: []byte("a"), time: -7_200_000}, {key: []byte("a")}}, codec: c})
			add(n+"all from the past", kind, batch{records: values(2), baseTime: 1000, codec: c})
			add(n+"no timestamp", kind, batch{records: values(2), baseTime: -1, codec: c})
		}
		add(fmt.Sprintf("small %s large batch", c), "small", batch{records: []rec{{value: []byte(noise(400))}}, codec: c})
		add(fmt.Sprintf("small %s shrinks", c), "small", batch{records: []rec{{value: []byte(strings.Repeat("x", 400))}}, codec: c})
	}
	add("more than a segment", "tight", batch{records: []rec{{value: []byte(noise(1_500_000))}}})
	add("bad crc", "plain", batch{records: values(2), badCRC: true})
	add("no records", "plain", batch{records: nil})
	add("no records, no last", "plain", batch{records: nil, last: ptr(int32(0))})
	add("base offset 7", "plain", batch{records: values(2), base: 7})
	add("base offset -7", "plain", batch{records: values(2), base: -7})
	for _, m := range []int8{1, 3, -1} {
		add(fmt.Sprintf("magic %d", m), "plain", batch{records: values(2), magic: m})
	}
	for _, c := range []record.Codec{5, 6, 7} {
		add(fmt.Sprintf("codec %d", c), "plain", batch{records: values(2), codec: c})
		add(fmt.Sprintf("codec %d packed", c), "packed", batch{records: values(2), codec: c})
	}
	add("length too short", "plain", batch{records: values(2), length: ptr(int32(60))})
	add("length too long", "plain", batch{records: values(2), length: ptr(int32(600))})
	add("length tiny", "plain", batch{records: values(2), length: ptr(int32(10))})
	add("length negative", "plain", batch{records: values(2), length: ptr(int32(-1))})
	add("control", "plain", batch{records: values(1), attrs: controlBit})
	add("control with producer", "plain", batch{records: values(1), attrs: controlBit, id: 70001})
	add("transactional", "plain", batch{records: values(1), attrs: transactionalBit, id: 70002})
	add("transactional without producer", "plain", batch{records: values(1), attrs: transactionalBit})
	add("delete horizon", "plain", batch{records: values(1), attrs: horizonBit})
	add("unknown attribute", "plain", batch{records: values(1), attrs: 1 << 9})
	one, two := batch{records: values(1), baseTime: t}.bytes(), batch{records: values(2), baseTime: t}.bytes()
	// A null batch is left out: Kafka never answers it. Ours is refused as an empty one.
	raws := map[string][]byte{
		"empty": {}, "two batches": append(append([]byte{}, one...), two...),
		"a batch and rubbish": append(append([]byte{}, one...), 1, 2, 3), "half a batch": one[:40], "cut batch": one[:len(one)-2],
		"few bytes": one[:5], "a legacy message set": legacy(t),
	}
	for name, b := range raws {
		list = append(list, writing{name: name, topic: "plain", acks: -1, bytes: b})
	}
	ok := batch{records: values(1), baseTime: t}.bytes()
	for _, acks := range []int16{2, -2, 5} {
		list = append(list, writing{name: fmt.Sprintf("acks %d", acks), topic: "plain", acks: acks, bytes: ok})
	}
	list = append(list, writing{name: "acks 1", topic: "plain", acks: 1, bytes: ok}, writing{name: "unknown topic", topic: "nowhere", acks: 1, bytes: ok}, writing{name: "no topic's name", topic: "a b", acks: 1, bytes: ok}, writing{name: "in a transaction", topic: "plain", acks: -1, txn: ptr("t"), bytes: batch{records: values(1), baseTime: t, attrs: transactionalBit, id: 70003}.bytes()}, writing{name: "a transaction's request", topic: "plain", acks: -1, txn: ptr("t"), bytes: ok})
	return list
}

// noise does not compress; it is the same in every run.
func noise(n int) string {
	p := make([]byte, n)
	x := uint32(7)
	for i := range p {
		x = x*1664525 + 1013904223
		p[i] = byte(x >> 24)
	}
	return string(p)
}

// legacy is a message set of magic 1.
func legacy(t int64) []byte {
	m := kmsg.MessageV1{Magic: 1, Timestamp: t, Value: []byte("old")}
	m.MessageSize = int32(len(m.AppendTo(nil)) - 12)
	return m.AppendTo(nil)
}

// TestProduce sends every kind of batch, each to a partition of its own, and
// reads back what became of it. The versions differ in their answers only, so
// one of them has all, the last without zstd has that, and the others what needs
// no special topic.
func TestProduce(t *testing.T) {
	p := newPair(t)
	all := writings()
	for v := int16(firstProduce); v <= lastProduce; v++ {
		p.writeAll(v, slices.DeleteFunc(slices.Clone(all), func(w writing) bool {
			return v != lastProduce && (w.topic != "plain" && !w.absent() || w.packed) && !(v == 6 && strings.Contains(w.name, "zstd"))
		}))
	}
}

// writeAll sends a list in one version.
func (p *pair) writeAll(v int16, list []writing) {
	used := map[string]int32{}
	for _, w := range list {
		used[w.topic]++
	}
	next := map[string]int32{}
	name := func(kind string) string { return fmt.Sprintf("%s-%d", kind, v) }
	for kind, n := range used {
		if kind != "nowhere" && kind != "a b" {
			p.topic(name(kind), n, topicKinds[kind]...)
		}
	}
	for _, w := range list {
		q := next[w.topic]
		next[w.topic]++
		p.ask("produce "+w.name, v, func(s *side) kmsg.Request {
			req := produce(v, name(w.topic), w.acks, w.bytes)(s).(*kmsg.ProduceRequest)
			req.Topics[0].Partitions[0].Partition = q
			req.TransactionID = w.txn
			return req
		})
		if w.absent() {
			continue
		}
		p.ask("read back "+w.name, 11, fetch(11, nil, at(name(w.topic), q, 0)))
	}
}
