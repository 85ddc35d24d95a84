package api

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/brokerd/brokerd/internal/conf"
	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/record"
	"github.com/brokerd/brokerd/internal/vfs"
	"github.com/brokerd/brokerd/internal/wire"
)

// oldMessage is a message of format 0 or 1, from the layout alone.
func oldMessage(magic int8, offset, stamp int64, codec record.Codec, key, value []byte) []byte {
	field := func(p, v []byte) []byte {
		if v == nil {
			return binary.BigEndian.AppendUint32(p, 0xffffffff)
		}
		return append(binary.BigEndian.AppendUint32(p, uint32(len(v))), v...)
	}
	body := []byte{byte(magic), byte(codec)}
	if magic == 1 {
		body = binary.BigEndian.AppendUint64(body, uint64(stamp))
	}
	body = field(field(body, key), value)
	p := binary.BigEndian.AppendUint64(nil, uint64(offset))
	p = binary.BigEndian.AppendUint32(p, uint32(len(body)+4))
	p = binary.BigEndian.AppendUint32(p, crc32.ChecksumIEEE(body))
	return append(p, body...)
}

// wrap compresses a set into one message.
func wrap(t *testing.T, magic int8, codec record.Codec, set []byte) []byte {
	t.Helper()
	packed, err := record.Compress(nil, codec, 0, set)
	if err != nil {
		t.Fatal(err)
	}
	return oldMessage(magic, 0, 0, codec, nil, packed)
}

// plain reads a set of messages that are not compressed.
func plain(t *testing.T, set []byte) (list []string) {
	t.Helper()
	for len(set) >= 12 {
		end := 12 + int(binary.BigEndian.Uint32(set[8:]))
		if end > len(set) {
			break // cut off
		}
		m := set[:end]
		at, stamp := 18, int64(-1)
		if m[16] == 1 {
			at, stamp = 26, int64(binary.BigEndian.Uint64(m[18:]))
		}
		key := m[at+4 : at+4+int(binary.BigEndian.Uint32(m[at:]))]
		value := m[at+8+len(key):]
		list = append(list, fmt.Sprintf("%d: format %d at %d %s=%s", binary.BigEndian.Uint64(m), m[16], stamp, key, value))
		set = set[end:]
	}
	return list
}

// produceOld writes a set with acks=all and expects code.
func (n *dataNode) produceOld(version int16, topic *meta.Topic, set []byte, want int16) kmsg.ProduceResponseTopicPartition {
	n.t.Helper()
	resp, closed := n.ask(produceReq(version, -1, topic, set))
	if closed != "" {
		n.t.Fatal(closed)
	}
	p := resp.(*kmsg.ProduceResponse).Topics[0].Partitions[0]
	if p.ErrorCode != want {
		n.t.Fatalf("v%d: code %d, want %d", version, p.ErrorCode, want)
	}
	return p
}

// TestProduceSets: what every version before batches brings becomes one batch.
func TestProduceSets(t *testing.T) {
	n := startData(t, vfs.NewMem())
	topic := n.topic("t", 1, nil)
	now := time.Now().UnixMilli()
	next := int64(0)
	for v := range int16(3) {
		for _, codec := range []record.Codec{record.None, record.Gzip, record.Snappy, record.LZ4} {
			magic := int8(v / 2)
			set := append(oldMessage(magic, 0, now, 0, []byte("k"), []byte("v")), oldMessage(magic, 1, now+1, 0, nil, nil)...)
			if codec != record.None {
				set = wrap(t, magic, codec, set)
			}
			if p := n.produceOld(v, topic, set, 0); p.BaseOffset != next || v >= 2 && p.LogAppendTime != -1 {
				t.Fatalf("v%d %s: %+v", v, codec, p)
			}
			b, rest, err := record.Next(n.fetch(fetchReq(12, topic, next)).Topics[0].Partitions[0].RecordBatches)
			if err != nil || len(rest) > 0 || b.Codec() != codec || b.VerifyInner(record.Limits{}) != nil {
				t.Fatalf("v%d %s: %v", v, codec, err)
			}
			var got []string
			if err := b.Each(record.Limits{}, func(r record.Record) error {
				if magic == 1 {
					r.Timestamp -= now
				}
				got = append(got, fmt.Sprintf("%d %d %q %t", r.Offset-next, r.Timestamp, r.Key, r.Value == nil))
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			times := []int64{-1, -1}
			if magic == 1 {
				times = []int64{0, 1}
			}
			if want := fmt.Sprintf(`[0 %d "k" false 1 %d "" true]`, times[0], times[1]); fmt.Sprint(got) != want {
				t.Errorf("v%d %s: %v, want %v", v, codec, got, want)
			}
			next += 2
		}
	}
}

// TestProduceSetRefusals: settings of a topic and broken bytes are answered as
// for a batch.
func TestProduceSetRefusals(t *testing.T) {
	n := startData(t, vfs.NewMem())
	topic := n.topic("plain", 1, nil)
	compacted := n.topic("compacted", 1, map[string]string{"cleanup.policy": "compact"})
	small := n.topic("small", 1, map[string]string{"max.message.bytes": "200"})
	now := time.Now().UnixMilli()
	good := oldMessage(1, 0, now, 0, []byte("k"), []byte("v"))
	flipped := bytes.Clone(good)
	flipped[len(flipped)-1] ^= 1
	for _, c := range []struct {
		name  string
		topic *meta.Topic
		set   []byte
		want  int16
	}{
		{"flipped bit", topic, flipped, kerr.CorruptMessage.Code},
		{"cut off", topic, good[:20], kerr.CorruptMessage.Code},
		{"two formats", topic, append(bytes.Clone(good), oldMessage(0, 1, 0, 0, nil, nil)...), kerr.InvalidRecord.Code},
		{"zstd", topic, wrap(t, 1, record.Zstd, good), kerr.InvalidRecord.Code},
		{"codec 6", topic, oldMessage(1, 0, now, 6, nil, good), kerr.UnsupportedCompressionType.Code},
		{"from the future", topic, oldMessage(1, 0, now+24*3600_000, 0, nil, nil), kerr.InvalidTimestamp.Code},
		{"no key", compacted, oldMessage(1, 0, now, 0, nil, []byte("v")), kerr.InvalidRecord.Code},
		{"too large", small, oldMessage(0, 0, 0, 0, nil, make([]byte, 200)), kerr.MessageTooLarge.Code},
		{"zstd batch", topic, records(t, 1, record.Spec{Codec: record.Zstd}), kerr.UnsupportedCompressionType.Code},
		{"format 3", topic, append(bytes.Repeat([]byte{0}, 16), bytes.Repeat([]byte{3}, 60)...), kerr.CorruptMessage.Code},
	} {
		t.Run(c.name, func(t *testing.T) { n.produceOld(2, c.topic, c.set, c.want) })
	}
	if p := n.produceOld(2, topic, nil, 0); p.BaseOffset != -1 {
		t.Errorf("an empty set: %+v", p)
	}
	if p := n.produceOld(2, topic, records(t, 2, record.Spec{}), 0); p.BaseOffset != 0 {
		t.Errorf("a batch in a request for sets: %+v", p)
	}
	n.produce(topic, good, kerr.InvalidRecord.Code)
}

// TestProduceSetSettings: the topic's clock and codec count for sets as well.
func TestProduceSetSettings(t *testing.T) {
	n := startData(t, vfs.NewMem())
	topic := n.topic("t", 1, map[string]string{"message.timestamp.type": "LogAppendTime", "compression.type": "zstd"})
	p := n.produceOld(2, topic, wrap(t, 1, record.LZ4, oldMessage(1, 0, 5, 0, nil, []byte("v"))), 0)
	if d := time.Since(time.UnixMilli(p.LogAppendTime)); d < -time.Second || d > time.Minute {
		t.Errorf("append time %d", p.LogAppendTime)
	}
	b, _, err := record.Next(n.fetch(fetchReq(12, topic, 0)).Topics[0].Partitions[0].RecordBatches)
	if err != nil || b.Codec() != record.Zstd || b.MaxTimestamp() != p.LogAppendTime || !b.LogAppendTime() {
		t.Errorf("%s at %d, %v", b.Codec(), b.MaxTimestamp(), err)
	}
	for v := range int16(4) {
		p := n.fetch(fetchReq(v, topic, 0)).Topics[0].Partitions[0]
		if p.ErrorCode != kerr.UnsupportedCompressionType.Code || p.HighWatermark != -1 || len(p.RecordBatches) != 0 {
			t.Errorf("v%d of zstd: %+v", v, p)
		}
	}
}

// TestFetchSets: batches leave as messages of the version's format, from the
// offset that was asked for.
func TestFetchSets(t *testing.T) {
	n := startData(t, vfs.NewMem())
	topic := n.topic("t", 2, nil)
	batch := func(first int) []byte {
		var rs []record.Record
		for i := first; i < first+3; i++ {
			rs = append(rs, record.Record{Timestamp: time.Now().UnixMilli()/1e6*1e6 + int64(i), Key: []byte{byte('a' + i)}, Value: []byte("v"),
				Headers: []record.Header{{Key: []byte("h")}}})
		}
		b, err := record.Build(record.Spec{}, rs...)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	n.produce(topic, batch(0), 0)
	n.produce(topic, batch(3), 0)
	base := time.Now().UnixMilli() / 1e6 * 1e6
	for v := range int16(4) {
		r := n.fetch(fetchReq(v, topic, 2, 0)).Topics[0]
		p := r.Partitions[0]
		var want []string
		for i := 2; i < 6; i++ {
			stamp := int64(-1)
			if v >= 2 {
				stamp = base + int64(i)
			}
			want = append(want, fmt.Sprintf("%d: format %d at %d %c=v", i, v/2, stamp, 'a'+i))
		}
		if got := plain(t, p.RecordBatches); r.Topic != "t" || p.ErrorCode != 0 || p.HighWatermark != 6 || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("v%d: code %d, watermark %d, %q, want %q", v, p.ErrorCode, p.HighWatermark, got, want)
		}
		if p := r.Partitions[1]; p.ErrorCode != 0 || p.HighWatermark != 0 || len(p.RecordBatches) != 0 {
			t.Errorf("v%d: the empty partition: %+v", v, p)
		}
		if p := n.fetch(fetchReq(v, topic, 7)).Topics[0].Partitions[0]; p.ErrorCode != kerr.OffsetOutOfRange.Code || p.HighWatermark != -1 {
			t.Errorf("v%d behind the end: %+v", v, p)
		}
	}
}

// TestFetchSetLimits: before version 3 a partition is cut off at its limit, from
// 3 on the first message of an answer is whole.
func TestFetchSetLimits(t *testing.T) {
	n := startData(t, vfs.NewMem())
	topic := n.topic("t", 2, nil)
	for range 2 {
		resp, _ := n.ask(produceReq(9, -1, topic, records(t, 5, record.Spec{}), records(t, 5, record.Spec{})))
		if p := resp.(*kmsg.ProduceResponse).Topics[0].Partitions; p[0].ErrorCode+p[1].ErrorCode != 0 {
			t.Fatal(p)
		}
	}
	const size = 12 + 22 + 1 + 5 // of one message in format 1
	lengths := func(version int16, whole, first, second int32) [2]int {
		req := fetchReq(version, topic, 0, 0)
		req.MaxBytes, req.Topics[0].Partitions[0].PartitionMaxBytes, req.Topics[0].Partitions[1].PartitionMaxBytes = whole, first, second
		p := n.fetch(req).Topics[0].Partitions
		return [2]int{len(p[0].RecordBatches), len(p[1].RecordBatches)}
	}
	for _, c := range []struct {
		version              int16
		whole, first, second int32
		want                 [2]int
	}{
		{2, 0, 10, 3*size + 1, [2]int{10, 3*size + 1}},
		{2, 0, 1 << 20, 0, [2]int{10 * size, 0}},
		{3, 1 << 20, 10, 10, [2]int{size, 0}},
		{3, 1 << 20, 2*size + 1, 4*size - 1, [2]int{2 * size, 3 * size}},
		{3, 1, 1 << 20, 1 << 20, [2]int{size, 0}},
		{3, 11 * size, 1 << 20, 1 << 20, [2]int{10 * size, size}},
	} {
		if got := lengths(c.version, c.whole, c.first, c.second); got != c.want {
			t.Errorf("v%d within %d, %d and %d: %v bytes, want %v", c.version, c.whole, c.first, c.second, got, c.want)
		}
	}
}

// TestFetchSetBudget: when the answers that have not left hold all there is, the
// next one still brings one message.
func TestFetchSetBudget(t *testing.T) {
	n := startData(t, vfs.NewMem())
	topic := n.topic("t", 2, nil)
	n.produce(topic, records(t, 5, record.Spec{}), 0)
	f := newFetch(n.d)
	ask := func() int {
		req := fetchReq(2, topic, 0, 0)
		c := &wire.Call{Key: 1, Version: 2, Body: req.AppendTo(nil), Client: n.client}
		resp, _ := n.decode(req, n.finish(f.serve(c)))
		return len(plain(t, resp.(*kmsg.FetchResponse).Topics[0].Partitions[0].RecordBatches))
	}
	if got := ask(); got != 5 {
		t.Errorf("%d messages", got)
	}
	f.old.held.Add(oldAnswersBytes)
	if got := ask(); got != 1 {
		t.Errorf("%d messages when all is held", got)
	}
	if held := f.old.held.Load(); held != oldAnswersBytes {
		t.Errorf("%d bytes are still held", held-oldAnswersBytes)
	}
}

// TestFetchSetRoom: however many answers are made at once, they share what there
// is, and one reads no more than it may answer.
func TestFetchSetRoom(t *testing.T) {
	var o oldAnswers
	total := 0
	for range 100 {
		total += o.take(1 << 30)
	}
	if total != oldAnswersBytes || o.take(1) != 0 || o.held.Load() != oldAnswersBytes {
		t.Errorf("%d bytes of %d, %d held", total, oldAnswersBytes, o.held.Load())
	}
	for version, most := range map[int16]int{3: oldAnswerBytes, 4: 50 << 20} {
		f := fetchCall{d: Deps{Conf: &conf.Broker{FetchMaxBytes: 50 << 20}}, reply: wire.Reply{Version: version}}
		f.req.MaxBytes, f.req.MinBytes = 1<<30, 1<<30
		if f.limits(); f.maxBytes != most || f.minBytes != int64(most) {
			t.Errorf("v%d: %d to %d bytes", version, f.minBytes, f.maxBytes)
		}
	}
}

// TestFetchSetReadsOverMarkers: what makes no message is read over, however
// little the client asks for.
func TestFetchSetReadsOverMarkers(t *testing.T) {
	fs := vfs.NewMem()
	n := startData(t, fs)
	topic := n.topic("t", 1, nil)
	for range 4 {
		n.produce(topic, records(t, 1, record.Spec{}), 0)
	}
	// No client writes markers, so that two batches become some in the file.
	size := int64(len(records(t, 1, record.Spec{})))
	file, err := fs.Open("d0/t-0/00000000000000000000.log", vfs.Write)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range []int64{1, 2} {
		b := make([]byte, size)
		if _, err := file.ReadAt(b, i*size); err != nil {
			t.Fatal(err)
		}
		b[22] |= 1 << 5
		binary.BigEndian.PutUint32(b[17:], crc32.Checksum(b[21:], crc32.MakeTable(crc32.Castagnoli)))
		if _, err := file.WriteAt(b, i*size); err != nil {
			t.Fatal(err)
		}
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	for v := range int16(4) {
		req := fetchReq(v, topic, 1)
		req.Topics[0].Partitions[0].PartitionMaxBytes = 60
		p := n.fetch(req).Topics[0].Partitions[0]
		if got := plain(t, p.RecordBatches); len(got) != 1 || got[0][0] != '3' {
			t.Errorf("v%d: %q, code %d", v, got, p.ErrorCode)
		}
	}
}
