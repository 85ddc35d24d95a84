package replica

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/brokerd/brokerd/internal/conf"
	"github.com/brokerd/brokerd/internal/record"
)

func plainTopic() conf.Topic {
	return conf.Topic{
		CompressionType: "producer", MaxMessageBytes: 1 << 20,
		TimestampBeforeMax: math.MaxInt64, TimestampAfterMax: time.Hour,
	}
}

func TestPrepareRefuses(t *testing.T) {
	now := time.UnixMilli(1_000_000_000_000)
	nowMs := func() int64 { return now.UnixMilli() }
	build := func(s record.Spec, rs ...record.Record) record.Batch {
		b, err := record.Build(s, rs...)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	at := func(d time.Duration) record.Record {
		return record.Record{Timestamp: now.Add(d).UnixMilli(), Key: []byte("k"), Value: []byte("v")}
	}
	keyless := at(0)
	keyless.Key = nil
	flipped := build(record.Spec{}, at(0))
	flipped[len(flipped)-1] ^= 1
	control, err := record.BuildMarker(nil, 1, 0, 0, record.Marker{})
	if err != nil {
		t.Fatal(err)
	}
	based := build(record.Spec{}, at(0))
	based.SetBaseOffset(7)
	format := func(magic byte) []byte {
		b := build(record.Spec{}, at(0))
		b[16] = magic
		return b
	}
	miscounted := build(record.Spec{Codec: record.Gzip}, at(0), at(0), at(0))
	miscounted[57+3], miscounted[23+3] = 2, 1 // record count, last offset delta
	miscounted.SetLogAppendTime(0)            // seals it
	late := build(record.Spec{}, at(2*time.Hour))
	late.SetCreateTime(now.UnixMilli())
	for _, c := range []struct {
		name   string
		batch  []byte
		zstd   bool
		txn    bool
		change func(*conf.Topic)
		want   error
		faults int
	}{
		{name: "plain", batch: build(record.Spec{}, at(0))},
		{name: "nothing", batch: nil, want: ErrNotOneBatch},
		{name: "half", batch: build(record.Spec{}, at(0))[:65], want: ErrNotOneBatch},
		{name: "two batches", batch: append(append([]byte{}, build(record.Spec{}, at(0))...), build(record.Spec{}, at(0))...), want: ErrNotOneBatch},
		{name: "a piece of another", batch: append(build(record.Spec{}, at(0)), 1, 2, 3)},
		{name: "base offset", batch: based, want: ErrInvalidRecord},
		{name: "format 1", batch: format(1), want: record.ErrMagic},
		{name: "format 3", batch: format(3), want: record.ErrCorrupt},
		{name: "a count that lies, recompressed", batch: miscounted, change: func(c *conf.Topic) { c.CompressionType = "lz4" }, want: record.ErrInvalid},
		{name: "a count that lies, compacted", batch: miscounted, change: func(c *conf.Topic) { c.CleanupCompact = true }, want: record.ErrInvalid},
		{name: "a count that lies, whole validation", batch: miscounted, change: func(c *conf.Topic) { c.FullValidation = true }, want: record.ErrInvalid},
		{name: "a count that lies, not looked into", batch: miscounted},
		{name: "too new, the header lies", batch: late, want: ErrInvalidTimestamp, faults: 1},
		{name: "flipped bit", batch: flipped, want: record.ErrCorrupt},
		{name: "control", txn: true, batch: control, want: ErrInvalidRecord},
		{name: "transactional", batch: build(record.Spec{Transactional: true, Producer: &record.Producer{ID: 1}}, at(0)), want: ErrNoTransactionalID},
		{name: "too large", batch: build(record.Spec{}, at(0)), change: func(c *conf.Topic) { c.MaxMessageBytes = 60 }, want: ErrBatchTooLarge},
		{name: "zstd from an old client", batch: build(record.Spec{Codec: record.Zstd}, at(0)), want: record.ErrCodec},
		{name: "zstd", zstd: true, batch: build(record.Spec{Codec: record.Zstd}, at(0))},
		{name: "too new", batch: build(record.Spec{}, at(0), at(2*time.Hour), at(3*time.Hour)), want: ErrInvalidTimestamp, faults: 2},
		{name: "too new, but the broker sets the time", batch: build(record.Spec{}, at(2*time.Hour)), change: func(c *conf.Topic) { c.LogAppendTime = true }},
		{name: "old", batch: build(record.Spec{}, at(-1000*time.Hour))},
		{name: "too old", batch: build(record.Spec{}, at(0), at(-2*time.Hour)), change: func(c *conf.Topic) { c.TimestampBeforeMax = time.Hour }, want: ErrInvalidTimestamp, faults: 1},
		{name: "no key", batch: build(record.Spec{}, keyless)},
		{name: "no key, compacted", batch: build(record.Spec{Codec: record.Gzip}, at(0), keyless), change: func(c *conf.Topic) { c.CleanupCompact = true }, want: ErrInvalidRecord, faults: 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			topic := plainTopic()
			if c.change != nil {
				c.change(&topic)
			}
			_, release, err := prepare(c.batch, AppendOptions{Zstd: c.zstd, Transaction: c.txn}, &topic, nowMs)
			if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
				t.Fatalf("%v, want %v", err, c.want)
			}
			if release != nil {
				t.Error("a buffer for nothing")
			}
			if e, ok := errors.AsType[*BatchError](err); ok && len(e.Records) != c.faults {
				t.Errorf("faults %v", e.Records)
			}
		})
	}
}

// TestPrepareCorrectsTimes: what the header says of the records' times is ours
// to say.
func TestPrepareCorrectsTimes(t *testing.T) {
	topic := plainTopic()
	for _, codec := range []record.Codec{record.None, record.Gzip} {
		topic.FullValidation = codec != record.None
		for name, spoil := range map[string]func(record.Batch){
			"early": func(b record.Batch) { b.SetCreateTime(b.MaxTimestamp() - 5) },
			"late":  func(b record.Batch) { b.SetCreateTime(b.MaxTimestamp() + 5) },
			"bit":   func(b record.Batch) { b.SetLogAppendTime(7) },
		} {
			b := batch(t, 3, record.Spec{Codec: codec})
			want := b.MaxTimestamp()
			spoil(b)
			got, _, err := prepare(b, AppendOptions{}, &topic, func() int64 { return want })
			if err != nil || got.MaxTimestamp() != want || got.LogAppendTime() || got.Verify() != nil {
				t.Errorf("%v %s: %v; %d, want %d", codec, name, err, got.MaxTimestamp(), want)
			}
		}
	}
}

// TestPrepareBoundsBombs: what is opened stays within what the topic says, or
// within ten times its largest batch, though Kafka's default is no limit.
func TestPrepareBoundsBombs(t *testing.T) {
	topic := plainTopic()
	topic.FullValidation = true
	now := time.Now().UnixMilli()
	for _, c := range []struct {
		allowed int64
		size    int
		want    error
	}{
		{noLimit, 15 << 20, nil}, {noLimit, 17 << 20, record.ErrTooLarge}, {20 << 20, 17 << 20, nil}, {1 << 20, 2 << 20, record.ErrTooLarge},
	} {
		topic.MaxDecompressedBytes = c.allowed
		b, err := record.Build(record.Spec{Codec: record.Zstd}, record.Record{Timestamp: now, Value: make([]byte, c.size)})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := prepare(b, AppendOptions{Zstd: true}, &topic, func() int64 { return now }); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%d bytes where %d are allowed: %v", c.size, c.allowed, err)
		}
	}
}

func TestPrepareRecompresses(t *testing.T) {
	topic := plainTopic()
	for _, name := range []string{"gzip", "snappy", "lz4", "zstd", "uncompressed"} {
		for from := record.None; from <= record.Zstd; from++ {
			topic.CompressionType = name
			b := batch(t, 20, record.Spec{Codec: from})
			out, release, err := prepare(b, AppendOptions{Zstd: true}, &topic, func() int64 { return time.Now().UnixMilli() })
			if err != nil {
				t.Fatal(err)
			}
			want, _, _ := codecOf(&topic)
			if out.Codec() != want || out.Verify() != nil || out.Count() != 20 {
				t.Errorf("%s from %v: %v, %v", name, from, out.Codec(), out.Verify())
			}
			if (release == nil) != (from == want) {
				t.Errorf("%s from %v: release %v", name, from, release != nil)
			}
			if release != nil {
				release()
			}
		}
	}
}
