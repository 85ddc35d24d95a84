package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Record and Header are franz-go's: producing and consuming copies nothing.
type (
	Record = kgo.Record
	Header = kgo.RecordHeader
)

// DataLoss says that records which a reader was to read next are gone.
type DataLoss = kgo.ErrDataLoss

// ErrUnacknowledged says that a record was given up because its time was up.
var ErrUnacknowledged = kgo.ErrRecordTimeout

// ErrClosed says that the client is closed.
var ErrClosed = kgo.ErrClientClosed

// Where reading begins.
const (
	Earliest int64 = -2
	Latest   int64 = -1
)

// Reading says what a client reads. Exactly one of Topics and Pattern is set.
type Reading struct {
	Topics  []string
	Pattern string // RE2, on the whole name
	// Partitions, if set, are read without a group, from From.
	Partitions []int32
	// From is an offset (with Partitions), Earliest or Latest. A group that has
	// committed offsets goes on from there instead.
	From int64
	// OutOfRange is where to go on when From is not in the log: Latest, Earliest,
	// or 0 for nowhere, and ErrOffsetOutOfRange. Only with Partitions.
	OutOfRange int64
	Group      string // empty: no group, nothing is committed
	// CommitEvery is the interval at which the group's offsets are committed;
	// 0: only what Commit is called for.
	CommitEvery time.Duration
}

// Read makes the client a consumer.
func Read(r Reading) Option {
	return func(c *config) error {
		if (len(r.Topics) == 0) == (r.Pattern == "") {
			return errors.New("a reader needs topics or a pattern, not both")
		}
		if len(r.Partitions) > 0 && (r.Group != "" || len(r.Topics) != 1) {
			return errors.New("partitions can be read of one topic, without a group")
		}
		c.read = &r
		return nil
	}
}

func (r *Reading) options() []kgo.Opt {
	start := kgo.NewOffset().At(r.From)
	switch r.From {
	case Earliest:
		start = kgo.NewOffset().AtStart()
	case Latest:
		start = kgo.NewOffset().AtEnd()
	}
	if len(r.Partitions) > 0 {
		at := map[int32]kgo.Offset{}
		for _, p := range r.Partitions {
			at[p] = start
		}
		reset := kgo.NoResetOffset()
		switch r.OutOfRange {
		case Earliest:
			reset = kgo.NewOffset().AtStart()
		case Latest:
			reset = kgo.NewOffset().AtEnd()
		}
		return []kgo.Opt{kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{r.Topics[0]: at}),
			kgo.ConsumeResetOffset(reset), kgo.KeepRetryableFetchErrors()}
	}
	opts := []kgo.Opt{kgo.ConsumeTopics(r.Topics...), kgo.ConsumeResetOffset(start), kgo.ConsumeStartOffset(start)}
	if r.Pattern != "" {
		opts[0] = kgo.ConsumeTopics("^(?:" + r.Pattern + ")$")
		opts = append(opts, kgo.ConsumeRegex())
	}
	if r.Group == "" {
		return opts
	}
	opts = append(opts, kgo.ConsumerGroup(r.Group))
	if r.CommitEvery > 0 {
		return append(opts, kgo.AutoCommitInterval(r.CommitEvery), kgo.AutoCommitMarks())
	}
	return append(opts, kgo.DisableAutoCommit())
}

// Poll waits for records: what has arrived, nil with an error of ctx when
// nothing has before it ended, or what the broker answered instead.
func (c *Client) Poll(ctx context.Context, atMost int) ([]*Record, error) {
	fetches := c.raw.PollRecords(ctx, atMost)
	if records := fetches.Records(); len(records) > 0 {
		return records, nil // an error of another partition comes again with the next call
	}
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	var first error
	fetches.EachError(func(topic string, partition int32, err error) {
		if topic != "" && passes(err) {
			return // the client below asks on; it told because nobody else would
		}
		if unsupported(err) {
			err = ErrUnsupported // a group's calls
		}
		if first == nil {
			first = c.readError(topic, partition, err)
		}
	})
	return nil, first
}

// passes says that an error of a partition, or of one beside it, is no reason to end:
// its leader moves, or it has none for now.
func passes(err error) bool {
	return kerr.IsRetriable(err) && !errors.Is(err, ErrStorage) && !errors.Is(err, ErrUnknownTopic) && !errors.Is(err, ErrUnknownTopicID)
}

// readError puts an error of a fetch into words. One without a topic is the
// group's.
func (c *Client) readError(topic string, partition int32, err error) error {
	var lost *DataLoss
	switch {
	case errors.As(err, &lost):
		return err
	case topic == "":
		return c.explain("join the group", "", err)
	case kafkaCode(err) != nil:
		return &Error{Doing: "read", Name: fmt.Sprintf("%s-%d", topic, partition), Code: kafkaCode(err)}
	}
	return c.explain("read", fmt.Sprintf("%s-%d", topic, partition), err)
}

// Done marks records as worked off: a group's next commit covers them.
func (c *Client) Done(records ...*Record) { c.raw.MarkCommitRecords(records...) }

// Commit commits what Done has marked.
func (c *Client) Commit(ctx context.Context) error { return c.raw.CommitMarkedOffsets(ctx) }

// Send hands a record over; done is called once, when it is acknowledged or lost.
// Send waits only while the buffer is full.
func (c *Client) Send(ctx context.Context, r *Record, done func(*Record, error)) {
	c.raw.Produce(ctx, r, done)
}

// SendAndWait hands a record over and waits for the acknowledgement.
func (c *Client) SendAndWait(ctx context.Context, r *Record) error {
	return c.SendError(r.Topic, c.raw.ProduceSync(ctx, r).FirstErr())
}

// Flush waits until everything that was sent is acknowledged or lost.
func (c *Client) Flush(ctx context.Context) error { return c.raw.Flush(ctx) }

// SendError puts a lost record into words: the broker's answer as an *Error,
// or what could not be reached.
func (c *Client) SendError(topic string, err error) error {
	if err == nil {
		return nil
	}
	if code := kafkaCode(err); code != nil {
		return &Error{Doing: "produce to topic", Name: topic, Code: code}
	}
	if errors.Is(err, kgo.ErrRecordTimeout) {
		if trouble := c.dialer.lastTrouble(); trouble != nil {
			return trouble
		}
		return &Error{Doing: "produce to topic", Name: topic, Code: kerr.RequestTimedOut, Message: "not acknowledged in time; the broker may have it all the same"}
	}
	return c.explain("produce to topic", topic, err)
}
