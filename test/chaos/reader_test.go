//go:build chaos

package chaos

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
)

// stored is one record as a replica's files have it.
type stored struct {
	offset int64
	epoch  int32
	value  string
}

// readReplica reads the segments of one partition, with code that shares nothing
// with the broker's: batches of format 2, uncompressed, one after the other.
//
//	0 base offset 8 · 8 length 4 · 12 epoch 4 · 16 magic 1 · 17 crc 4 · 21 attributes 2
//	23 last delta 4 · 27 times 16 · 43 producer 8+2+4 · 57 count 4 · 61 records
func readReplica(dir string) (list []stored, err error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil {
		return nil, err
	}
	slices.Sort(files)
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		for at := 0; at < len(b); {
			size, records, err := readBatch(b[at:])
			if err != nil {
				return nil, fmt.Errorf("%s at byte %d of %d: %w", f, at, len(b), err)
			}
			list = append(list, records...)
			at += size
		}
	}
	return list, nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func readBatch(b []byte) (size int, list []stored, err error) {
	if len(b) < 61 {
		return 0, nil, fmt.Errorf("%d bytes are no batch", len(b))
	}
	base := int64(binary.BigEndian.Uint64(b))
	size = 12 + int(binary.BigEndian.Uint32(b[8:]))
	epoch := int32(binary.BigEndian.Uint32(b[12:]))
	if size < 61 || size > len(b) {
		return 0, nil, fmt.Errorf("offset %d: a batch of %d bytes where %d are left", base, size, len(b))
	}
	if b[16] != 2 {
		return 0, nil, fmt.Errorf("offset %d: format %d", base, b[16])
	}
	if sum := crc32.Checksum(b[21:size], castagnoli); sum != binary.BigEndian.Uint32(b[17:]) {
		return 0, nil, fmt.Errorf("offset %d: CRC %08x, %08x is written", base, sum, binary.BigEndian.Uint32(b[17:]))
	}
	if b[22]&7 != 0 {
		return 0, nil, fmt.Errorf("offset %d: codec %d, nobody here compresses", base, b[22]&7)
	}
	count, rest := int(binary.BigEndian.Uint32(b[57:])), b[61:size]
	next := func() int64 {
		v, n := binary.Varint(rest)
		if n <= 0 {
			err, rest = fmt.Errorf("offset %d: a number is cut off", base), nil
			return 0
		}
		rest = rest[n:]
		return v
	}
	take := func(n int64) []byte {
		if n < 0 || n > int64(len(rest)) {
			if n != -1 {
				err = fmt.Errorf("offset %d: %d bytes where %d are left", base, n, len(rest))
			}
			return nil
		}
		p := rest[:n]
		rest = rest[n:]
		return p
	}
	for i := range count {
		next()  // its length
		take(1) // attributes
		next()  // time
		if delta := next(); delta != int64(i) {
			return 0, nil, fmt.Errorf("offset %d: record %d says it is %d", base, i, delta)
		}
		take(next()) // key
		value := take(next())
		if headers := next(); headers != 0 {
			return 0, nil, fmt.Errorf("offset %d: %d headers, nobody here sends any", base, headers)
		}
		if err != nil {
			return 0, nil, err
		}
		list = append(list, stored{base + int64(i), epoch, string(value)})
	}
	if len(rest) != 0 {
		return 0, nil, fmt.Errorf("offset %d: %d bytes after the last record", base, len(rest))
	}
	return size, list, nil
}
