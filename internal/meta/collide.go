package meta

// Colliding finds the living topic that differs from name only in '.' and '_',
// and so would be one with it in metrics. CreateTopic refuses name then.
func (im *Image) Colliding(name string) (*Topic, bool) {
	f, ok := folded(name)
	if !ok {
		return nil, false
	}
	id, taken := im.folded.get(f)
	if !taken {
		return nil, false
	}
	t, ok := im.topics.get(id)
	return t, ok && t.Name != name
}
