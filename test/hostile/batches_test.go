//go:build hostile

package hostile

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"maps"
	"math"
	"slices"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/brokerd/brokerd/internal/record"
	"github.com/brokerd/brokerd/test/raw"
)

// Where the fields of a batch are (docs/format/record-batch.md).
var batchFields = []struct {
	name      string
	at, width int
}{
	{"base offset", 0, 8}, {"length", 8, 4}, {"leader epoch", 12, 4}, {"magic", 16, 1}, {"crc", 17, 4}, {"attributes", 21, 2},
	{"last offset delta", 23, 4}, {"base timestamp", 27, 8}, {"max timestamp", 35, 8}, {"producer id", 43, 8}, {"producer epoch", 51, 2},
	{"base sequence", 53, 4}, {"count", 57, 4},
}

const (
	batchCRC   = 17
	batchAttrs = 21
	batchCount = 57
	batchBody  = 61
)

// produceVersions are those that take v2 batches and differ in how.
func (g *generator) produceVersions() (versions []int16) {
	for _, v := range []int16{3, 7, 9, 13} {
		if slices.Contains(g.apis, api{0, v}) {
			versions = append(versions, v)
		}
	}
	return versions
}

// produce adds a case for the records in one version; to is where.
func (g *generator) produce(family, what string, version int16, acks int16, to target, records []byte) {
	a := api{0, version}
	r := a.base(to).(*kmsg.ProduceRequest)
	r.Acks, r.TransactionID = acks, nil
	r.Topics[0].Partitions[0].Records = records
	g.request(family, a, fmt.Sprintf("to %s: %s", to.topic, what), r.AppendTo(nil), false)
}

// batches are batches that lie about themselves, with and without a CRC that
// agrees, and the formats before them.
func (g *generator) batches() {
	good := raw.Batch(3, 20, 1_700_000_000_000)
	sets := [...]map[string][]byte{messageSets(0), messageSets(1), messageSets(2), messageSets(3)}
	for _, version := range g.produceVersions() {
		for _, to := range append([]target{g.target}, g.others...) {
			add := func(what string, b []byte) { g.produce("batch", what, version, -1, to, b) }
			for _, f := range batchFields {
				for _, n := range []int64{math.MinInt64, -2, -1, 0, 1, 2, 3, 5, 0x10, 0x20, 0x30, 0x7f, 0x80, 1 << 20, math.MaxInt32 - 1, math.MaxInt64} {
					b := slices.Clone(good)
					copy(b[f.at:], number64(n, f.width))
					add(fmt.Sprintf("%s = %d, wrong crc", f.name, n), slices.Clone(b))
					if f.at != batchCRC {
						add(fmt.Sprintf("%s = %d", f.name, n), sealed(b))
					}
				}
			}
			for cut := range len(good) {
				add(fmt.Sprintf("the first %d bytes", cut), good[:cut])
			}
			for at := batchBody; at < len(good); at++ {
				for _, v := range []byte{0, 0x01, 0x7f, 0x80, 0xff} {
					b := slices.Clone(good)
					b[at] = v
					add(fmt.Sprintf("byte %d of the records = %#x", at-batchBody, v), sealed(b))
				}
			}
			add("two batches", slices.Concat(good, good))
			add("a batch and half of another", append(slices.Clone(good), good[:40]...))
			add("a batch and nonsense", append(slices.Clone(good), "nonsense"...))
			add("a commit marker", marker())
			for magic := range 2 {
				for _, name := range slices.Sorted(maps.Keys(sets[magic])) {
					set := sets[magic][name]
					add(fmt.Sprintf("magic %d, %s", magic, name), set)
				}
			}
		}
	}
	for _, v := range []int16{0, 1, 2} {
		if !slices.Contains(g.apis, api{0, v}) {
			continue
		}
		for magic := range sets {
			for _, name := range slices.Sorted(maps.Keys(sets[magic])) {
				set := sets[magic][name]
				g.produce("batch", fmt.Sprintf("magic %d, %s", magic, name), v, 1, g.target, set)
			}
			set := sets[magic]["three messages"]
			for at := range set {
				for _, b := range []byte{0, 0x7f, 0xff} {
					bad := slices.Clone(set)
					bad[at] = b
					g.produce("batch", fmt.Sprintf("magic %d, byte %d = %#x", magic, at, b), v, 1, g.target, bad)
				}
				g.produce("batch", fmt.Sprintf("magic %d, the first %d bytes", magic, at), v, 1, g.target, set[:at])
			}
		}
		g.produce("batch", "a v2 batch", v, 1, g.target, good)
	}
}

func sealed(b []byte) []byte {
	binary.BigEndian.PutUint32(b[batchCRC:], crc32.Checksum(b[batchAttrs:], crc32.MakeTable(crc32.Castagnoli)))
	return b
}

func marker() []byte {
	b, err := record.BuildMarker(nil, 1, 0, 1_700_000_000_000, record.Marker{})
	if err != nil {
		panic(err)
	}
	return b
}

// messageSets are sets of the formats before batches: offset, length, CRC (IEEE,
// from magic on), magic, attributes, timestamp from 1 on, key, value.
func messageSets(magic byte) map[string][]byte {
	value := []byte("value")
	one := message(magic, 0, 0, value)
	gzip := func(inner []byte) []byte { return must(record.Compress(nil, record.Gzip, 0, inner)) }
	nested := message(magic, 0, 1, gzip(one))
	for range 8 {
		nested = message(magic, 0, 1, gzip(nested))
	}
	badCRC := slices.Clone(one)
	badCRC[12] ^= 1
	return map[string][]byte{
		"three messages":              slices.Concat(one, message(magic, 1, 0, value), message(magic, 2, 0, value)),
		"a compressed set":            message(magic, 2, 1, gzip(slices.Concat(one, message(magic, 1, 0, value), message(magic, 2, 0, value)))),
		"wrappers in wrappers":        nested,
		"a wrapper around nothing":    message(magic, 0, 1, gzip(nil)),
		"a wrapper without a value":   message(magic, 0, 1, nil),
		"a wrapper of half a message": message(magic, 0, 1, gzip(one[:20])),
		"a wrapper of a v2 batch":     message(magic, 0, 1, gzip(raw.Batch(1, 5, 0))),
		"codec 7":                     message(magic, 0, 7, value),
		"zstd, which came later":      message(magic, 0, 4, value),
		"a bad crc":                   badCRC,
		"offsets that overflow":       slices.Concat(message(magic, math.MaxInt64, 0, value), message(magic, math.MinInt64, 0, value)),
		"a bomb":                      message(magic, 0, 1, gzip(make([]byte, 64<<20))),
	}
}

func message(magic byte, offset int64, attributes byte, value []byte) []byte {
	m := []byte{magic, attributes}
	if magic > 0 {
		m = kbin.AppendInt64(m, 1_700_000_000_000)
	}
	m = kbin.AppendInt32(m, -1)
	if value == nil {
		m = kbin.AppendInt32(m, -1)
	} else {
		m = append(kbin.AppendInt32(m, int32(len(value))), value...)
	}
	b := kbin.AppendInt64(nil, offset)
	b = kbin.AppendInt32(b, int32(len(m)+4))
	b = kbin.AppendUint32(b, crc32.ChecksumIEEE(m))
	return append(b, m...)
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}
