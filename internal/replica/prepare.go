package replica

import (
	"fmt"
	"math"
	"time"

	"github.com/brokerd/brokerd/internal/conf"
	"github.com/brokerd/brokerd/internal/record"
	"github.com/brokerd/brokerd/internal/wire"
)

// prepare checks one produced batch before any lock is taken, and recompresses
// it where the topic asks for a codec. What it returns is ready for the log;
// release, if not nil, gives its buffer back after the append.
//
// A compressed batch is looked into only where it must be: a compacted topic
// (keys), a lower bound for timestamps, another codec, record.validation=full.
func prepare(raw []byte, opt AppendOptions, c *conf.Topic, nowMs func() int64) (b record.Batch, release func(), err error) {
	b, err = single(raw)
	if err != nil {
		return nil, nil, err
	}
	if len(b) > int(c.MaxMessageBytes) {
		return nil, nil, tooLarge(len(b), c)
	}
	if err := b.Verify(); err != nil {
		return nil, nil, err
	}
	if err := allowed(b, opt, c); err != nil {
		return nil, nil, err
	}
	if err := checkTimes(b, c, nowMs); err != nil {
		return nil, nil, err
	}
	if err := lookInside(b, c); err != nil {
		return nil, nil, err
	}
	return recompress(b, c)
}

// single takes the one batch that a partition of a request may have.
func single(raw []byte) (record.Batch, error) {
	if len(raw) == 0 {
		return nil, &BatchError{Err: ErrInvalidRecord, Text: "a partition of a produce request needs one record batch; this one has none"}
	}
	b, rest, err := record.Next(raw)
	if err != nil {
		return nil, err
	}
	if len(rest) > 0 {
		return nil, &BatchError{Err: ErrInvalidRecord, Text: "a partition of a produce request may have one record batch only; this one has more"}
	}
	return b, nil
}

func allowed(b record.Batch, opt AppendOptions, c *conf.Topic) error {
	switch {
	case b.Control():
		return &BatchError{Err: ErrInvalidRecord, Text: "clients may not write control batches"}
	case b.ProducerID() >= 0 && (b.BaseSequence() < 0 || b.ProducerEpoch() < 0):
		return &BatchError{Err: ErrInvalidRecord, Text: fmt.Sprintf(
			"producer %d sends sequence %d with epoch %d; neither may be negative", b.ProducerID(), b.BaseSequence(), b.ProducerEpoch())}
	case b.Transactional():
		return ErrNoTransactions
	case b.Codec() == record.Zstd && !opt.Zstd:
		return record.ErrCodec
	}
	return nil
}

// checkTimes holds the producer's timestamps to message.timestamp.before/after.max.ms.
func checkTimes(b record.Batch, c *conf.Topic, nowMs func() int64) error {
	if c.LogAppendTime {
		return nil
	}
	now := nowMs()
	high := addMs(now, c.TimestampAfterMax)
	low := addMs(now, -c.TimestampBeforeMax)
	if b.MaxTimestamp() <= high && (low <= 0 || !couldBeBefore(b, c, low)) {
		return nil
	}
	return timeFaults(b, c, low, high)
}

// couldBeBefore reports whether a record may be older than low: the batch's
// header tells only the first and the largest timestamp, so look at all of them.
func couldBeBefore(b record.Batch, c *conf.Topic, low int64) bool {
	old := false
	err := b.Each(limits(c), func(r record.Record) error {
		old = old || (r.Timestamp >= 0 && r.Timestamp < low)
		return nil
	})
	return old || err != nil
}

func timeFaults(b record.Batch, c *conf.Topic, low, high int64) error {
	e := &BatchError{Err: ErrInvalidTimestamp, Text: fmt.Sprintf(
		"the batch's largest timestamp is %d; this topic takes from %d to %d (message.timestamp.before.max.ms, message.timestamp.after.max.ms)",
		b.MaxTimestamp(), low, high)}
	i := int32(0)
	err := b.Each(limits(c), func(r record.Record) error {
		if r.Timestamp > high || (r.Timestamp >= 0 && r.Timestamp < low) {
			e.add(i, fmt.Sprintf("timestamp %d is out of range", r.Timestamp))
		}
		i++
		return nil
	})
	if err != nil {
		return err
	}
	return e
}

// lookInside walks the records where the topic's rules need it.
func lookInside(b record.Batch, c *conf.Topic) error {
	if !c.CleanupCompact && !(c.FullValidation && b.Codec() != record.None) {
		return nil
	}
	var e *BatchError
	i := int32(0)
	err := b.Each(limits(c), func(r record.Record) error {
		if c.CleanupCompact && r.Key == nil {
			if e == nil {
				e = &BatchError{Err: ErrInvalidRecord, Text: "a compacted topic takes only records with a key"}
			}
			e.add(i, "the record has no key")
		}
		i++
		return nil
	})
	if err != nil {
		return err
	}
	if e != nil {
		return e
	}
	return nil
}

// maxFaults bounds the records that an answer names.
const maxFaults = 100

func (e *BatchError) add(i int32, text string) {
	if len(e.Records) < maxFaults {
		e.Records = append(e.Records, RecordFault{i, text})
	}
}

func tooLarge(n int, c *conf.Topic) error {
	return &BatchError{Err: ErrBatchTooLarge, Text: fmt.Sprintf(
		"the batch has %d bytes, the topic takes %d (max.message.bytes)", n, c.MaxMessageBytes)}
}

// addMs adds d to a moment in ms and stays within int64: the defaults are "no limit".
func addMs(ms int64, d time.Duration) int64 {
	n := d.Milliseconds()
	switch {
	case d == math.MaxInt64, n > 0 && ms > math.MaxInt64-n:
		return math.MaxInt64
	case d <= -math.MaxInt64:
		return math.MinInt64
	}
	return ms + n
}

// recompress gives the batch the topic's codec, if it names one.
func recompress(b record.Batch, c *conf.Topic) (record.Batch, func(), error) {
	codec, level, keep := codecOf(c)
	if keep || codec == b.Codec() {
		return b, nil, nil
	}
	buf := wire.Take(2 * len(b))
	out, err := record.Recompress(buf.B, b, codec, level, limits(c))
	if err != nil {
		buf.Release()
		return nil, nil, err
	}
	buf.B = out
	if len(out) > int(c.MaxMessageBytes) {
		n := len(out)
		buf.Release()
		return nil, nil, tooLarge(n, c)
	}
	return out, buf.Releaser(), nil
}

// codecOf reads compression.type. keep: the producer's own codec stays.
func codecOf(c *conf.Topic) (codec record.Codec, level int, keep bool) {
	switch c.CompressionType {
	case "gzip":
		return record.Gzip, c.GzipLevel, false
	case "snappy":
		return record.Snappy, 0, false
	case "lz4":
		return record.LZ4, c.LZ4Level, false
	case "zstd":
		return record.Zstd, c.ZstdLevel, false
	case "uncompressed":
		return record.None, 0, false
	}
	return record.None, 0, true
}

// limits bounds what a batch may become when it is opened.
func limits(c *conf.Topic) record.Limits {
	if c.MaxDecompressedBytes > 0 {
		return record.Limits{MaxBytes: c.MaxDecompressedBytes}
	}
	return record.LimitsFor(int(c.MaxMessageBytes))
}
