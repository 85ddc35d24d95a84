//go:build clients

package clients

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

var codecs = map[string]kgo.CompressionCodec{
	"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
	"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
}

// given creates a topic with records that our own client wrote.
func (s *scene) given(partitions int32, codec kgo.CompressionCodec, records []record, configs ...string) error {
	if err := s.create(partitions, configs...); err != nil {
		return err
	}
	return s.write(codec, records)
}

// starts is the start of so many partitions.
func starts(partitions int32) []position {
	var from []position
	for p := range partitions {
		from = append(from, position{Partition: p, At: "start"})
	}
	return from
}

// readAll writes records, has the client read them from the start and compares.
func (s *scene) readAll(partitions int32, codec kgo.CompressionCodec, records []record, parts part, configs ...string) error {
	if err := s.given(partitions, codec, records, configs...); err != nil {
		return err
	}
	got, err := s.read(len(records), starts(partitions)...)
	if err != nil {
		return err
	}
	want := append([]record(nil), records...)
	order(want)
	return same(got, want, parts)
}

func readCodec(codec string) func(*scene) error {
	return func(s *scene) error { return s.readAll(3, codecs[codec], plain(30, 3), 0) }
}

func readHeaders(s *scene) error { return s.readAll(1, uncompressed, withHeaders(), headers) }

func readNullHeaders(s *scene) error {
	return s.readAll(1, uncompressed, withNullHeaders(), headers)
}

func readNull(s *scene) error { return s.readAll(1, uncompressed, withNulls(), 0) }

func readTimestamps(s *scene) error {
	return s.readAll(2, kgo.GzipCompression(), plain(10, 2), timestamps)
}

func readSize(size int) func(*scene) error {
	return func(s *scene) error {
		return s.readAll(1, uncompressed, large(size), 0, "max.message.bytes", "33554432")
	}
}

// readFrom has the client read from one position of partition 0 and wants
// the records from an index on.
func (s *scene) readFrom(at position, records []record, first int) error {
	got, err := s.read(len(records)-first, at)
	if err != nil {
		return err
	}
	return same(got, records[first:], 0)
}

// readOffset begins within a batch.
func readOffset(s *scene) error {
	records := plain(10, 1)
	if err := s.given(1, uncompressed, records); err != nil {
		return err
	}
	return s.readFrom(position{At: "offset", N: 7}, records, 7)
}

func readTime(s *scene) error {
	records := plain(10, 1)
	if err := s.given(1, kgo.SnappyCompression(), records); err != nil {
		return err
	}
	return s.readFrom(position{At: "time", N: records[4].Timestamp - 5}, records, 4)
}

// readEnd sees only what is written after the reader was opened.
func readEnd(s *scene) error {
	records := plain(10, 1)
	if err := s.given(1, uncompressed, records[:6]); err != nil {
		return err
	}
	if _, err := s.ask.do(request{Op: "open", Topic: s.topic, From: []position{{At: "end"}}}); err != nil {
		return err
	}
	if err := s.write(uncompressed, records[6:]); err != nil {
		return err
	}
	got, err := s.poll(4)
	if err != nil {
		return err
	}
	if _, err := s.ask.do(request{Op: "close"}); err != nil {
		return err
	}
	return same(got, records[6:], 0)
}

func readRestart(s *scene) error {
	records := plain(20, 1)
	if err := s.given(1, uncompressed, records[:10]); err != nil {
		return err
	}
	if _, err := s.ask.do(request{Op: "open", Topic: s.topic, From: starts(1)}); err != nil {
		return err
	}
	before, err := s.poll(10)
	if err != nil {
		return err
	}
	if err := s.restart(); err != nil {
		return err
	}
	if err := s.write(uncompressed, records[10:]); err != nil {
		return err
	}
	after, err := s.poll(10)
	if err != nil {
		return fmt.Errorf("after the restart: %w", err)
	}
	if _, err := s.ask.do(request{Op: "close"}); err != nil {
		return err
	}
	return same(append(before, after...), records, 0)
}

// trim deletes the records of partition 0 before an offset by our own client.
func (s *scene) trim(offset int64) error {
	o := kadm.Offsets{}
	o.Add(kadm.Offset{Topic: s.topic, At: offset})
	return s.admin(func(adm *kadm.Client) error {
		got, err := adm.DeleteRecords(s.ctx, o)
		if err != nil {
			return err
		}
		return got.Error()
	})
}

func recordsDelete(s *scene) error {
	records := plain(10, 1)
	if err := s.given(1, uncompressed, records); err != nil {
		return err
	}
	if _, err := s.ask.do(request{Op: "trim", Topic: s.topic, Offset: 6}); err != nil {
		return err
	}
	got, err := s.written(4)
	if err != nil {
		return err
	}
	return same(got, records[6:], 0)
}

func readDeleted(s *scene) error {
	records := plain(10, 1)
	if err := s.given(1, uncompressed, records); err != nil {
		return err
	}
	if err := s.trim(6); err != nil {
		return err
	}
	return s.readFrom(position{At: "start"}, records, 6)
}
