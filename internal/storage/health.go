package storage

// Full reports whether produce is refused in a directory for want of space (S8).
func (s *Store) Full(dir string) bool {
	for _, d := range s.dirs {
		if d.path == dir {
			d.ask()
			return d.full.Load()
		}
	}
	return false
}

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
