//go:build cluster

package cluster

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/brokerd/brokerd/test/harness"
	"github.com/brokerd/brokerd/test/raw"
)

// TestTwoBrokersOneDirectory: the second one is refused and changes nothing.
func TestTwoBrokersOneDirectory(t *testing.T) {
	n := harness.Start(t, harness.Options{}).Nodes[0]
	second := harness.Start(t, harness.Options{NoStart: true, Properties: map[string]string{"log.dirs": filepath.Join(n.Dir, "data")}}).Nodes[0]
	second.Launch()
	if err := second.TryReady(); err == nil || !strings.Contains(second.Output(), "is in use") || !strings.Contains(second.Output(), "brokerd stop") {
		t.Errorf("%v\n%s", err, second.Output())
	}
	if _, err := kadm.NewClient(client(t, n.Addr())).CreateTopic(within(t), 1, 1, nil, "t"); err != nil {
		t.Error(err)
	}
}

// TestVotersDisagree: three nodes of which one takes others for the controllers
// found no cluster, and say why; put right, they do.
func TestVotersDisagree(t *testing.T) {
	c := harness.Start(t, harness.Options{Nodes: 3, NoStart: true})
	odd := c.Nodes[2]
	list := fmt.Sprintf("2@127.0.0.1:%d,3@127.0.0.1:%d", c.Nodes[1].ControllerPort, odd.ControllerPort)
	c.Nodes[0].Launch()
	c.Nodes[1].Launch()
	odd.Launch("--override", "controller.quorum.voters="+list)
	for _, n := range c.Nodes[:2] {
		eventually(t, "who disagrees is named", func() error {
			if !strings.Contains(n.Output(), "takes "+list+" for the controllers") {
				return fmt.Errorf("node %d says:\n%s", n.ID, n.Output())
			}
			return nil
		})
	}
	for _, n := range c.Nodes {
		if n.ReadyAfter() != 0 {
			t.Fatalf("node %d is ready:\n%s", n.ID, n.Output())
		}
	}
	odd.Kill()
	odd.Restart()
	agree(t, c.Nodes, 3)
}

// TestLyingPeers: who speaks for a broker with an epoch that is not its, or for a
// partition with one that it never had, is refused by name, and nothing changes.
func TestLyingPeers(t *testing.T) {
	c := harness.Start(t, harness.Options{Nodes: 3})
	agree(t, c.Nodes, 3)
	created, err := kadm.NewClient(client(t, c.Bootstrap())).CreateTopic(within(t), 1, 3, nil, "t")
	if err != nil {
		t.Fatal(err)
	}
	produce(t, c, "t", 100)
	eventually(t, "everybody is in sync", func() error { return inSync(t, c, "t", 3) })
	before := agree(t, c.Nodes, 3)
	leader := before.leaders["t"][0]
	liar := leader%3 + 1
	ask := func(node int32, version int16, req kmsg.Request) kmsg.Response {
		t.Helper()
		conn, err := raw.Dial(c.Nodes[node-1].Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		resp, err := conn.Do(version, req)
		if err != nil {
			t.Fatalf("%T: %v", req, err)
		}
		return resp
	}
	refused := func(what string, code int16, want *kerr.Error) {
		t.Helper()
		if code != want.Code {
			t.Errorf("%s: code %d, %s is expected", what, code, want.Message)
		}
	}
	for _, epoch := range []int64{1, 1 << 40} { // one of the past, one of the future
		beat := kmsg.NewPtrBrokerHeartbeatRequest()
		beat.BrokerID, beat.BrokerEpoch, beat.WantFence = liar, epoch, true
		refused("heartbeat", ask(before.controller, 1, beat).(*kmsg.BrokerHeartbeatResponse).ErrorCode, kerr.StaleBrokerEpoch)

		alter := kmsg.NewPtrAlterPartitionRequest()
		alter.BrokerID, alter.BrokerEpoch = leader, epoch
		topic := kmsg.NewAlterPartitionRequestTopic()
		topic.TopicID = created.ID
		part := kmsg.NewAlterPartitionRequestTopicPartition()
		part.NewEpochISR = []kmsg.AlterPartitionRequestTopicPartitionNewEpochISR{{BrokerID: leader, BrokerEpoch: -1}}
		topic.Partitions = append(topic.Partitions, part)
		alter.Topics = append(alter.Topics, topic)
		altered := ask(before.controller, 3, alter).(*kmsg.AlterPartitionResponse)
		if altered.ErrorCode == 0 && len(altered.Topics) == 1 {
			altered.ErrorCode = altered.Topics[0].Partitions[0].ErrorCode
		}
		refused("AlterPartition", altered.ErrorCode, kerr.StaleBrokerEpoch)

		fetch := fetchAs(created.ID, liar, epoch, -1)
		resp := ask(leader, 17, fetch).(*kmsg.FetchResponse)
		code := resp.ErrorCode
		if code == 0 && len(resp.Topics) == 1 {
			code = resp.Topics[0].Partitions[0].ErrorCode
		}
		refused("fetch of a replica", code, kerr.StaleBrokerEpoch)
	}
	ahead := ask(leader, 17, fetchAs(created.ID, -1, -1, 1<<20)).(*kmsg.FetchResponse)
	refused("fetch at a leader epoch that never was", ahead.Topics[0].Partitions[0].ErrorCode, kerr.UnknownLeaderEpoch)
	if after := agree(t, c.Nodes, 3); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("%+v, before %+v", after, before)
	}
	if err := inSync(t, c, "t", 3); err != nil {
		t.Error(err)
	}
	produce(t, c, "t", 100)
}

// fetchAs is a fetch of a replica (-1: of a client) that knows a leader epoch.
func fetchAs(topic [16]byte, replica int32, brokerEpoch int64, leaderEpoch int32) *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.MaxWaitMillis, req.MaxBytes, req.SessionEpoch = 100, 1<<20, -1
	req.ReplicaState.ID, req.ReplicaState.Epoch = replica, brokerEpoch
	ft := kmsg.NewFetchRequestTopic()
	ft.TopicID = topic
	p := kmsg.NewFetchRequestTopicPartition()
	p.PartitionMaxBytes, p.CurrentLeaderEpoch = 1<<20, leaderEpoch
	ft.Partitions = append(ft.Partitions, p)
	req.Topics = append(req.Topics, ft)
	return req
}

// TestUnknownData: a partition on disk that the metadata does not know is set
// aside when the node starts, with every byte of it.
func TestUnknownData(t *testing.T) {
	n := harness.Start(t, harness.Options{}).Nodes[0]
	if _, err := kadm.NewClient(client(t, n.Addr())).CreateTopic(within(t), 1, 1, nil, "t"); err != nil {
		t.Fatal(err)
	}
	produce(t, &harness.Cluster{Nodes: []*harness.Node{n}}, "t", 100)
	n.Stop()
	data := filepath.Join(n.Dir, "data")
	stranger := filepath.Join(data, "stranger-0")
	if err := os.CopyFS(stranger, os.DirFS(filepath.Join(data, "t-0"))); err != nil {
		t.Fatal(err)
	}
	meta, err := os.ReadFile(filepath.Join(stranger, "partition.metadata"))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(meta), "topic_id: ", "topic_id: AAAA", 1)
	text = text[:strings.Index(text, "AAAA")] + "AAAAAAAAAAAAAAAAAAAABw\n"
	if err := os.WriteFile(filepath.Join(stranger, "partition.metadata"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join(stranger, "00000000000000000000.log"))
	if err != nil || len(want) == 0 {
		t.Fatal(err)
	}
	n.Restart()
	eventually(t, "it is set aside", func() error {
		found, err := filepath.Glob(filepath.Join(data, "stranger-0*-stray"))
		if err != nil || len(found) != 1 {
			return fmt.Errorf("%v %v:\n%s", found, err, n.Output())
		}
		got, err := os.ReadFile(filepath.Join(found[0], "00000000000000000000.log"))
		if err != nil || string(got) != string(want) {
			t.Fatalf("%d bytes of %d, %v", len(got), len(want), err)
		}
		return nil
	})
	if v, err := look(t, n); err != nil || len(v.leaders) != 1 {
		t.Errorf("%+v %v", v, err)
	}
}
