package api

import (
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/auth"
	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/step"
	"github.com/brokerd/brokerd/internal/storage"
	"github.com/brokerd/brokerd/internal/wire"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// logDirs answers DescribeLogDirs (35): where this broker's replicas are, and
// how large.
func (a *clusterAPI) logDirs(c *wire.Call) wire.Outcome {
	req := kmsg.NewPtrDescribeLogDirsRequest()
	if !read(c, req) {
		return malformed()
	}
	v := look(a.d, c)
	resp := kmsg.NewPtrDescribeLogDirsResponse()
	if !v.may(auth.Describe, auth.TheCluster) {
		resp.ErrorCode = kerr.ClusterAuthorizationFailed.Code
		return wire.Respond(c, resp)
	}
	dirs := a.d.Replicas.Dirs()
	s := newDirScan(dirs, a.d.Replicas.Stored())
	v.hosted(req, s.add)
	for n, d := range dirs {
		o := kmsg.NewDescribeLogDirsResponseDir()
		o.Dir, o.TotalBytes, o.UsableBytes = d.Path, d.Total, d.Usable
		if d.Err != nil {
			o.ErrorCode, o.TotalBytes, o.UsableBytes = kerr.KafkaStorageError.Code, -1, -1
		} else {
			o.Topics = s.topics[n]
		}
		resp.Dirs = append(resp.Dirs, o)
	}
	return wire.Respond(c, resp)
}

// hosted visits the asked partitions that have a replica here, topic by topic.
// Topics null asks for all.
func (v view) hosted(req *kmsg.DescribeLogDirsRequest, visit func(*meta.Topic, int32)) {
	one := func(t *meta.Topic, i int32) {
		if p, ok := t.Partition(i); ok && p.HasReplica(v.d.Conf.NodeID) {
			visit(t, i)
		}
	}
	if req.Topics == nil {
		for t := range v.im.Topics() {
			for i := range t.Partitions() {
				one(t, i)
			}
		}
	}
	for _, rt := range req.Topics {
		if t, ok := v.im.TopicNamed(rt.Topic); ok {
			for _, i := range rt.Partitions {
				one(t, i)
			}
		}
	}
}

// dirScan sorts partitions by the directory that they are in.
type dirScan struct {
	open   map[step.PartitionID]place
	coming map[step.PartitionID]place               // the copies of those that move
	topics [][]kmsg.DescribeLogDirsResponseDirTopic // by directory
	home   int                                      // where a partition without files will be made
}

// place is one replica on disk, or the copy of one that moves.
type place struct {
	dir    int
	size   int64
	lag    int64
	coming bool
}

func newDirScan(dirs []storage.DirState, stored []storage.Stored) *dirScan {
	s := &dirScan{open: make(map[step.PartitionID]place), coming: map[step.PartitionID]place{}, topics: make([][]kmsg.DescribeLogDirsResponseDirTopic, len(dirs))}
	byPath := make(map[string]int, len(dirs))
	s.home = max(slices.IndexFunc(dirs, func(d storage.DirState) bool { return d.Err == nil }), 0)
	for n, d := range dirs {
		byPath[d.Path] = n
	}
	for _, f := range stored {
		if n, ok := byPath[f.Dir]; ok {
			s.open[f.ID] = place{dir: n, size: f.Bytes}
		}
	}
	for n, d := range dirs {
		for _, l := range d.Logs {
			view := l.View()
			s.open[l.ID()] = place{dir: n, size: l.Size(), lag: max(view.HighWatermark-view.End, 0)}
		}
		for _, f := range d.Futures {
			s.coming[f.ID] = place{n, f.Bytes, f.Lag, true}
		}
	}
	return s
}

// add puts one partition into its directory. One that has no file yet is shown,
// empty, where it will be made: clients count what they were promised.
func (s *dirScan) add(t *meta.Topic, i int32) {
	if len(s.topics) == 0 {
		return
	}
	id := step.PartitionID{Topic: t.ID, Index: i}
	at, ok := s.open[id]
	if !ok {
		at.dir = s.home
	}
	s.put(t, i, at)
	if at, ok := s.coming[id]; ok {
		s.put(t, i, at)
	}
}

func (s *dirScan) put(t *meta.Topic, i int32, at place) {
	list := &s.topics[at.dir]
	if last := len(*list) - 1; last < 0 || strings.Compare((*list)[last].Topic, t.Name) != 0 {
		*list = append(*list, kmsg.DescribeLogDirsResponseDirTopic{Topic: t.Name})
	}
	o := &(*list)[len(*list)-1]
	o.Partitions = append(o.Partitions, kmsg.DescribeLogDirsResponseDirTopicPartition{Partition: i, Size: at.size, OffsetLag: at.lag, IsFuture: at.coming})
}
