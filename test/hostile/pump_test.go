//go:build hostile

package hostile

import (
	"encoding/binary"
	"net"
	"sync/atomic"
	"time"

	"github.com/brokerd/brokerd/test/raw"
)

// pump is one connection of a flood: one goroutine sends, one receives. The nth
// answer is that of its nth request.
type pump struct {
	f          *flood
	c          *raw.Conn
	id         uint64
	partition  int32
	closedLoop bool
	wanted     atomic.Int64  // requests that shall be sent, depth at most
	more       chan struct{} // wakes the sender
	quit       chan struct{} // closed when nothing more is to be sent
	frame      []byte
}

// depth is how many requests a producer keeps while its socket is full. What is
// offered beyond them is shed.
const depth = 32

// offer wants n requests more.
func (p *pump) offer(n int64) {
	for was := p.wanted.Load(); !p.wanted.CompareAndSwap(was, min(was+n, depth)); was = p.wanted.Load() {
	}
	select {
	case p.more <- struct{}{}:
	default:
	}
}

var (
	batchLen = len(raw.Batch(1, 100, 0))
	valueAt  = batchLen - 101 // the value, and an empty list of headers
)

// next is the request of a number: its record says connection and number.
func (p *pump) next(n uint64) []byte {
	if p.frame == nil {
		p.frame = raw.Produce(p.f.topic, p.partition, -1, raw.Batch(1, 100, time.Now().UnixMilli()))
	}
	batch := p.frame[len(p.frame)-batchLen:]
	binary.BigEndian.PutUint64(batch[valueAt:], p.record(n))
	sealed(batch)
	return p.frame
}

func (p *pump) record(n uint64) uint64 { return p.id<<40 | n }

func (p *pump) send() {
	for n := uint64(1); ; n++ {
		for p.wanted.Load() <= 0 {
			select {
			case <-p.more:
			case <-p.quit:
				p.hangUp()
				return
			}
		}
		select {
		case <-p.quit:
			p.hangUp()
			return
		default:
		}
		p.wanted.Add(-1)
		if _, err := p.c.Write(p.next(n)); err != nil {
			return // the receiver hears why
		}
	}
}

// hangUp ends the sending side: the broker then closes. What it has not answered
// has an unknown outcome.
func (p *pump) hangUp() { _ = p.c.Conn.(*net.TCPConn).CloseWrite() }

// receive reads answers (Produce v7, one partition) until the broker hangs up.
func (p *pump) receive() {
	defer p.c.Close()
	code := 4 + 4 + 2 + len(p.f.topic) + 4 + 4 // correlation, topics, name, partitions, partition
	for n := uint64(1); ; n++ {
		body, err := p.c.Receive()
		if err != nil {
			return
		}
		p.f.answered(p, n, int16(binary.BigEndian.Uint16(body[code:])), int64(binary.BigEndian.Uint64(body[code+2:])))
		if p.closedLoop {
			p.offer(1)
		}
	}
}
