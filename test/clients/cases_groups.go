//go:build clients

package clients

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// alone makes a topic with records and a group of one member, which has its partitions.
func (s *scene) alone(partitions int, how request, records []record) (*member, error) {
	if err := s.given(int32(partitions), uncompressed, records); err != nil {
		return nil, err
	}
	return s.again(partitions, how)
}

// again is the next member of the case's group.
func (s *scene) again(partitions int, how request) (*member, error) {
	m, err := s.join("m", how)
	if err != nil {
		return nil, err
	}
	_, err = s.settled(how, partitions, []*member{m})
	return m, err
}

// reads wants a member to read exactly these records.
func (s *scene) reads(m *member, records []record) error {
	var mine []int32
	for _, r := range records {
		mine = append(mine, r.Partition)
	}
	return s.readShares(shares{of: map[string][]int32{m.name: mine}}, []*member{m}, records)
}

// groupCommit commits, leaves and goes on as the next member.
func groupCommit(mode string) func(*scene) error {
	const partitions = 2
	return func(s *scene) error {
		first := round(0, 5, partitions)
		m, err := s.alone(partitions, request{}, first)
		if err != nil {
			return err
		}
		if err := s.reads(m, first); err != nil {
			return err
		}
		if err := commit(mode, m); err != nil {
			return err
		}
		if err := s.wantCommitted(upTo(partitions), 5); err != nil {
			return err
		}
		if err := leave(m); err != nil {
			return err
		}
		second := round(1, 5, partitions)
		if err := s.write(uncompressed, second); err != nil {
			return err
		}
		if m, err = s.again(partitions, request{}); err != nil {
			return err
		}
		if err := s.reads(m, second); err != nil {
			return err
		}
		return leave(m)
	}
}

// groupSeek goes back to an offset within what was read.
func groupSeek(s *scene) error {
	records := plain(10, 1)
	m, err := s.alone(1, request{}, records)
	if err != nil {
		return err
	}
	if err := s.reads(m, records); err != nil {
		return err
	}
	if _, err := m.ask.do(request{Op: "seek", Topic: s.topic, Offset: 4}); err != nil {
		return err
	}
	if err := s.reads(m, records[4:]); err != nil {
		return err
	}
	return leave(m)
}

// groupPause reads one partition while the other one is paused, then that too.
func groupPause(s *scene) error {
	m, err := s.alone(2, request{}, nil)
	if err != nil {
		return err
	}
	if _, err := m.ask.do(request{Op: "pause", Topic: s.topic, Partition: 0}); err != nil {
		return err
	}
	records := plain(10, 2)
	if err := s.write(uncompressed, records); err != nil {
		return err
	}
	paused := slices.DeleteFunc(slices.Clone(records), func(r record) bool { return r.Partition == 1 })
	flowing := slices.DeleteFunc(slices.Clone(records), func(r record) bool { return r.Partition == 0 })
	if err := s.reads(m, flowing); err != nil {
		return err
	}
	a, err := m.ask.do(request{Op: "poll", Count: 1, Timeout: 500}) // long enough for what is paused to show
	if err != nil {
		return err
	}
	if len(a.Records) != 0 {
		return fmt.Errorf("%d records of a paused partition", len(a.Records))
	}
	if _, err := m.ask.do(request{Op: "resume", Topic: s.topic, Partition: 0}); err != nil {
		return err
	}
	if err := s.reads(m, paused); err != nil {
		return err
	}
	return leave(m)
}

func groupEarliest(s *scene) error {
	records := plain(5, 1)
	m, err := s.alone(1, request{Reset: "earliest"}, records)
	if err != nil {
		return err
	}
	if err := s.reads(m, records); err != nil {
		return err
	}
	return leave(m)
}

// groupLatest sees nothing of what was there before. Nobody tells when a client
// has looked up the end: so records are written until one arrives.
func groupLatest(s *scene) error {
	const before = 5
	m, err := s.alone(1, request{Reset: "latest"}, plain(before, 1))
	if err != nil {
		return err
	}
	err = until([]*member{m}, func() error {
		if m.read() > 0 {
			return nil
		}
		return errors.Join(s.write(uncompressed, plain(1, 1)), errors.New("nothing arrives"))
	})
	if err != nil {
		return err
	}
	if first := m.take()[0].Offset; first < before {
		return fmt.Errorf("it reads offset %d, which was there before it", first)
	}
	return leave(m)
}

// groupNone has no offset to go on from, and may take none.
func groupNone(s *scene) error {
	if err := s.given(1, uncompressed, plain(5, 1)); err != nil {
		return err
	}
	m, err := s.join("m", request{Reset: "none"})
	if err == nil {
		err = until([]*member{m}, func() error {
			if m.read() > 0 {
				return nil
			}
			return errors.New("it waits, and should fail")
		})
	}
	var c *clientError
	switch {
	case err == nil:
		return fmt.Errorf("it reads offset %d, where nothing says where to begin", m.take()[0].Offset)
	case !errors.As(err, &c):
		return err
	}
	return leave(m)
}

// groupLag is the lag program of many a shop: the ends, what is committed, and
// what is left.
func groupLag(s *scene) error {
	ends := map[int32]int64{0: 5, 1: 49}
	var records []record
	for _, r := range plain(2*49, 2) {
		if r.Offset < ends[r.Partition] {
			records = append(records, r)
		}
	}
	m, err := s.alone(2, request{}, records)
	if err != nil {
		return err
	}
	if err := s.reads(m, records); err != nil {
		return err
	}
	if err := commit("sync", m); err != nil {
		return err
	}
	total, current := map[int32]int64{}, map[int32]int64{}
	for p := range ends {
		a, err := m.ask.do(request{Op: "offset", Topic: s.topic, At: &position{Partition: p, At: "end"}})
		if err != nil {
			return err
		}
		b, err := m.ask.do(request{Op: "committed", Topic: s.topic, Group: s.topic, Partition: p})
		if err != nil {
			return err
		}
		total[p], current[p] = a.Offset, b.Offset
	}
	if !maps.Equal(total, ends) || !maps.Equal(current, ends) {
		return fmt.Errorf("total %v, committed %v; want %v", total, current, ends)
	}
	return leave(m)
}

// groupList wants the group in the list, of the consumers' type.
func groupList(s *scene) error {
	m, err := s.alone(1, request{}, nil)
	if err != nil {
		return err
	}
	a, err := m.ask.do(request{Op: "groups"})
	if err != nil {
		return err
	}
	if kind, ok := a.Groups[s.topic]; !ok || kind != "consumer" {
		return fmt.Errorf("the groups are %v; %s should be there, a consumer", a.Groups, s.topic)
	}
	return leave(m)
}
