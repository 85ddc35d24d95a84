package storage

import (
	"testing"

	"github.com/brokerd/brokerd/internal/step"
)

// TestMovedMetadata: how often a log has moved is a line that nobody else minds.
func TestMovedMetadata(t *testing.T) {
	id := step.TopicID{1, 2, 3}
	for moves, p := range map[int][]byte{0: metadataFile(id), 7: movedMetadataFile(id, 7)} {
		if got, err := parseMetadata(p); err != nil || got != id || parseMoves(p) != moves {
			t.Errorf("%q: %s, %d moves, %v", p, got, parseMoves(p), err)
		}
	}
}
