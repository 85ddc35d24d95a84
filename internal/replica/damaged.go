package replica

import (
	"slices"

	"github.com/brokerd/brokerd/internal/storage"
)

// Damaged is the store's callback: the scrubber found that sealed data of a log is
// bad (S7). Where another replica in sync has it, the log goes out of service, so
// that it leaves the ISR and is fetched anew. Else it serves on: what is still
// whole is nowhere else, and whoever reads the rest sees by its CRC that it is bad.
func (m *Manager) Damaged(l *storage.Log, why error) {
	id := l.ID()
	_, p, ok := m.ours(m.catalog.Image(), id)
	if !ok {
		return
	}
	if !slices.ContainsFunc(p.ISR(), func(b int32) bool { return b != m.self }) {
		m.log.Error("sealed data is damaged and no other replica in sync has it: the partition serves on; restore it from a backup, or give it more replicas and delete this one",
			"topic", l.Topic(), "partition", id.Index, "err", why)
		return
	}
	m.lose(id, l.Topic(), l.Condemn(why))
}
