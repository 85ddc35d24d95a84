package storage

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/brokerd/brokerd/internal/record"
	"github.com/brokerd/brokerd/internal/vfs"
)

// DumpOptions says what Dump prints. The zero value prints a line per batch.
type DumpOptions struct {
	FS           vfs.FS // nil: the machine's
	Records      bool   // a line per record (--deep-iteration)
	Contents     bool   // with keys and values (--print-data-log)
	SkipMetadata bool   // records without offset, time and sizes
	VerifyOnly   bool   // indexes are compared with the log, not printed
	SanityOnly   bool   // indexes are checked by themselves
	MaxBytes     int64  // of a .log; 0: all
}

// ErrMismatch says that an index does not agree with its log. What differs was printed.
var ErrMismatch = errors.New("index does not agree with the log")

// Dump prints a file that storage writes, or every one in a partition's
// directory, in the texts of Kafka's DumpLogSegments where it has one.
func Dump(w io.Writer, name string, o DumpOptions) error {
	if o.FS == nil {
		o.FS = vfs.NewOS()
	}
	out := bufio.NewWriter(w)
	d := dumper{out: out, o: o}
	err := d.any(name)
	return errors.Join(err, out.Flush())
}

type dumper struct {
	out *bufio.Writer
	o   DumpOptions
}

func (d *dumper) any(name string) error {
	names, err := d.o.FS.List(name)
	if err != nil {
		return d.file(name)
	}
	var errs error
	for _, n := range names {
		if known(n) {
			errs = errors.Join(errs, d.file(path.Join(name, n)))
		}
	}
	return errs
}

// known tells whether a name in a directory is one of ours.
func known(name string) bool { return dumpOf(name) != nil }

func dumpOf(name string) func(*dumper, string) error {
	base := strings.TrimSuffix(path.Base(name), deletedSuffix)
	switch {
	case strings.HasSuffix(base, logSuffix):
		return (*dumper).log
	case strings.HasSuffix(base, timeIndexSuffix):
		return (*dumper).timeIndex
	case strings.HasSuffix(base, abortedSuffix):
		return (*dumper).aborted
	case strings.HasSuffix(base, indexSuffix):
		return (*dumper).index
	case base == epochsName:
		return (*dumper).epochs
	case base == producersName:
		return (*dumper).producers
	case base == checkpointName:
		return (*dumper).checkpoint
	case base == metadataName:
		return (*dumper).metadata
	}
	return nil
}

func (d *dumper) file(name string) error {
	dump := dumpOf(name)
	if dump == nil {
		return fmt.Errorf("%s is no file that storage writes: it knows %s, %s, %s, %s, %s, %s, %s and %s", name,
			logSuffix, indexSuffix, timeIndexSuffix, abortedSuffix, epochsName, producersName, checkpointName, metadataName)
	}
	fmt.Fprintf(d.out, "Dumping %s\n", name)
	if err := dump(d, name); err != nil {
		return fmt.Errorf("dump %s: %w", name, err)
	}
	return nil
}

// read gives a whole small file; a missing one is an error here.
func (d *dumper) read(name string) ([]byte, error) {
	p, err := readWhole(d.o.FS, name)
	if err == nil && p == nil {
		err = fs.ErrNotExist
	}
	return p, err
}

func (d *dumper) log(name string) error {
	base, ok := segmentBase(strings.TrimSuffix(path.Base(name), deletedSuffix), logSuffix)
	if ok {
		fmt.Fprintf(d.out, "Log starting offset: %d\n", base)
	}
	s, err := d.scan(name)
	if err != nil {
		return err
	}
	defer s.close()
	for d.o.MaxBytes <= 0 || s.pos < d.o.MaxBytes {
		b, err := s.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			fmt.Fprintf(d.out, "Found %d invalid bytes at the end of %s\n", s.size-s.pos, path.Base(name))
			return nil
		}
		if d.o.MaxBytes > 0 && s.pos > d.o.MaxBytes {
			return nil // Kafka reads so many bytes, and no batch that goes on behind them
		}
		spec := record.DumpSpec{Position: s.pos - int64(len(b)), Records: d.o.Records, Contents: d.o.Contents, SkipMetadata: d.o.SkipMetadata}
		if err := record.Dump(d.out, b, spec); err != nil {
			return fmt.Errorf("batch at %d: %w", spec.Position, err)
		}
	}
	return nil
}

// fileScan reads batch after batch of a .log.
type fileScan struct {
	f         vfs.File
	pos, size int64
}

func (d *dumper) scan(name string) (*fileScan, error) {
	f, err := d.o.FS.Open(name, vfs.Read)
	if err != nil {
		return nil, err
	}
	size, err := f.Size()
	if err != nil {
		_ = f.Close() // read only
		return nil, err
	}
	return &fileScan{f: f, size: size}, nil
}

func (s *fileScan) close() { _ = s.f.Close() } // read only

// next reads a batch; a broken one whose length makes sense comes too.
func (s *fileScan) next() (record.Batch, error) {
	if s.pos >= s.size {
		return nil, io.EOF
	}
	var head [record.HeaderSize]byte
	if n, err := s.f.ReadAt(head[:], s.pos); n < len(head) {
		return nil, errors.Join(record.ErrIncomplete, err)
	}
	size, err := record.Size(head[:])
	if err != nil || size > s.size-s.pos {
		return nil, errors.Join(record.ErrIncomplete, err)
	}
	b := make(record.Batch, size)
	if n, err := s.f.ReadAt(b, s.pos); n < len(b) {
		return nil, errors.Join(record.ErrIncomplete, err)
	}
	s.pos += size
	return b, nil
}

func (d *dumper) index(name string) error {
	p, err := d.read(name)
	if err != nil {
		return err
	}
	entries, ok := parseIndexes(p, nil)
	if !ok {
		return errBadFrame
	}
	if d.o.SanityOnly {
		fmt.Fprintf(d.out, "%s passed sanity check.\n", name)
		return nil
	}
	base, s, err := d.logOf(name, indexSuffix)
	if err != nil {
		return err
	}
	defer s.close()
	var wrong []string
	for _, e := range entries {
		s.pos = int64(e.pos)
		found := int64(-1)
		if b, err := s.next(); err == nil {
			found = b.LastOffset()
		}
		if found != base+int64(e.last) {
			wrong = append(wrong, fmt.Sprintf("  Index offset: %d, log offset: %d", base+int64(e.last), found))
		}
		if !d.o.VerifyOnly {
			fmt.Fprintf(d.out, "offset: %d position: %d\n", base+int64(e.last), e.pos)
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

func (d *dumper) mismatches(title string, lines []string) error {
	if len(lines) == 0 {
		return nil
	}
	fmt.Fprintf(d.out, "%s\n%s\n", title, strings.Join(lines, "\n"))
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
		fmt.Fprintf(d.out, "%s passed sanity check.\n", name)
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
	var wrong []string
	before := int64(noTimestamp)
	for ; len(p) > 0; p = p[timeEntryBytes:] {
		e := decoder{p: p[:timeEntryBytes]}
		ts, offset := e.int64(), base+int64(uint32(e.int32()))
		if top, ok := tops[offset]; !ok {
			wrong = append(wrong, fmt.Sprintf("  Indexed offset: %d, found log offset: -1", offset))
		} else if top != ts {
			wrong = append(wrong, fmt.Sprintf("  Index timestamp: %d, log timestamp: %d", ts, top))
		}
		if ts <= before {
			wrong = append(wrong, fmt.Sprintf("  Index timestamp: %d, Previously indexed timestamp: %d", ts, before))
		}
		before = ts
		if !d.o.VerifyOnly {
			fmt.Fprintf(d.out, "timestamp: %d offset: %d\n", ts, offset)
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
		fmt.Fprintf(d.out, "version: 0 producerId: %d firstOffset: %d lastOffset: %d lastStableOffset: %d\n", a.ProducerID, a.First, a.Last, a.LastStable)
	}
	return err
}

func (d *dumper) frame(name string, k kind) ([]byte, error) {
	p, err := d.read(name)
	if err != nil {
		return nil, err
	}
	body, err := k.open(p)
	if newer := (*NewerError)(nil); errors.As(err, &newer) {
		newer.Path = name
	}
	return body, err
}

func (d *dumper) epochs(name string) error {
	p, err := d.frame(name, epochsKind)
	if err != nil {
		return err
	}
	list, err := parseEpochs(p)
	for _, e := range list {
		fmt.Fprintf(d.out, "epoch: %d startOffset: %d\n", e.epoch, e.start)
	}
	return err
}

func (d *dumper) producers(name string) error {
	p, err := d.frame(name, producersKind)
	if err != nil {
		return err
	}
	st, err := parseProducers(p)
	if err != nil {
		return err
	}
	fmt.Fprintf(d.out, "true up to offset: %d\n", st.end)
	for _, p := range st.ps.sorted() {
		txn := "OptionalLong.empty"
		if p.txnStart >= 0 {
			txn = fmt.Sprintf("OptionalLong[%d]", p.txnStart)
		}
		fmt.Fprintf(d.out, "producerId: %d producerEpoch: %d coordinatorEpoch: %d currentTxnFirstOffset: %s lastTimestamp: %d\n",
			p.id, p.epoch, p.coordinator, txn, p.lastTime)
		for _, b := range p.batches[:p.count] {
			fmt.Fprintf(d.out, "| firstSequence: %d lastSequence: %d lastOffset: %d offsetDelta: %d timestamp: %d\n", b.firstSeq, b.lastSeq, b.last, b.delta, b.time)
		}
	}
	for _, t := range st.txns {
		if t.marker != openTxn {
			fmt.Fprintf(d.out, "undecided for readers: producerId: %d firstOffset: %d markerOffset: %d\n", t.producer, t.first, t.marker)
		}
	}
	return nil
}

func (d *dumper) checkpoint(name string) error {
	p, err := d.read(name)
	if err != nil {
		return err
	}
	if len(p) < frameHeader {
		return errBadFrame
	}
	if _, err := checkpointKind.open(p[:frameHeader]); err != nil {
		if newer := (*NewerError)(nil); errors.As(err, &newer) {
			newer.Path = name
		}
		return err
	}
	rest := p[frameHeader:]
	for len(rest) > 0 {
		body, after, ok := nextEntry(rest)
		if !ok {
			fmt.Fprintf(d.out, "Found %d invalid bytes at the end of %s\n", len(rest), path.Base(name))
			return nil
		}
		fmt.Fprintf(d.out, "position: %d %s\n", len(p)-len(rest), entryText(body))
		rest = after
	}
	return nil
}

// entryText prints one entry of the checkpoint log.
func entryText(body []byte) string {
	ms := marks{}
	if !ms.apply(body) {
		return "unknown: " + hex.EncodeToString(body)
	}
	d := decoder{p: body[1:]}
	var m mark
	copy(m.id.Topic[:], d.take(16))
	m.id.Index = d.int32()
	who := fmt.Sprintf("topicId: %s partition: %d", m.id.Topic, m.id.Index)
	switch body[0] {
	case entryPoint:
		p := ms[m.id]
		return fmt.Sprintf("point %s topic: %s clean: %t leaderEpoch: %d logStartOffset: %d endOffset: %d highWatermark: %d segment: %d"+
			" position: %d sinceIndexEntry: %d maxTimestamp: %d offsetOfMaxTimestamp: %d digest: %d aborted: %d producers: %t index: %d",
			who, p.topic, p.clean, p.epoch, p.start, p.end, p.hw, p.segment, p.pos, p.since, p.top, p.topOffset, p.digest, p.aborted, p.producers, p.index)
	case entrySealed, entrySwap:
		s := ms[m.id].sealed[0]
		text := fmt.Sprintf("sealed %s segment: %d size: %d maxTimestamp: %d offsetOfMaxTimestamp: %d digest: %d aborted: %d",
			who, s.base, s.size, s.top, s.topOffset, s.digest, s.aborted)
		if body[0] == entrySwap {
			text += fmt.Sprintf(" covers: %d", s.covers)
		}
		return text
	case entryClean:
		return fmt.Sprintf("cleaned %s to: %d", who, d.int64())
	case entryGone:
		return "gone " + who
	}
	return fmt.Sprintf("cut %s from: %d to: %d", who, d.int64(), d.int64())
}

func (d *dumper) metadata(name string) error {
	p, err := d.read(name)
	if err != nil {
		return err
	}
	id, err := parseMetadata(p)
	if err != nil {
		return err
	}
	fmt.Fprintf(d.out, "version: 0 topicId: %s\n", id)
	return nil
}
