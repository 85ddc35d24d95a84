package meta

import "fmt"

// The metadata level of a cluster says which kinds and versions of commands, and
// which items of snapshots, all of its nodes understand. It only rises, by an
// operator's word, when every node runs a program that knows the new level: until
// then a node can go back to the program before.
//
//	1  the beginning
//	2  NoteRecovery, and its item in snapshots; RegisterBroker and AssignDir know
//	   where an only replica lies
//	3  NoteFull, and its item in snapshots; followers confirm leases
//
// MaxLevel is the newest level that this program knows. A build with the tag
// level1 is the program of before level 2, for tests of upgrades.
const MinLevel int16 = 1

// CheckLevel refuses a command that a cluster at this level does not know yet.
func CheckLevel(c Command, level int16) error {
	info, ok := infoOf(c.kind())
	if !ok || info.version(level) > 0 {
		return nil
	}
	return fmt.Errorf("%w: %s needs metadata level %d, the cluster is at %d", ErrUnknownCommand, info.name, info.levels[0], level)
}
