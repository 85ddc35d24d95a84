package captured

import "bytes"

// Spoiled gives what is left of p when it ends early, and p with each byte another
// one: small, large, and what lies on both sides of a varint's end. Every fuzz
// target is seeded with it, so that the saved inputs alone come by what a decoder
// refuses (scripts/decoders).
func Spoiled(p []byte) (out [][]byte) {
	for i := range p {
		out = append(out, p[:i:i])
		for _, c := range []byte{0, 1, 3, 0x7f, 0x80, 0xff} {
			q := bytes.Clone(p)
			q[i] = c
			out = append(out, q)
		}
	}
	return out
}
