package record

import (
	"errors"
	"fmt"
	"sync"
)

// Upgrade appends to dst one batch with the messages of a set, as Produce before
// version 3 carries it, and returns the batch alone. The batch has the set's
// codec; a message of format 0 has no time (-1). Offsets are not looked at: the
// broker gives them, and not all clients wrote those in a wrapper right. A
// message that is cut off at the end is left out; an empty set makes no batch.
//
// A set is uncompressed messages, or one wrapper, all of one format. It is
// patched in place where a wrapper of format 0 has lz4's header checksum wrong.
func Upgrade(dst, set []byte, l Limits) (b Batch, err error) {
	if len(set) == 0 {
		return nil, nil
	}
	first, rest, err := nextMessage(set)
	if err != nil {
		return nil, err
	}
	codec := first.codec()
	if codec == None {
		return upgrade(dst, set, first.magic, None)
	}
	if _, _, err := nextMessage(rest); !errors.Is(err, ErrIncomplete) {
		return nil, invalid("a compressed message is not alone in its set")
	}
	if err := first.mendWrapper(); err != nil {
		return nil, err
	}
	err = decompressed(codec, first.value, l, func(p []byte) error {
		b, err = upgrade(dst, p, first.magic, codec)
		return err
	})
	return b, err
}

// mendWrapper checks that m can be decompressed, and makes it so where it is a
// known mistake that it cannot.
func (m *message) mendWrapper() error {
	switch c := m.codec(); {
	case c > Zstd:
		return fmt.Errorf("%w: %d", ErrCodec, c)
	case c == Zstd:
		return invalid("messages of format %d cannot be compressed with zstd", m.magic)
	case m.value == nil:
		return invalid("a compressed message has no value")
	case c == LZ4 && m.magic == 0:
		mendLZ4(m.value)
	}
	return nil
}

// builders convert sets; each is owned by one upgrade.
var builders = sync.Pool{New: func() any { return new(Builder) }}

// upgrade makes a batch of messages of one format, none of them a wrapper. What
// came out of a wrapper may not end in the middle of one.
func upgrade(dst, set []byte, magic int8, codec Codec) (Batch, error) {
	b := builders.Get().(*Builder)
	b.Reset()
	defer func() {
		if cap(b.records) <= keepBytes {
			builders.Put(b)
		}
	}()
	if err := b.appendMessages(set, magic, codec != None); err != nil {
		return nil, err
	}
	if b.count == 0 {
		return nil, invalid("a compressed message has no messages in it")
	}
	return b.Build(dst, Spec{Codec: codec})
}

// appendMessages adds messages of one format. whole: none may be cut off.
func (b *Builder) appendMessages(set []byte, magic int8, whole bool) error {
	for len(set) > 0 {
		m, rest, err := nextMessage(set)
		switch {
		case errors.Is(err, ErrIncomplete) && !whole:
			return nil
		case errors.Is(err, ErrIncomplete):
			return invalid("message %d of a compressed set is cut off", b.count)
		case err != nil:
			return fmt.Errorf("message %d: %w", b.count, err)
		case m.magic != magic:
			return invalid("message %d has format %d, those before it %d", b.count, m.magic, magic)
		case m.codec() != None:
			return invalid("message %d is compressed among or inside others", b.count)
		}
		if err := b.Append(Record{Timestamp: m.timestamp, Key: m.key, Value: m.value}); err != nil {
			return err
		}
		set = rest
	}
	return nil
}
