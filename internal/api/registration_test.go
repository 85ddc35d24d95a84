package api

import (
	"reflect"
	"testing"

	"github.com/brokerd/brokerd/internal/controller"
	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/step"
	"github.com/brokerd/brokerd/internal/wire"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestRegistrationTravels: what a broker says of itself arrives, bit by bit.
func TestRegistrationTravels(t *testing.T) {
	full := meta.RegisterBroker{
		ID: 2, ClusterID: "c", Incarnation: step.TopicID{1}, Rack: "r", CleanEpoch: 7, BootID: "boot",
		DiskError: true, Intact: true, DefaultISR: true, Voter: true, Dirs: []step.TopicID{{2}, {3}},
		Endpoints: []meta.Endpoint{{Listener: "PLAINTEXT", Host: "h", Port: 9092}, {Listener: "TLS", Host: "::1", Port: 65535, Protocol: 1}},
	}
	bare := meta.RegisterBroker{ID: 3, ClusterID: "c"}
	one := bare
	one.Intact = true
	for _, want := range []meta.RegisterBroker{full, bare, one} {
		req := RegistrationRequest(want)
		req.Version = 4
		var back kmsg.BrokerRegistrationRequest
		back.Version = 4
		if err := back.ReadFrom(req.AppendTo(nil)); err != nil {
			t.Fatal(err)
		}
		if got := registrationOf(&back); !reflect.DeepEqual(got, want) {
			t.Errorf("%+v\narrives as %+v", want, got)
		}
	}
	beat := controller.Heartbeat{Broker: 2, Epoch: 9, Applied: 12, Last: 1 << 40, WantFence: true, WantShutdown: true, Full: []step.TopicID{{1}, {2, 15: 3}}}
	req := HeartbeatRequest(beat)
	req.Version = 1
	var back kmsg.BrokerHeartbeatRequest
	back.Version = 1
	if err := back.ReadFrom(req.AppendTo(nil)); err != nil || !reflect.DeepEqual(heartbeatOf(&back), beat) {
		t.Errorf("%+v arrives as %+v, %v", beat, heartbeatOf(&back), err)
	}
}

// TestLifeOverTheWire: a broker registers, beats and gets producer ids by the
// messages of Kafka's brokers; where no controller is, it hears so.
func TestLifeOverTheWire(t *testing.T) {
	n := startNode(t)
	r := meta.RegisterBroker{ID: 2, ClusterID: "the-cluster", Incarnation: step.TopicID{9}, BootID: "b", Dirs: []step.TopicID{{8}}}
	reg := RegistrationRequest(r)
	reg.Version = 4
	epoch := ask[*kmsg.BrokerRegistrationResponse](n, reg)
	if b, ok := n.deps.Catalog.Image().Broker(2); epoch.ErrorCode != 0 || !ok || b.Epoch != epoch.BrokerEpoch || b.BootID != "b" {
		t.Fatalf("%+v, %+v", epoch, b)
	}
	beat := HeartbeatRequest(controller.Heartbeat{Broker: 2, Epoch: epoch.BrokerEpoch})
	if got := ask[*kmsg.BrokerHeartbeatResponse](n, beat); got.ErrorCode != 0 || !got.IsFenced || got.IsCaughtUp {
		t.Errorf("%+v", got)
	}
	beat.BrokerEpoch--
	if got := ask[*kmsg.BrokerHeartbeatResponse](n, beat); got.ErrorCode != kerr.StaleBrokerEpoch.Code {
		t.Errorf("%+v", got)
	}
	ids := &kmsg.AllocateProducerIDsRequest{BrokerID: 2, BrokerEpoch: epoch.BrokerEpoch}
	first := ask[*kmsg.AllocateProducerIDsResponse](n, ids)
	second := ask[*kmsg.AllocateProducerIDsResponse](n, ids)
	if first.ProducerIDLen == 0 || second.ProducerIDStart < first.ProducerIDStart+int64(first.ProducerIDLen) {
		t.Errorf("%+v, %+v", first, second)
	}
	if got := ask[*wire.ReportFaultResponse](n, &wire.ReportFaultRequest{Broker: 2, BrokerEpoch: epoch.BrokerEpoch, Topics: []wire.ReportFaultRequestTopic{{TopicID: [16]byte{7}, Partitions: []int32{0}}}}); got.ErrorCode != 0 {
		t.Errorf("%+v", got)
	}
	if got := ask[*wire.ReportFaultResponse](n, &wire.ReportFaultRequest{Broker: 2, BrokerEpoch: 1}); got.ErrorCode != kerr.StaleBrokerEpoch.Code {
		t.Errorf("%+v", got)
	}
	reg.ClusterID = "another"
	if got := ask[*kmsg.BrokerRegistrationResponse](n, reg); got.ErrorCode != kerr.InconsistentClusterID.Code {
		t.Errorf("another cluster: %+v", got)
	}

	idle := newNode(t, false)
	idle.run()
	if got := ask[*kmsg.BrokerRegistrationResponse](idle, reg); got.ErrorCode != kerr.NotController.Code {
		t.Errorf("no controller: %+v", got)
	}
	if got := ask[*kmsg.BrokerHeartbeatResponse](idle, beat); got.ErrorCode != kerr.NotController.Code {
		t.Errorf("no controller: %+v", got)
	}
}

// TestAssignReplicasToDirs is API 73: a broker's directories are noted for the
// replicas that it names, and for nobody else's.
func TestAssignReplicasToDirs(t *testing.T) {
	n := startNode(t)
	topic := createTopic(n, "t", 2).ID
	self, _ := n.deps.Catalog.Image().Broker(1)
	dir := self.Dirs[0]
	one := func(id step.TopicID, topic step.TopicID, partitions ...int32) (d kmsg.AssignReplicasToDirsRequestDirectory) {
		d.ID = id
		at := kmsg.AssignReplicasToDirsRequestDirectoryTopic{TopicID: topic}
		for _, p := range partitions {
			at.Partitions = append(at.Partitions, kmsg.AssignReplicasToDirsRequestDirectoryTopicPartition{Partition: p})
		}
		d.Topics = append(d.Topics, at)
		return d
	}
	assign := func(epoch int64, dirs ...kmsg.AssignReplicasToDirsRequestDirectory) *kmsg.AssignReplicasToDirsResponse {
		t.Helper()
		return ask[*kmsg.AssignReplicasToDirsResponse](n, &kmsg.AssignReplicasToDirsRequest{BrokerID: 1, BrokerEpoch: epoch, Directories: dirs})
	}
	where := func(i int32) step.TopicID {
		found, _ := n.deps.Catalog.Image().Topic(topic)
		p, _ := found.Partition(i)
		if p.Dirs == nil {
			return step.TopicID{}
		}
		return p.Dirs[0]
	}
	if got := assign(self.Epoch-1, one(dir, topic, 0)); got.ErrorCode != kerr.StaleBrokerEpoch.Code || !where(0).IsZero() {
		t.Errorf("an older life: %+v, in %s", got, where(0))
	}
	// A directory that is not this broker's, a topic and a partition that are not there.
	got := assign(self.Epoch, one(dir, topic, 1, 9), one(step.TopicID{7}, topic, 0), one(dir, step.TopicID{8}, 0))
	if got.ErrorCode != 0 || len(got.Directories) != 3 || where(1) != dir || !where(0).IsZero() {
		t.Fatalf("%+v, in %s and %s", got, where(0), where(1))
	}
	for i, want := range []int16{0, kerr.InvalidRequest.Code, 0} {
		for _, p := range got.Directories[i].Topics[0].Partitions {
			if p.ErrorCode != want {
				t.Errorf("directory %d, partition %d: %d, want %d", i, p.Partition, p.ErrorCode, want)
			}
		}
	}
	if got := assign(self.Epoch); got.ErrorCode != 0 || len(got.Directories) != 0 {
		t.Errorf("nothing: %+v", got)
	}
	idle := newNode(t, false)
	idle.run()
	if got := ask[*kmsg.AssignReplicasToDirsResponse](idle, &kmsg.AssignReplicasToDirsRequest{Directories: []kmsg.AssignReplicasToDirsRequestDirectory{one(dir, topic, 0)}}); got.ErrorCode != kerr.NotController.Code {
		t.Errorf("no controller: %+v", got)
	}
}
