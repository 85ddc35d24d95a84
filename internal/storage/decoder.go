package storage

import "encoding/binary"

// decoder reads big-endian fields. Past the end it gives zeros and remembers.
type decoder struct {
	p     []byte
	short bool
}

func (d *decoder) take(n int) []byte {
	if n < 0 || n > len(d.p) {
		d.p, d.short = nil, true
		return make([]byte, min(max(n, 0), 8))
	}
	out := d.p[:n]
	d.p = d.p[n:]
	return out
}

func (d *decoder) byte() byte   { return d.take(1)[0] }
func (d *decoder) int16() int16 { return int16(binary.BigEndian.Uint16(d.take(2))) }
func (d *decoder) int32() int32 { return int32(binary.BigEndian.Uint32(d.take(4))) }
func (d *decoder) int64() int64 { return int64(binary.BigEndian.Uint64(d.take(8))) }
func (d *decoder) ok() bool     { return !d.short }
func (d *decoder) done() bool   { return !d.short && len(d.p) == 0 }
