//go:build oracle

package oracle

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/brokerd/brokerd/internal/record"
	"github.com/twmb/franz-go/pkg/kbin"
)

// rec is one record of a batch.
type rec struct {
	key, value []byte
	time       int64 // delta to the batch's
	delta      int32 // of the offset; 0 takes the record's position
	headers    [][2]string
}

// batch is a record batch that may be wrong on purpose: every field that is set
// wins over what would be right.
type batch struct {
	records  []rec
	codec    record.Codec
	attrs    int16 // beside the codec
	base     int64
	baseTime int64
	maxTime  *int64
	id       int64 // 0: no producer
	epoch    int16
	seq      int32
	count    *int32
	last     *int32
	magic    int8 // 0 means 2
	badCRC   bool
	length   *int32
	tail     []byte // behind the last record
	mutate   func([]byte)
}

// values are records without key.
func values(n int) []rec {
	list := make([]rec, n)
	for i := range list {
		list[i] = rec{key: fmt.Appendf(nil, "k%d", i), value: fmt.Appendf(nil, "value %d", i)}
	}
	return list
}

func (b batch) bytes() []byte {
	var body []byte
	maxTime := b.baseTime
	for i, r := range b.records {
		body = b.record(body, i, r)
		maxTime = max(maxTime, b.baseTime+r.time)
	}
	body = append(body, b.tail...)
	if b.codec <= record.Zstd {
		packed, err := record.Compress(nil, b.codec, 0, body)
		if err != nil {
			panic(err)
		}
		body = packed
	}
	or := func(p *int32, v int) int32 {
		if p != nil {
			return *p
		}
		return int32(v)
	}
	id, epoch, seq := int64(-1), int16(-1), int32(-1)
	if b.id != 0 {
		id, epoch, seq = b.id, b.epoch, b.seq
	}
	if b.maxTime != nil {
		maxTime = *b.maxTime
	}
	magic := b.magic
	if magic == 0 {
		magic = 2
	}
	p := kbin.AppendInt64(nil, b.base)
	p = kbin.AppendInt32(p, or(b.length, 49+len(body)))
	p = kbin.AppendInt32(p, -1)
	p = append(p, byte(magic))
	p = kbin.AppendInt32(p, 0)
	p = kbin.AppendInt16(p, b.attrs|int16(b.codec))
	p = kbin.AppendInt32(p, or(b.last, len(b.records)-1))
	p = kbin.AppendInt64(p, b.baseTime)
	p = kbin.AppendInt64(p, maxTime)
	p = kbin.AppendInt64(p, id)
	p = kbin.AppendInt16(p, epoch)
	p = kbin.AppendInt32(p, seq)
	p = kbin.AppendInt32(p, or(b.count, len(b.records)))
	p = append(p, body...)
	if b.mutate != nil {
		b.mutate(p)
	}
	crc := crc32.Checksum(p[21:], crc32.MakeTable(crc32.Castagnoli))
	if b.badCRC {
		crc++
	}
	binary.BigEndian.PutUint32(p[17:], crc)
	return p
}

func (b batch) record(dst []byte, i int, r rec) []byte {
	delta := int32(i)
	if r.delta != 0 {
		delta = r.delta
	}
	body := []byte{0}
	body = kbin.AppendVarlong(body, r.time)
	body = kbin.AppendVarint(body, delta)
	body = kbin.AppendVarintBytes(body, r.key)
	body = kbin.AppendVarintBytes(body, r.value)
	body = kbin.AppendVarint(body, int32(len(r.headers)))
	for _, h := range r.headers {
		body = kbin.AppendVarintString(body, h[0])
		body = kbin.AppendVarintBytes(body, []byte(h[1]))
	}
	dst = kbin.AppendVarint(dst, int32(len(body)))
	return append(dst, body...)
}

func ptr[T any](v T) *T { return &v }
