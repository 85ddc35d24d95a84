package meta

import (
	"bytes"
	"errors"
	"reflect"
	"testing"
)

// TestLevels: the levels of each command's versions rise and are known.
func TestLevels(t *testing.T) {
	for k, info := range kinds {
		last := MinLevel
		for i, level := range info.levels {
			if level < last || i > 0 && level == last || level > MaxLevel {
				t.Errorf("%s: version %d comes with level %d after %d, of %d", info.name, i+1, level, last, MaxLevel)
			}
			last = level
		}
		if (k == 0) != (info.levels == nil) {
			t.Errorf("kind %d has no version", k)
		}
	}
	two := kindInfo{levels: []int16{1, MaxLevel}}
	for level, want := range map[int16]uint8{0: 0, 1: 1, MaxLevel: 2, MaxLevel + 1: 2} {
		if got := two.version(level); got != want {
			t.Errorf("level %d writes version %d, not %d", level, got, want)
		}
	}
}

// TestOlderLevel: what came with a level changes nothing below it, on the nodes
// that know it as on those that do not.
func TestOlderLevel(t *testing.T) {
	c := &cluster{t: t, im: New()}
	c.must(Bootstrap{ClusterID: "here", Level: MinLevel})
	c.refused(ErrUnknownCommand, recovery(1))
	for _, cmd := range oneOfEach() {
		if b := AppendCommand(nil, cmd, MinLevel); b[2] != 1 {
			t.Errorf("%s is written in version %d", KindName(cmd), b[2])
		}
	}
	c.must(SetFeatureLevel{MaxLevel})
	c.must(recovery(1))
	c.refused(ErrFeatureLevel, SetFeatureLevel{MinLevel})
}

func recovery(n byte) NoteRecovery {
	return NoteRecovery{ID: tid(n), TimeMs: 5, Node: 1, Directory: tid(9), Kept: 7, Lost: []Voter{{2, tid(8), nil}}}
}

func TestRecoveries(t *testing.T) {
	c := newCluster(t, 1)
	c.refused(ErrMalformed, NoteRecovery{})
	for n := range byte(maxRecoveries + 2) {
		c.must(recovery(n + 1))
		c.must(recovery(n + 1)) // whoever records it may not know that it is recorded
	}
	list := c.im.Recoveries()
	if len(list) != maxRecoveries || list[0].ID != tid(3) || !reflect.DeepEqual(NoteRecovery(list[maxRecoveries-1]), recovery(maxRecoveries+2)) {
		t.Fatalf("%+v", list)
	}
	again, err := ReadSnapshot(bytes.NewReader(snapshotOf(t, c.im)))
	if err != nil || !reflect.DeepEqual(again.Recoveries(), list) {
		t.Fatalf("%v %+v", err, again)
	}
	// A program that does not know the level hears that, not that of an item.
	c.must(SetFeatureLevel{MaxLevel + 1})
	b := snapshotOf(t, c.im)
	b = b[:12+8+int(b[12])] // the header's block, the only one that is whole
	b = append(b, 0xff)
	if _, err := ReadSnapshot(bytes.NewReader(b)); !errors.Is(err, ErrTooNew) {
		t.Fatal(err)
	}
}
