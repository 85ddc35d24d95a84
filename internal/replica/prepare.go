package replica

import (
	"errors"
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
// What is looked into is checked whole.
func prepare(raw []byte, opt AppendOptions, c *conf.Topic, nowMs func() int64) (b record.Batch, release func(), err error) {
	if opt.Set {
		return prepareSet(raw, opt, c, nowMs)
	}
	b, err = single(raw)
	if err != nil {
		return nil, nil, err
	}
	if err := expected(b, opt); err != nil {
		return nil, nil, err
	}
	if len(b) > int(c.MaxMessageBytes) {
		return nil, nil, tooLarge(len(b), c)
	}
	hi, err := verify(b, c)
	if err != nil {
		return nil, nil, err
	}
	if err := allowed(b); err != nil {
		return nil, nil, err
	}
	if !c.LogAppendTime {
		if err := checkTimes(b, hi, c, nowMs); err != nil {
			return nil, nil, err
		}
		b.SetCreateTime(hi)
	}
	if err := checkKeys(b, c); err != nil {
		return nil, nil, err
	}
	return recompress(b, c)
}

// single takes the one batch that a partition of a request may have. A piece of
// another behind it is dropped, as Kafka does.
func single(raw []byte) (record.Batch, error) {
	b, rest, err := record.Next(raw)
	switch {
	case len(raw) == 0:
		return nil, &BatchError{Err: ErrNotOneBatch, Text: "a partition of a produce request needs one record batch; this one has none"}
	case errors.Is(err, record.ErrIncomplete):
		return nil, &BatchError{Err: ErrNotOneBatch, Text: "a partition of a produce request needs one whole record batch; this one ends too early"}
	case err != nil:
		return nil, formatError(raw, err)
	}
	_, _, err = record.Next(rest)
	switch {
	case errors.Is(err, record.ErrIncomplete):
		return b, nil
	case err != nil:
		return nil, formatError(rest, err)
	}
	return nil, &BatchError{Err: ErrNotOneBatch, Text: "a partition of a produce request may have one record batch only; this one has more"}
}

// formatError tells formats that were once from those that never were: the
// first are a client that is too old, the others damage.
func formatError(p []byte, err error) error {
	if errors.Is(err, record.ErrMagic) && p[record.SizeHeader-1] > 2 {
		return fmt.Errorf("%w: format %d does not exist", record.ErrCorrupt, int8(p[record.SizeHeader-1]))
	}
	return err
}

// verify checks the batch, and the records of a compressed one where somebody
// looks into it anyway. hi is the largest timestamp that was seen.
func verify(b record.Batch, c *conf.Topic) (hi int64, err error) {
	codec, _, keep := codecOf(c)
	if c.CleanupCompact || c.FullValidation || !keep && codec != b.Codec() {
		return b.LatestInner(limits(c))
	}
	return b.Latest()
}

// expected holds the batch against what its request may bring, before anything
// else is looked at.
func expected(b record.Batch, opt AppendOptions) error {
	switch {
	case b.Transactional() && !opt.Transaction:
		return ErrNoTransactionalID
	case b.Codec() == record.Zstd && !opt.Zstd:
		return record.ErrCodec
	}
	return nil
}

func allowed(b record.Batch) error {
	switch {
	case b.BaseOffset() != 0:
		return &BatchError{Err: ErrInvalidRecord, Text: fmt.Sprintf(
			"the batch's base offset is %d; a producer sends 0, the broker gives the offset", b.BaseOffset())}
	case b.Control():
		return &BatchError{Err: ErrInvalidRecord, Text: "clients may not write control batches"}
	case b.ProducerID() >= 0 && (b.BaseSequence() < 0 || b.ProducerEpoch() < 0):
		return &BatchError{Err: ErrInvalidRecord, Text: fmt.Sprintf(
			"producer %d sends sequence %d with epoch %d; neither may be negative", b.ProducerID(), b.BaseSequence(), b.ProducerEpoch())}
	case b.Transactional():
		return ErrNoTransactions
	}
	return nil
}

// checkTimes holds the producer's timestamps, of which hi is the largest, to
// message.timestamp.before/after.max.ms.
func checkTimes(b record.Batch, hi int64, c *conf.Topic, nowMs func() int64) error {
	now := nowMs()
	high := addMs(now, c.TimestampAfterMax)
	low := addMs(now, -c.TimestampBeforeMax)
	if hi <= high && (low <= 0 || !couldBeBefore(b, c, low)) {
		return nil
	}
	return timeFaults(b, hi, c, low, high)
}

// couldBeBefore reports whether a record may be older than low: the batch's
// header tells only the first and the largest timestamp, so look at all of them.
func couldBeBefore(b record.Batch, c *conf.Topic, low int64) bool {
	old := false
	err := b.Skim(limits(c), func(r record.Record) error {
		old = old || (r.Timestamp >= 0 && r.Timestamp < low)
		return nil
	})
	return old || err != nil
}

func timeFaults(b record.Batch, hi int64, c *conf.Topic, low, high int64) error {
	e := &BatchError{Err: ErrInvalidTimestamp, Text: fmt.Sprintf(
		"the batch's largest timestamp is %d; this topic takes from %d to %d (message.timestamp.before.max.ms, message.timestamp.after.max.ms)",
		hi, low, high)}
	i := int32(0)
	err := b.Skim(limits(c), func(r record.Record) error {
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

// checkKeys refuses records without a key where compaction needs one.
func checkKeys(b record.Batch, c *conf.Topic) error {
	if !c.CleanupCompact {
		return nil
	}
	var e *BatchError
	i := int32(0)
	err := b.Skim(limits(c), func(r record.Record) error {
		if r.Key == nil {
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

// freeBytes is what a batch may always become: an honest one of repetitive text
// is ten times its size and more.
const freeBytes = 16 << 20

// limits bounds what a batch may become when it is opened: by what the topic
// says, else by ten times its largest batch. Kafka's default is no limit, and a
// batch of 1 MiB may then take 1 GiB.
func limits(c *conf.Topic) record.Limits {
	if c.MaxDecompressedBytes > 0 && c.MaxDecompressedBytes < noLimit {
		return record.Limits{MaxBytes: c.MaxDecompressedBytes, MaxRatio: math.MaxInt32}
	}
	l := record.LimitsFor(int(c.MaxMessageBytes))
	l.MaxBytes = max(l.MaxBytes, freeBytes)
	return l
}

// noLimit is the default of max.decompressed.message.bytes.
const noLimit = 2147483639
