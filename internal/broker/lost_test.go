package broker

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/brokerd/brokerd/internal/wire"
)

// TestOneLogIsLost: a log that cannot be opened is said to be so wherever one
// looks, stays as it is, and takes nothing else with it.
func TestOneLogIsLost(t *testing.T) {
	for what, hurt := range map[string]func(dir string) error{
		"epochs of a newer release": func(dir string) error {
			return patch(filepath.Join(dir, "leader-epochs"), func(p []byte) []byte { p[7] = 2; return p })
		},
		"metadata of a newer release": func(dir string) error {
			return patch(filepath.Join(dir, "partition.metadata"), func(p []byte) []byte {
				return []byte(strings.Replace(string(p), "version: 0", "version: 1", 1))
			})
		},
		"metadata of a newer release in other words": func(dir string) error {
			return patch(filepath.Join(dir, "partition.metadata"), func([]byte) []byte { return []byte("version: 2") })
		},
		"less than the checkpoint vouches for": func(dir string) error {
			return os.Truncate(filepath.Join(dir, "00000000000000000000.log"), 0)
		},
	} {
		t.Run(what, func(t *testing.T) { loseOne(t, hurt) })
	}
}

func patch(file string, change func([]byte) []byte) error {
	p, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return os.WriteFile(file, change(p), 0o644)
}

func loseOne(t *testing.T, hurt func(dir string) error) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	dir := t.TempDir()
	b := start(t, dir, nil)
	c := client(t, b, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if _, err := kadm.NewClient(c).CreateTopic(ctx, 2, 1, nil, "t"); err != nil {
		t.Fatal(err)
	}
	for p := range int32(2) {
		if err := c.ProduceSync(ctx, &kgo.Record{Topic: "t", Partition: p, Value: []byte("x")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	c.Close()
	stop(t, b)
	bad := filepath.Join(dir, "data", "t-0")
	if err := hurt(bad); err != nil {
		t.Fatal(err)
	}

	b = start(t, dir, nil)
	defer stop(t, b)
	versions := kversion.Stable()
	versions.SetMaxKeyVersion(wire.KeyDescribeReplicas, 0)
	c = client(t, b, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.MetadataMinAge(50*time.Millisecond),
		kgo.MaxVersions(versions), kgo.SoftwareNameAndVersion("brokerd", "1"))
	defer c.Close()
	for leaders := []int32{0, 0}; leaders[0] != -1 || leaders[1] == -1; {
		ts, err := kadm.NewClient(c).ListTopics(ctx, "t")
		if err != nil {
			t.Fatal(err)
		}
		for p, d := range ts["t"].Partitions {
			leaders[p] = d.Leader
		}
	}
	if code, body := get(t, b, "/readyz"); code != 503 || !strings.Contains(body, "partition t-0 is offline: ") || strings.Contains(body, "t-1") {
		t.Errorf("/readyz: %d %s", code, body)
	}
	_, body := get(t, b, "/metrics")
	for _, want := range []string{"kafka_server_replicamanager_offlinereplicacount 1", "kafka_controller_kafkacontroller_offlinepartitionscount 1"} {
		if !strings.Contains(body, want+"\n") {
			t.Errorf("not in /metrics: %s", want)
		}
	}
	list := kmsg.NewListOffsetsRequestTopic()
	list.Topic = "t"
	list.Partitions = []kmsg.ListOffsetsRequestTopicPartition{{Partition: 0, CurrentLeaderEpoch: -1, Timestamp: -1}}
	answer, err := (&kmsg.ListOffsetsRequest{Version: 4, ReplicaID: -1, Topics: []kmsg.ListOffsetsRequestTopic{list}}).RequestWith(ctx, c.Broker(int(b.identity.NodeID)))
	if err != nil || answer.Topics[0].Partitions[0].ErrorCode != kerr.KafkaStorageError.Code {
		t.Errorf("ListOffsets: %+v %v", answer, err)
	}
	own := &wire.DescribeReplicasRequest{Topics: []wire.DescribeReplicasRequestTopic{{Topic: "t"}}}
	replicas, err := c.Broker(int(b.identity.NodeID)).Request(ctx, own)
	if err != nil {
		t.Fatal(err)
	}
	if ps := replicas.(*wire.DescribeReplicasResponse).Topics[0].Partitions; ps[0].ErrorCode != kerr.KafkaStorageError.Code || ps[1].ErrorCode != 0 {
		t.Errorf("DescribeReplicas: %+v", ps)
	}
	if err := c.ProduceSync(ctx, &kgo.Record{Topic: "t", Partition: 1, Value: []byte("x")}).FirstErr(); err != nil {
		t.Errorf("the other partition: %v", err)
	}
	if _, err := os.Stat(bad); err != nil {
		t.Errorf("its directory: %v", err)
	}
}
