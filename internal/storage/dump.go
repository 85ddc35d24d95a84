package storage

import (
	"bufio"
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
	FS           vfs.FS                                             // nil: the machine's
	Records      bool                                               // a line per record (--deep-iteration)
	Contents     bool                                               // with keys and values (--print-data-log)
	Decode       func(record.Record) (key, value []byte, err error) // nil: as they are
	SkipMetadata bool                                               // records without offset, time and sizes
	VerifyOnly   bool                                               // indexes are compared with the log, not printed
	SanityOnly   bool                                               // indexes are checked by themselves
	MaxBytes     int64                                              // of a .log; 0: all
	JSON         bool                                               // an object per line, each with its file and type
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
	out  *bufio.Writer
	o    DumpOptions
	name string // of the file being dumped
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
	d.name = name
	d.line("file", "Dumping "+name)
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
		d.line("start", fmt.Sprintf("Log starting offset: %d", base), "baseOffset", base)
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
			d.invalid(s.size - s.pos)
			return nil
		}
		if d.o.MaxBytes > 0 && s.pos > d.o.MaxBytes {
			return nil // Kafka reads so many bytes, and no batch that goes on behind them
		}
		spec := record.DumpSpec{Position: s.pos - int64(len(b)), Records: d.o.Records, Contents: d.o.Contents, SkipMetadata: d.o.SkipMetadata,
			Decode: d.o.Decode}
		if err := d.batch(b, spec); err != nil {
			return fmt.Errorf("batch at %d: %w", spec.Position, err)
		}
	}
	return nil
}

func (d *dumper) batch(b record.Batch, spec record.DumpSpec) error {
	if d.o.JSON {
		return record.DumpJSON(d.out, d.name, b, spec)
	}
	return record.Dump(d.out, b, spec)
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
