//go:build hostile

package hostile

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/brokerd/brokerd/internal/record"
	"github.com/brokerd/brokerd/test/raw"
)

// ack is an acknowledged record: where it is, and which one it is.
type ack struct {
	offset int64
	id     uint64
}

// answered notes an answer.
func (f *flood) answered(p *pump, n uint64, code int16, offset int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if code != 0 {
		if f.codes == nil {
			f.codes = map[int16]int{}
		}
		f.codes[code]++
		return
	}
	f.acked.Add(1)
	f.ledger[p.partition] = append(f.ledger[p.partition], ack{offset, p.record(n)})
}

func (f *flood) errors() string { return fmt.Sprint(f.codes) }

// audit reads every partition and finds each acknowledged record where it was
// said to be.
func (f *flood) audit() (records int64) {
	f.v.t.Helper()
	c, err := raw.Dial(f.v.node.Addr())
	if err != nil {
		f.v.t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(5 * time.Minute)); err != nil {
		f.v.t.Fatal(err)
	}
	for partition := range f.ledger {
		acks := f.ledger[partition]
		slices.SortFunc(acks, func(a, b ack) int { return int(a.offset - b.offset) })
		next := int64(0)
		for len(acks) > 0 && !f.v.t.Failed() {
			b := f.fetch(c, int32(partition), next)
			if len(b) == 0 {
				f.v.t.Errorf("LOST: partition %d ends at %d, but %d records behind it were acknowledged", partition, next, len(acks))
				break
			}
			for len(b) > 0 {
				one, rest, err := record.Next(b)
				if err != nil {
					break // the last one is cut by the size of the fetch
				}
				b = rest
				next = one.NextOffset()
				records++
				if len(acks) == 0 || acks[0].offset != one.BaseOffset() {
					continue // its acknowledgement was never received
				}
				if got := binary.BigEndian.Uint64(one[valueAt:]); got != acks[0].id {
					f.v.t.Errorf("LOST: partition %d offset %d: record %x was acknowledged, %x is there", partition, acks[0].offset, acks[0].id, got)
				}
				acks = acks[1:]
			}
		}
	}
	return records
}

func (f *flood) fetch(c *raw.Conn, partition int32, offset int64) []byte {
	f.v.t.Helper()
	if err := c.Send(raw.Fetch(f.topic, partition, offset, 8<<20)); err != nil {
		f.v.t.Fatal(err)
	}
	body, err := c.Receive()
	if err != nil {
		f.v.t.Fatal(err)
	}
	resp := kmsg.NewPtrFetchResponse()
	resp.SetVersion(11)
	if err := resp.ReadFrom(body[4:]); err != nil {
		f.v.t.Fatal(err)
	}
	return resp.Topics[0].Partitions[0].RecordBatches
}
