package harness

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/brokerd/brokerd/internal/wire"
)

// capture stands in front of a node and keeps what clients send, for the seed
// corpora of fuzz targets. BROKERD_CAPTURE names the file; what it holds is added
// to. A line is "request" or "records" and hexadecimal bytes: a frame without its
// length, and what a Produce brought for one partition.
//
// Goroutines: an accept loop and two per connection, until the test ends.
type capture struct {
	file string
	to   string
}

// kept is what the captures of this process have kept.
var kept struct {
	mu   sync.Mutex
	seen map[string]bool
}

const (
	// mostKept is the largest request that is kept: a corpus is many small ones.
	mostKept = 1 << 10
	// mostFrame is more than any client here sends.
	mostFrame = 64 << 20
)

// captured gives the address to use instead of a node's own.
func captured(t testing.TB, file, to string) (port int) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	c := &capture{file: file, to: to}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return // closed
			}
			go c.forward(client)
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}

// forward passes both directions on until one of them ends.
func (c *capture) forward(client net.Conn) {
	defer client.Close()
	broker, err := net.Dial("tcp", c.to)
	if err != nil {
		return // the node is down: the client sees its connection close
	}
	go func() {
		_, _ = io.Copy(client, broker) // either side may end
		_ = client.Close()
	}()
	defer broker.Close()
	var size [4]byte
	for {
		if _, err := io.ReadFull(client, size[:]); err != nil {
			return
		}
		n := binary.BigEndian.Uint32(size[:])
		if n > mostFrame {
			return
		}
		frame := make([]byte, n)
		if _, err := io.ReadFull(client, frame); err != nil {
			return
		}
		c.keep(frame)
		if _, err := broker.Write(append(size[:], frame...)); err != nil {
			return
		}
	}
}

// keep notes a frame unless one of its kind is there: of that key and version, and
// about as long. Of records: of that format and codec, and about as long.
func (c *capture) keep(frame []byte) {
	if len(frame) <= wire.FixedHeader {
		return
	}
	h, rest := wire.ParseFixed(frame)
	req := kmsg.RequestForKey(h.Key)
	if req == nil {
		return
	}
	req.SetVersion(h.Version)
	body, err := h.ParseRest(rest, req.IsFlexible())
	if err != nil {
		return
	}
	if len(frame) <= mostKept {
		c.note(fmt.Sprint(h.Key, h.Version, len(body)/64), "request", frame)
	}
	p, ok := req.(*kmsg.ProduceRequest)
	if !ok || p.ReadFrom(body) != nil {
		return
	}
	for _, t := range p.Topics {
		for _, q := range t.Partitions {
			if n := len(q.Records); n > 22 && n <= mostKept {
				format, codec := q.Records[16], q.Records[17]&7 // the attributes follow the format,
				if format == 2 {
					codec = q.Records[22] & 7 // but for the CRC in between
				}
				c.note(fmt.Sprint(format, codec, n/64), "records", q.Records)
			}
		}
	}
}

func (c *capture) note(kind, what string, p []byte) {
	kept.mu.Lock()
	defer kept.mu.Unlock()
	if kept.seen == nil {
		kept.seen = map[string]bool{}
	}
	if kept.seen[what+kind] {
		return
	}
	kept.seen[what+kind] = true
	f, err := os.OpenFile(c.file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		panic(err) // whoever set BROKERD_CAPTURE wants to know
	}
	defer f.Close()
	fmt.Fprintln(f, what, hex.EncodeToString(p))
}
