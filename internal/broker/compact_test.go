package broker

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TestCompactedTopic writes keys over a socket until compaction has been there,
// and reads every key's newest value back, also after a restart.
func TestCompactedTopic(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	dir := t.TempDir()
	b := start(t, dir, map[string]string{"log.cleaner.backoff.ms": "1"})
	adm := client(t, b)
	small := "20000"
	ratio := "0.01"
	policy := "compact"
	if _, err := kadm.NewClient(adm).CreateTopic(ctx, 1, 1, map[string]*string{
		"cleanup.policy": &policy, "internal.segment.bytes": &small, "min.cleanable.dirty.ratio": &ratio}, "keys"); err != nil {
		t.Fatal(err)
	}
	adm.Close()
	p := client(t, b, kgo.DefaultProduceTopic("keys"))
	newest := map[string]string{}
	for i := 0; b.logs.Cleaner().Passes < 3; i++ {
		key, value := fmt.Sprintf("key %d", i%10), fmt.Sprintf("%s %d", strings.Repeat("x", 500), i)
		if err := p.ProduceSync(ctx, &kgo.Record{Key: []byte(key), Value: []byte(value)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
		newest[key] = value
	}
	err := p.ProduceSync(ctx, &kgo.Record{Value: []byte("no key")}).FirstErr()
	if err == nil || !strings.Contains(err.Error(), "INVALID_RECORD") {
		t.Errorf("a record without a key: %v", err)
	}
	p.Close()
	for range 2 {
		c := client(t, b, kgo.ConsumeTopics("keys"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
		got, records := map[string]string{}, int64(0)
		for last := int64(-1); len(got) < len(newest) || last < b.replicasEnd(t, "keys")-1; {
			f := c.PollFetches(ctx)
			if err := f.Err(); err != nil {
				t.Fatal(err)
			}
			f.EachRecord(func(r *kgo.Record) {
				if r.Offset <= last {
					t.Errorf("offset %d after %d", r.Offset, last)
				}
				last, got[string(r.Key)] = r.Offset, string(r.Value)
				records++
			})
		}
		c.Close()
		for k, v := range newest {
			if got[k] != v {
				t.Errorf("%s: %.20q, want %.20q", k, got[k], v)
			}
		}
		if end := b.replicasEnd(t, "keys"); records >= end {
			t.Errorf("%d records of %d offsets: nothing was compacted", records, end)
		}
		stop(t, b)
		b = start(t, dir, nil)
	}
	stop(t, b)
}

// replicasEnd is the log end of a topic's first partition.
func (b *Broker) replicasEnd(t *testing.T, topic string) int64 {
	t.Helper()
	for _, d := range b.logs.Dirs() {
		for _, l := range d.Logs {
			if l.Topic() == topic {
				return l.View().End
			}
		}
	}
	return 0
}
