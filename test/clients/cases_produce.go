//go:build clients

package clients

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

var uncompressed = kgo.NoCompression()

// plain is count records over some partitions, with timestamps 10 ms apart.
func plain(count, partitions int) []record {
	base := time.Now().UnixMilli() - 60_000
	var records []record
	for i := range count {
		records = append(records, record{
			Partition: int32(i % partitions), Offset: int64(i / partitions), Timestamp: base + int64(10*i),
			Key: fmt.Appendf(nil, "k%d", i), Value: bytes.Repeat(fmt.Appendf(nil, "value-%d ", i), 20),
		})
	}
	return records
}

// sent creates a topic, has the client write records and reads them back.
func (s *scene) sent(partitions int32, r request, parts part, configs ...string) error {
	if err := s.create(partitions, configs...); err != nil {
		return err
	}
	if err := s.produceAs(r); err != nil {
		return err
	}
	got, err := s.written(len(r.Records))
	if err != nil {
		return err
	}
	want := append([]record(nil), r.Records...)
	order(want)
	return same(got, want, parts)
}

func produceCodec(codec string) func(*scene) error {
	return func(s *scene) error {
		return s.sent(3, request{Acks: "all", Codec: codec, Records: plain(30, 3)}, 0)
	}
}

func produceAcks(acks string) func(*scene) error {
	return func(s *scene) error {
		return s.sent(3, request{Acks: acks, Codec: "none", Records: plain(30, 3)}, 0)
	}
}

func produceKeys(s *scene) error {
	records := plain(4, 1)
	records[0].Key, records[1].Key, records[2].Key = []byte("a\x00\xff b"), []byte{}, nil
	return s.sent(1, request{Acks: "all", Codec: "none", Records: records}, 0)
}

// withHeaders is records with several headers, with one, and with none.
func withHeaders() []record {
	records := plain(3, 1)
	records[0].Headers = []header{{"one", []byte("1")}, {"one", []byte("again")}, {"two", []byte{1, 255}}}
	records[1].Headers = []header{{"three", []byte("3")}}
	return records
}

// withNullHeaders is a header without value beside an empty one.
func withNullHeaders() []record {
	records := plain(1, 1)
	records[0].Headers = []header{{"null", nil}, {"empty", []byte{}}}
	return records
}

func produceNullHeaders(s *scene) error {
	return s.sent(1, request{Acks: "all", Codec: "none", Records: withNullHeaders()}, headers)
}

func produceHeaders(s *scene) error {
	return s.sent(1, request{Acks: "all", Codec: "none", Records: withHeaders()}, headers)
}

// withNulls is a tombstone and an empty value.
func withNulls() []record {
	records := plain(2, 1)
	records[0].Value, records[1].Value = nil, []byte{}
	return records
}

func produceNull(s *scene) error {
	return s.sent(1, request{Acks: "all", Codec: "none", Records: withNulls()}, 0)
}

func produceTimestamps(s *scene) error {
	return s.sent(2, request{Acks: "all", Codec: "gzip", Records: plain(10, 2)}, timestamps)
}

func produceIdempotent(s *scene) error {
	return s.sent(3, request{Acks: "all", Codec: "none", Idempotent: true, Records: plain(300, 3)}, 0)
}

// large is a record of a size, of bytes that do not repeat soon.
func large(size int) []record {
	value := make([]byte, size)
	x := uint32(2463534242)
	for i := range value {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		value[i] = byte(x)
	}
	return []record{{Key: []byte("large"), Value: value}}
}

func produceSize(size int) func(*scene) error {
	return func(s *scene) error {
		return s.sent(1, request{Acks: "all", Codec: "none", Records: large(size)}, 0, "max.message.bytes", "33554432")
	}
}

func produceTooLarge(s *scene) error {
	if err := s.create(1); err != nil {
		return err
	}
	a, err := s.ask.do(request{Op: "produce", Topic: s.topic, Acks: "all", Codec: "none", Records: large(3_000_000)})
	if err := code(a, err, 10); err != nil {
		return err
	}
	records := plain(1, 1)
	if err := s.produce("none", records); err != nil {
		return err
	}
	got, err := s.written(1)
	if err != nil {
		return err
	}
	return same(got, records, 0)
}

func produceAutoCreate(s *scene) error {
	records := plain(1, 1)
	if err := s.produce("none", records); err != nil {
		return err
	}
	got, err := s.written(1)
	if err != nil {
		return err
	}
	return same(got, records, 0)
}

// produceRestart sends one record after the other while the node dies and comes
// back. Errors are the client's right in between; what it called acknowledged is
// not lost, and it goes on by itself.
func produceRestart(s *scene) error {
	const before, after = 20, 20
	if err := s.create(1); err != nil {
		return err
	}
	acked := map[string]bool{}
	restarted := make(chan error, 1)
	var back, begun bool
	var failed error
	var wait error
	limit := time.Now().Add(caseLimit)
	for i, rest := 0, after; rest > 0; i++ {
		if len(acked) == before && !begun {
			begun = true
			go func() { restarted <- s.restart() }()
		}
		if begun && !back {
			select {
			case wait = <-restarted:
				back = true
			default:
			}
		}
		value := fmt.Sprintf("record %d", i)
		_, err := s.ask.do(request{Op: "produce", Topic: s.topic, Acks: "all", Codec: "none", Records: []record{{Value: []byte(value)}}})
		var client *clientError
		if err != nil && !errors.As(err, &client) || time.Now().After(limit) {
			failed = errors.Join(fmt.Errorf("after %d acknowledged records", len(acked)), err)
			break
		}
		if err == nil {
			acked[value] = true
			if back {
				rest--
			}
		}
	}
	if begun && !back {
		wait = <-restarted
	}
	if err := errors.Join(failed, wait); err != nil {
		return err
	}
	got, err := s.written(len(acked))
	if err != nil {
		return err
	}
	for _, r := range got {
		delete(acked, string(r.Value))
	}
	if len(acked) > 0 {
		return fmt.Errorf("%d acknowledged records are lost, as %v", len(acked), acked)
	}
	return nil
}
