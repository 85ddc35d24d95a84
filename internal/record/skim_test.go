package record

import (
	"runtime"
	"testing"
)

// manyHeaders is a batch of one record that is nearly all headers.
func manyHeaders(t testing.TB, c Codec, n int) Batch {
	t.Helper()
	return build(t, Spec{Codec: c}, Record{Key: []byte("k"), Headers: make([]Header, n)})
}

// Two bytes of a batch must not become 48 of memory where nobody asked for headers.
func TestSkimKeepsNoHeaders(t *testing.T) {
	b := manyHeaders(t, None, 500_000)
	skim := func() {
		if err := b.Skim(Limits{}, func(r Record) error {
			if string(r.Key) != "k" || len(r.Headers) != 0 {
				t.Errorf("%q, %d headers", r.Key, len(r.Headers))
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	skim()
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 64<<10 {
		t.Errorf("%d bytes allocated for a batch of %d", n, len(b))
	}
	if err := b[:len(b)-1].Skim(Limits{}, func(Record) error { return nil }); err == nil {
		t.Error("a broken header is not seen")
	}
}
