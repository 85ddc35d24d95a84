package record

import "slices"

// oddRecords is records whose numbers and texts are of all lengths and kinds.
func oddRecords() []Record {
	text := []byte("begun and not ended: \xc3 \xe0\xa0 \xe1\x80 \xed\xa0\x80 \xed\x9f \xf0\x90\x80 \xf1\x80\x80 \xf4\x8f \xff\x80")
	return []Record{
		{Timestamp: 5, Key: []byte("k"), Value: []byte("v")},
		{Timestamp: 5 + 1<<20, Key: []byte(`{"a":1}`), Value: text, Headers: []Header{{[]byte("h"), []byte("v")}, {[]byte("n"), nil}, {text, text}}},
		{Timestamp: 5 - 1<<40, Value: make([]byte, 70)},
		{Timestamp: 5, Key: make([]byte, 70), Value: make([]byte, 9000)},
	}
}

// sealed gives each of these as a batch with the right CRC and length, where they
// are long enough to have them.
func sealed(list [][]byte) (out [][]byte) {
	for _, p := range list {
		if len(p) >= HeaderSize {
			b := Batch(slices.Clone(p))
			b.seal()
			p = b
		}
		out = append(out, p)
	}
	return out
}
