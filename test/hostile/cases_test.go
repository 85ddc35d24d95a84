//go:build hostile

package hostile

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// attack is one case: bytes for a connection, and what is known of them.
type attack struct {
	family, name string
	bytes        []byte
	// api is what the first answer is decoded as; nil: nobody can say.
	api *api
	// loose bytes are no whole frames: the sending side ends behind them.
	loose bool
	// waits says that the request may be meant to wait, so the sending side ends
	// here too, and the connection has to close.
	waits bool
}

// correlation of the case's own request.
const correlation = 77

// brokersOnly are requests that change who is in the cluster: what they mean is
// left alone, their encoding is not.
var brokersOnly = []int16{62, 63, 64, 73, 80, 81, 94}

// mayWait are the keys whose answer may come late however small the timeout is.
var mayWait = []int16{11, 14, 68, 76, 78, 88}

// generator makes cases for the APIs that a broker serves.
type generator struct {
	apis   []api
	target target
	others []target // topics that look at what is inside of batches
	all    []attack
}

func (g *generator) add(a attack) { g.all = append(g.all, a) }

// request adds a case of one API with the given body.
func (g *generator) request(family string, a api, what string, body []byte, waits bool) {
	r := a.request()
	g.add(attack{
		family: family, name: a.String() + " " + what, api: &a, waits: waits || slices.Contains(mayWait, a.key),
		bytes: frame(a, r.IsFlexible(), body),
	})
}

// frame puts length and header in front of a body.
func frame(a api, flexible bool, body []byte) []byte {
	client := "hostile"
	f := []byte{0, 0, 0, 0}
	f = kbin.AppendInt16(f, a.key)
	f = kbin.AppendInt16(f, a.version)
	f = kbin.AppendInt32(f, correlation)
	f = kbin.AppendNullableString(f, &client)
	if flexible {
		f = append(f, 0)
	}
	return measured(append(f, body...))
}

// measured writes a frame's length into its prefix.
func measured(f []byte) []byte {
	binary.BigEndian.PutUint32(f, uint32(len(f)-4))
	return f
}

// systematic makes every case that does not depend on chance.
func (g *generator) systematic() {
	g.frames()
	g.headers()
	for _, a := range g.apis {
		r := a.base(g.target)
		if r == nil {
			continue
		}
		g.truncations(a, r)
		g.corruptions(a, r)
		if !slices.Contains(brokersOnly, a.key) {
			g.structures(a, r)
		}
	}
	g.batches()
	g.bombs()
}

// truncations cut the body at every byte, with a length that agrees: what is
// missing is found while decoding. One that ends in the middle of a frame for
// each API is among frames.
func (g *generator) truncations(a api, r kmsg.Request) {
	body := r.AppendTo(nil)
	for cut := range len(body) {
		g.request("truncation", a, fmt.Sprintf("cut to %d of %d bytes", cut, len(body)), body[:cut], false)
	}
	g.request("truncation", a, "with 9 bytes behind it", append(slices.Clone(body), "trailing!"...), false)
	whole := frame(a, r.IsFlexible(), body)
	g.add(attack{family: "truncation", name: a.String() + " half a frame", bytes: whole[:len(whole)-len(body)/2-1], loose: true})
}

// corruptions put the values that break decoders into every field.
func (g *generator) corruptions(a api, r kmsg.Request) {
	body := r.AppendTo(nil)
	for _, f := range fields(r) {
		if f.kind == fixed && slices.Contains(brokersOnly, a.key) {
			continue
		}
		remaining := int64(len(body) - f.at - f.width)
		for _, v := range f.values(remaining) {
			changed := slices.Concat(body[:f.at], v, body[f.at+f.width:])
			waits := strings.HasSuffix(f.path, "MaxWaitMillis")
			g.request("field", a, fmt.Sprintf("%s = %x", f.path, v), changed, waits)
		}
	}
}

// values are the encodings to try in a field's place.
func (f field) values(remaining int64) (all [][]byte) {
	var numbers []int64
	switch f.kind {
	case varint, compact:
		for _, n := range []uint64{0, 1, uint64(remaining) + 1, uint64(remaining) + 2, 127, 1 << 16, 1 << 20, math.MaxInt32, math.MaxUint32} {
			all = append(all, binary.AppendUvarint(nil, n))
		}
		return append(all,
			[]byte{0x81, 0x80, 0x80, 0x80, 0x00},       // 1, in more bytes than it needs
			[]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0x01}, // more bits than a length has
			[]byte{0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80},
		)
	case length:
		numbers = []int64{-2, -1, 0, 1, remaining, remaining + 1, 1 << 20}
	default:
		if f.width == 16 {
			return [][]byte{make([]byte, 16), slices.Repeat([]byte{0xff}, 16)}
		}
		numbers = []int64{-2, -1, 0, 2, 77, remaining + 1}
	}
	for _, n := range append(numbers, math.MaxInt64, math.MinInt64) {
		all = append(all, number64(n, f.width))
	}
	return all
}

// number64 is n in width bytes: the largest or the smallest such number, where it
// is larger or smaller than they can hold.
func number64(n int64, width int) []byte {
	most := int64(math.MaxInt64) >> (64 - 8*width)
	n = max(min(n, most), -most-1)
	return binary.BigEndian.AppendUint64(nil, uint64(n))[8-width:]
}

// frames break the framing itself.
func (g *generator) frames() {
	loose := func(name string, b []byte) {
		g.add(attack{family: "frame", name: name, bytes: b, loose: true})
	}
	const limit = 100 << 20
	for _, n := range []int64{math.MinInt32, -2, -1, 0, 1, 3, 7, 8, 9, limit - 1, limit, limit + 1, math.MaxInt32} {
		prefix := binary.BigEndian.AppendUint32(nil, uint32(int32(n)))
		loose(fmt.Sprintf("length %d and nothing", n), prefix)
		loose(fmt.Sprintf("length %d and a request", n), append(prefix, frame(api{3, 1}, false, []byte{0, 0, 0, 0})[4:]...))
		loose(fmt.Sprintf("length %d and 64 KiB", n), append(prefix, make([]byte, 64<<10)...))
		loose(fmt.Sprintf("a good request, then length %d", n), append(frame(api{18, 0}, false, nil), prefix...))
	}
	loose("nothing at all", nil)
	for n := range 14 {
		loose(fmt.Sprintf("%d bytes of a request", n), frame(api{18, 0}, false, nil)[:n])
	}
	for _, s := range []string{
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "POST /topics HTTP/1.1\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "SSH-2.0-OpenSSH_9.0\r\n",
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + strings.Repeat("\x00", 500), // a TLS ClientHello
		"\x15\x03\x03\x00\x02\x01\x00", "PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n", "\r\n\r\n", "*1\r\n$4\r\nPING\r\n", "\x00\x00\x00\x08\x04\xd2\x16\x2f",
		"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00", "INFO {}\r\n", "\x03\x00\x00\x0b\x06\xe0\x00\x00\x00\x00\x00", strings.Repeat("A", 70<<10),
	} {
		loose(fmt.Sprintf("%.12q", s), []byte(s))
	}
	// Many frames at once: beyond what may wait on one connection.
	for _, n := range []int{65, 300, 3000} {
		g.add(attack{family: "frame", name: fmt.Sprintf("%d requests at once", n), bytes: slices.Repeat(frame(api{18, 0}, false, nil), n), api: &api{18, 0}})
	}
	for _, n := range []int{65, 300} {
		g.add(attack{family: "frame", name: fmt.Sprintf("%d fetches at once that wait", n), bytes: slices.Repeat(g.waitingFetch(), n), waits: true})
	}
}

// waitingFetch is a fetch that waits for more than there will be. The end of the
// connection is seen when the last of them has been taken up, 64 at a time.
func (g *generator) waitingFetch() []byte {
	r := (api{1, 11}).base(g.target).(*kmsg.FetchRequest)
	r.MaxWaitMillis, r.MinBytes = 100, math.MaxInt32
	return frame(api{1, 11}, false, r.AppendTo(nil))
}

// headers: keys and versions that are not there, headers that lie.
func (g *generator) headers() {
	add := func(name string, b []byte) { g.add(attack{family: "header", name: name, bytes: measured(b)}) }
	head := func(a api, rest ...byte) []byte {
		f := binary.BigEndian.AppendUint16(make([]byte, 4), uint16(a.key))
		f = binary.BigEndian.AppendUint16(f, uint16(a.version))
		return append(binary.BigEndian.AppendUint32(f, correlation), rest...)
	}
	keys := []int16{math.MinInt16, -1, 9999, 10002, 10015, 10016, math.MaxInt16}
	for k := range int16(130) {
		keys = append(keys, k)
	}
	for _, k := range keys {
		for _, v := range []int16{math.MinInt16, -1, 0, 1, 20, 99, math.MaxInt16} {
			if slices.Contains(g.apis, api{k, v}) {
				continue
			}
			add(fmt.Sprintf("key %d version %d", k, v), head(api{k, v}, 0xff, 0xff))
			add(fmt.Sprintf("key %d version %d, and a body", k, v), head(api{k, v}, append([]byte{0, 1, 'x', 0}, make([]byte, 200)...)...))
		}
	}
	for _, a := range g.apis {
		r := a.request()
		if r == nil {
			continue
		}
		for _, h := range badHeaders {
			add(a.String()+" "+h.name, head(a, h.rest...))
		}
		body := a.base(g.target).AppendTo(nil)
		add(a.String()+" with the other header", frame(a, !r.IsFlexible(), body))
	}
}

// badHeaders are what may follow key, version and correlation id.
var badHeaders = []struct {
	name string
	rest []byte
}{
	{"client id of length -2", []byte{0xff, 0xfe}},
	{"client id of length -32768", []byte{0x80, 0}},
	{"client id longer than all", []byte{0x7f, 0xff, 'x'}},
	{"client id cut", []byte{0, 9, 'x'}},
	{"no client id", []byte{0xff, 0xff}},
	{"client id of control bytes", append([]byte{0, 8}, "\x00\x1b[2J\r\n\x7f"...)},
	{"client id of 1,025 bytes", append([]byte{4, 1}, make([]byte, 1025)...)},
	{"client id that is no UTF-8", []byte{0, 2, 0xc3, 0x28}},
	{"header of half a client id", []byte{0}},
	{"a billion tags", []byte{0, 0, 0x80, 0x94, 0xeb, 0xdc, 0x03}},
	{"a tag of 2 GiB", []byte{0, 0, 1, 0, 0xff, 0xff, 0xff, 0xff, 0x07}},
	{"the same tag twice", []byte{0, 0, 2, 5, 1, 'x', 5, 1, 'x'}},
	{"a tag without end", []byte{0, 0, 1, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80}},
	{"10,001 empty tags", append([]byte{0, 0, 0x91, 0x4e}, make([]byte, 20002)...)},
	{"5 KiB of client id and header", append([]byte{0, 0, 1, 0, 0x80, 0x28}, make([]byte, 5120)...)},
}

// names that a topic must not have, or that mean something elsewhere.
var names = []string{
	"", ".", "..", "../x", "/etc/passwd", "a/b", "a\x00b", "a\nb", strings.Repeat("x", 249), strings.Repeat("x", 250), strings.Repeat("x", 32767),
	"ümlaut", "\xff\xfe", "HOSTILE", "hostile.topic_x", "hostile_topic.x", "__consumer_offsets", "__cluster_metadata", "%s%n", "${jndi:ldap://x}",
	"<script>alert(1)</script>", "' OR 1=1 --", "con", "-", "--version",
}

// structures change what is encoded: doubled and missing parts, names.
func (g *generator) structures(a api, r kmsg.Request) {
	variant := func(what string) { g.request("structure", a, what, r.AppendTo(nil), false) }
	newest := !slices.Contains(g.apis, api{a.key, a.version + 1})
	eachPart(r, func(path string, p part) {
		for _, n := range []int{0, 2, 100} {
			p.repeat(n)
			variant(fmt.Sprintf("%s × %d", path, n))
			p.restore()
		}
	}, func(path string, s text) {
		if s.optional {
			s.null()
			variant(path + " is null")
			s.restore()
		}
		for _, n := range names {
			if newest || len(n) < 3 {
				s.set(n)
				variant(fmt.Sprintf("%s = %.20q", path, n))
				s.restore()
			}
		}
	})
}

// random makes count cases by changing systematic ones at a few places.
func (g *generator) random(seed uint64, count int) {
	rng := rand.New(rand.NewPCG(seed, 1))
	from := slices.Clone(g.all)
	for i := range count {
		old := from[rng.IntN(len(from))]
		if len(old.bytes) > 4<<10 || old.waits {
			old = from[len(from)/2]
		}
		b := slices.Clone(old.bytes)
		start := min(4, len(b))
		for range 1 + rng.IntN(4) {
			b = mutate(rng, b, start)
		}
		loose := old.loose
		if !loose && len(b) >= 4 {
			measured(b)
		}
		g.add(attack{family: "random", name: fmt.Sprintf("%d of seed %d, from %s: %s", i, seed, old.family, old.name), bytes: b, loose: loose, waits: waitsByChance(b)})
	}
}

// waitsByChance: a fetch whose wait was hit may wait.
func waitsByChance(b []byte) bool {
	if len(b) < 6 {
		return false
	}
	key := int16(binary.BigEndian.Uint16(b[4:]))
	return key == 1 || slices.Contains(mayWait, key)
}

func mutate(rng *rand.Rand, b []byte, start int) []byte {
	if len(b) <= start {
		return append(b, byte(rng.Uint32()))
	}
	at := start + rng.IntN(len(b)-start)
	if at >= 4 && at < 8 && len(b) > 20 && rng.IntN(4) > 0 {
		at = 8 + rng.IntN(len(b)-8) // key and version are hit seldom, or little else would be looked at
	}
	switch rng.IntN(6) {
	case 0:
		b[at] ^= 1 << rng.IntN(8)
	case 1:
		b[at] = []byte{0, 1, 0x7f, 0x80, 0xff}[rng.IntN(5)]
	case 2:
		b[at] = byte(rng.Uint32())
	case 3:
		return slices.Insert(b, at, []byte{0xff, 0xff, 0xff, 0xff, 0x7f}[:1+rng.IntN(5)]...)
	case 4:
		return slices.Delete(b, at, min(at+1+rng.IntN(8), len(b)))
	default:
		n := min(1+rng.IntN(16), len(b)-at)
		return slices.Insert(b, at, b[at:at+n]...)
	}
	return b
}
