//go:build hostile

package hostile

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kbin"

	"github.com/brokerd/brokerd/internal/record"
	"github.com/brokerd/brokerd/test/raw"
)

// bombs are small batches that want to become large, and compressed data that
// lies about its size. They go to a plain topic, to one that is compacted and to
// one that is validated in full: there the broker has to look inside.
func (g *generator) bombs() {
	type bomb struct {
		name  string
		batch []byte
	}
	var all []bomb
	empty := []byte{0x0c, 0, 0, 0, 1, 1, 0} // a record of 6 bytes: no key, no value, no headers
	contents := []struct {
		name  string
		count int32
		body  []byte
	}{
		{"16 MiB of zeros", 1, make([]byte, 16<<20)},
		{"64 MiB of zeros", 1, make([]byte, 64<<20)},
		{"a million empty records", 1e6, slices.Repeat(empty, 1e6)},
		{"2^31-1 records, they say", 1<<31 - 1, slices.Repeat(empty, 1000)},
		{"a million headers", 1, recordOfHeaders(1e6)},
		{"one record of 32 MiB", 1, recordOf(32 << 20)},
	}
	for _, codec := range []record.Codec{record.Gzip, record.Snappy, record.LZ4, record.Zstd} {
		for _, c := range contents {
			packed := must(record.Compress(nil, codec, 0, c.body))
			if len(packed) <= 1<<20 { // more than max.message.bytes never gets that far
				all = append(all, bomb{fmt.Sprintf("%s: %s", codec, c.name), batchOf(codec, c.count, packed)})
			}
		}
	}
	for _, c := range []struct {
		name  string
		codec record.Codec
		hex   []byte
	}{
		{"zstd window of 2 GiB", record.Zstd, []byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8, 0x09, 0, 0, 'x'}},
		{"zstd content of 2^63", record.Zstd, []byte{0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0x09, 0, 0, 'x'}},
		{"zstd run of 128 KiB, again and again", record.Zstd, append([]byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58}, slices.Repeat([]byte{0x02, 0x00, 0x10, 0}, 100_000)...)},
		{"lz4 block of 2 GiB", record.LZ4, []byte{0x04, 0x22, 0x4d, 0x18, 0x60, 0x70, 0x73, 0xff, 0xff, 0xff, 0x7f}},
		{"lz4 block longer than there is", record.LZ4, []byte{0x04, 0x22, 0x4d, 0x18, 0x60, 0x70, 0x73, 0, 0, 0x40, 0, 1, 2}},
		{"snappy of 4 GiB", record.Snappy, []byte{0xff, 0xff, 0xff, 0xff, 0x0f, 0, 'x'}},
		{"xerial block of 2 GiB", record.Snappy, append([]byte("\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01"), 0x7f, 0xff, 0xff, 0xff)},
		{"xerial block of -1", record.Snappy, append([]byte("\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01"), 0xff, 0xff, 0xff, 0xff)},
		{"gzip with an extra field that is cut", record.Gzip, []byte{0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 3, 0xff, 0xff, 1}},
		{"gzip of nothing, a thousand times", record.Gzip, slices.Repeat(must(record.Compress(nil, record.Gzip, 0, nil)), 1000)},
	} {
		all = append(all, bomb{c.name, batchOf(c.codec, 1, c.hex)})
	}
	for _, codec := range []record.Codec{5, 6, 7} {
		all = append(all, bomb{fmt.Sprintf("codec %d", codec), batchOf(codec, 1, []byte("x"))})
	}
	all = append(all,
		bomb{"a million empty records, plain", batchOf(record.None, 140_000, slices.Repeat(empty, 140_000))},
		bomb{"2^31-1 records in no bytes", batchOf(record.None, 1<<31-1, nil)},
	)
	for _, version := range g.produceVersions() {
		for _, to := range append([]target{g.target}, g.others...) {
			for _, b := range all {
				g.produce("bomb", b.name, version, -1, to, b.batch)
			}
		}
	}
}

// batchOf makes a batch that says it has count records in this compressed form.
func batchOf(codec record.Codec, count int32, packed []byte) []byte {
	b := raw.Batch(1, 0, 1_700_000_000_000)[:batchBody]
	b = append(b, packed...)
	binary.BigEndian.PutUint32(b[8:], uint32(len(b)-12))
	binary.BigEndian.PutUint16(b[batchAttrs:], uint16(codec))
	binary.BigEndian.PutUint32(b[batchAttrs+2:], uint32(count-1))
	binary.BigEndian.PutUint32(b[batchCount:], uint32(count))
	return sealed(b)
}

func recordOfHeaders(n int32) []byte {
	body := []byte{0, 0, 0, 1, 1}
	body = kbin.AppendVarint(body, n)
	body = append(body, slices.Repeat([]byte{0, 1}, int(n))...) // no name, no value
	return append(kbin.AppendVarint(nil, int32(len(body))), body...)
}

func recordOf(size int32) []byte {
	body := []byte{0, 0, 0, 1}
	body = append(kbin.AppendVarint(body, size), make([]byte, size)...)
	body = append(body, 0)
	return append(kbin.AppendVarint(nil, int32(len(body))), body...)
}
