package storage

import (
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/brokerd/brokerd/internal/vfs"
)

// A log that cannot be read, whatever of it cannot and whether the checkpoint knows
// it, is out of service with its cause, and is all that is: it does not begin anew,
// nor does its directory fail. When it can be read again, the next start has it.
func TestUnreadableLogIsAlone(t *testing.T) {
	for _, c := range []struct {
		what string
		rule vfs.Rule
	}{
		{"directory", vfs.Rule{Path: "/d/orders-0*"}},
		{"list of files", vfs.Rule{Op: vfs.OpList, Path: "/d/orders-0"}},
		{"metadata", vfs.Rule{Op: vfs.OpOpen, Path: "/d/orders-0/" + metadataName}},
		{"segment", vfs.Rule{Op: vfs.OpOpen, Path: "/d/orders-0/*.log"}},
		{"bad sector", vfs.Rule{Op: vfs.OpRead, Path: "/d/orders-0/*.log", Err: syscall.EIO}},
	} {
		for _, known := range []bool{false, true} {
			t.Run(c.what+map[bool]string{true: ", known to the checkpoint"}[known], func(t *testing.T) {
				mem := vfs.NewMem()
				l := led(t, openStore(t, mem), 0, testConfig())
				mustAppend(t, l, 1, batch(t, 2, 5, 1))
				durable(t, l)
				if known {
					pointNow(t, l)
					mustAppend(t, l, 1, batch(t, 1, 5, 1))
					durable(t, l)
				}
				end := l.View().End
				disk := mem.Crash(rng(1), 0)
				rule, fault := c.rule, vfs.NewFault(disk)
				if rule.Err == nil {
					rule.Err = syscall.EACCES
				}
				for _, file := range []string{rule.Path, rule.Path + "/*"} {
					rule.Path = file
					fault.Add(rule)
				}

				s := openStore(t, fault)
				if s.Intact() || s.Blind() {
					t.Errorf("intact %v, blind %v", s.Intact(), s.Blind())
				}
				if u := s.Unopened(); !slices.ContainsFunc(u, func(u Unopened) bool {
					return u.Topic == "orders" && u.ID.Index == 0 && errors.Is(u.Err, ErrUnreadable)
				}) {
					t.Errorf("not brought back: %+v", u)
				}
				_, err := s.Log(testID(0), "orders", testConfig())
				if !errors.Is(err, ErrUnreadable) || !errors.Is(err, rule.Err) || !strings.Contains(err.Error(), "/d/orders-0") {
					t.Errorf("opened: %v", err)
				}
				durable(t, other(t, s))
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}

				if l := openLog(t, openStore(t, disk), 0, testConfig()); l.View().End != end {
					t.Errorf("the log ends at %d afterwards, it did at %d", l.View().End, end)
				}
			})
		}
	}
}

// other is another log of the store, with a record.
func other(t *testing.T, s *Store) *Log {
	t.Helper()
	l := led(t, s, 1, testConfig())
	mustAppend(t, l, 1, batch(t, 1, 5, 1))
	return l
}

// A lack of descriptors or of space passes: it says nothing about the log.
func TestWhatPassesIsNotUnreadable(t *testing.T) {
	for cause, want := range map[error]error{syscall.EMFILE: ErrNoDescriptors, syscall.ENOSPC: ErrDiskFull} {
		mem := vfs.NewMem()
		l := led(t, openStore(t, mem), 0, testConfig())
		mustAppend(t, l, 1, batch(t, 2, 5, 1))
		durable(t, l)
		pointNow(t, l)
		fault := vfs.NewFault(mem.Crash(rng(1), 0))
		fault.Add(vfs.Rule{Path: "/d/orders-0", Op: vfs.OpList, Times: 2, Err: cause})
		s := openStore(t, fault)
		for range 2 {
			l, err := s.Log(testID(0), "orders", testConfig())
			if err == nil && l.View().End == 2 {
				break
			}
			if !errors.Is(err, want) || errors.Is(err, ErrUnreadable) {
				t.Errorf("%v: %v", cause, err)
			}
		}
		if l := openLog(t, s, 0, testConfig()); l.View().End != 2 {
			t.Errorf("%+v", l.View())
		}
	}
}
