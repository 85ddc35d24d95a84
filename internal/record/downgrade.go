package record

import (
	"errors"
	"fmt"
	"sync"
)

// Downgrade writes batches as a set of messages, for Fetch before version 4.
// Headers are lost, control batches left out; offsets stay. What was compressed
// is compressed again with the same codec, in wrappers of at most wrapperBytes
// before compression: the offsets in one are relative to its first in format 1,
// absolute in format 0, and its own is its last.
type Downgrade struct {
	Magic int8  // 0 or 1
	From  int64 // messages and wrappers that end before it are left out
	// MaxBytes is how much may come. Cut: the message that passes it is cut off
	// there, from which a client learns that there is more, or too much for it.
	// Otherwise it is left out, unless FirstWhole is set and it is the first.
	MaxBytes        int
	Cut, FirstWhole bool
	Limits          Limits // of what a batch may become
}

// wrapperBytes bounds the memory that a wrapper takes.
const wrapperBytes = 1 << 20

// errFull ends a walk: there is room for no further message.
var errFull = errors.New("full")

// Append appends the messages to dst. next is the offset behind the batches that
// were converted, at least From. An error is returned only if nothing could be
// converted before it: ErrCodec is zstd, which the old formats do not know.
func (d Downgrade) Append(dst, batches []byte) (out []byte, next int64, err error) {
	w := oldWriter{Downgrade: d, dst: dst, start: len(dst), next: d.From}
	for len(batches) > 0 && err == nil {
		var b Batch
		if b, batches, err = Next(batches); err == nil {
			err = w.batch(b)
		}
	}
	switch {
	case errors.Is(err, errFull):
		w.fit()
		err = nil
	case len(w.dst) > w.start:
		err = nil // the next fetch will meet it first
	}
	return w.dst, w.next, err
}

// oldWriter is one Append.
type oldWriter struct {
	Downgrade
	dst   []byte
	start int // of what is ours
	last  int // where the last message starts
	next  int64
}

func (w *oldWriter) batch(b Batch) error {
	var err error
	switch {
	case b.Control():
	case b.Codec() == Zstd:
		return fmt.Errorf("%w before Fetch 4: zstd", ErrCodec)
	case b.Codec() == None:
		err = w.plain(b)
	default:
		err = w.compressed(b)
	}
	if err == nil {
		w.next = max(w.next, b.NextOffset())
	}
	return err
}

// message is r in the older format.
func (w *oldWriter) message(b Batch, r *Record) message {
	m := message{offset: r.Offset, magic: w.Magic, timestamp: r.Timestamp, key: r.Key, value: r.Value}
	if b.LogAppendTime() && w.Magic == 1 {
		m.attributes |= attrLogAppendTime
	}
	return m
}

func (w *oldWriter) plain(b Batch) error {
	return b.Skim(w.Limits, func(r Record) error {
		if r.Offset < w.From {
			return nil
		}
		w.last = len(w.dst)
		w.dst = appendMessage(w.dst, w.message(b, &r))
		return w.full()
	})
}

// wrapperSets hold what goes into wrappers; each is owned by one batch.
var wrapperSets = sync.Pool{New: func() any { return new([]byte) }}

// compressed writes wrappers, each as soon as it holds enough.
func (w *oldWriter) compressed(b Batch) error {
	buf := wrapperSets.Get().(*[]byte)
	inner := wrapped{w: w, batch: b, set: (*buf)[:0]}
	err := b.Skim(w.Limits, func(r Record) error {
		if len(inner.set) > 0 && len(inner.set)+messageSize(w.Magic, &r) > wrapperBytes {
			if err := inner.flush(); err != nil {
				return err
			}
		}
		inner.add(&r)
		return nil
	})
	if err == nil {
		err = inner.flush()
	}
	if cap(inner.set) <= keepBytes {
		*buf = inner.set
	}
	wrapperSets.Put(buf)
	return err
}

// full notices that the last message passed MaxBytes.
func (w *oldWriter) full() error {
	if len(w.dst)-w.start > w.MaxBytes {
		return errFull
	}
	return nil
}

// fit does with the last message, which passed MaxBytes, what was asked for.
func (w *oldWriter) fit() {
	switch {
	case w.Cut:
		w.dst = w.dst[:w.start+max(w.MaxBytes, 0)]
	case w.last > w.start || !w.FirstWhole:
		w.dst = w.dst[:w.last]
	}
}

// wrapped collects what one wrapper holds.
type wrapped struct {
	w     *oldWriter
	batch Batch
	set   []byte
	first int64
	last  int64
	max   int64 // timestamp
}

func (x *wrapped) add(r *Record) {
	m := x.w.message(x.batch, r)
	if len(x.set) == 0 {
		x.first, x.max = r.Offset, r.Timestamp
	}
	if m.magic == 1 {
		m.offset -= x.first
	}
	x.last, x.max = r.Offset, max(x.max, r.Timestamp)
	x.set = appendMessage(x.set, m)
}

// flush writes the wrapper and empties it. It is skipped if nobody asked for it.
func (x *wrapped) flush() (err error) {
	w := x.w
	if len(x.set) == 0 || x.last < w.From {
		x.set = x.set[:0]
		return nil
	}
	m := w.message(x.batch, &Record{Offset: x.last, Timestamp: x.max})
	m.attributes |= byte(x.batch.Codec())
	w.last = len(w.dst)
	w.dst = beginMessage(w.dst, m)
	value := len(w.dst)
	w.dst, err = Compress(w.dst, x.batch.Codec(), 0, x.set)
	if err != nil {
		w.dst = w.dst[:w.last]
		return err
	}
	if x.batch.Codec() == LZ4 && m.magic == 0 {
		breakLZ4(w.dst[value:])
	}
	endMessage(w.dst, w.last, value)
	x.set = x.set[:0]
	return w.full()
}
