package record

import (
	"math"
	"runtime"
)

// Record is one record of a batch. A nil Key or Value is Kafka's null, which
// is not the same as an empty one.
type Record struct {
	Offset    int64
	Timestamp int64 // ms
	Key       []byte
	Value     []byte
	Headers   []Header
}

// Header is one header of a record.
type Header struct {
	Key   []byte
	Value []byte // nil is null
}

// Each calls f with every record, in order, and returns the first error. A
// compressed batch is decompressed within l. What a record points to may be
// used only until f returns: it aliases the batch or a pooled buffer. The CRC
// is not checked here. f does not wait, nor look into another batch (B6).
func (b Batch) Each(l Limits, f func(Record) error) error { return b.each(l, false, f) }

// Skim is Each without headers: they are checked and not kept. One takes two bytes
// of a batch and 48 in a Record, so whoever does not need them spares what a
// record of a million headers would cost.
func (b Batch) Skim(l Limits, f func(Record) error) error { return b.each(l, true, f) }

func (b Batch) each(l Limits, bare bool, f func(Record) error) error {
	if len(b) < HeaderSize {
		return ErrIncomplete
	}
	return b.withRecords(l, func(p []byte) error {
		r := reader{b: b, p: p, last: -1, bare: bare}
		for n := range b.Count() {
			if err := r.read(n); err != nil {
				return err
			}
			if err := f(r.rec); err != nil {
				return err
			}
		}
		if r.i != len(p) {
			return invalid("%d bytes behind record %d", len(p)-r.i, b.Count())
		}
		return nil
	})
}

// Timestamps gives the smallest and the largest timestamp of the records. The
// largest may differ from the header's: that one the producer wrote.
func (b Batch) Timestamps(l Limits) (lo, hi int64, err error) {
	lo, hi = math.MaxInt64, math.MinInt64
	err = b.Skim(l, func(r Record) error {
		lo, hi = min(lo, r.Timestamp), max(hi, r.Timestamp)
		return nil
	})
	if err == nil && hi < lo {
		return -1, -1, nil // compaction left no record
	}
	return lo, hi, err
}

// keepBytes is the largest buffer that is kept: what any batch may become, with the
// block by which zstd sees that it became more, and what growing adds (a quarter and
// some bytes, to whole pages), so that bombs use a buffer again instead of leaving it
// to the collector.
const keepBytes = (ratioFree+zstdBlock)/4*5 + 64<<10

// looking is where batches are open just now. More of them than processors would be
// no faster and only hold memory.
var looking = newPlaces(runtime.GOMAXPROCS(0))

// withRecords calls f with the records as uncompressed bytes.
func (b Batch) withRecords(l Limits, f func(p []byte) error) error {
	if b.Codec() == None {
		return f(b[HeaderSize:])
	}
	return decompressed(b.Codec(), b[HeaderSize:], l, f)
}

// decompressed calls f with what packed holds.
func decompressed(c Codec, packed []byte, l Limits, f func(p []byte) error) error {
	buf := looking.take()
	defer func() { looking.give(buf) }()
	p, err := Decompress(buf, c, packed, l)
	if cap(p) <= keepBytes {
		buf = p
	}
	if err != nil {
		return err
	}
	return f(p)
}

// reader reads records one by one into rec, whose Headers it reuses.
type reader struct {
	b    Batch
	p    []byte
	i    int
	last int64 // offset delta of the record before
	bare bool  // headers are not kept
	rec  Record
}

func (r *reader) read(n int32) error {
	length, i := varint(r.p, r.i)
	if length < 0 || length > int64(len(r.p)-i) {
		return invalid("record %d of %d has length %d of %d", n, r.b.Count(), length, len(r.p)-i)
	}
	end := i + int(length)
	body := r.p[:end:end]
	stamp, i := varlong(body, i+1)
	delta, i := varint(body, i)
	if delta <= r.last || delta > int64(r.b.LastOffsetDelta()) {
		return invalid("record %d has offset delta %d after %d, last is %d", n, delta, r.last, r.b.LastOffsetDelta())
	}
	var ok bool
	if r.rec.Key, i, ok = field(body, i); !ok {
		return invalid("record %d has a broken key", n)
	}
	if r.rec.Value, i, ok = field(body, i); !ok {
		return invalid("record %d has a broken value", n)
	}
	if i, ok = r.headers(body, i); !ok {
		return invalid("record %d has broken headers", n)
	}
	if i != end {
		return invalid("record %d does not end at its length", n)
	}
	r.last, r.i = delta, end
	r.rec.Offset = r.b.BaseOffset() + delta
	r.rec.Timestamp = r.b.timestamp(stamp)
	return nil
}

func (r *reader) headers(p []byte, i int) (next int, ok bool) {
	r.rec.Headers = r.rec.Headers[:0]
	n, i := varint(p, i)
	if n < 0 || n > int64(len(p)) {
		return i, false
	}
	for range n {
		var h Header
		if h.Key, i, ok = field(p, i); !ok || h.Key == nil {
			return i, false
		}
		if h.Value, i, ok = field(p, i); !ok {
			return i, false
		}
		if !r.bare {
			r.rec.Headers = append(r.rec.Headers, h)
		}
	}
	return i, true
}

// timestamp is that of a record: the broker's time is kept in the header only.
func (b Batch) timestamp(delta int64) int64 {
	if b.LogAppendTime() {
		return b.MaxTimestamp()
	}
	return b.BaseTimestamp() + delta
}

// field reads a length and so many bytes, capped so that nobody appends into
// the record behind; -1 gives nil.
func field(p []byte, i int) (v []byte, next int, ok bool) {
	n, i := varint(p, i)
	switch {
	case i > len(p) || n < -1 || n > int64(len(p)-i):
		return nil, i, false
	case n == -1:
		return nil, i, true
	}
	end := i + int(n)
	return p[i:end:end], end, true
}
