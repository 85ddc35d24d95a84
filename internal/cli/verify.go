package cli

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"time"

	"github.com/brokerd/brokerd/internal/record"
	"github.com/brokerd/brokerd/pkg/client"
)

// verified is what a comparison of the replicas of one partition found. Every
// replica is read from its own broker, below the lowest of their high watermarks.
//
//	leader    [batch][batch][batch][batch]     one entry per batch: its offset, its bytes;
//	follower  [batch][batch]       [batch]     of a compacted topic one per record: each
//	                          ▲ missing        replica compacts by itself
type verified struct {
	Topic       string        `json:"topic"`
	Partition   int32         `json:"partition"`
	From        int64         `json:"from"`
	To          int64         `json:"to"` // first offset that was not compared
	Replicas    []int32       `json:"replicas"`
	Bytes       int64         `json:"bytes"` // of the leader
	Differences []difference  `json:"differences"`
	More        int           `json:"moreDifferences,omitempty"`
	NotCompared []notCompared `json:"notCompared"`
}

// difference is one place where a replica is not like the leader, or not whole.
type difference struct {
	Broker int32  `json:"broker"`
	Offset int64  `json:"offset"`
	What   string `json:"what"`
}

// notCompared is a replica that could not be read, or not to the end.
type notCompared struct {
	Broker int32  `json:"broker"`
	Reason string `json:"reason"`
}

// maxDifferences is how many are listed of one partition; the others are counted.
const maxDifferences = 20

func (v *verified) equal() bool { return len(v.Differences) == 0 }

func (v *verified) differs(broker int32, offset int64, what string) {
	if len(v.Differences) == maxDifferences {
		v.More++
		return
	}
	v.Differences = append(v.Differences, difference{broker, offset, what})
}

func (v *verified) skip(broker int32, reason string) {
	v.NotCompared = append(v.NotCompared, notCompared{broker, reason})
	v.Replicas = slices.DeleteFunc(v.Replicas, func(b int32) bool { return b == broker })
}

// verifier compares partitions.
type verifier struct {
	admin   *client.Admin
	timeout time.Duration // of one request
	read    func(n int64) // so many bytes more were read
}

const (
	// verifyBytes is read of one replica at a time.
	verifyBytes = 1 << 20
	// caughtUpWithin is how long a follower may take to hear of the watermark.
	caughtUpWithin = 5 * time.Second
)

// partition compares the replicas of one partition.
func (v *verifier) partition(ctx context.Context, t client.TopicDescription, p client.PartitionDescription, compacted bool) *verified {
	out := &verified{Topic: t.Name, Partition: p.Partition, Replicas: slices.Clone(p.Replicas), Differences: []difference{}, NotCompared: []notCompared{}}
	if p.Leader < 0 {
		for _, b := range p.Replicas {
			out.skip(b, "the partition has no leader")
		}
		return out
	}
	topicID, _ := client.ParseID(t.ID) // none: a broker that knows no ids is asked by name
	id := client.Partition{Topic: t.Name, Partition: p.Partition}
	reader := func(broker int32) *replicaReader {
		ask := func(ctx context.Context, at int64, most int32) (int64, []byte, error) {
			ctx, cancel := context.WithTimeout(ctx, v.timeout)
			defer cancel()
			return v.admin.ReadReplica(ctx, client.ReplicaID{Partition: id, Broker: broker}, topicID, at, most)
		}
		return &replicaReader{ask: ask, read: v.read, broker: broker, compacted: compacted}
	}
	lead := reader(p.Leader)
	start, err := v.start(ctx, id)
	if err == nil {
		err = lead.begin(ctx, start, 0)
	}
	if err != nil {
		for _, b := range p.Replicas {
			out.skip(b, "its leader cannot be read: "+unread(err))
		}
		return out
	}
	out.From, out.To = lead.at, lead.watermark
	var others []*replicaReader
	for _, b := range p.Replicas {
		if b == p.Leader {
			continue
		}
		r := reader(b)
		if !slices.Contains(p.ISR, b) {
			out.skip(b, "it is out of sync")
		} else if err := r.begin(ctx, start, lead.watermark); err != nil {
			out.skip(b, unread(err))
		} else {
			others = append(others, r)
			out.To = min(out.To, r.watermark)
		}
	}
	compare(ctx, out, lead, others)
	out.Bytes = lead.bytes
	return out
}

// start is where the leader's log begins.
func (v *verifier) start(ctx context.Context, p client.Partition) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, v.timeout)
	defer cancel()
	return v.admin.LogStart(ctx, p)
}

// unread says in a few words why a replica could not be read.
func unread(err error) string {
	var answered *client.Error
	if errors.As(err, &answered) {
		return answered.Reason()
	}
	return client.Plain(err)
}

// compare holds every other replica against the leader, entry by entry.
func compare(ctx context.Context, out *verified, lead *replicaReader, others []*replicaReader) {
	for {
		want, err := lead.peek(ctx, out.To)
		if err != nil {
			for _, r := range append(others, lead) {
				out.skip(r.broker, "its leader cannot be read: "+unread(err))
			}
			return
		}
		if want.bad != nil {
			out.differs(lead.broker, want.offset, want.bad.Error())
		}
		others = slices.DeleteFunc(others, func(r *replicaReader) bool {
			err := r.reach(ctx, out, want)
			if err != nil {
				out.skip(r.broker, unread(err))
			}
			return err != nil
		})
		if want.end {
			return
		}
		lead.pop()
	}
}

// reach reads a replica up to the leader's entry, and compares it.
func (r *replicaReader) reach(ctx context.Context, out *verified, want entry) error {
	for {
		have, err := r.peek(ctx, out.To)
		if err != nil {
			return err
		}
		if have.end || !want.end && have.offset > want.offset {
			if !want.end && !r.compacted && want.bad == nil {
				out.differs(r.broker, want.offset, "is missing")
			}
			return nil
		}
		if have.bad != nil {
			out.differs(r.broker, have.offset, have.bad.Error())
		}
		r.pop()
		switch {
		case !want.end && have.offset == want.offset:
			if have.sum != want.sum && have.bad == nil && want.bad == nil {
				out.differs(r.broker, have.offset, "has other bytes than on the leader")
			}
			return nil
		case !r.compacted && have.bad == nil:
			out.differs(r.broker, have.offset, "is not on the leader")
		}
	}
}

// entry is a batch, or a record, as far as comparing needs it.
type entry struct {
	offset int64
	sum    uint64
	bad    error // it is not whole
	end    bool  // there is none: the replica was read to the end
}

// replicaReader reads one replica from its own broker.
type replicaReader struct {
	ask       func(ctx context.Context, at int64, most int32) (watermark int64, batches []byte, err error)
	read      func(n int64) // so many bytes more
	broker    int32
	compacted bool

	at        int64 // to be asked for next
	watermark int64 // as of the last answer
	bytes     int64
	batches   []byte  // in hand
	entries   []entry // of the first of them
}

// begin finds the watermark, and waits for it if it is behind the leader's.
func (r *replicaReader) begin(ctx context.Context, start, leader int64) error {
	r.at = start
	for began := time.Now(); ; {
		if err := r.fetch(ctx, 1); err != nil {
			return err
		}
		if r.watermark >= leader || time.Since(began) > caughtUpWithin {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// fetch asks for what comes next.
func (r *replicaReader) fetch(ctx context.Context, most int32) (err error) {
	r.watermark, r.batches, err = r.ask(ctx, r.at, most)
	return err
}

// peek gives the next entry below to.
func (r *replicaReader) peek(ctx context.Context, to int64) (entry, error) {
	for len(r.entries) == 0 {
		if r.at >= to {
			return entry{end: true}, nil
		}
		b, rest, err := record.Next(r.batches)
		if errors.Is(err, record.ErrIncomplete) {
			if err := r.more(ctx); err != nil {
				return entry{}, err
			}
			if len(r.batches) == 0 { // compaction left nothing up to the watermark
				return entry{end: true}, nil
			}
			continue
		}
		if err != nil {
			return entry{}, fmt.Errorf("offset %d and on: %w", r.at, err)
		}
		if b.BaseOffset() >= to {
			return entry{end: true}, nil
		}
		r.take(b)
		r.batches, r.at, r.bytes = rest, b.NextOffset(), r.bytes+int64(len(b))
		r.read(int64(len(b)))
	}
	return r.entries[0], nil
}

func (r *replicaReader) pop() {
	if len(r.entries) > 0 {
		r.entries = r.entries[1:]
	}
}

// more fetches until there is a whole batch, or nothing. A batch that ends early
// though its broker was free to give more is all that the broker has of it.
func (r *replicaReader) more(ctx context.Context) error {
	for most := verifyBytes; ; most *= 2 {
		if err := r.fetch(ctx, int32(most)); err != nil {
			return err
		}
		_, _, err := record.Next(r.batches)
		switch cut := errors.Is(err, record.ErrIncomplete); {
		case !cut || len(r.batches) == 0:
			return nil
		case len(r.batches) < most || most == 1<<30:
			return fmt.Errorf("offset %d and on: %w", r.at, err)
		}
	}
}

var verifySeed = maphash.MakeSeed()

// take makes entries of a batch.
func (r *replicaReader) take(b record.Batch) {
	if err := b.VerifyStored(); err != nil {
		r.entries = []entry{{offset: b.BaseOffset(), bad: err}}
		return
	}
	if !r.compacted {
		r.entries = []entry{{offset: b.BaseOffset(), sum: maphash.Bytes(verifySeed, b)}}
		return
	}
	var list []entry
	err := b.Each(record.Limits{}, func(x record.Record) error {
		list = append(list, entry{offset: x.Offset, sum: sumOf(b, x)})
		return nil
	})
	if err != nil {
		list = []entry{{offset: b.BaseOffset(), bad: err}}
	}
	r.entries = list
}

// sumOf is a sum over all that compaction keeps of a record and of its producer.
func sumOf(b record.Batch, x record.Record) uint64 {
	var h maphash.Hash
	h.SetSeed(verifySeed)
	number := func(n int64) {
		var p [8]byte
		binary.BigEndian.PutUint64(p[:], uint64(n))
		_, _ = h.Write(p[:]) // a hash takes everything
	}
	field := func(p []byte) {
		if p == nil {
			number(-1)
			return
		}
		number(int64(len(p)))
		_, _ = h.Write(p)
	}
	number(x.Timestamp)
	number(b.ProducerID())
	number(int64(b.ProducerEpoch()))
	number(int64(b.LeaderEpoch()))
	field(x.Key)
	field(x.Value)
	for _, header := range x.Headers {
		field(header.Key)
		field(header.Value)
	}
	return h.Sum64()
}
