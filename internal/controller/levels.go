package controller

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/raft"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/brokerd/brokerd/internal/meta"
)

// LevelFeature is the name under which ApiVersions tells of metadata levels.
const LevelFeature = "brokerd.metadata"

// askLevelFor is how long a node may take to say which levels it knows.
const askLevelFor = 3 * time.Second

// ErrNotEveryNode says that a node does not know a metadata level, or does not
// answer: it would stop at the entry that raises it.
var ErrNotEveryNode = errors.New("not every node knows that metadata level")

// RaiseLevel raises the metadata level of the cluster, once every member of the
// quorum has said that it knows it; dry only asks. done is as for Submit.
func (c *Controller) RaiseLevel(level int16, dry bool, deadline time.Time, done func(Committed)) {
	if !c.active.Load() || c.node == nil {
		done(Committed{Err: ErrNotLeader})
		return
	}
	raise := meta.SetFeatureLevel{Level: level}
	if err := knownLevel(raise); err != nil {
		done(Committed{Err: err})
		return
	}
	go func() { // ends with the answers, within askLevelFor
		if err := c.everyoneKnows(level); err != nil || dry {
			done(Committed{Err: err})
			return
		}
		c.Submit([]meta.Command{raise}, deadline, done)
	}()
}

// everyoneKnows asks every member. A broker that is none can not be asked.
func (c *Controller) everyoneKnows(level int16) error {
	ctx, cancel := context.WithTimeout(context.Background(), askLevelFor)
	defer cancel()
	servers := c.node.r.GetConfiguration().Configuration().Servers
	errs := make([]error, len(servers), len(servers)+1)
	member := map[int32]bool{}
	var asked sync.WaitGroup
	for i, s := range servers {
		node, _, err := ParseServerID(string(s.ID))
		if err != nil {
			return err
		}
		if member[node] = true; s.ID != c.node.self.raftID() {
			asked.Go(func() { errs[i] = c.node.stream.knows(ctx, s, node, level) })
		}
	}
	asked.Wait()
	for b := range c.o.Catalog.Image().Brokers() {
		if !member[b.ID] {
			errs = append(errs, fmt.Errorf("broker %d is registered, but not there: start it, or forget it (brokerd cluster unregister %d)", b.ID, b.ID))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("%w: %w", ErrNotEveryNode, err)
	}
	return nil
}

// knows says why a member is not known to take a level.
func (l *streamLayer) knows(ctx context.Context, s raft.Server, node int32, level int16) error {
	most, err := l.askLevel(ctx, s.Address)
	switch {
	case err != nil:
		return fmt.Errorf("node %d does not say what it knows (%w): start it, or take it away", node, err)
	case most < level:
		return fmt.Errorf("node %d knows levels up to %d: start it with a newer brokerd", node, most)
	}
	return nil
}

func (l *streamLayer) askLevel(ctx context.Context, at raft.ServerAddress) (most int16, err error) {
	hostPort, _, err := splitAddress(at)
	if err != nil {
		return 0, err
	}
	conn, err := l.network.Dial(ctx, hostPort)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline) // a connection that cannot time out fails at its first use
	}
	req := kmsg.NewPtrApiVersionsRequest()
	req.Version, req.ClientSoftwareName, req.ClientSoftwareVersion = 3, "brokerd", "1"
	body, err := exchange(conn, req)
	if err != nil {
		return 0, err
	}
	resp := req.ResponseKind().(*kmsg.ApiVersionsResponse)
	if err := resp.ReadFrom(body[4:]); err != nil { // its header never has tags
		return 0, err
	}
	for _, f := range resp.SupportedFeatures {
		if f.Name == LevelFeature {
			return f.MaxVersion, nil
		}
	}
	return 0, fmt.Errorf("its ApiVersions has no %s", LevelFeature)
}
