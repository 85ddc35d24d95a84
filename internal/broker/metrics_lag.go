package broker

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/brokerd/brokerd/internal/group"
	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/step"
	"github.com/brokerd/brokerd/internal/wire"
)

// lagPatience is how long a scrape waits for other brokers to say where their
// partitions end.
const lagPatience = time.Second

// ends finds what is committed in the partitions of groups: in those that are led
// here at once, and of the others their leaders are asked, each one time, as
// kafka-consumer-groups does. A partition whose leader does not answer in time is
// left out.
func (b *Broker) ends(groups []group.Standing) map[step.PartitionID]int64 {
	im := b.catalog.Image()
	ends := map[step.PartitionID]int64{}
	far := map[int32]map[string][]int32{} // by leader and topic
	for _, g := range groups {
		for _, o := range g.Offsets {
			t, ok := im.TopicNamed(o.Topic)
			if !ok {
				continue
			}
			at := step.PartitionID{Topic: t.ID, Index: o.Partition}
			p, ok := t.Partition(o.Partition)
			if _, seen := ends[at]; seen || !ok {
				continue
			}
			ends[at] = unknownEnd
			if p.Leader == b.identity.NodeID {
				ends[at] = b.endHere(t, o.Partition)
			}
			if p.Leader < 0 || p.Leader == b.identity.NodeID {
				continue
			}
			if far[p.Leader] == nil {
				far[p.Leader] = map[string][]int32{}
			}
			far[p.Leader][o.Topic] = append(far[p.Leader][o.Topic], o.Partition)
		}
	}
	b.askEnds(im, far, ends)
	return ends
}

const unknownEnd = -1

// endHere is what is committed in a partition that is led here.
func (b *Broker) endHere(t *meta.Topic, partition int32) int64 {
	p, err := b.replicas.Partition(t, partition)
	if err != nil {
		return unknownEnd
	}
	return p.Log().View().HighWatermark
}

// askEnds asks leaders, all at the same time.
func (b *Broker) askEnds(im *meta.Image, far map[int32]map[string][]int32, ends map[step.PartitionID]int64) {
	ctx, cancel := context.WithTimeout(context.Background(), lagPatience)
	defer cancel()
	var all []*wire.Pending
	for leader, topics := range far {
		addr, err := b.peers.addressOf(leader)
		if err != nil {
			continue
		}
		req := kmsg.NewPtrListOffsetsRequest()
		for topic, partitions := range topics {
			rt := kmsg.NewListOffsetsRequestTopic()
			rt.Topic = topic
			for _, i := range partitions {
				rp := kmsg.NewListOffsetsRequestTopicPartition()
				rp.Partition, rp.Timestamp = i, -1
				rt.Partitions = append(rt.Partitions, rp)
			}
			req.Topics = append(req.Topics, rt)
		}
		all = append(all, b.peers.at(peerKey{leader, forScrapes}, addr).Send(req))
	}
	for _, q := range all {
		resp, err := q.Wait(ctx)
		if err != nil {
			continue
		}
		for _, rt := range resp.(*kmsg.ListOffsetsResponse).Topics {
			t, ok := im.TopicNamed(rt.Topic)
			for _, rp := range rt.Partitions {
				if ok && rp.ErrorCode == 0 {
					ends[step.PartitionID{Topic: t.ID, Index: rp.Partition}] = rp.Offset
				}
			}
		}
	}
}
