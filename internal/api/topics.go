package api

import (
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	mathrand "math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/brokerd/brokerd/internal/conf"
	"github.com/brokerd/brokerd/internal/controller"
	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/step"
	"github.com/twmb/franz-go/pkg/kerr"
)

const (
	// maxNewPartitions is Kafka's limit per request; the entry that carries them
	// stays far below the proposer's.
	maxNewPartitions = 10_000
	// maxPartitions and maxReplicas bound the cluster: what metadata is measured for.
	maxPartitions = 2_000_000
	maxReplicas   = 3 * maxPartitions
)

// topicsAPI answers CreateTopics (19), DeleteTopics (20) and CreatePartitions (37).
type topicsAPI struct{ d Deps }

var errDuplicateTopic = faultf(kerr.InvalidRequest, "Duplicate topic name.")

// newTopicID draws a version 4 UUID. Zero and one, which Kafka reserves, cannot
// come out of it, and none is written with a dash in front: it is an argument of
// command lines.
func newTopicID() (id step.TopicID) {
	for id.IsZero() || id.String()[0] == '-' {
		_, _ = rand.Read(id[:]) // never fails (crypto/rand)
		id[6] = id[6]&0x0f | 0x40
		id[8] = id[8]&0x3f | 0x80
	}
	return id
}

// dynamic gives the dynamic broker settings that this node works under.
func (v view) dynamic() conf.Dynamic {
	return conf.Dynamic{
		PerBroker: v.im.Config(meta.Resource{Type: meta.BrokerResource, Name: strconv.Itoa(int(v.d.Conf.NodeID))}),
		Cluster:   v.im.Config(clusterDefault),
	}
}

// clusterDefault is the resource of the settings that all brokers share.
var clusterDefault = meta.Resource{Type: meta.BrokerResource}

// checkSettings checks the settings of a topic, together, under these settings
// of brokers. It returns min.insync.replicas as commands carry it; 0: not set, the
// default rule.
func (v view) checkSettings(overrides map[string]string, under conf.Dynamic) (minISR int8, err error) {
	if err := v.d.Conf.CheckTopicSet(under, overrides); err != nil {
		return 0, &fault{kerr.InvalidConfig, err.Error()}
	}
	t, err := v.d.Conf.Topic(under, overrides)
	if err != nil {
		return 0, &fault{kerr.InvalidConfig, err.Error()}
	}
	return int8(min(t.MinInsyncReplicas, math.MaxInt8)), nil
}

// place asks the controller for replicas and says what is missing if it finds none.
func (v view) place(partitions, first int32, replicationFactor int16) ([][]int32, error) {
	a, err := controller.PlaceReplicas(v.im, controller.Placement{
		Partitions: partitions, First: first, ReplicationFactor: replicationFactor, Start: mathrand.Int(),
	})
	if errors.Is(err, meta.ErrReplicationFactor) {
		return nil, v.tooFewBrokers(replicationFactor)
	}
	return a, err
}

// placed makes of a refusal of brokers that we chose ourselves one to try again after:
// they have gone since. Who chose them himself hears what he chose.
func placed(err error) error {
	if errors.Is(err, meta.ErrAllAway) {
		return faultf(kerr.RequestTimedOut, "the brokers that were chosen for it have just gone; try again, others are chosen then")
	}
	return err
}

// tooFewBrokers says who is there, so that the reader knows who is not.
func (v view) tooFewBrokers(replicationFactor int16) error {
	var ids []string
	for b := range v.im.Brokers() {
		if b.State == meta.Active {
			ids = append(ids, strconv.Itoa(int(b.ID)))
		}
	}
	who := " (node " + strings.Join(ids, ", ") + ")"
	switch {
	case len(ids) == 0:
		who = ""
	case len(ids) > 1:
		who = " (nodes " + strings.Join(ids, ", ") + ")"
	}
	is := "are"
	if len(ids) == 1 {
		is = "is"
	}
	return faultf(kerr.InvalidReplicationFactor, "replication factor %d needs %d live brokers, %d %s registered%s",
		replicationFactor, replicationFactor, len(ids), is, who)
}

// checkAssignment refuses a replica list that no partition can have. want is
// the number of replicas that it must have, 0 if it is the first.
func (v view) checkAssignment(replicas []int32, want int) error {
	bad := func(format string, args ...any) error { return faultf(kerr.InvalidReplicaAssignment, format, args...) }
	if err := v.checkReplicas(replicas); err != nil {
		return err
	}
	live := false
	for _, id := range replicas {
		b, _ := v.im.Broker(id)
		live = live || b.State == meta.Active
	}
	if want != 0 && len(replicas) != want {
		return bad("The manual partition assignment includes a partition with %d replica(s), but this is not consistent with previous partitions, which have %d replica(s).", len(replicas), want)
	}
	if !live {
		return bad("All brokers specified in the manual partition assignment are fenced or in controlled shutdown: %s.", joinIDs(replicas))
	}
	return nil
}

// checkReplicas refuses a list of replicas that nobody can have.
func (v view) checkReplicas(replicas []int32) error {
	bad := func(format string, args ...any) error { return faultf(kerr.InvalidReplicaAssignment, format, args...) }
	if len(replicas) == 0 {
		return bad("The manual partition assignment includes an empty replica list.")
	}
	for i, id := range replicas {
		if slices.Contains(replicas[:i], id) {
			return bad("The manual partition assignment includes the broker %d more than once.", id)
		}
		if _, ok := v.im.Broker(id); !ok {
			return bad("The manual partition assignment includes broker %d, but no such broker is registered.", id)
		}
	}
	return nil
}

func joinIDs(ids []int32) string {
	return strings.Trim(strings.Join(strings.Fields(fmt.Sprint(ids)), ","), "[]")
}

// checkRoom keeps the cluster within what its metadata is made for.
func (v view) checkRoom(partitions, replicationFactor int) error {
	if now := v.im.PartitionCount(); now+partitions > maxPartitions {
		return faultf(kerr.InvalidPartitions, "the cluster has %d partitions and may have %d: %d more are too many", now, maxPartitions, partitions)
	}
	if partitions*replicationFactor > maxReplicas {
		return faultf(kerr.InvalidReplicationFactor, "%d replicas are more than the %d that a cluster may have", partitions*replicationFactor, maxReplicas)
	}
	return nil
}

// mayAlterTopic reports whether a client may change this topic at all.
func mayAlterTopic(name string) error {
	if internalTopic(name) {
		return faultf(kerr.InvalidRequest, "Topic '%s' is internal: brokerd keeps its own state in it, and nobody else may delete or alter it.", name)
	}
	return nil
}
