package record

import (
	"encoding/binary"
	"math/bits"
)

// Kafka's clients up to 0.9, and all others in format 0, compute the checksum of
// an LZ4 frame's header from its magic number on; the format says from behind it
// (KAFKA-3160). They also refuse a frame with the right one.

// mendLZ4 makes the header checksum of a frame of format 0 the right one. Which
// one it had is not looked at: both are out there.
func mendLZ4(frame []byte) { setLZ4Checksum(frame, 4) }

// breakLZ4 makes it the one that clients of format 0 expect.
func breakLZ4(frame []byte) { setLZ4Checksum(frame, 0) }

func setLZ4Checksum(frame []byte, from int) {
	if len(frame) < 7 {
		return
	}
	at := 6
	if frame[4]&lz4ContentSize != 0 {
		at += 8
	}
	if at < len(frame) {
		frame[at] = byte(xxh32(frame[from:at]) >> 8)
	}
}

// xxh32 is XXH32 with seed 0 of less than 16 bytes.
func xxh32(p []byte) uint32 {
	const (
		prime1 = 2654435761
		prime2 = 2246822519
		prime3 = 3266489917
		prime4 = 668265263
		prime5 = 374761393
	)
	h := prime5 + uint32(len(p))
	for ; len(p) >= 4; p = p[4:] {
		h = bits.RotateLeft32(h+binary.LittleEndian.Uint32(p)*prime3, 17) * prime4
	}
	for _, c := range p {
		h = bits.RotateLeft32(h+uint32(c)*prime5, 11) * prime1
	}
	h = (h ^ h>>15) * prime2
	h = (h ^ h>>13) * prime3
	return h ^ h>>16
}
