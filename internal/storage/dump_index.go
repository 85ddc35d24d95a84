package storage

import (
	"errors"
	"fmt"
	"path"
	"strings"
)

func (d *dumper) index(name string) error {
	p, err := d.read(name)
	if err != nil {
		return err
	}
	if len(p) == 0 {
		d.line("empty", name+" is empty.")
		return nil
	}
	entries, ok := parseIndexes(p, nil)
	if !ok {
		return errBadFrame
	}
	if d.o.SanityOnly {
		d.line("sane", name+" passed sanity check.")
		return nil
	}
	base, s, err := d.logOf(name, indexSuffix)
	if err != nil {
		return err
	}
	defer s.close()
	var wrong []mismatch
	for _, e := range entries {
		s.pos = int64(e.pos)
		found := int64(-1)
		if b, err := s.next(); err == nil {
			found = b.LastOffset()
		}
		if found != base+int64(e.last) {
			wrong = append(wrong, mismatch{fmt.Sprintf("  Index offset: %d, log offset: %d", base+int64(e.last), found),
				[]any{"indexOffset", base + int64(e.last), "logOffset", found}})
		}
		if !d.o.VerifyOnly {
			d.fields("offset", "", "offset", base+int64(e.last), "position", e.pos)
		}
	}
	return d.mismatches("Mismatches in :"+name, wrong)
}

// logOf opens the .log beside an index.
func (d *dumper) logOf(name, suffix string) (base int64, s *fileScan, err error) {
	file := strings.TrimSuffix(name, deletedSuffix)
	base, ok := segmentBase(path.Base(file), suffix)
	if !ok {
		return 0, nil, errors.New("the name is not a base offset of 20 digits")
	}
	s, err = d.scan(strings.TrimSuffix(file, suffix) + logSuffix + strings.TrimPrefix(name, file))
	return base, s, err
}

// mismatch is what an index and its log do not agree about.
type mismatch struct {
	text   string
	fields []any
}

func (d *dumper) mismatches(title string, list []mismatch) error {
	if len(list) == 0 {
		return nil
	}
	d.title(title)
	for _, m := range list {
		d.line("mismatch", m.text, m.fields...)
	}
	return ErrMismatch
}

func (d *dumper) timeIndex(name string) error {
	p, err := d.read(name)
	if err != nil {
		return err
	}
	if len(p)%timeEntryBytes != 0 {
		return errBadFrame
	}
	if d.o.SanityOnly {
		d.line("sane", name+" passed sanity check.")
		return nil
	}
	base, s, err := d.logOf(name, timeIndexSuffix)
	if err != nil {
		return err
	}
	defer s.close()
	tops := map[int64]int64{} // largest timestamp of the batch that ends at an offset
	for {
		b, err := s.next()
		if err != nil {
			break
		}
		tops[b.LastOffset()] = b.MaxTimestamp()
	}
	var wrong []mismatch
	before := int64(noTimestamp)
	for ; len(p) > 0; p = p[timeEntryBytes:] {
		e := decoder{p: p[:timeEntryBytes]}
		ts, offset := e.int64(), base+int64(uint32(e.int32()))
		if top, ok := tops[offset]; !ok {
			wrong = append(wrong, mismatch{fmt.Sprintf("  Indexed offset: %d, found log offset: -1", offset), []any{"indexOffset", offset, "logOffset", -1}})
		} else if top != ts {
			wrong = append(wrong, mismatch{fmt.Sprintf("  Index timestamp: %d, log timestamp: %d", ts, top), []any{"indexTimestamp", ts, "logTimestamp", top}})
		}
		if ts <= before {
			wrong = append(wrong, mismatch{fmt.Sprintf("  Index timestamp: %d, Previously indexed timestamp: %d", ts, before),
				[]any{"indexTimestamp", ts, "previousTimestamp", before}})
		}
		before = ts
		if !d.o.VerifyOnly {
			d.fields("timestamp", "", "timestamp", ts, "offset", offset)
		}
	}
	return d.mismatches("Found timestamp mismatch in :"+name, wrong)
}

func (d *dumper) aborted(name string) error {
	p, err := d.read(name)
	if err != nil {
		return err
	}
	list, err := parseAborted(p)
	for _, a := range list {
		d.fields("aborted", "", "version", 0, "producerId", a.ProducerID, "firstOffset", a.First, "lastOffset", a.Last, "lastStableOffset", a.LastStable)
	}
	return err
}
