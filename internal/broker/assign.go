package broker

import (
	"context"
	"time"

	"github.com/brokerd/brokerd/internal/controller"
	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/step"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// assignWait is how long one report of replicas' directories may take.
const assignWait = 10 * time.Second

// assignDir tells the controller, here or on another node, which replicas lie in
// a log directory of this broker.
func (b *Broker) assignDir(ctx context.Context, dir step.TopicID, ids []step.PartitionID) error {
	ctx, cancel := context.WithTimeout(ctx, assignWait)
	defer cancel()
	cmd := meta.AssignDir{Broker: b.identity.NodeID, Dir: dir, Partitions: ids}
	if r, ok := b.catalog.Image().Broker(cmd.Broker); ok {
		cmd.BrokerEpoch = r.Epoch
	}
	if !b.control.Active() {
		resp, err := b.peers.toController(ctx, assignRequest(cmd))
		if err != nil {
			return err
		}
		return assignError(resp.(*kmsg.AssignReplicasToDirsResponse))
	}
	done := make(chan error, 1)
	b.control.Submit([]meta.Command{cmd}, time.Now().Add(assignWait), func(c controller.Committed) {
		if c.Err == nil {
			c.Err = c.Results[0].Err
		}
		done <- c.Err
	})
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func assignError(resp *kmsg.AssignReplicasToDirsResponse) error {
	if resp.ErrorCode != 0 {
		return kerr.ErrorForCode(resp.ErrorCode)
	}
	for _, d := range resp.Directories {
		for _, t := range d.Topics {
			for _, p := range t.Partitions {
				if p.ErrorCode != 0 {
					return kerr.ErrorForCode(p.ErrorCode)
				}
			}
		}
	}
	return nil
}

func assignRequest(cmd meta.AssignDir) *kmsg.AssignReplicasToDirsRequest {
	req := kmsg.NewPtrAssignReplicasToDirsRequest()
	req.BrokerID, req.BrokerEpoch = cmd.Broker, cmd.BrokerEpoch
	at := map[step.TopicID]int{}
	d := kmsg.AssignReplicasToDirsRequestDirectory{ID: cmd.Dir}
	for _, id := range cmd.Partitions {
		i, ok := at[id.Topic]
		if !ok {
			i = len(d.Topics)
			at[id.Topic] = i
			d.Topics = append(d.Topics, kmsg.AssignReplicasToDirsRequestDirectoryTopic{TopicID: id.Topic})
		}
		d.Topics[i].Partitions = append(d.Topics[i].Partitions, kmsg.AssignReplicasToDirsRequestDirectoryTopicPartition{Partition: id.Index})
	}
	req.Directories = append(req.Directories, d)
	return req
}
