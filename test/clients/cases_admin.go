//go:build clients

package clients

import (
	"fmt"
	"slices"
)

func topicCreate(s *scene) error {
	if _, err := s.ask.do(request{Op: "create", Topic: s.topic, Partitions: 3, Replication: 1}); err != nil {
		return err
	}
	return s.wantPartitions(3)
}

func (s *scene) wantPartitions(want int) error {
	return s.node.settle(func() error {
		n, err := s.partitions()
		if err == nil && n != want {
			err = fmt.Errorf("%d partitions, want %d", n, want)
		}
		return err
	})
}

func (s *scene) wantConfig(key, want string) error {
	return s.node.settle(func() error {
		got, err := s.config(key)
		if err == nil && got != want {
			err = fmt.Errorf("%s is %s, want %s", key, got, want)
		}
		return err
	})
}

func topicCreateConfig(s *scene) error {
	_, err := s.ask.do(request{Op: "create", Topic: s.topic, Partitions: 1, Replication: 1,
		Configs: map[string]string{"retention.ms": "123456"}})
	if err != nil {
		return err
	}
	return s.wantConfig("retention.ms", "123456")
}

func topicExists(s *scene) error {
	if err := s.create(1); err != nil {
		return err
	}
	a, err := s.ask.do(request{Op: "create", Topic: s.topic, Partitions: 1, Replication: 1})
	return code(a, err, 36)
}

func topicReplication(s *scene) error {
	a, err := s.ask.do(request{Op: "create", Topic: s.topic, Partitions: 1, Replication: 3})
	return code(a, err, 38)
}

func topicWrongName(s *scene) error {
	a, err := s.ask.do(request{Op: "create", Topic: "no spaces, please", Partitions: 1, Replication: 1})
	return code(a, err, 17)
}

func topicList(s *scene) error {
	if err := s.create(1); err != nil {
		return err
	}
	a, err := s.ask.do(request{Op: "list"})
	if err == nil && !slices.Contains(a.Topics, s.topic) {
		err = fmt.Errorf("%s is not among %d topics", s.topic, len(a.Topics))
	}
	return err
}

func topicDescribe(s *scene) error {
	if err := s.create(4); err != nil {
		return err
	}
	a, err := s.ask.do(request{Op: "describe", Topic: s.topic})
	if err != nil {
		return err
	}
	if len(a.Layout) != 4 {
		return fmt.Errorf("%d partitions, want 4", len(a.Layout))
	}
	slices.SortFunc(a.Layout, func(a, b layout) int { return int(a.Partition - b.Partition) })
	for i, p := range a.Layout {
		if one := []int32{1}; p.Partition != int32(i) || p.Leader != 1 || !slices.Equal(p.Replicas, one) || !slices.Equal(p.ISR, one) {
			return fmt.Errorf("partition %d is described as %+v", i, p)
		}
	}
	return nil
}

func topicUnknown(s *scene) error {
	a, err := s.ask.do(request{Op: "describe", Topic: s.topic})
	return code(a, err, 3)
}

func topicGrow(s *scene) error {
	if err := s.create(2); err != nil {
		return err
	}
	if _, err := s.ask.do(request{Op: "grow", Topic: s.topic, Partitions: 5}); err != nil {
		return err
	}
	return s.wantPartitions(5)
}

func topicShrink(s *scene) error {
	if err := s.create(3); err != nil {
		return err
	}
	a, err := s.ask.do(request{Op: "grow", Topic: s.topic, Partitions: 2})
	return code(a, err, 37)
}

func configsDescribe(s *scene) error {
	if err := s.create(1, "segment.bytes", "2097152"); err != nil {
		return err
	}
	a, err := s.ask.do(request{Op: "configs", Topic: s.topic})
	if err != nil {
		return err
	}
	for key, want := range map[string]string{"segment.bytes": "2097152", "retention.ms": "604800000", "cleanup.policy": "delete"} {
		if a.Config[key] != want {
			return fmt.Errorf("%s is %q, want %s", key, a.Config[key], want)
		}
	}
	return nil
}

func configsAlter(s *scene) error {
	if err := s.create(1); err != nil {
		return err
	}
	if _, err := s.ask.do(request{Op: "alter", Topic: s.topic, Configs: map[string]string{"retention.ms": "86400000"}}); err != nil {
		return err
	}
	return s.wantConfig("retention.ms", "86400000")
}

func configsWrong(s *scene) error {
	if err := s.create(1); err != nil {
		return err
	}
	a, err := s.ask.do(request{Op: "alter", Topic: s.topic, Configs: map[string]string{"retention.ms": "soon"}})
	return code(a, err, 40)
}

func topicDelete(s *scene) error {
	if err := s.create(2); err != nil {
		return err
	}
	if _, err := s.ask.do(request{Op: "delete", Topic: s.topic}); err != nil {
		return err
	}
	return s.wantPartitions(0)
}

func topicDeleteUnknown(s *scene) error {
	a, err := s.ask.do(request{Op: "delete", Topic: s.topic})
	return code(a, err, 3)
}

func offsets(s *scene) error {
	if err := s.create(1); err != nil {
		return err
	}
	if err := s.write(uncompressed, plain(10, 1)); err != nil {
		return err
	}
	if err := s.trim(4); err != nil {
		return err
	}
	for at, want := range map[string]int64{"start": 4, "end": 10} {
		if err := s.wantOffset(position{At: at}, want); err != nil {
			return err
		}
	}
	return nil
}

func offsetsTime(s *scene) error {
	if err := s.create(1); err != nil {
		return err
	}
	records := plain(10, 1)
	if err := s.write(uncompressed, records); err != nil {
		return err
	}
	return s.wantOffset(position{At: "time", N: records[6].Timestamp - 1}, 6)
}

func (s *scene) wantOffset(at position, want int64) error {
	a, err := s.ask.do(request{Op: "offset", Topic: s.topic, At: &at})
	if err == nil && a.Offset != want {
		err = fmt.Errorf("offset %d for %+v, want %d", a.Offset, at, want)
	}
	return err
}
