package broker

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/brokerd/brokerd/internal/vfs"
)

// TestOneDirectoryFails: its partitions lose their leader for everybody to see,
// the others serve on, and a restart after the repair brings all back.
func TestOneDirectoryFails(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	dir := t.TempDir()
	good, bad := filepath.Join(dir, "good"), filepath.Join(dir, "bad")
	disks := map[string]string{"log.dirs": good + "," + bad}
	o := testOptions(t, dir, disks)
	fs := vfs.NewFault(vfs.NewOS())
	o.FS = fs
	b, err := New(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	c := client(t, b, kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.RecordDeliveryTimeout(time.Second), kgo.MetadataMinAge(50*time.Millisecond))
	adm := kadm.NewClient(c)
	if _, err := adm.CreateTopic(ctx, 2, 1, nil, "t"); err != nil {
		t.Fatal(err)
	}
	produce := func(c *kgo.Client, p int32) error {
		return c.ProduceSync(ctx, &kgo.Record{Topic: "t", Partition: p, Value: []byte("x")}).FirstErr()
	}
	for p := range int32(2) {
		if err := produce(c, p); err != nil {
			t.Fatal(err)
		}
	}
	fs.Add(vfs.Rule{Op: vfs.OpSync, Path: bad + "/*/*", Err: errors.New("disk is gone")})
	failed := int32(-1)
	for p := range int32(2) {
		if produce(c, p) != nil {
			failed = p
		}
	}
	if failed < 0 {
		t.Fatal("no partition was on the failed disk")
	}
	for leaders := []int32{0, 0}; leaders[failed] != -1 || leaders[1-failed] == -1; {
		ts, err := adm.ListTopics(ctx, "t")
		if err != nil {
			t.Fatal(err)
		}
		for p, d := range ts["t"].Partitions {
			leaders[p] = d.Leader
		}
	}
	if err := produce(c, 1-failed); err != nil {
		t.Fatalf("the other partition: %v", err)
	}
	c.Close()
	closing, done := context.WithTimeout(context.Background(), 5*time.Second)
	if err := b.Close(closing); err == nil {
		t.Error("closed without a word of the failed directory")
	}
	done()
	if left, _ := filepath.Glob(filepath.Join(dir, "*", markerFile)); len(left) > 0 {
		t.Errorf("the stop with a failed directory is called clean: %s", left)
	}

	b = start(t, dir, disks)
	defer stop(t, b)
	c = client(t, b, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	defer c.Close()
	for p := range int32(2) {
		if err := produce(c, p); err != nil {
			t.Fatalf("partition %d after the repair: %v", p, err)
		}
	}
}
