package storage

import (
	"time"

	"github.com/brokerd/brokerd/internal/vfs"
)

// Full reports whether produce is refused in a directory for want of space, or
// would be: the metadata may lie in one that holds no logs (S8).
func (s *Store) Full(dir string) bool {
	for _, d := range s.dirs {
		if d.path == dir {
			d.ask()
			return d.full.Load()
		}
	}
	free, err := s.options.FS.Free(dir)
	if err != nil {
		return false
	}
	total := int64(0)
	if t, ok := s.options.FS.(vfs.Sizer); ok {
		total, _ = t.Total(dir) // unknown: the least holds
	}
	return free < needed(total, false)
}

// FullDirs lists the directories in which produce is refused for want of space. It
// looks once a second, however often it is called.
func (s *Store) FullDirs() (full []string) {
	now := time.Now()
	for _, d := range s.dirs {
		if d.failure() != nil {
			continue
		}
		if d.look(now); d.full.Load() {
			full = append(full, d.path)
		}
	}
	return full
}

// Blind reports whether a directory had failed when the store was opened: what
// Found does not list may lie there.
func (s *Store) Blind() bool { return s.blind }

// Intact reports whether recovery found every log of this store whole up to its
// durable checkpoint, in directories that all work (S2).
func (s *Store) Intact() bool {
	for _, d := range s.dirs {
		if d.failure() != nil {
			return false
		}
	}
	return !s.damaged.Load()
}
