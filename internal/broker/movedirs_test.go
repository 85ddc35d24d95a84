package broker

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/step"
)

// alterDirs asks for moves of topic t, and gives the codes by partition.
func alterDirs(t *testing.T, c *kgo.Client, dir string, partitions ...int32) map[int32]int16 {
	t.Helper()
	req := kmsg.NewPtrAlterReplicaLogDirsRequest()
	req.Dirs = []kmsg.AlterReplicaLogDirsRequestDir{{Dir: dir, Topics: []kmsg.AlterReplicaLogDirsRequestDirTopic{{Topic: "t", Partitions: partitions}}}}
	answer, err := c.Broker(1).Request(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	resp := answer.(*kmsg.AlterReplicaLogDirsResponse)
	out := map[int32]int16{}
	for _, p := range resp.Topics[0].Partitions {
		out[p.Partition] = p.ErrorCode
	}
	return out
}

// placed waits until the metadata says that partition i of t is in a directory, and
// the disk too, and nothing moves.
func placed(t *testing.T, b *Broker, i int32, dir string) {
	t.Helper()
	var rec meta.Partition
	for range 1000 {
		topic, _ := b.catalog.Image().TopicNamed("t")
		rec, _ = topic.Partition(i)
		at, _ := b.logs.PlaceOf(step.PartitionID{Topic: topic.ID, Index: i})
		if rec.Dirs != nil && rec.Dirs[0] == b.identity.Directories[dir] && at == dir && b.logs.Moves().Moving == 0 {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("partition %d is not in %s: %+v", i, dir, rec)
}

// TestReplicaMoves: over the wire, with the controller knowing, across a restart in
// the middle of it.
func TestReplicaMoves(t *testing.T) {
	dir := t.TempDir()
	in := func(d string) string { return filepath.Join(dir, d) }
	more := map[string]string{"log.dirs": in("a") + "," + in("b")}
	const n = 4
	scattered(t, dir, more, n)
	b := start(t, dir, more)
	c := client(t, b, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if got := alterDirs(t, c, in("b"), 0, 1, 2, 3, 9); fmt.Sprint(got) != fmt.Sprint(map[int32]int16{0: 0, 1: 0, 2: 0, 3: 0, 9: kerr.UnknownTopicOrPartition.Code}) {
		t.Errorf("%v", got)
	}
	if got := alterDirs(t, c, in("c"), 0); got[0] != kerr.LogDirNotFound.Code {
		t.Errorf("%v", got)
	}
	for i := range int32(n) {
		placed(t, b, i, in("b"))
	}
	expectEnds(t, b, []int32{0, 1, 2, 3}, 1)

	// One that is slow is seen on its way, and goes on after a restart.
	rate := kmsg.NewPtrIncrementalAlterConfigsRequest()
	rate.Resources = []kmsg.IncrementalAlterConfigsRequestResource{{ResourceType: kmsg.ConfigResourceTypeBroker,
		Configs: []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: "replica.alter.log.dirs.io.max.bytes.per.second", Value: kmsg.StringPtr("10")}}}}
	if _, err := rate.RequestWith(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	big := &kgo.Record{Topic: "t", Partition: 0, Value: make([]byte, 1000)}
	if err := c.ProduceSync(t.Context(), big).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if got := alterDirs(t, c, in("a"), 0); got[0] != 0 {
		t.Errorf("%v", got)
	}
	future := func() (dirs []string) {
		t.Helper()
		resp, err := kmsg.NewPtrDescribeLogDirsRequest().RequestWith(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range resp.Dirs {
			for _, p := range d.Topics {
				for _, p := range p.Partitions {
					if p.IsFuture {
						dirs = append(dirs, fmt.Sprint(d.Dir, " ", p.Partition))
					}
				}
			}
		}
		return dirs
	}
	want := fmt.Sprint([]string{in("a") + " 0"})
	if got := fmt.Sprint(future()); got != want {
		t.Errorf("on their way are %s", got)
	}
	c.Close()
	stop(t, b)
	b = start(t, dir, more)
	c = client(t, b, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	defer c.Close()
	for i := 0; fmt.Sprint(future()) != want; i++ {
		if i > 1000 {
			t.Fatal("the move does not go on")
		}
		time.Sleep(5 * time.Millisecond)
	}
	rate.Resources[0].Configs[0].Op, rate.Resources[0].Configs[0].Value = kmsg.IncrementalAlterConfigOpDelete, nil
	if _, err := rate.RequestWith(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	placed(t, b, 0, in("a"))
	expectEnds(t, b, []int32{0}, 2)
	stop(t, b)
}
