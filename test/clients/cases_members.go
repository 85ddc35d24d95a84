//go:build clients

package clients

import (
	"fmt"
	"slices"
	"strings"
)

// groupMembers is three members, one of which is killed, and one that joins.
func groupMembers(how request) func(*scene) error {
	const partitions, each = 6, 5
	return func(s *scene) error {
		if err := s.create(partitions); err != nil {
			return err
		}
		first, err := s.joinAll(how, "a", "b", "c")
		if err != nil {
			return err
		}
		stages := []struct {
			name   string
			change func() ([]*member, error)
		}{
			{"three members", func() ([]*member, error) { return first, nil }},
			{"one of them killed", func() ([]*member, error) {
				first[2].ask.end()
				return first[:2], nil
			}},
			{"one joined", func() ([]*member, error) {
				d, err := s.join("d", how, first[:2]...)
				return append(first[:2:2], d), err
			}},
		}
		var members []*member
		for i, stage := range stages {
			if members, err = stage.change(); err != nil {
				return fmt.Errorf("%s: %w", stage.name, err)
			}
			d, err := s.settled(how, partitions, members)
			if err != nil {
				return fmt.Errorf("%s: %w", stage.name, err)
			}
			if err := s.onward(d, members, round(i, each, partitions)); err != nil {
				return fmt.Errorf("%s: %w", stage.name, err)
			}
			if err := commit("sync", members...); err != nil {
				return fmt.Errorf("%s: %w", stage.name, err)
			}
			// A client that commits in its own time is given it.
			err = until(members, func() error { return s.wantCommitted(upTo(partitions), int64((i+1)*each)) })
			if err != nil {
				return fmt.Errorf("%s: %w", stage.name, err)
			}
		}
		if err := leave(members...); err != nil {
			return err
		}
		return s.empty(how)
	}
}

// empty wants the group to have no members: all have said that they leave.
func (s *scene) empty(how request) error {
	return until(nil, func() error {
		d, err := s.shares(how)
		if err == nil && (!strings.EqualFold(d.state, "Empty") || len(d.of) != 0) {
			err = fmt.Errorf("all have left, and the group is %v", d)
		}
		return err
	})
}

// groupCooperative has a second member join. The first keeps half of its
// partitions, and its places in them: nothing is committed, so whoever gives all
// partitions up and takes them again begins them anew.
func groupCooperative(s *scene) error {
	const partitions, each = 4, 5
	how := request{Cooperative: true}
	if err := s.create(partitions); err != nil {
		return err
	}
	members, err := s.joinAll(how, "a")
	if err != nil {
		return err
	}
	before, err := s.settled(how, partitions, members)
	if err != nil {
		return err
	}
	if err := s.onward(before, members, round(0, each, partitions)); err != nil {
		return err
	}
	b, err := s.join("b", how, members...)
	if err != nil {
		return err
	}
	members = append(members, b)
	after, err := s.settled(how, partitions, members)
	if err != nil {
		return err
	}
	second := round(1, each, partitions)
	if err := s.write(uncompressed, second); err != nil {
		return err
	}
	moved := slices.DeleteFunc(round(0, each, partitions), func(r record) bool { return !slices.Contains(after.of["b"], r.Partition) })
	if err := s.readShares(after, members, append(moved, second...)); err != nil {
		return err
	}
	return leave(members...)
}

// groupStatic kills a static member and starts it again within its session. It
// gets its partitions back, and the other one notices nothing: it has committed
// nothing, and a rebalance would have it begin anew.
func groupStatic(s *scene) error {
	const partitions, each = 4, 5
	if err := s.create(partitions); err != nil {
		return err
	}
	static := func(name string, there ...*member) (*member, error) {
		return s.join(name, request{Instance: "instance-" + name, Session: 60_000}, there...)
	}
	a, err := static("a")
	if err != nil {
		return err
	}
	if _, err := s.settled(request{}, partitions, []*member{a}); err != nil {
		return err
	}
	b, err := static("b", a)
	if err != nil {
		return err
	}
	before, err := s.settled(request{}, partitions, []*member{a, b})
	if err != nil {
		return err
	}
	if err := s.onward(before, []*member{a, b}, round(0, each, partitions)); err != nil {
		return err
	}
	if err := commit("sync", b); err != nil {
		return err
	}
	err = until([]*member{a, b}, func() error { return s.wantCommitted(before.of["b"], each) })
	if err != nil {
		return err
	}
	b.ask.end()
	if b, err = static("b", a); err != nil {
		return err
	}
	second := round(1, each, partitions)
	if err := s.onward(before, []*member{a, b}, second); err != nil {
		return fmt.Errorf("after b came back: %w", err)
	}
	after, err := s.settled(request{}, partitions, []*member{a, b})
	if err != nil {
		return err
	}
	if before.String() != after.String() {
		return fmt.Errorf("the group was %v and is %v", before, after)
	}
	return leave(a, b)
}

// groupKinds takes a group with members from the classic protocol to the new one
// and back: a member of the other kind joins, then the only one of the new kind
// leaves. If it is to be upgraded twice, another one joins then. Nobody reads a
// record twice, and what is committed stays.
func groupKinds(upgrades int) func(*scene) error {
	return func(s *scene) error { return s.changeKinds(upgrades) }
}

func (s *scene) changeKinds(upgrades int) error {
	const partitions, each = 4, 5
	classic, consumer := request{Cooperative: true}, request{Consumer: true}
	if err := s.create(partitions); err != nil {
		return err
	}
	members, err := s.joinAll(classic, "a")
	if err != nil {
		return err
	}
	stages := []struct {
		name   string
		change func() error
		is     request
	}{
		{"one classic member", func() error { return nil }, classic},
		{"one of the new kind joined", func() error {
			b, err := s.join("b", consumer, members...)
			members = append(members, b)
			return err
		}, consumer},
		{"a classic one joined that", func() error {
			c, err := s.join("c", classic, members...)
			members = append(members, c)
			return err
		}, consumer},
		{"the one of the new kind left", func() error {
			b := members[1]
			members = slices.Delete(members, 1, 2)
			return leave(b)
		}, classic},
		{"one of the new kind joined again", func() error {
			d, err := s.join("d", consumer, members...)
			members = append(members, d)
			return err
		}, consumer},
	}
	if upgrades == 1 {
		stages = stages[:4]
	}
	last := stages[len(stages)-1].is
	for i, stage := range stages {
		if err := stage.change(); err != nil {
			return fmt.Errorf("%s: %w", stage.name, err)
		}
		d, err := s.settled(stage.is, partitions, members)
		if err != nil {
			return fmt.Errorf("%s: %w", stage.name, err)
		}
		if err := s.onward(d, members, round(i, each, partitions)); err != nil {
			return fmt.Errorf("%s: %w", stage.name, err)
		}
		if err := commit("sync", members...); err != nil {
			return fmt.Errorf("%s: %w", stage.name, err)
		}
		if err := until(members, func() error { return s.wantCommitted(upTo(partitions), int64((i+1)*each)) }); err != nil {
			return fmt.Errorf("%s: %w", stage.name, err)
		}
	}
	if err := leave(members...); err != nil {
		return err
	}
	return s.empty(last)
}
