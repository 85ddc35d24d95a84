package client

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Unstored says why a topic takes no records, where the cluster can tell: nobody
// leads the partition, or its leader's disk is full or has failed. Producers try
// again on such answers until their time is up, and then know only that it is.
// Partition -1 means any. nil: the cluster knows of nothing.
func (c *Client) Unstored(ctx context.Context, topic string, partition int32) error {
	described, err := c.Admin().DescribeTopics(ctx, topic)
	if err != nil || len(described) != 1 {
		return nil // it is asked because something went wrong already
	}
	led := map[int32][]int32{} // by leader
	for _, p := range described[0].Partitions {
		switch {
		case partition >= 0 && p.Partition != partition:
		case p.Leader < 0:
			return &Error{Doing: "produce to topic", Name: topic, Code: ErrNoLeader,
				Message: fmt.Sprintf("partition %d has no leader", p.Partition)}
		default:
			led[p.Leader] = append(led[p.Leader], p.Partition)
		}
	}
	for leader, partitions := range led {
		if why := c.unusable(ctx, leader, topic, partitions); why != nil {
			return why
		}
	}
	return nil
}

// unusable says what is wrong with the directories of a broker that hold partitions.
func (c *Client) unusable(ctx context.Context, broker int32, topic string, partitions []int32) error {
	req := kmsg.NewPtrDescribeLogDirsRequest()
	t := kmsg.NewDescribeLogDirsRequestTopic()
	t.Topic, t.Partitions = topic, partitions
	req.Topics = append(req.Topics, t)
	answer, err := c.raw.Broker(int(broker)).RetriableRequest(ctx, req)
	if err != nil {
		return nil // not allowed to ask, or not there: nothing is known
	}
	resp, ok := answer.(*kmsg.DescribeLogDirsResponse)
	if !ok || resp.ErrorCode != 0 {
		return nil
	}
	storage := func(code error, format string, args ...any) error {
		return &Error{Doing: "produce to topic", Name: topic, Code: code, Message: fmt.Sprintf(format, args...)}
	}
	for _, d := range resp.Dirs {
		switch full := resp.Version >= 4 && d.TotalBytes > 0 && d.UsableBytes <= 0; {
		case full && len(d.Topics) > 0:
			return storage(ErrDiskFull, "the disk of broker %d is full: log directory %s has no room for records", broker, d.Dir)
		case d.ErrorCode != 0 && len(resp.Dirs) == 1:
			return storage(ErrStorage, "log directory %s of broker %d has failed", d.Dir, broker)
		}
	}
	return nil
}
