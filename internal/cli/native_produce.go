package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/brokerd/brokerd/pkg/client"
	"github.com/spf13/cobra"
)

func (a *app) produceCommand() *cobra.Command {
	var p produceFlags
	c := a.connects(&cobra.Command{Use: "produce TOPIC", Short: "Send each line of stdin as one record", Args: needTopic,
		Example: "  echo hello | brokerd produce greetings\n" +
			"  printf 'o-1:{\"cents\":75}\\n' | brokerd produce orders --key-separator :\n" +
			"  brokerd produce greetings --header source=demo --acks 1"})
	f := c.Flags()
	f.StringVarP(&p.key, "key", "k", "", "key of every record")
	f.StringVarP(&p.separator, "key-separator", "K", "", "lines are key, `SEPARATOR`, value")
	f.StringArrayVarP(&p.headers, "header", "H", nil, "a header of every record, `name=value`")
	f.Int32VarP(&p.partition, "partition", "p", -1, "send to this partition (default: by key, else spread)")
	hideDefault(c, "partition")
	f.StringVar(&p.acks, "acks", "all", "0, 1 or all: what an acknowledgement stands for")
	f.StringVarP(&p.codec, "compression", "z", "none", "none, gzip, snappy, lz4 or zstd")
	f.DurationVar(&p.linger, "linger", 5*time.Millisecond, "how long a batch waits for more records")
	f.StringArrayVar(&p.reader, "reader-property", nil, "a property of Kafka's line reader, `key=value` (parse.key, parse.headers, null.marker …)")
	c.RunE = func(c *cobra.Command, args []string) error { return a.produce(c, args[0], p) }
	return c
}

type produceFlags struct {
	key, separator, acks, codec string
	headers, reader             []string
	partition                   int32
	linger                      time.Duration
}

func needTopic(c *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usageErr("as in: "+strings.TrimSpace(strings.Split(c.Example, "\n")[0]), "name one topic")
	}
	if args[0] == "" {
		return usageErr("`brokerd topics list` shows the topics that exist", "a topic cannot have an empty name")
	}
	return nil
}

func (a *app) produce(c *cobra.Command, topic string, p produceFlags) error {
	props := client.Properties{}
	if err := props.Set(p.reader...); err != nil {
		return usageErr("give --reader-property key=value", "%v", err)
	}
	if p.separator != "" {
		props["parse.key"], props["key.separator"] = "true", p.separator
	}
	headers, err := headerFlags(p.headers)
	if err != nil {
		return err
	}
	var prompt io.Writer
	if a.e.InTTY && !a.quiet {
		prompt = a.e.Err
		a.note("one record a line; Ctrl-D ends")
	}
	lines, err := newLineReader(a.e.In, prompt, topic, props)
	if err != nil {
		return usageErr("", "%v", err)
	}
	opts := []client.Option{client.AutoCreateTopics(), client.WithProperties(p.properties(c, a)), client.DeliveryTimeout(a.timeout)}
	if p.partition >= 0 {
		opts = append(opts, client.ManualPartitions())
	}
	cl, ctx, done, err := a.dial(c, opts...)
	if err != nil {
		return err
	}
	defer done()
	s := &sending{a: a, client: cl, topic: topic, partition: p.partition}
	defer s.watch(ctx)()
	for ctx.Err() == nil && !s.failed() {
		rec, err := nextLine(ctx, lines)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return s.finish(ctx, err)
		}
		if rec.Key == nil && c.Flags().Changed("key") {
			rec.Key = []byte(p.key)
		}
		rec.Headers, rec.Partition = append(rec.Headers, headers...), p.partition
		s.send(ctx, rec)
	}
	return s.finish(ctx, nil)
}

// properties are what flags stand for; one that was not given leaves the word
// to the property file, and only then to its default.
func (p produceFlags) properties(c *cobra.Command, a *app) client.Properties {
	out := client.Properties{}
	a.defaults = client.Properties{}
	for _, f := range []struct{ flag, property, value string }{
		{"acks", "acks", p.acks},
		{"compression", "compression.type", p.codec},
		{"linger", "linger.ms", strconv.FormatInt(p.linger.Milliseconds(), 10)},
	} {
		into := a.defaults
		if c.Flags().Changed(f.flag) {
			into = out
		}
		into[f.property] = f.value
	}
	return out
}

func headerFlags(pairs []string) ([]client.Header, error) {
	var out []client.Header
	for _, h := range pairs {
		k, v, found := strings.Cut(h, "=")
		if !found {
			return nil, usageErr("as in: --header source=demo", "--header %q is not of the form name=value", h)
		}
		out = append(out, client.Header{Key: k, Value: []byte(v)})
	}
	return out, nil
}

// sending counts what came of the records.
type sending struct {
	a         *app
	client    *client.Client
	topic     string
	partition int32 // that all go to, -1: any

	mu    sync.Mutex
	sent  int
	acked int
	first error
	lost  int32           // partition of the first that failed, -1: none was chosen
	ends  map[int32]int64 // by partition, the last offset
}

func (s *sending) send(ctx context.Context, rec *client.Record) {
	s.mu.Lock()
	s.sent++
	s.mu.Unlock()
	s.client.Send(ctx, rec, s.done)
}

// standstill is how long nothing may be acknowledged before somebody asks why.
const standstill = 250 * time.Millisecond

// watch tells why records wait, while they do: the client below tries again in
// silence until --timeout. stop returns when it has ended.
func (s *sending) watch(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() {
		said, acked, waiting := "", 0, false
		for {
			select {
			case <-ctx.Done():
				return
			case <-time.After(standstill):
			}
			s.mu.Lock()
			still := waiting && s.acked == acked // what waited then waits now
			if s.acked > acked {
				said = "" // it got better: if it gets worse again that is news
			}
			acked, waiting = s.acked, s.sent > s.acked && s.first == nil
			s.mu.Unlock()
			var why *client.Error
			if still && waiting && errors.As(s.client.Unstored(ctx, s.topic, s.partition), &why) && why.Reason() != said {
				said = why.Reason()
				s.a.note("%s: records for topic %s wait, up to --timeout %s", said, s.topic, s.a.timeout)
			}
		}
	})
	return func() { cancel(); watching.Wait() }
}

func (s *sending) done(r *client.Record, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		if s.first == nil {
			s.first, s.lost = s.client.SendError(s.topic, err), r.Partition
		}
		return
	}
	s.acked++
	if s.ends == nil {
		s.ends = map[int32]int64{}
	}
	s.ends[r.Partition] = max(s.ends[r.Partition], r.Offset)
	if s.a.json() {
		// An error of stdout shows at the end of the process; the record is stored.
		_ = printLine(s.a.e.Out, map[string]any{"topic": r.Topic, "partition": r.Partition, "offset": r.Offset, "timestamp": r.Timestamp.UnixMilli()})
	}
}

func (s *sending) failed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.first != nil
}

// finish waits for what is under way and says what came of it.
func (s *sending) finish(ctx context.Context, reading error) error {
	flushed := s.flush(ctx)
	s.explain(ctx, flushed)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.first != nil:
		why := explained(s.first, s.a.address)
		why.text = fmt.Sprintf("%d of %d records stored, then: %s", s.acked, s.sent, why.text)
		if s.acked > 0 {
			why.code = exitPartly
		}
		return why
	case flushed != nil && context.Cause(ctx) != nil:
		return context.Cause(ctx)
	case flushed != nil:
		return flushed
	case reading != nil && !errors.Is(reading, context.Canceled):
		return reading
	}
	if s.a.e.OutTTY || s.a.verbose {
		s.a.note("%s", s.summary())
	}
	return reading
}

// late is how much longer than --timeout the client below may take to give a
// record up: it looks at its clock when an answer comes, or a metadata update.
const late = 250 * time.Millisecond

func (s *sending) flush(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, max(s.a.timeout, time.Second)+late)
	defer cancel()
	return s.client.Flush(limited)
}

// explain finds the reason where all that is known is that time is up, or a bare code.
func (s *sending) explain(ctx context.Context, flushed error) {
	s.mu.Lock()
	first, lost := s.first, s.lost
	s.mu.Unlock()
	if first == nil && errors.Is(flushed, context.DeadlineExceeded) && ctx.Err() == nil {
		first, lost = s.client.SendError(s.topic, client.ErrUnacknowledged), s.partition
	}
	if first == nil {
		return
	}
	if errors.Is(first, client.ErrTimedOut) || errors.Is(first, client.ErrNoLeader) || errors.Is(first, client.ErrStorage) {
		limited, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		if why := s.client.Unstored(limited, s.topic, lost); why != nil {
			first = why
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.first = first
}

func (s *sending) summary() string {
	parts := make([]string, 0, len(s.ends))
	for p, end := range s.ends {
		parts = append(parts, fmt.Sprintf("%d@%d", p, end))
	}
	sort.Strings(parts)
	return fmt.Sprintf("%d records stored in %s; last partition@offset: %s", s.acked, s.topic, dash(strings.Join(parts, " ")))
}
