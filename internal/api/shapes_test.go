package api

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"reflect"
	"runtime"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// everyRequest calls f for all requests that have a shape, in all versions that
// kmsg and the table could have.
func everyRequest(f func(key, version int16, req kmsg.Request)) {
	for key := range shapes {
		max := kmsg.RequestForKey(key).MaxVersion()
		for v := int16(0); v <= max; v++ {
			req := kmsg.RequestForKey(key)
			req.SetVersion(v)
			f(key, v, req)
		}
	}
}

// fill puts something into every field of a request.
func fill(rng *rand.Rand, v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[kmsg.Tags]() {
			if rng.IntN(4) == 0 {
				v.Addr().Interface().(*kmsg.Tags).Set(200+rng.Uint32N(9), []byte("tag"))
			}
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).Name != "Version" {
				fill(rng, v.Field(i))
			}
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), rng.IntN(4), 4))
		for i := range v.Len() {
			fill(rng, v.Index(i))
		}
	case reflect.Array:
		for i := range v.Len() {
			fill(rng, v.Index(i))
		}
	case reflect.Pointer:
		if rng.IntN(3) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(rng, v.Elem())
		}
	case reflect.String:
		v.SetString("some-name-or-other"[:rng.IntN(18)])
	case reflect.Bool:
		v.SetBool(rng.IntN(2) == 0)
	case reflect.Uint8, reflect.Uint16:
		v.SetUint(uint64(rng.IntN(256)))
	default:
		v.SetInt(int64(rng.IntN(100)))
	}
}

// TestShapes walks random requests of every kind and version: what kmsg encodes
// is walked to its last byte, and cut anywhere it is refused.
func TestShapes(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	everyRequest(func(key, version int16, req kmsg.Request) {
		t.Run(fmt.Sprintf("%s v%d", kmsg.NameForKey(key), version), func(t *testing.T) {
			shape := shapeOf(key, version)
			for range 200 {
				fill(rng, reflect.ValueOf(req).Elem())
				body := req.AppendTo(nil)
				k := skim{p: body, flexible: shape.flexible, budget: 1 << 30, tags: maxBodyTags}
				if !k.structure(shape.fields) || len(k.p) != 0 {
					t.Fatalf("%d bytes are left of %x\n%+v", len(k.p), body, req)
				}
				for cut := range len(body) {
					if shape.fits(body[:cut]) {
						t.Fatalf("%x is taken without its last %d bytes", body, len(body)-cut)
					}
				}
			}
		})
	})
}

// TestBombs sends counts that the bytes do not back, and counts that they do
// but that decode into far more: both are refused before anything is allocated.
func TestBombs(t *testing.T) {
	emptyNames := binary.BigEndian.AppendUint32(nil, 2<<20)
	emptyNames = append(emptyNames, make([]byte, 4<<20)...)
	tests := []struct {
		name         string
		key, version int16
		body         []byte
	}{
		{"array of 2^31-1 topics", 3, 1, []byte{0x7f, 0xff, 0xff, 0xff, 0, 0}},
		{"array of -2 topics", 3, 1, []byte{0xff, 0xff, 0xff, 0xfe}},
		{"as many topics as bytes", 3, 1, append([]byte{0, 0, 0, 8}, make([]byte, 8)...)},
		{"four billion tags", 3, 9, []byte{1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f}},
		{"compact array of 2^32-2", 3, 9, []byte{0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0}},
		{"varint without end", 3, 9, []byte{0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80}},
		{"tag longer than the body", 60, 0, []byte{0, 1, 0, 0xff, 0xff, 0x03}},
		{"two million empty names", 3, 1, emptyNames},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			shape := shapeOf(test.key, test.version)
			before := allocated()
			fits := shape.fits(test.body)
			if n := allocated() - before; fits || n > 4<<10 {
				t.Errorf("taken: %v, %d bytes allocated", fits, n)
			}
		})
	}
}

func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// FuzzBodies decodes what skim lets through: no panic, and no more allocated
// than it promises.
func FuzzBodies(f *testing.F) {
	rng := rand.New(rand.NewPCG(3, 4))
	everyRequest(func(key, version int16, req kmsg.Request) {
		fill(rng, reflect.ValueOf(req).Elem())
		f.Add(key, version, req.AppendTo(nil))
	})
	addCaptured(func(key, version int16, body []byte) { f.Add(key, version, body) })
	all := make(map[[2]int16]*bodyShape)
	everyRequest(func(key, version int16, _ kmsg.Request) { all[[2]int16{key, version}] = shapeOf(key, version) })
	f.Fuzz(func(t *testing.T, key, version int16, body []byte) {
		shape := all[[2]int16{key, version}]
		if shape == nil || !shape.fits(body) {
			return
		}
		req := kmsg.RequestForKey(key)
		req.SetVersion(version)
		before := allocated()
		_ = req.ReadFrom(body) // a null where none may be is still an error
		if n := allocated() - before; n > uint64(2*(decodedPerByte*len(body)+decodedFree)) {
			t.Errorf("%d bytes of %s v%d became %d", len(body), kmsg.NameForKey(key), version, n)
		}
	})
}
