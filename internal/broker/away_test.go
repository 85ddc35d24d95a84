package broker

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/brokerd/brokerd/internal/storage"
)

// A log directory that is not the metadata's is not there: its partitions are
// offline, not led empty, until it is back or their topic is deleted. The others
// are served.
func TestLogDirectoryIsAway(t *testing.T) {
	dir := t.TempDir()
	more := map[string]string{"log.dirs": filepath.Join(dir, "a") + "," + filepath.Join(dir, "b")}
	const n = 4
	scattered(t, dir, more, n)
	in := func(d string) (list []int32) {
		for p := range int32(n) {
			if _, err := os.Stat(filepath.Join(dir, d, "t-"+string(rune('0'+p)))); err == nil {
				list = append(list, p)
			}
		}
		return list
	}
	lost, kept := in("b"), in("a")
	if len(lost) == 0 || len(kept) == 0 {
		t.Fatalf("partitions %v and %v", kept, lost)
	}
	back := away(t, filepath.Join(dir, "b"))
	for range 2 {
		b := start(t, dir, more)
		topic, _ := b.catalog.Image().TopicNamed("t")
		for _, p := range lost {
			if rec, _ := topic.Partition(p); rec.Leader != -1 {
				t.Errorf("partition %d is led by %d", p, rec.Leader)
			}
			if _, err := b.replicas.Partition(topic, p); !errors.Is(err, storage.ErrDirFailed) {
				t.Errorf("partition %d: %v", p, err)
			}
		}
		code, body := get(t, b, "/readyz")
		if code != 503 || !strings.Contains(body, "is not here") || !strings.Contains(body, "delete the topic") {
			t.Errorf("/readyz: %d %s", code, body)
		}
		c := client(t, b, kgo.RecordPartitioner(kgo.ManualPartitioner()))
		for _, p := range kept {
			if err := c.ProduceSync(t.Context(), &kgo.Record{Topic: "t", Partition: p, Value: []byte("y")}).FirstErr(); err != nil {
				t.Errorf("partition %d: %v", p, err)
			}
		}
		// A topic that is made now has a place, and keeps it.
		if _, err := kadm.NewClient(c).CreateTopic(t.Context(), n, 1, nil, "later"); err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
			t.Error(err)
		}
		c.Close()
		stop(t, b)
	}
	back()
	b := start(t, dir, more)
	expectEnds(t, b, kept, 3)
	expectEnds(t, b, lost, 1)
	stop(t, b)

	// The operator gives it up.
	away(t, filepath.Join(dir, "b"))
	b = start(t, dir, more)
	defer stop(t, b)
	c := client(t, b)
	defer c.Close()
	if _, err := kadm.NewClient(c).DeleteTopic(t.Context(), "t"); err != nil {
		t.Fatal(err)
	}
	if code, body := get(t, b, "/readyz"); code != 200 {
		t.Errorf("/readyz: %d %s", code, body)
	}
}

func expectEnds(t *testing.T, b *Broker, partitions []int32, want int64) {
	t.Helper()
	c := client(t, b)
	defer c.Close()
	ends, err := kadm.NewClient(c).ListEndOffsets(t.Context(), "t")
	for _, p := range partitions {
		if o, _ := ends.Lookup("t", p); err != nil || o.Err != nil || o.Offset != want {
			t.Errorf("partition %d ends at %+v, want %d; %v", p, o, want, err)
		}
	}
}

// The only replica was corrupt, and is whole again at the next start: it leads,
// although the controller was told.
func TestCorruptReplicaIsRepaired(t *testing.T) {
	dir := t.TempDir()
	scattered(t, dir, nil, 1)
	file := filepath.Join(dir, "data", "t-0", "00000000000000000000.log")
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(file, 0); err != nil {
		t.Fatal(err)
	}
	b := start(t, dir, nil)
	leaderless(t, b, 0)
	if code, body := get(t, b, "/readyz"); code != 503 || !strings.Contains(body, "partition t-0 is offline") {
		t.Errorf("/readyz: %d %s", code, body)
	}
	stop(t, b)
	if err := os.WriteFile(file, good, 0o644); err != nil {
		t.Fatal(err)
	}
	b = start(t, dir, nil)
	defer stop(t, b)
	expectEnds(t, b, []int32{0}, 1)
	if code, body := get(t, b, "/readyz"); code != 200 {
		t.Errorf("/readyz: %d %s", code, body)
	}
	if _, body := get(t, b, "/metrics"); !strings.Contains(body, "kafka_controller_kafkacontroller_offlinepartitionscount 0\n") {
		t.Error("a partition counts as offline")
	}
}

// A log directory cannot be used at the start, a file is in its place: the broker
// serves what is in the others. It does not start without the metadata's.
func TestLogDirectoryIsUnusable(t *testing.T) {
	dir := t.TempDir()
	a, bad := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	more := map[string]string{"log.dirs": a + "," + bad}
	scattered(t, dir, more, 4)
	back := away(t, bad)
	if err := errors.Join(os.Remove(bad), os.WriteFile(bad, nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	b := start(t, dir, more)
	topic, _ := b.catalog.Image().TopicNamed("t")
	served := 0
	for p := range int32(4) {
		_, err := os.Stat(filepath.Join(a, "t-"+string(rune('0'+p))))
		switch _, got := b.replicas.Partition(topic, p); {
		case err == nil && got == nil:
			served++
		case err == nil || !errors.Is(got, storage.ErrDirFailed):
			t.Errorf("partition %d: %v", p, got)
		}
	}
	if served == 0 || served == 4 {
		t.Errorf("%d partitions are served", served)
	}
	code, body := get(t, b, "/readyz")
	if code != 503 || !strings.Contains(body, "log directory "+bad+" has failed") {
		t.Errorf("/readyz: %d %s", code, body)
	}
	if _, body := get(t, b, "/metrics"); !strings.Contains(body, "kafka_log_logmanager_offlinelogdirectorycount 1\n") {
		t.Error("no log directory counts as offline")
	}
	stop(t, b)
	back()
	b = start(t, dir, more)
	expectEnds(t, b, []int32{0, 1, 2, 3}, 1)
	stop(t, b)

	away(t, a)
	if err := errors.Join(os.Remove(a), os.WriteFile(a, nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	if b, err := New(t.Context(), testOptions(t, dir, more)); err == nil || !strings.Contains(err.Error(), "cannot be written") {
		t.Errorf("without its metadata: %v %v", b, err)
	}
}

// A partition's directory cannot be read, a file is in its place: that partition is
// offline and /readyz says which and why, the others are served. It is back with
// the first start after the repair.
func TestPartitionIsUnreadable(t *testing.T) {
	dir := t.TempDir()
	scattered(t, dir, nil, 2)
	at := filepath.Join(dir, "data", "t-0")
	if err := errors.Join(os.Rename(at, at+".away"), os.WriteFile(at, nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	b := start(t, dir, nil)
	leaderless(t, b, 0)
	code, body := get(t, b, "/readyz")
	if code != 503 || !strings.Contains(body, "partition t-0 is offline") || !strings.Contains(body, "cannot be read") || strings.Contains(body, "t-1") {
		t.Errorf("/readyz: %d %s", code, body)
	}
	c := client(t, b, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	defer c.Close()
	if err := c.ProduceSync(t.Context(), &kgo.Record{Topic: "t", Partition: 1, Value: []byte("y")}).FirstErr(); err != nil {
		t.Error(err)
	}
	stop(t, b)
	if err := errors.Join(os.Remove(at), os.Rename(at+".away", at)); err != nil {
		t.Fatal(err)
	}
	b = start(t, dir, nil)
	defer stop(t, b)
	expectEnds(t, b, []int32{0}, 1)
	expectEnds(t, b, []int32{1}, 2)
	if code, body := get(t, b, "/readyz"); code != 200 {
		t.Errorf("/readyz: %d %s", code, body)
	}
}

// leaderless waits until a partition of t has no leader.
func leaderless(t *testing.T, b *Broker, partition int32) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	w := b.catalog.Watch()
	defer w.Close()
	for {
		im, _, err := w.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		topic, _ := im.TopicNamed("t")
		if rec, _ := topic.Partition(partition); rec.Leader < 0 {
			return
		}
	}
}
