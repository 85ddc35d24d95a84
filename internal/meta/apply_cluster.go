package meta

import (
	"cmp"
	"math"
	"slices"
)

func (c Bootstrap) apply(e *Editor) Result {
	if c.ClusterID == "" || e.im.clusterID != "" && e.im.clusterID != c.ClusterID {
		return failf(ErrClusterID, "this is %q, not %q", e.im.clusterID, c.ClusterID)
	}
	if e.im.clusterID == c.ClusterID {
		return Result{}
	}
	if c.Level < MinLevel {
		return failf(ErrFeatureLevel, "%d is below %d", c.Level, MinLevel)
	}
	e.im.clusterID = c.ClusterID
	e.im.features = Features{Metadata: c.Level, Epoch: int64(e.im.index)}
	e.changed.Add(&Changes{Features: true})
	return Result{}
}

// A level beyond MaxLevel is taken: a newer version proposed it, and every node
// must see the same. Whoever does not know it must stop then (Image.TooNew).
func (c SetFeatureLevel) apply(e *Editor) Result {
	if c.Level < e.im.features.Metadata {
		return failf(ErrFeatureLevel, "%d: it is %d already and never falls", c.Level, e.im.features.Metadata)
	}
	if c.Level != e.im.features.Metadata {
		e.im.features = Features{Metadata: c.Level, Epoch: int64(e.im.index)}
		e.changed.Add(&Changes{Features: true})
	}
	return Result{}
}

func (c AllocateProducerIDs) apply(e *Editor) Result {
	if _, bad := e.brokerAt(c.Broker, c.BrokerEpoch); bad.Err != nil {
		return bad
	}
	if c.Count <= 0 || e.im.nextID > math.MaxInt64-int64(c.Count) {
		return failf(ErrMalformed, "a block of %d producer ids", c.Count)
	}
	first := e.im.nextID
	e.im.nextID += int64(c.Count)
	return Result{FirstID: first}
}

func (c NoteVoters) apply(e *Editor) Result {
	voters := slices.Clone(c.Voters)
	slices.SortFunc(voters, func(a, b Voter) int {
		return cmp.Or(cmp.Compare(a.Node, b.Node), compareIDs(a.Directory, b.Directory))
	})
	same := slices.EqualFunc(voters, e.im.voters, func(a, b Voter) bool {
		return a.Node == b.Node && a.Directory == b.Directory && slices.Equal(a.Endpoints, b.Endpoints)
	})
	if !same {
		e.im.voters = voters
		e.changed.Add(&Changes{Features: true})
	}
	return Result{}
}
