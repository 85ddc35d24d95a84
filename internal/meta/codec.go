package meta

import (
	"encoding/binary"
	"fmt"
	"iter"
	"strings"

	"github.com/brokerd/brokerd/internal/step"
)

// An entry of the raft log:
//
//	┌────────┬──────────────────────────────────────────────┬───┐
//	│ 1 byte │ kind u16 │ version u8 │ length uvarint │ body │ … │
//	│ format │             one per command                   │   │
//	└────────┴──────────────────────────────────────────────┴───┘
//
// Integers in bodies are varints, zigzag where they may be negative; strings
// and lists carry their length before them; maps are written in key order.
const entryFormat = 1

// EntryHeader begins an entry: AppendCommand puts commands behind it.
func EntryHeader() []byte { return []byte{entryFormat} }

// AppendCommand encodes one command as a cluster at this level takes it: in the
// newest version of then. One that is newer as a whole (see CheckLevel) is
// encoded in its first version, for Apply to refuse on every node.
func AppendCommand(b []byte, c Command, level int16) []byte {
	info, _ := infoOf(c.kind())
	version := max(info.version(level), 1)
	b = binary.LittleEndian.AppendUint16(b, uint16(c.kind()))
	b = append(b, version)
	body := c.encode(nil, version)
	b = binary.AppendUvarint(b, uint64(len(body)))
	return append(b, body...)
}

// EncodeEntry encodes the commands of one entry in their newest versions.
func EncodeEntry(cmds []Command) []byte {
	b := EntryHeader()
	for _, c := range cmds {
		b = AppendCommand(b, c, MaxLevel)
	}
	return b
}

// DecodeEntry reads an entry. It never fails: what it cannot read comes back as
// Malformed, which Apply answers with an error, the same one on every node.
func DecodeEntry(b []byte) (cmds []Command) {
	for c := range commands(b) {
		cmds = append(cmds, c.Command)
	}
	return cmds
}

// commands reads the commands of an entry, with what their bytes name.
func commands(b []byte) iter.Seq[Described] {
	return func(yield func(Described) bool) {
		d := decoder{b: b}
		if f := d.u8(); d.err != nil || f != entryFormat {
			yield(Described{Command: Malformed{fmt.Errorf("%w: entry of format %d", ErrUnknownCommand, f)}, Body: b})
			return
		}
		for n := 0; len(d.b) > 0; n++ {
			c := Described{Body: d.b}
			c.kind, c.Version = kind(d.u16()), d.u8()
			body := d.bytes()
			if d.err != nil {
				c.Command = Malformed{fmt.Errorf("%w: command %d is cut off", ErrMalformed, n)}
				yield(c)
				return
			}
			c.Body, c.Command = body, decodeCommand(c.kind, c.Version, body)
			if !yield(c) {
				return
			}
		}
	}
}

func decodeCommand(k kind, version uint8, body []byte) Command {
	info, ok := infoOf(k)
	if !ok || version == 0 || version > info.version(MaxLevel) {
		return Malformed{fmt.Errorf("%w: kind %d version %d", ErrUnknownCommand, k, version)}
	}
	d := decoder{b: body}
	c := info.decode(version, &d)
	if d.err == nil && len(d.b) > 0 {
		d.err = fmt.Errorf("%w: %d bytes too many", ErrMalformed, len(d.b))
	}
	if d.err != nil {
		return Malformed{fmt.Errorf("%s: %w", info.name, d.err)}
	}
	return c
}

// decoder reads what the append functions write. After the first error every
// read gives zero. It allocates nothing that a length alone promises.
type decoder struct {
	b   []byte
	err error
}

func (d *decoder) fail() {
	if d.err == nil {
		d.err = fmt.Errorf("%w: it ends too early or a number is out of range", ErrMalformed)
	}
	d.b = nil
}

func (d *decoder) take(n int) []byte {
	if n < 0 || n > len(d.b) {
		d.fail()
		return nil
	}
	out := d.b[:n]
	d.b = d.b[n:]
	return out
}

func (d *decoder) u8() uint8 {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) u16() uint16 {
	if b := d.take(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

func (d *decoder) bool() bool {
	switch d.u8() {
	case 0:
		return false
	case 1:
		return true
	}
	d.fail()
	return false
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 || n > 1 && d.b[n-1] == 0 { // one way only to write a number
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) i64() int64 {
	u := d.uvarint()
	return int64(u>>1) ^ -int64(u&1)
}

func (d *decoder) i32() int32 {
	v := d.i64()
	if v != int64(int32(v)) {
		d.fail()
		return 0
	}
	return int32(v)
}

func (d *decoder) i16() int16 {
	v := d.i64()
	if v != int64(int16(v)) {
		d.fail()
		return 0
	}
	return int16(v)
}

func (d *decoder) i8() int8 { return int8(d.u8()) }

// count reads the length of a list whose elements take at least size bytes each.
func (d *decoder) count(size int) int {
	n := d.uvarint()
	if n > uint64(len(d.b)/size) {
		d.fail()
		return 0
	}
	return int(n)
}

func (d *decoder) bytes() []byte { return d.take(d.count(1)) }

func (d *decoder) string() string { return string(d.bytes()) }

func (d *decoder) id() (id step.TopicID) {
	copy(id[:], d.take(len(id)))
	return id
}

func (d *decoder) ids() []step.TopicID {
	n := d.count(16)
	if n == 0 {
		return nil
	}
	out := make([]step.TopicID, n)
	for i := range out {
		out[i] = d.id()
	}
	return out
}

func (d *decoder) int32s() []int32 {
	n := d.count(1)
	if n == 0 {
		return nil
	}
	out := make([]int32, n)
	for i := range out {
		out[i] = d.i32()
	}
	return out
}

func (d *decoder) strings() map[string]string {
	n := d.count(2)
	if n == 0 {
		return nil
	}
	m := make(map[string]string, min(n, 64))
	last := ""
	for i := range n {
		k := d.string()
		if i > 0 && k <= last {
			d.fail()
			return nil
		}
		m[k], last = d.string(), k
	}
	return m
}

func (d *decoder) partitions() []step.PartitionID {
	n := d.count(17)
	if n == 0 {
		return nil
	}
	out := make([]step.PartitionID, n)
	for i := range out {
		out[i] = step.PartitionID{Topic: d.id(), Index: d.i32()}
	}
	return out
}

func (d *decoder) assignments() [][]int32 {
	n := d.count(1)
	if n == 0 {
		return nil
	}
	out := make([][]int32, n)
	for i := range out {
		out[i] = d.int32s()
	}
	return out
}

func (d *decoder) endpoints() []Endpoint {
	n := d.count(4)
	if n == 0 {
		return nil
	}
	out := make([]Endpoint, n)
	for i := range out {
		out[i] = Endpoint{Listener: d.string(), Host: d.string(), Port: d.i32(), Protocol: d.i16()}
	}
	return out
}

func putBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

func putUint(b []byte, v uint64) []byte { return binary.AppendUvarint(b, v) }
func putInt(b []byte, v int64) []byte   { return binary.AppendVarint(b, v) }

func putString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func putIDs(b []byte, ids []step.TopicID) []byte {
	b = putUint(b, uint64(len(ids)))
	for _, id := range ids {
		b = append(b, id[:]...)
	}
	return b
}

func putInt32s(b []byte, list []int32) []byte {
	b = putUint(b, uint64(len(list)))
	for _, v := range list {
		b = putInt(b, int64(v))
	}
	return b
}

func putStrings(b []byte, m map[string]string) []byte {
	b = putUint(b, uint64(len(m)))
	for _, k := range sorted(m, strings.Compare) {
		b = putString(putString(b, k), m[k])
	}
	return b
}

func putPartitions(b []byte, list []step.PartitionID) []byte {
	b = putUint(b, uint64(len(list)))
	for _, p := range list {
		b = putInt(append(b, p.Topic[:]...), int64(p.Index))
	}
	return b
}

func putAssignments(b []byte, list [][]int32) []byte {
	b = putUint(b, uint64(len(list)))
	for _, ids := range list {
		b = putInt32s(b, ids)
	}
	return b
}

func putEndpoints(b []byte, list []Endpoint) []byte {
	b = putUint(b, uint64(len(list)))
	for _, e := range list {
		b = putString(putString(b, e.Listener), e.Host)
		b = putInt(putInt(b, int64(e.Port)), int64(e.Protocol))
	}
	return b
}
