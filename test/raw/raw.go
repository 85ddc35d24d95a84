// Package raw is a driver that costs almost nothing: it sends requests that
// were encoded beforehand and reads answers into one buffer, so that what is
// measured is the server. It speaks to every broker of the Kafka protocol.
//
// Goroutines and locks: none; a Conn belongs to one goroutine. Tests: its users.
package raw

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"net"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Conn is one connection. Not for concurrent use.
type Conn struct {
	net.Conn
	size [4]byte
	buf  []byte
}

// Dial connects.
func Dial(addr string) (*Conn, error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	return &Conn{Conn: c}, nil
}

// maxAnswer bounds what an answer may make the buffer.
const maxAnswer = 256 << 20

// grow makes room for n bytes and keeps what is there.
func (c *Conn) grow(n int) error {
	if n > maxAnswer {
		return fmt.Errorf("an answer of %d bytes: more than %d are not read", n, maxAnswer)
	}
	if n > len(c.buf) {
		bigger := make([]byte, max(n, 2*len(c.buf), 4<<10))
		copy(bigger, c.buf)
		c.buf = bigger
	}
	return nil
}

// Frame encodes a whole request frame, header and length included.
func Frame(version int16, correlation int32, req kmsg.Request) []byte {
	req.SetVersion(version)
	client := "raw"
	f := []byte{0, 0, 0, 0}
	f = kbin.AppendInt16(f, req.Key())
	f = kbin.AppendInt16(f, version)
	f = kbin.AppendInt32(f, correlation)
	f = kbin.AppendNullableString(f, &client)
	if req.IsFlexible() {
		f = append(f, 0)
	}
	f = req.AppendTo(f)
	binary.BigEndian.PutUint32(f, uint32(len(f)-4))
	return f
}

// Send writes a frame.
func (c *Conn) Send(frame []byte) error {
	_, err := c.Write(frame)
	return err
}

// Receive reads one answer and returns its body from the correlation id on. It
// is valid until the next Receive.
func (c *Conn) Receive() ([]byte, error) {
	if _, err := io.ReadFull(c, c.size[:]); err != nil {
		return nil, err
	}
	n := int(binary.BigEndian.Uint32(c.size[:]))
	if err := c.grow(n); err != nil {
		return nil, err
	}
	_, err := io.ReadFull(c, c.buf[:n])
	return c.buf[:n], err
}

// Do sends a request and decodes its answer.
func (c *Conn) Do(version int16, req kmsg.Request) (kmsg.Response, error) {
	if err := c.Send(Frame(version, 1, req)); err != nil {
		return nil, err
	}
	body, err := c.Receive()
	if err != nil {
		return nil, err
	}
	resp := req.ResponseKind()
	body = body[4:]
	if resp.IsFlexible() && resp.Key() != 18 {
		body = body[1:]
	}
	return resp, resp.ReadFrom(body)
}

// Batch builds one uncompressed v2 batch of count records of size bytes each.
func Batch(count, size int, timestamp int64) []byte {
	var records []byte
	value := make([]byte, size)
	for i := range count {
		body := []byte{0}                           // attributes
		body = kbin.AppendVarlong(body, 0)          // timestamp delta
		body = kbin.AppendVarint(body, int32(i))    // offset delta
		body = kbin.AppendVarint(body, -1)          // no key
		body = kbin.AppendVarint(body, int32(size)) // value
		body = append(body, value...)
		body = kbin.AppendVarint(body, 0) // headers
		records = kbin.AppendVarint(records, int32(len(body)))
		records = append(records, body...)
	}
	b := kbin.AppendInt64(nil, 0)
	b = kbin.AppendInt32(b, int32(49+len(records)))
	b = kbin.AppendInt32(b, -1)
	b = append(b, 2)
	b = kbin.AppendInt32(b, 0) // crc, below
	b = kbin.AppendInt16(b, 0)
	b = kbin.AppendInt32(b, int32(count-1))
	b = kbin.AppendInt64(b, timestamp)
	b = kbin.AppendInt64(b, timestamp)
	b = kbin.AppendInt64(b, -1)
	b = kbin.AppendInt16(b, -1)
	b = kbin.AppendInt32(b, -1)
	b = kbin.AppendInt32(b, int32(count))
	b = append(b, records...)
	binary.BigEndian.PutUint32(b[17:], crc32.Checksum(b[21:], crc32.MakeTable(crc32.Castagnoli)))
	return b
}

// Produce is a request for one partition, version 7.
func Produce(topic string, partition int32, acks int16, batch []byte) []byte {
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis = acks, 30_000
	t := kmsg.NewProduceRequestTopic()
	t.Topic = topic
	p := kmsg.NewProduceRequestTopicPartition()
	p.Partition, p.Records = partition, batch
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	return Frame(7, 7, req)
}

// Fetch is a sessionless request for one partition, version 11.
func Fetch(topic string, partition int32, offset int64, maxBytes int32) []byte {
	req := kmsg.NewPtrFetchRequest()
	req.MaxBytes, req.MinBytes, req.MaxWaitMillis = maxBytes, 1, 500
	req.SessionEpoch = -1
	t := kmsg.NewFetchRequestTopic()
	t.Topic = topic
	p := kmsg.NewFetchRequestTopicPartition()
	p.Partition, p.FetchOffset, p.PartitionMaxBytes, p.CurrentLeaderEpoch = partition, offset, maxBytes, -1
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	return Frame(11, 11, req)
}

// Versions is ApiVersions, version 0.
func Versions() []byte { return Frame(0, 18, kmsg.NewPtrApiVersionsRequest()) }
