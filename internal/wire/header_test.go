package wire

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/brokerd/brokerd/test/captured"
)

func TestHeaderRoundTrip(t *testing.T) {
	for _, tc := range []struct {
		name    string
		h       Header
		version int
	}{
		{"v1", Header{Key: 0, Version: 7, Correlation: -5, ClientID: []byte("console")}, 1},
		{"null client id", Header{Key: 3, Version: 1, Correlation: 1 << 30}, 1},
		{"empty client id", Header{Key: 3, Version: 1, ClientID: []byte{}}, 1},
		{"v2", Header{Key: 10000, Version: 0, Correlation: 9, ClientID: []byte("x")}, 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := append(tc.h.AppendHeader(nil, tc.version), "body"...)
			got, rest := ParseFixed(p)
			body, err := got.ParseRest(rest, tc.version == 2)
			if err != nil {
				t.Fatal(err)
			}
			if string(body) != "body" {
				t.Fatalf("body %q", body)
			}
			if got.Key != tc.h.Key || got.Version != tc.h.Version || got.Correlation != tc.h.Correlation ||
				!bytes.Equal(got.ClientID, tc.h.ClientID) || (got.ClientID == nil) != (tc.h.ClientID == nil) {
				t.Fatalf("got %+v, want %+v", got, tc.h)
			}
		})
	}
}

func TestHeaderV0(t *testing.T) {
	h := Header{Key: 7, Correlation: 3}
	if p := h.AppendHeader(nil, 0); len(p) != FixedHeader {
		t.Fatalf("%d bytes", len(p))
	}
}

func TestHeaderRefusals(t *testing.T) {
	long := string([]byte{0x04, 0x01}) + strings.Repeat("x", MaxClientID+1)
	for _, tc := range []struct {
		name, rest string
		flexible   bool
		want       error
	}{
		{"nothing", "", false, ErrShortHeader},
		{"half a length", "\x00", false, ErrShortHeader},
		{"length -2", "\xff\xfe", false, ErrShortHeader},
		{"length beyond the bytes", "\x00\x05abcd", false, ErrShortHeader},
		{"client id of 1,025 bytes", long, false, ErrLongClientID},
		{"no tags", "\xff\xff", true, ErrHeaderTags},
		{"tag count lies", "\xff\xff\x01", true, ErrHeaderTags},
		{"tag count of 2^32", "\xff\xff\xff\xff\xff\xff\x1f", true, ErrHeaderTags},
		{"tag size lies", "\xff\xff\x01\x00\x7f", true, ErrHeaderTags},
		{"10,001 tags", "\xff\xff\x91\x4e" + strings.Repeat("\x00\x00", 10_001), true, ErrHeaderTags},
		{"longer than 4 KiB", "\xff\xff\xd0\x0f" + strings.Repeat("\x00\x01x", 2000), true, ErrLongHeader},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var h Header
			if _, err := h.ParseRest([]byte(tc.rest), tc.flexible); !errors.Is(err, tc.want) {
				t.Fatalf("got %v, want %v", err, tc.want)
			}
		})
	}
}

func TestHeaderTagsAreSkipped(t *testing.T) {
	var h Header
	// Two tags, unsorted and doubled: tolerated.
	body, err := h.ParseRest([]byte("\x00\x01c\x02\x05\x01x\x05\x00body"), true)
	if err != nil || string(body) != "body" {
		t.Fatalf("body %q, %v", body, err)
	}
}

func FuzzHeader(f *testing.F) {
	h := Header{Key: 18, Version: 3, Correlation: 7, ClientID: []byte("fuzz")}
	f.Add(h.AppendHeader(nil, 1), false)
	f.Add(h.AppendHeader(nil, 2), true)
	f.Add([]byte("\x00\x12\x00\x03\x00\x00\x00\x01\xff\xff\x01\x00\x01x"), true)
	tagged := []byte("\x00\x12\x00\x03\x00\x00\x00\x01\x00\x01c\x02\x05\x01x\x05\x00body")
	for _, p := range append(captured.Requests(), captured.Spoiled(tagged)...) {
		f.Add(p, false)
		f.Add(p, true)
	}
	f.Add(append([]byte("\x00\x12\x00\x03\x00\x00\x00\x01\x7f\xff"), make([]byte, 1<<15)...), true)
	f.Fuzz(func(t *testing.T, p []byte, flexible bool) {
		if len(p) < FixedHeader {
			return
		}
		got, rest := ParseFixed(p)
		body, err := got.ParseRest(rest, flexible)
		if err != nil {
			return
		}
		if !bytes.HasSuffix(p, body) || len(p)-len(body) > MaxHeader || len(got.ClientID) > MaxClientID {
			t.Fatalf("header of %d bytes, client id %d", len(p)-len(body), len(got.ClientID))
		}
		version := 1
		if flexible {
			version = 2
		}
		again, rest := ParseFixed(got.AppendHeader(nil, version))
		left, err := again.ParseRest(rest, flexible)
		if err != nil || len(left) != 0 || again.Key != got.Key || again.Version != got.Version ||
			again.Correlation != got.Correlation || !bytes.Equal(again.ClientID, got.ClientID) {
			t.Fatalf("encoded again: %+v %v, was %+v", again, err, got)
		}
	})
}
