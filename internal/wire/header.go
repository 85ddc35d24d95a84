package wire

import (
	"encoding/binary"
	"errors"
	"math"
)

// Limits of a request header. Kafka's are wider; no client comes near.
const (
	// FixedHeader is key, version and correlation id: what every header starts with.
	FixedHeader = 8
	// MaxHeader bounds the whole header with its tagged fields.
	MaxHeader = 4 << 10
	// MaxClientID bounds the client id.
	MaxClientID = 1 << 10

	maxTags = 10_000
)

// Why a request header is refused.
var (
	ErrShortHeader  = errors.New("request header is cut short")
	ErrLongHeader   = errors.New("request header is longer than 4 KiB")
	ErrLongClientID = errors.New("client id is longer than 1,024 bytes")
	ErrHeaderTags   = errors.New("request header has malformed tagged fields")
)

// Header is the header of a request.
//
//	v0  key:int16 version:int16 correlation:int32
//	v1  v0 client_id:nullable_string       (int16 length, -1 is null)
//	v2  v1 tagged_fields                   (client_id stays as in v1)
type Header struct {
	Key, Version int16
	Correlation  int32
	// ClientID aliases the frame; nil is null.
	ClientID []byte
}

// ParseFixed reads what stands in every header, of at least FixedHeader bytes.
// The rest depends on what key and version say.
func ParseFixed(p []byte) (h Header, rest []byte) {
	return Header{
		Key:         int16(binary.BigEndian.Uint16(p)),
		Version:     int16(binary.BigEndian.Uint16(p[2:])),
		Correlation: int32(binary.BigEndian.Uint32(p[4:])),
	}, p[FixedHeader:]
}

// ParseRest reads client id and, where flexible, tagged fields, which it skips.
// It returns the body.
func (h *Header) ParseRest(p []byte, flexible bool) (body []byte, err error) {
	if len(p) < 2 {
		return nil, ErrShortHeader
	}
	n := int(int16(binary.BigEndian.Uint16(p)))
	body = p[2:]
	switch {
	case n < -1:
		return nil, ErrShortHeader
	case n > MaxClientID:
		return nil, ErrLongClientID
	case n > len(body):
		return nil, ErrShortHeader
	case n >= 0:
		h.ClientID, body = body[:n:n], body[n:]
	}
	if flexible {
		if body, err = skipTags(body); err != nil {
			return nil, err
		}
	}
	if FixedHeader+len(p)-len(body) > MaxHeader {
		return nil, ErrLongHeader
	}
	return body, nil
}

// AppendHeader writes h as header version 0, 1 or 2, without tagged fields.
func (h *Header) AppendHeader(dst []byte, version int) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(h.Key))
	dst = binary.BigEndian.AppendUint16(dst, uint16(h.Version))
	dst = binary.BigEndian.AppendUint32(dst, uint32(h.Correlation))
	if version == 0 {
		return dst
	}
	if h.ClientID == nil {
		dst = append(dst, 0xff, 0xff)
	} else {
		dst = binary.BigEndian.AppendUint16(dst, uint16(len(h.ClientID)))
		dst = append(dst, h.ClientID...)
	}
	if version >= 2 {
		dst = append(dst, 0)
	}
	return dst
}

// skipTags walks tagged fields. Duplicates, disorder and unknown tags are
// tolerated, lengths are not believed beyond the bytes there are.
func skipTags(p []byte) ([]byte, error) { return walkTags(p, nil) }

// walkTags is skipTags for one who looks at them.
func walkTags(p []byte, f func(tag uint32, v []byte)) ([]byte, error) {
	count, p, ok := uvarint(p)
	if !ok || count > maxTags {
		return nil, ErrHeaderTags
	}
	for range count {
		var tag, size uint32
		if tag, p, ok = uvarint(p); !ok {
			return nil, ErrHeaderTags
		}
		if size, p, ok = uvarint(p); !ok || uint64(size) > uint64(len(p)) {
			return nil, ErrHeaderTags
		}
		if f != nil {
			f(tag, p[:size])
		}
		p = p[size:]
	}
	return p, nil
}

// uvarint reads an unsigned varint of at most 32 bits.
func uvarint(p []byte) (v uint32, rest []byte, ok bool) {
	x, n := binary.Uvarint(p)
	if n <= 0 || x > math.MaxUint32 {
		return 0, nil, false
	}
	return uint32(x), p[n:], true
}
