package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Reset says where the offsets of a group are to be. Make it with one of the
// functions below.
type Reset struct {
	kind resetKind
	n    int64
	each map[Partition]int64
}

type resetKind uint8

const (
	resetAt resetKind = iota + 1
	resetOffset
	resetShift
	resetCurrent
	resetEach
)

// ResetAt is Earliest, Latest, or the first record that is not older than a
// time in milliseconds; the end of the log where there is none.
func ResetAt(at int64) Reset { return Reset{kind: resetAt, n: at} }

// ResetToOffset is one offset, the same in each partition.
func ResetToOffset(offset int64) Reset { return Reset{kind: resetOffset, n: offset} }

// ResetShift is the committed offset and n more, or less.
func ResetShift(n int64) Reset { return Reset{kind: resetShift, n: n} }

// ResetToCurrent is the committed offset, and the end of the log where there is none.
func ResetToCurrent() Reset { return Reset{kind: resetCurrent} }

// ResetTo is an offset for each partition.
func ResetTo(each map[Partition]int64) Reset { return Reset{kind: resetEach, each: each} }

// Planned is what a reset does to one partition.
type Planned struct {
	Partition
	Before int64 `json:"before"` // committed now; -1: nothing
	After  int64 `json:"after"`
	Asked  int64 `json:"asked"` // After, if the log had it; -1: no offset was asked for
	// Bounded says why After is not what was asked for; "" if it is.
	Bounded Bound `json:"bounded,omitempty"`
}

// Bound is why an offset could not be had.
type Bound string

const (
	BeforeStart Bound = "before the start of the log"
	PastEnd     Bound = "past the end of the log"
	NoneSoLate  Bound = "no record so late"
)

// ErrNothingCommitted says that an offset cannot be shifted: there is none.
var ErrNothingCommitted = errors.New("nothing is committed")

// NothingCommittedError is ErrNothingCommitted for one partition.
type NothingCommittedError struct {
	Group string
	Partition
}

func (e *NothingCommittedError) Error() string {
	return fmt.Sprintf("group %q has committed no offset for %s that could be shifted", e.Group, e.Partition)
}

func (e *NothingCommittedError) Unwrap() error { return ErrNothingCommitted }

// PlanReset works out what a reset would commit, and changes nothing; Commit
// carries it out. Partitions are ignored by ResetTo, which names its own.
func (a *Admin) PlanReset(ctx context.Context, group string, partitions []Partition, to Reset) ([]Planned, error) {
	if to.kind == resetEach {
		partitions = partitions[:0:0]
		for p := range to.each {
			partitions = append(partitions, p)
		}
	} else {
		partitions = slices.Clone(partitions)
	}
	slices.SortFunc(partitions, ComparePartitions)
	partitions = slices.Compact(partitions)
	committed, err := a.Committed(ctx, group)
	if err != nil {
		return nil, err
	}
	before := map[Partition]int64{}
	for _, c := range committed {
		if c.Err != nil {
			return nil, c.Err
		}
		before[c.Partition] = c.Offset
	}
	plan := make([]Planned, len(partitions))
	for i, p := range partitions {
		plan[i] = Planned{Partition: p, Before: -1, After: -1, Asked: -1}
		if offset, ok := before[p]; ok {
			plan[i].Before = offset
		}
	}
	switch to.kind {
	case resetAt:
		return plan, a.planAt(ctx, plan, to.n)
	case resetCurrent:
		return plan, a.planCurrent(ctx, plan)
	}
	for i := range plan {
		p := &plan[i]
		switch to.kind {
		case resetOffset:
			p.Asked = to.n
		case resetShift:
			if p.Before < 0 {
				return nil, &NothingCommittedError{group, p.Partition}
			}
			p.Asked = p.Before + to.n
		default:
			p.Asked = to.each[p.Partition]
		}
	}
	return plan, a.planWithin(ctx, plan)
}

// found gives the offsets of all partitions of a plan, or the first error.
func (a *Admin) found(ctx context.Context, plan []Planned, at int64) ([]PartitionOffset, error) {
	partitions := make([]Partition, len(plan))
	for i, p := range plan {
		partitions[i] = p.Partition
	}
	offsets, err := a.Offsets(ctx, at, partitions)
	if err != nil {
		return nil, err
	}
	for _, o := range offsets {
		if o.Err != nil {
			return nil, o.Err
		}
	}
	return offsets, nil
}

func (a *Admin) planAt(ctx context.Context, plan []Planned, at int64) error {
	offsets, err := a.found(ctx, plan, at)
	if err != nil {
		return err
	}
	var late []Planned
	for i, o := range offsets {
		plan[i].After = o.Offset
		if o.Offset < 0 {
			late = append(late, plan[i])
		}
	}
	ends, err := a.found(ctx, late, Latest)
	if err != nil {
		return err
	}
	for _, end := range ends {
		i := slices.IndexFunc(plan, func(p Planned) bool { return p.Partition == end.Partition })
		plan[i].After, plan[i].Bounded = end.Offset, NoneSoLate
	}
	return nil
}

func (a *Admin) planCurrent(ctx context.Context, plan []Planned) error {
	ends, err := a.found(ctx, plan, Latest)
	if err != nil {
		return err
	}
	for i, end := range ends {
		plan[i].After = plan[i].Before
		if plan[i].Before < 0 {
			plan[i].After = end.Offset
		}
	}
	return nil
}

// planWithin takes what was asked for as far as the log has it.
func (a *Admin) planWithin(ctx context.Context, plan []Planned) error {
	starts, err := a.found(ctx, plan, Earliest)
	if err != nil {
		return err
	}
	ends, err := a.found(ctx, plan, Latest)
	if err != nil {
		return err
	}
	for i := range plan {
		p := &plan[i]
		p.After = p.Asked
		switch {
		case p.Asked > ends[i].Offset:
			p.After, p.Bounded = ends[i].Offset, PastEnd
		case p.Asked < starts[i].Offset:
			p.After, p.Bounded = starts[i].Offset, BeforeStart
		}
	}
	return nil
}

// CommitPlan carries a plan out; the group must have no members.
func (a *Admin) CommitPlan(ctx context.Context, group string, plan []Planned) error {
	if len(plan) == 0 {
		return nil
	}
	offsets := make([]PartitionOffset, len(plan))
	for i, p := range plan {
		offsets[i] = PartitionOffset{Partition: p.Partition, Offset: p.After, LeaderEpoch: -1}
	}
	done, err := a.Commit(ctx, group, offsets)
	if err != nil {
		return err
	}
	for _, d := range done {
		if d.Err != nil {
			return fmt.Errorf("%s: %w", d.Partition, d.Err)
		}
	}
	return nil
}
