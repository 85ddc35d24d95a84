package controller

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"

	"github.com/brokerd/brokerd/internal/catalog"
	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/step"
)

// When a majority of the voters is lost for good, what one node remembers becomes
// the metadata, by an operator's word, while that node does not run:
//
//	Remains   who voted, and how far this disk remembers
//	Recover   a snapshot of it all, counted on from far beyond, with this server as the only voter
//
// The new group has another name (Group): the old one's voters, should they come
// back, are strangers to it, and it to them. A server without state takes the
// name over from whoever first opens a stream to it; one with state never does.

// keyGroup holds the id of the recovery that made this server's group, keyRecovery,
// on the server that recovered it, the record that it is to propose.
var (
	keyGroup    = []byte("brokerd.group")
	keyRecovery = []byte("brokerd.recovery")
)

// Group is the id of the recovery that made this server's group; zero: the group
// is the first of its cluster, or there is none yet.
func (s Stores) Group() (id step.TopicID, err error) {
	v, err := s.value(keyGroup)
	if err == nil && v != nil && copy(id[:], v) != len(id) {
		err = fmt.Errorf("raft's stable store: the group is named by %d bytes", len(v))
	}
	return id, err
}

func (s Stores) value(key []byte) ([]byte, error) {
	v, err := s.Stable.Get(key)
	if err != nil && err.Error() == errNotFound.Error() {
		return nil, nil
	}
	return v, err
}

// groupName is what the ends of a raft stream call their group.
func groupName(clusterID string, id step.TopicID) string {
	if id.IsZero() {
		return clusterID
	}
	return clusterID + "#" + id.String()
}

// Remains is what a disk remembers of its raft group.
type Remains struct {
	Group       step.TopicID
	Voters      []Server
	Observers   []Server
	Term, Index uint64 // of the last entry
}

// Remains reads it; a server that was never a member remembers nothing.
func (s Stores) Remains() (r Remains, err error) {
	if r.Group, err = s.Group(); err != nil {
		return r, err
	}
	var members raft.Configuration
	snapshots, err := s.Snapshots.List()
	if err != nil {
		return r, err
	}
	if len(snapshots) > 0 {
		members, r.Index, r.Term = snapshots[0].Configuration, snapshots[0].Index, snapshots[0].Term
	}
	err = s.entries(r.Index, func(l *raft.Log) {
		r.Index, r.Term = l.Index, l.Term
		if l.Type == raft.LogConfiguration {
			members = raft.DecodeConfiguration(l.Data)
		}
	})
	for _, m := range members.Servers {
		node, dir, bad := ParseServerID(string(m.ID))
		addr, _, worse := splitAddress(m.Address)
		if err = errors.Join(err, bad, worse); err != nil {
			return r, err
		}
		if server := (Server{node, dir, addr}); m.Suffrage == raft.Voter {
			r.Voters = append(r.Voters, server)
		} else {
			r.Observers = append(r.Observers, server)
		}
	}
	return r, err
}

// entries visits the log behind an index.
func (s Stores) entries(after uint64, visit func(*raft.Log)) error {
	first, err := s.Log.FirstIndex()
	if err != nil {
		return err
	}
	last, err := s.Log.LastIndex()
	if err != nil {
		return err
	}
	for i := max(first, after+1); i <= last && last > 0; i++ {
		var l raft.Log
		if err := s.Log.GetLog(i, &l); err != nil {
			return fmt.Errorf("read entry %d of the metadata log: %w", i, err)
		}
		visit(&l)
	}
	return nil
}

// Recover makes self the only voter of a new group, with all that its disk
// remembers. It may be interrupted, and is then to be done again.
func Recover(s Stores, self Server, clusterID string, now time.Time) (meta.Recovery, error) {
	r, err := s.Remains()
	if err != nil {
		return meta.Recovery{}, err
	}
	im, err := s.remembered()
	if err != nil {
		return meta.Recovery{}, err
	}
	if im.ClusterID() != clusterID {
		return meta.Recovery{}, fmt.Errorf("%w: the metadata is of %q, this node of %q", meta.ErrClusterID, im.ClusterID(), clusterID)
	}
	record := meta.Recovery{ID: newID(), TimeMs: now.UnixMilli(), Node: self.Node, Directory: self.Directory, Kept: r.Index}
	for _, v := range r.Voters {
		if v.ID() != self.ID() {
			record.Lost = append(record.Lost, meta.Voter{Node: v.Node, Directory: v.Directory, Endpoints: raftEndpoint(v.raftAddress())})
		}
	}
	// The name first: from then on the old voters are strangers, whatever becomes
	// of the rest.
	err = errors.Join(s.Stable.Set(keyRecovery, meta.EncodeRecovery(record)), s.Stable.Set(keyGroup, record.ID[:]))
	if err != nil {
		return meta.Recovery{}, fmt.Errorf("name the new quorum: %w", err)
	}
	if err := s.replace(im.Renewed(), r.Term, self); err != nil {
		return meta.Recovery{}, err
	}
	return record, nil
}

// remembered is the image of everything on this disk. What was appended may not
// have committed; nobody is left who could tell.
func (s Stores) remembered() (*meta.Image, error) {
	store := catalog.NewStore()
	fsm := catalog.NewFSM(store)
	list, err := snapshotGuard{s.Snapshots, s.Log}.List()
	if err != nil {
		return nil, err
	}
	after := uint64(0)
	if len(list) > 0 {
		_, source, err := s.Snapshots.Open(list[0].ID)
		if err != nil {
			return nil, fmt.Errorf("open metadata snapshot %s: %w: %s", list[0].ID, err, snapshotAdvice)
		}
		err = errors.Join(fsm.Restore(source), source.Close())
		if err != nil {
			return nil, fmt.Errorf("read metadata snapshot %s: %w", list[0].ID, err)
		}
		after = list[0].Index
	}
	last := after
	err = s.entries(after, func(l *raft.Log) {
		fsm.Apply(l)
		last = l.Index
	})
	if err = errors.Join(err, fsm.Err()); err != nil {
		return nil, err
	}
	return store.Image().At(last), nil
}

// replace makes an image all that the stores hold.
func (s Stores) replace(im *meta.Image, term uint64, self Server) error {
	var b bytes.Buffer
	if err := meta.WriteSnapshot(&b, im); err != nil {
		return err
	}
	_, trans := raft.NewInmemTransport(self.raftAddress()) // only spells addresses
	sink, err := s.Snapshots.Create(raft.SnapshotVersionMax, im.Index(), term, configuration([]Server{self}), im.Index(), trans)
	if err != nil {
		return fmt.Errorf("write metadata snapshot: %w", err)
	}
	if _, err := sink.Write(b.Bytes()); err != nil {
		_ = sink.Cancel() // the write error is what counts
		return fmt.Errorf("write metadata snapshot: %w", err)
	}
	if err := sink.Close(); err != nil {
		return fmt.Errorf("write metadata snapshot: %w", err)
	}
	first, err := s.Log.FirstIndex()
	if err != nil {
		return err
	}
	last, err := s.Log.LastIndex()
	if err != nil || last == 0 {
		return err
	}
	if err := s.Log.DeleteRange(first, last); err != nil {
		return fmt.Errorf("delete the entries that the snapshot has: %w", err)
	}
	return nil
}

// errOtherGroup says that a server has state of another group.
var errOtherGroup = errors.New("it has state of another metadata quorum")

// join takes over the name of the group that a server without state was called
// into.
func (s Stores) join(group step.TopicID) error {
	switch old, err := s.HasState(); {
	case err != nil:
		return err
	case old:
		return errOtherGroup
	}
	return s.Stable.Set(keyGroup, group[:])
}

// recovery is the record that this server is to propose, nil: none.
func (s Stores) recovery() (*meta.NoteRecovery, error) {
	v, err := s.value(keyRecovery)
	if v == nil || err != nil {
		return nil, err
	}
	r, err := meta.DecodeRecovery(v)
	return (*meta.NoteRecovery)(&r), err
}
