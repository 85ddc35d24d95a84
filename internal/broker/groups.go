package broker

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/brokerd/brokerd/internal/conf"
	"github.com/brokerd/brokerd/internal/coord"
	"github.com/brokerd/brokerd/internal/group"
	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/replica"
	"github.com/brokerd/brokerd/internal/step"
)

// offsetsTopic holds the groups; a partition of it is a coordinator's log.
const offsetsTopic = "__consumer_offsets"

// newGroups makes what coordinates the groups of the partitions that this broker
// leads.
func (b *Broker) newGroups() *coord.Runtime {
	g := &b.o.Conf.Groups
	assignors := b.assignors()
	return coord.New(coord.Options{
		New: func(int32) coord.Machine {
			return group.New(group.Config{
				MinSession: g.MinSession, MaxSession: g.MaxSession, InitialDelay: g.InitialDelay, MaxSize: g.MaxSize,
				Retention: g.Retention, CheckInterval: g.RetentionCheck, MaxMetadataBytes: g.MaxMetadata,
				Consumer: group.ConsumerConfig{
					Session: g.ConsumerSession, Heartbeat: g.ConsumerHeartbeat,
					MaxSize: g.ConsumerMaxSize, Assignors: assignors,
					Migration: group.Migration{Upgrade: g.ConsumerUpgrade, Downgrade: g.ConsumerDowngrade},
				},
			})
		},
		Open:          b.openCoordinator,
		Expired:       func(key string) any { return group.TimerFired{Key: key} },
		Cluster:       func() step.Topics { return topics{b.catalog.Image(), b.o.Conf} },
		Failed:        coordinatorFailure,
		CommitTimeout: g.CommitTimeout,
		Logger:        b.o.Log,
	})
}

// kafkaAssignors is what Kafka's classes are called here.
var kafkaAssignors = map[string]string{
	"org.apache.kafka.coordinator.group.assignor.UniformAssignor": "uniform",
	"org.apache.kafka.coordinator.group.assignor.RangeAssignor":   "range",
}

// assignors is the configured assignors that there are; at least one.
func (b *Broker) assignors() (all []string) {
	for _, name := range b.o.Conf.Groups.ConsumerAssignors {
		if ours, ok := kafkaAssignors[name]; ok {
			name = ours
		}
		switch {
		case slices.Contains(all, name):
		case group.KnowsAssignor(name):
			all = append(all, name)
		default:
			b.o.Log.Warn("group.consumer.assignors names one that is not here and is left out: known are uniform and range", "assignor", name)
		}
	}
	if len(all) == 0 {
		return group.DefaultConfig().Consumer.Assignors
	}
	return all
}

// openCoordinator gives the log of a partition of the offsets topic.
func (b *Broker) openCoordinator(partition, epoch int32) (coord.Log, error) {
	t, ok := b.catalog.Image().TopicNamed(offsetsTopic)
	if !ok {
		return nil, replica.ErrUnknownPartition
	}
	p, err := b.replicas.Partition(t, partition)
	if err != nil {
		return nil, err
	}
	return p.Lease(epoch)
}

// coordinatorFailure sorts an append that failed: too few replicas may pass, and
// nobody else could do better; anything else is for the next leader.
func coordinatorFailure(err error) error {
	if errors.Is(err, replica.ErrNotEnoughReplicas) {
		return coord.ErrUnavailable
	}
	return coord.ErrNotCoordinator
}

// followGroups keeps the coordinators in step with the metadata: which partitions
// are led here, and which topics are no more.
func (b *Broker) followGroups(ctx context.Context) error {
	select {
	case <-b.replicas.Started(): // D5
	case <-ctx.Done():
		return nil
	}
	w := b.catalog.Watch()
	defer w.Close()
	for {
		im, changes, err := w.Next(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		b.groups.Lead(b.ledCoordinators(im))
		if len(changes.Topics) > 0 {
			b.groups.Broadcast(group.TopicsChanged{})
		}
		if topicsGone(im, &changes) {
			b.groups.Broadcast(group.TopicsDeleted{})
		}
	}
}

// ledCoordinators is the partitions of the offsets topic that this broker leads,
// with their leader epochs.
func (b *Broker) ledCoordinators(im *meta.Image) map[int32]int32 {
	led := map[int32]int32{}
	t, ok := im.TopicNamed(offsetsTopic)
	if !ok {
		return led
	}
	for i := range t.Partitions() {
		if p, ok := t.Partition(i); ok && p.Leader == b.identity.NodeID {
			led[i] = p.LeaderEpoch
		}
	}
	return led
}

// topicsGone reports whether a topic that changed is no more.
func topicsGone(im *meta.Image, changes *meta.Changes) bool {
	for _, id := range changes.Topics {
		if _, ok := im.Topic(id); !ok {
			return true
		}
	}
	return false
}

// topics is what a machine may know of the cluster: one image.
type topics struct {
	im   *meta.Image
	conf *conf.Broker
}

func (t topics) GroupTimes(group string) (session, heartbeat time.Duration) {
	own := t.im.Config(meta.Resource{Type: meta.GroupResource, Name: group})
	if len(own) == 0 {
		return 0, 0
	}
	times := t.conf.Group(own)
	return times.Session, times.Heartbeat
}

func (t topics) Topic(name string) (id step.TopicID, partitions int32, ok bool) {
	it, ok := t.im.TopicNamed(name)
	if !ok {
		return id, 0, false
	}
	return it.ID, it.Partitions(), true
}

func (t topics) Named(id step.TopicID) (name string, partitions int32, ok bool) {
	it, ok := t.im.Topic(id)
	if !ok {
		return "", 0, false
	}
	return it.Name, it.Partitions(), true
}

func (t topics) Each(f func(name string, id step.TopicID, partitions int32)) {
	for it := range t.im.Topics() {
		f(it.Name, it.ID, it.Partitions())
	}
}

func (t topics) Racks(id step.TopicID, partition int32) (racks []string) {
	it, ok := t.im.Topic(id)
	if !ok {
		return nil
	}
	p, ok := it.Partition(partition)
	if !ok {
		return nil
	}
	for _, r := range p.Replicas {
		if br, ok := t.im.Broker(r); ok && br.Rack != "" {
			racks = append(racks, br.Rack)
		}
	}
	slices.Sort(racks)
	return slices.Compact(racks)
}
