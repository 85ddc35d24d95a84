package record

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
)

// codecText is the text of testdata/codecs/write.py.
func codecText() []byte {
	var b bytes.Buffer
	for i := range 5000 {
		fmt.Fprintf(&b, "line %d of the text that every codec must give back\n", i*7919%1000)
	}
	return b.Bytes()
}

var suffixes = map[string]Codec{".gz": Gzip, ".snappy": Snappy, ".lz4": LZ4, ".zst": Zstd}

// codecFiles calls f with each file that a reference library wrote.
func codecFiles(t testing.TB, f func(name string, c Codec, packed []byte)) {
	entries, err := os.ReadDir("testdata/codecs")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if c, ok := suffixes[path.Ext(e.Name())]; ok {
			f(e.Name(), c, testdata(t, "codecs/"+e.Name()))
		}
	}
}

func TestReferenceLibrariesWrote(t *testing.T) {
	want := codecText()
	codecFiles(t, func(name string, c Codec, packed []byte) {
		got, err := Decompress([]byte("before"), c, packed, Limits{})
		if err != nil || !bytes.Equal(got, append([]byte("before"), want...)) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
		if _, err := Decompress(nil, c, packed, Limits{MaxBytes: int64(len(want))}); err != nil {
			t.Errorf("%s: exactly as large as allowed: %v", name, err)
		}
		got, err = Decompress(nil, c, packed, Limits{MaxBytes: int64(len(want)) - 1})
		if !errors.Is(err, ErrTooLarge) || len(got) > len(want)-1 {
			t.Errorf("%s: a byte larger than allowed: %d bytes, %v", name, len(got), err)
		}
		for _, cut := range []int{0, 1, len(packed) / 2, len(packed) - 1} {
			if c == Snappy && cut == 0 {
				continue // see TestEmpty
			}
			if _, err := Decompress(nil, c, packed[:cut], Limits{}); !errors.Is(err, ErrInvalid) && cut > 0 {
				t.Errorf("%s cut to %d bytes: %v", name, cut, err)
			}
		}
	})
}

func TestCompressLevels(t *testing.T) {
	text := codecText()
	for _, c := range codecs {
		for level := -7; level <= 22; level++ {
			packed, err := Compress([]byte("head"), c, level, text)
			if err != nil || string(packed[:4]) != "head" {
				t.Fatalf("%s level %d: %v", c, level, err)
			}
			got, err := Decompress(nil, c, packed[4:], Limits{})
			if err != nil || !bytes.Equal(got, text) {
				t.Fatalf("%s level %d: %d bytes, %v", c, level, len(got), err)
			}
			if c != None && len(packed) > len(text)/2 {
				t.Errorf("%s level %d: %d bytes became %d", c, level, len(text), len(packed))
			}
		}
	}
}

func TestEmpty(t *testing.T) {
	for _, c := range codecs {
		packed, err := Compress(nil, c, 0, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Decompress(nil, c, packed, Limits{}); err != nil || len(got) != 0 {
			t.Errorf("%s: %q, %v", c, got, err)
		}
		b := build(t, Spec{Codec: c}) // what compaction may leave
		if err := b.VerifyStored(); err != nil {
			t.Errorf("%s: %v", c, err)
		}
		if got := read(t, b); len(got) != 0 {
			t.Errorf("%s: %v", c, got)
		}
		if err := b.Verify(); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: an empty batch from a producer: %v", c, err)
		}
	}
}

func TestUnknownCodec(t *testing.T) {
	for _, c := range []Codec{-1, 5, 7} {
		if _, err := Compress(nil, c, 0, nil); !errors.Is(err, ErrCodec) {
			t.Error(err)
		}
		if _, err := Decompress(nil, c, nil, Limits{}); !errors.Is(err, ErrCodec) {
			t.Error(err)
		}
	}
	for _, c := range codecs {
		if got, err := ParseCodec(c.String()); got != c || err != nil {
			t.Error(got, err)
		}
	}
	if _, err := ParseCodec("brotli"); !errors.Is(err, ErrCodec) {
		t.Error(err)
	}
}

// TestBombs: what comes out is bounded, and so is what is allocated on the way.
func TestBombs(t *testing.T) {
	zeros := make([]byte, 64<<20)
	for _, c := range codecs[1:] {
		packed, err := Compress(nil, c, 0, zeros)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range []Limits{{MaxBytes: 1 << 20}, {MaxRatio: 1}, LimitsFor(1 << 20)} {
			if c == Snappy && l.MaxRatio == 1 {
				l.MaxRatio = 2 // 22 at most: the free 16 MiB are not enough, but twice the input may be
			}
			before := allocated()
			got, err := Decompress(nil, c, packed, l)
			if grown := allocated() - before; !errors.Is(err, ErrTooLarge) || len(got) > l.output(len(packed)) ||
				grown > 3*uint64(l.output(len(packed)))+8<<20 {
				t.Errorf("%s %+v: %d bytes out, %d allocated, %v", c, l, len(got), grown, err)
			}
		}
	}
}

func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// TestLies: headers that announce what is not there cost nothing.
func TestLies(t *testing.T) {
	for _, c := range []struct {
		name   string
		codec  Codec
		packed string
	}{
		{"snappy of 4 GiB", Snappy, "\xff\xff\xff\xff\x0f\x00"},
		{"snappy of 1 GiB", Snappy, "\x80\x80\x80\x80\x04\x00"},
		{"xerial block longer than all", Snappy, xerialHeader + "\x7f\xff\xff\xff\x00"},
		{"xerial negative block", Snappy, xerialHeader + "\xff\xff\xff\xff\x00"},
		{"xerial cut in a length", Snappy, xerialHeader + "\x00\x00"},
		{"xerial cut in its header", Snappy, xerialMagic + "\x00\x00"},
		{"lz4 block longer than all", LZ4, "\x04\x22\x4d\x18\x60\x40\x82\xff\xff\xff\x7f\x00"},
		{"lz4 legacy", LZ4, "\x02\x21\x4c\x18\x00\x00\x00\x00"},
		{"lz4 skippable", LZ4, "\x50\x2a\x4d\x18\x00\x00\x00\x00"},
		{"lz4 with bytes behind", LZ4, "\x04\x22\x4d\x18\x60\x40\x82\x00\x00\x00\x00\x00"},
		{"lz4 header checksum", LZ4, "\x04\x22\x4d\x18\x60\x40\x83\x00\x00\x00\x00"},
		{"zstd window of 2 GiB", Zstd, "\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00"},
		{"zstd content of 1 GiB", Zstd, "\x28\xb5\x2f\xfd\xa0\x00\x00\x00\x40\x01\x00\x00"},
		{"zstd content of 2^63", Zstd, "\x28\xb5\x2f\xfd\xe0\x00\x00\x00\x00\x00\x00\x00\x80\x01\x00\x00"},
		{"zstd dictionary", Zstd, "\x28\xb5\x2f\xfd\x21\x07\x00\x01\x00\x00"},
		{"zstd reserved block", Zstd, "\x28\xb5\x2f\xfd\x00\x00\x07\x00\x00"},
		{"zstd skippable longer than all", Zstd, "\x50\x2a\x4d\x18\xff\xff\xff\xff"},
		{"zstd block longer than all", Zstd, "\x28\xb5\x2f\xfd\x00\x00\xf9\xff\xff"},
		{"zstd of nothing known", Zstd, "\x00\x00\x00\x00\x00"},
		{"gzip of nothing known", Gzip, "\x1f\x8c\x08\x00\x00\x00\x00\x00\x00\x00"},
		{"gzip with bytes behind", Gzip, string(must(Compress(nil, Gzip, 0, []byte("x")))) + "x"},
	} {
		before := allocated()
		got, err := Decompress(nil, c.codec, []byte(c.packed), Limits{})
		if grown := allocated() - before; !errors.Is(err, ErrInvalid) || grown > 1<<20 {
			t.Errorf("%s: %d bytes, %d allocated, %v", c.name, len(got), grown, err)
		}
	}
}

func must(p []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return p
}

// TestLinkedFramesShareNothing: a linked frame may not reach into the frame that
// the same decoder read before.
func TestLinkedFramesShareNothing(t *testing.T) {
	linked := testdata(t, "codecs/text-linked.lz4")
	for range 3 {
		if _, err := Decompress(nil, LZ4, linked, Limits{}); err != nil {
			t.Fatal(err)
		}
	}
	// One compressed block: 4 bytes from 5 behind the start, then 5 literals.
	evil := "\x04\x22\x4d\x18\x40\x40\xc0" + "\x09\x00\x00\x00" + "\x00\x05\x00\x50hello" + "\x00\x00\x00\x00"
	if got, err := Decompress(nil, LZ4, []byte(evil), Limits{}); !errors.Is(err, ErrInvalid) {
		t.Fatalf("%q, %v", got, err)
	}
}

func TestConcurrentCodecs(t *testing.T) {
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(w), 0))
			for range 20 {
				text := []byte(strings.Repeat(fmt.Sprint(w), rng.IntN(200_000)))
				for _, c := range codecs {
					packed, err := Compress(nil, c, rng.IntN(10), text)
					if err != nil {
						t.Error(err)
						return
					}
					got, err := Decompress(nil, c, packed, Limits{})
					if err != nil || !bytes.Equal(got, text) {
						t.Errorf("%s: %d bytes of %d, %v", c, len(got), len(text), err)
						return
					}
				}
			}
		})
	}
	wg.Wait()
}

// TestBubbles: pooled codecs go from bubble to bubble and out again.
func TestBubbles(t *testing.T) {
	use := func() {
		for _, c := range codecs {
			packed, err := Compress(nil, c, 0, codecText())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Decompress(nil, c, packed, Limits{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	synctest.Test(t, func(*testing.T) { use() })
	use()
	synctest.Test(t, func(*testing.T) { use() })
}

func BenchmarkDecompress(b *testing.B) {
	text := bytes.Repeat(codecText(), 4)[:1<<20]
	for _, c := range codecs[1:] {
		packed := must(Compress(nil, c, 0, text))
		b.Run(c.String(), func(b *testing.B) {
			var buf []byte
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				var err error
				if buf, err = Decompress(buf[:0], c, packed, Limits{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkCompress(b *testing.B) {
	text := bytes.Repeat(codecText(), 4)[:1<<20]
	for _, c := range codecs[1:] {
		b.Run(c.String(), func(b *testing.B) {
			var buf []byte
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				var err error
				if buf, err = Compress(buf[:0], c, 0, text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
