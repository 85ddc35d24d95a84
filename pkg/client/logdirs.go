package client

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// LogDir is one log directory of a broker.
type LogDir struct {
	Broker   int32        `json:"broker"`
	Dir      string       `json:"dir"`
	Total    int64        `json:"totalBytes"`  // -1: not known
	Usable   int64        `json:"usableBytes"` // -1: not known
	Replicas []DirReplica `json:"replicas"`
	Err      error        `json:"-"` // an *Error: the directory failed
}

// DirReplica is one replica in a log directory.
type DirReplica struct {
	Partition
	Bytes int64 `json:"bytes"`
	// Lag is how many records a Future copy has yet to copy, and for another how
	// far its watermark is ahead of it.
	Lag int64 `json:"lag"`
	// Future marks the copy that will take the replica's place when it has all.
	Future bool `json:"future"`
}

// LogDirs describes the log directories of brokers, of all when none is given,
// with the replicas of the given topics, of all when topics is empty.
func (a *Admin) LogDirs(ctx context.Context, brokers []int32, topics ...string) ([]LogDir, error) {
	if len(brokers) == 0 {
		c, err := a.Cluster(ctx)
		if err != nil {
			return nil, err
		}
		for _, b := range c.Brokers {
			brokers = append(brokers, b.ID)
		}
	}
	var out []LogDir
	for _, id := range brokers {
		list, err := a.logDirsOf(ctx, id, nil, topics)
		if err != nil {
			return nil, err
		}
		out = append(out, list...)
	}
	return out, nil
}

// fullDirsWithin bounds what is a remark beside an answer: a broker that hangs must
// not hold up the rest.
const fullDirsWithin = time.Second

// FullDirs lists the log directories of brokers that take no records for want of
// space, without their replicas. All are asked at once; of a broker that does not
// say within a second it knows of none.
func (a *Admin) FullDirs(ctx context.Context, brokers ...int32) []LogDir {
	ctx, cancel := context.WithTimeout(ctx, fullDirsWithin)
	defer cancel()
	lists := make([][]LogDir, len(brokers))
	var asked sync.WaitGroup
	for i, id := range brokers {
		asked.Go(func() {
			lists[i], _ = a.logDirsOf(ctx, id, []kmsg.DescribeLogDirsRequestTopic{}, nil) // as said above
		})
	}
	asked.Wait()
	full := []LogDir{}
	for _, d := range slices.Concat(lists...) {
		if d.Total > 0 && d.Usable == 0 {
			full = append(full, d)
		}
	}
	return full
}

// logDirsOf asks a broker for its directories, with the replicas of asked (nil: of
// all topics), and keeps those of topics.
func (a *Admin) logDirsOf(ctx context.Context, id int32, asked []kmsg.DescribeLogDirsRequestTopic, topics []string) ([]LogDir, error) {
	const doing = "describe the log directories of broker"
	name := strconv.Itoa(int(id))
	req := kmsg.NewPtrDescribeLogDirsRequest()
	req.Topics = asked
	answered, err := a.c.raw.Broker(int(id)).RetriableRequest(ctx, req)
	if err != nil {
		return nil, a.c.explain(doing, name, err)
	}
	resp := answered.(*kmsg.DescribeLogDirsResponse)
	if err := answer(doing, name, resp.ErrorCode, nil); err != nil {
		return nil, err
	}
	var out []LogDir
	for _, d := range resp.Dirs {
		dir := LogDir{Broker: id, Dir: d.Dir, Total: d.TotalBytes, Usable: d.UsableBytes,
			Replicas: []DirReplica{}, Err: answer("use log directory", d.Dir, d.ErrorCode, nil)}
		for _, t := range d.Topics {
			if len(topics) > 0 && !slices.Contains(topics, t.Topic) {
				continue
			}
			for _, p := range t.Partitions {
				dir.Replicas = append(dir.Replicas, DirReplica{Partition{t.Topic, p.Partition}, p.Size, p.OffsetLag, p.IsFuture})
			}
		}
		slices.SortFunc(dir.Replicas, func(x, y DirReplica) int { return ComparePartitions(x.Partition, y.Partition) })
		out = append(out, dir)
	}
	return out, nil
}

// ReplicaID names one replica of a partition.
type ReplicaID struct {
	Partition
	Broker int32 `json:"broker"`
}

func (r ReplicaID) String() string { return fmt.Sprintf("%s-%d", r.Partition, r.Broker) }

// ReplicaResult is what came of a change of one replica; Err is an *Error.
type ReplicaResult struct {
	ReplicaID
	Err error
}

// ErrReplicaNotAvailable: the broker has no such replica, or not yet.
var ErrReplicaNotAvailable error = kerr.ReplicaNotAvailable

// ErrNoLogDir: the broker has no log directory of that name.
var ErrNoLogDir error = kerr.LogDirNotFound

// MoveReplicas begins to move replicas into other log directories of their own
// brokers, by absolute path. LogDirs tells when they have arrived.
func (a *Admin) MoveReplicas(ctx context.Context, to map[ReplicaID]string) ([]ReplicaResult, error) {
	const doing = "move replica"
	byBroker := map[int32]map[string]map[string][]int32{} // broker, directory, topic: partitions
	for r, dir := range to {
		if byBroker[r.Broker] == nil {
			byBroker[r.Broker] = map[string]map[string][]int32{}
		}
		if byBroker[r.Broker][dir] == nil {
			byBroker[r.Broker][dir] = map[string][]int32{}
		}
		byBroker[r.Broker][dir][r.Topic] = append(byBroker[r.Broker][dir][r.Topic], r.Partition.Partition)
	}
	var out []ReplicaResult
	for broker, dirs := range byBroker {
		req := kmsg.NewPtrAlterReplicaLogDirsRequest()
		for dir, topics := range dirs {
			rd := kmsg.AlterReplicaLogDirsRequestDir{Dir: dir}
			for topic, partitions := range topics {
				rd.Topics = append(rd.Topics, kmsg.AlterReplicaLogDirsRequestDirTopic{Topic: topic, Partitions: partitions})
			}
			req.Dirs = append(req.Dirs, rd)
		}
		answered, err := a.c.raw.Broker(int(broker)).RetriableRequest(ctx, req)
		if err != nil {
			return nil, a.c.explain("move replicas of broker", strconv.Itoa(int(broker)), err)
		}
		for _, t := range answered.(*kmsg.AlterReplicaLogDirsResponse).Topics {
			for _, p := range t.Partitions {
				id := ReplicaID{Partition{t.Topic, p.Partition}, broker}
				out = append(out, ReplicaResult{id, answer(doing, id.String(), p.ErrorCode, nil)})
			}
		}
	}
	slices.SortFunc(out, func(x, y ReplicaResult) int { return CompareReplicas(x.ReplicaID, y.ReplicaID) })
	return out, nil
}

// CompareReplicas orders by broker, then by partition.
func CompareReplicas(a, b ReplicaID) int {
	if a.Broker != b.Broker {
		return int(a.Broker) - int(b.Broker)
	}
	return ComparePartitions(a.Partition, b.Partition)
}
