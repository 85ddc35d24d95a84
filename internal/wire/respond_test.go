package wire

import (
	"encoding/binary"
	"io"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestAnswerHeaders(t *testing.T) {
	for _, tc := range []struct {
		name string
		call Call
		resp kmsg.Response
		head int // bytes between length prefix and body
	}{
		{"v0", Call{Key: 3, Version: 1, Correlation: 77}, kmsg.NewPtrMetadataResponse(), 4},
		{"v1", Call{Key: 3, Version: 12, Correlation: 77}, kmsg.NewPtrMetadataResponse(), 5},
		{"ApiVersions is v0 though flexible", Call{Key: 18, Version: 4, Correlation: 77}, kmsg.NewPtrApiVersionsResponse(), 4},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := Respond(&tc.call, tc.resp).Finish(false)
			defer a.Release()
			if got := binary.BigEndian.Uint32(a.Frame); int(got) != len(a.Frame)-4 {
				t.Fatalf("length %d of %d", got, len(a.Frame))
			}
			if got := binary.BigEndian.Uint32(a.Frame[4:]); got != 77 {
				t.Fatalf("correlation %d", got)
			}
			again := tc.resp.RequestKind().ResponseKind()
			again.SetVersion(tc.call.Version)
			if err := again.ReadFrom(a.Frame[4+tc.head:]); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestAppendResponseKeepsWhatIsThere(t *testing.T) {
	c := Call{Key: 3, Version: 1}
	p := AppendResponse([]byte("before"), &c, kmsg.NewPtrMetadataResponse())
	if string(p[:6]) != "before" || int(binary.BigEndian.Uint32(p[6:])) != len(p)-10 {
		t.Fatalf("%x", p)
	}
}

type fakeRange struct {
	n        int64
	released *int
}

func (r fakeRange) Len() int64                       { return r.n }
func (r fakeRange) WriteTo(io.Writer) (int64, error) { return r.n, nil }
func (r fakeRange) Release()                         { *r.released++ }

func TestFrameWithRanges(t *testing.T) {
	released := 0
	f := NewFrame(Reply{Key: 1, Version: 12, Correlation: 5}, true, 64)
	f.B = append(f.B, "head"...)
	f.File(fakeRange{1000, &released})
	f.B = append(f.B, "middle"...)
	f.File(fakeRange{0, &released})
	f.File(fakeRange{24, &released})
	a := f.Answer()
	if released != 1 || len(a.Files) != 2 {
		t.Fatalf("%d released, %d files", released, len(a.Files))
	}
	if a.Size() != 9+4+6+1024 || int64(binary.BigEndian.Uint32(a.Frame)) != a.Size()-4 {
		t.Fatalf("size %d, length %d", a.Size(), binary.BigEndian.Uint32(a.Frame))
	}
	if a.Files[0].At != 13 || a.Files[1].At != 19 {
		t.Fatalf("%+v", a.Files)
	}
	a.Release()
	if released != 3 {
		t.Fatalf("%d ranges released", released)
	}
}

func TestBufferClasses(t *testing.T) {
	for _, tc := range []struct{ size, want int }{{0, 512}, {512, 512}, {513, 1024}, {64 << 10, 64 << 10}, {100 << 20, 128 << 20}} {
		b := Take(tc.size)
		if cap(b.B) < tc.want || len(b.B) != 0 {
			t.Fatalf("Take(%d): cap %d", tc.size, cap(b.B))
		}
		b.Release()
	}
	b := Take(10)
	b.B = append(b.B, "kept"...)
	b.Resize(5000)
	if len(b.B) != 5000 || string(b.B[:4]) != "kept" {
		t.Fatal("lost what it held")
	}
	b.Release()
	defer func() {
		if recover() == nil {
			t.Fatal("second release passed")
		}
	}()
	b.Release()
}

func TestAnswersAllocateLittle(t *testing.T) {
	c := &Call{Key: 3, Version: 1}
	resp := kmsg.NewPtrMetadataResponse()
	n := testing.AllocsPerRun(1000, func() {
		a := c.Reply().Answer(resp)
		a.Release()
	})
	if n > 0.1 {
		t.Fatalf("%.1f allocations per answer", n)
	}
}
