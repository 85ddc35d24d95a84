package controller

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"path"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/brokerd/brokerd/internal/vfs"
)

// fsLog is raft's log and stable store on the file-system seam, for bubbles and
// in-process brokers: bbolt needs an *os.File. Everything is in memory too, so
// it suits logs that snapshots keep short.
//
//	raft.log:  { length u32 │ crc32c u32 │ kind u8 │ payload } …
//	  1 entry   index u64, term u64, type u8, data
//	  2 range   from u64, to u64: these entries are deleted
//	  3 value   key length u16, key, value
//
// A record that was not synced when power was lost may be torn: the file is cut
// at the first one whose checksum differs.
type fsLog struct {
	fs   vfs.FS
	dir  string
	lock io.Closer

	// turn is held by the one who writes, across its writes and syncs: a mutex
	// would keep a bubble's time from moving on. Only its holder changes anything.
	turn   chan struct{}
	f      vfs.File
	size   int64
	broken error // a write or sync failed: nothing is promised any more (S3)

	mu     sync.Mutex // over memory, for the readers
	first  uint64
	logs   []raft.Log // from first on
	values map[string][]byte
}

const (
	recEntry = 1 + iota
	recRange
	recValue

	recHeader   = 9
	rewriteFrom = 1 << 20 // a file below that is not rewritten for its dead bytes
	maxRecord   = 64 << 20
)

var (
	_ raft.LogStore    = (*fsLog)(nil)
	_ raft.StableStore = (*fsLog)(nil)

	errNotFound = errors.New("not found") // raft compares the text
	castagnoli  = crc32.MakeTable(crc32.Castagnoli)
)

// OpenFS opens the stores of a member under dir of a file system.
func OpenFS(fsys vfs.FS, dir string) (Stores, error) {
	if err := makeDir(fsys, dir); err != nil {
		return Stores{}, err
	}
	lock, err := fsys.Lock(dir + "/raft.lock")
	if err != nil {
		return Stores{}, fmt.Errorf("lock metadata directory: %w", err)
	}
	l := &fsLog{fs: fsys, dir: dir, lock: lock, values: make(map[string][]byte), turn: make(chan struct{}, 1)}
	if err := l.open(); err != nil {
		return Stores{}, errors.Join(fmt.Errorf("open raft log in %s: %w", dir, err), lock.Close())
	}
	snaps, err := openFSSnapshots(fsys, dir+"/snapshots")
	if err != nil {
		return Stores{}, errors.Join(err, l.Close())
	}
	return Stores{Log: l, Stable: l, Snapshots: snaps, Closer: l}, nil
}

// makeDir makes a directory that is there after a power cut too.
func makeDir(fsys vfs.FS, dir string) error {
	if err := fsys.MkdirAll(dir); err != nil {
		return fmt.Errorf("make metadata directory: %w", err)
	}
	for d := path.Dir(dir); ; d = path.Dir(d) {
		if err := fsys.SyncDir(d); err != nil {
			return fmt.Errorf("sync %s: %w", d, err)
		}
		if d == path.Dir(d) {
			return nil
		}
	}
}

func (l *fsLog) path() string { return l.dir + "/raft.log" }

func (l *fsLog) open() error {
	f, err := l.fs.Open(l.path(), vfs.Write)
	if errors.Is(err, fs.ErrNotExist) {
		if f, err = l.fs.Open(l.path(), vfs.Create); err == nil {
			err = l.fs.SyncDir(l.dir)
		}
	}
	if err != nil {
		return err
	}
	l.f = f
	end, err := f.Size()
	if err != nil {
		return err
	}
	data := make([]byte, end)
	if end > 0 {
		if _, err := f.ReadAt(data, 0); err != nil {
			return err
		}
	}
	l.size = int64(l.replay(data))
	if l.size < end {
		if err := f.Truncate(l.size); err != nil {
			return err
		}
	}
	// What is kept may never have been synced: it must be before it counts.
	return f.Sync()
}

// replay applies records and returns how many bytes were whole.
func (l *fsLog) replay(data []byte) int {
	at := 0
	for {
		rest := data[at:]
		if len(rest) < recHeader {
			return at
		}
		n := int(binary.LittleEndian.Uint32(rest))
		if n < 1 || n > maxRecord || len(rest) < 8+n {
			return at
		}
		body := rest[8 : 8+n]
		if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(rest[4:]) || !l.apply(body) {
			return at
		}
		at += 8 + n
	}
}

func (l *fsLog) apply(body []byte) bool {
	kind, p := body[0], body[1:]
	switch {
	case kind == recEntry && len(p) >= 17:
		e := raft.Log{Index: binary.LittleEndian.Uint64(p), Term: binary.LittleEndian.Uint64(p[8:]), Type: raft.LogType(p[16])}
		e.Data = slices.Clone(p[17:])
		l.keep(e)
	case kind == recRange && len(p) == 16:
		l.forget(binary.LittleEndian.Uint64(p), binary.LittleEndian.Uint64(p[8:]))
	case kind == recValue && len(p) >= 2 && len(p) >= 2+int(binary.LittleEndian.Uint16(p)):
		k := 2 + int(binary.LittleEndian.Uint16(p))
		l.values[string(p[2:k])] = slices.Clone(p[k:])
	default:
		return false
	}
	return true
}

// keep puts an entry in its place; raft overwrites a suffix after it deleted it.
func (l *fsLog) keep(e raft.Log) {
	if len(l.logs) == 0 || e.Index < l.first || e.Index > l.first+uint64(len(l.logs)) {
		l.first, l.logs = e.Index, l.logs[:0:0]
	}
	at := e.Index - l.first
	l.logs = append(l.logs[:at], e)
}

func (l *fsLog) forget(from, to uint64) {
	last := l.first + uint64(len(l.logs)) // one past
	switch {
	case len(l.logs) == 0 || to < l.first || from >= last:
	case from <= l.first && to >= last-1:
		l.logs = nil
	case from <= l.first:
		l.logs = slices.Clone(l.logs[to+1-l.first:])
		l.first = to + 1
	default: // raft deletes a prefix or a suffix only
		l.logs = l.logs[:from-l.first]
	}
}

// write appends records in one write and syncs them.
func (l *fsLog) write(b []byte) error {
	if l.broken != nil {
		return l.broken
	}
	_, err := l.f.WriteAt(b, l.size)
	if err == nil {
		err = l.f.Sync()
	}
	if err != nil {
		l.broken = fmt.Errorf("raft log is out of service: %w", err)
		return l.broken
	}
	l.size += int64(len(b))
	return nil
}

func appendRecord(b []byte, kind byte, payload ...[]byte) []byte {
	start := len(b)
	b = append(b, 0, 0, 0, 0, 0, 0, 0, 0, kind)
	for _, p := range payload {
		b = append(b, p...)
	}
	body := b[start+8:]
	binary.LittleEndian.PutUint32(b[start:], uint32(len(body)))
	binary.LittleEndian.PutUint32(b[start+4:], crc32.Checksum(body, castagnoli))
	return b
}

func appendEntry(b []byte, e *raft.Log) []byte {
	var head [17]byte
	binary.LittleEndian.PutUint64(head[:], e.Index)
	binary.LittleEndian.PutUint64(head[8:], e.Term)
	head[16] = byte(e.Type)
	return appendRecord(b, recEntry, head[:], e.Data)
}

func appendValue(b []byte, key string, value []byte) []byte {
	var n [2]byte
	binary.LittleEndian.PutUint16(n[:], uint16(len(key)))
	return appendRecord(b, recValue, n[:], []byte(key), value)
}

func (l *fsLog) FirstIndex() (uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.logs) == 0 {
		return 0, nil
	}
	return l.first, nil
}

func (l *fsLog) LastIndex() (uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.logs) == 0 {
		return 0, nil
	}
	return l.first + uint64(len(l.logs)) - 1, nil
}

func (l *fsLog) GetLog(index uint64, out *raft.Log) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.logs) == 0 || index < l.first || index-l.first >= uint64(len(l.logs)) {
		return raft.ErrLogNotFound
	}
	*out = l.logs[index-l.first]
	return nil
}

func (l *fsLog) StoreLog(e *raft.Log) error { return l.StoreLogs([]*raft.Log{e}) }

func (l *fsLog) StoreLogs(logs []*raft.Log) error {
	var b []byte
	for _, e := range logs {
		b = appendEntry(b, e)
	}
	return l.change(b, func() {
		for _, e := range logs {
			kept := *e
			kept.Data, kept.Extensions, kept.AppendedAt = slices.Clone(e.Data), nil, time.Time{}
			l.keep(kept)
		}
	})
}

func (l *fsLog) DeleteRange(from, to uint64) error {
	var p [16]byte
	binary.LittleEndian.PutUint64(p[:], from)
	binary.LittleEndian.PutUint64(p[8:], to)
	return l.change(appendRecord(nil, recRange, p[:]), func() { l.forget(from, to) }, l.rewriteIfDue)
}

func (l *fsLog) Set(key, value []byte) error {
	return l.change(appendValue(nil, string(key), value), func() { l.values[string(key)] = slices.Clone(value) })
}

// change makes records durable, then does to memory what they say, then whatever
// else the one who has the turn wants.
func (l *fsLog) change(records []byte, do func(), then ...func() error) error {
	l.turn <- struct{}{}
	defer func() { <-l.turn }()
	if err := l.write(records); err != nil {
		return err
	}
	l.mu.Lock()
	do()
	l.mu.Unlock()
	for _, f := range then {
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}

func (l *fsLog) Get(key []byte) ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	v, ok := l.values[string(key)]
	if !ok {
		return nil, errNotFound
	}
	return slices.Clone(v), nil
}

func (l *fsLog) SetUint64(key []byte, v uint64) error {
	return l.Set(key, binary.LittleEndian.AppendUint64(nil, v))
}

func (l *fsLog) GetUint64(key []byte) (uint64, error) {
	v, err := l.Get(key)
	switch {
	case err != nil:
		return 0, err // raft compares the text of errNotFound
	case len(v) != 8:
		return 0, fmt.Errorf("raft value %q has %d bytes instead of 8", key, len(v))
	}
	return binary.LittleEndian.Uint64(v), nil
}

// rewriteIfDue writes the file anew when most of it is dead: asked when a
// snapshot has cut the log, because it looks at everything.
func (l *fsLog) rewriteIfDue() error {
	if l.size < rewriteFrom {
		return nil
	}
	var b []byte
	keys := make([]string, 0, len(l.values))
	for k := range l.values {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		b = appendValue(b, k, l.values[k])
	}
	for i := range l.logs {
		b = appendEntry(b, &l.logs[i])
	}
	if int64(len(b)) > l.size/2 {
		return nil
	}
	return l.replace(b)
}

func (l *fsLog) replace(b []byte) error {
	temp := l.path() + ".tmp"
	f, err := l.fs.Open(temp, vfs.Create)
	if err != nil {
		return err
	}
	err = f.Truncate(0)
	if err == nil {
		_, err = f.WriteAt(b, 0)
	}
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = l.fs.Rename(temp, l.path())
	}
	if err != nil {
		return errors.Join(fmt.Errorf("rewrite raft log: %w", err), f.Close())
	}
	old := l.f
	l.f, l.size = f, int64(len(b))
	_ = old.Close() // replaced: nothing in it counts any more
	if err := l.fs.SyncDir(l.dir); err != nil {
		l.broken = fmt.Errorf("raft log is out of service: %w", err)
		return l.broken
	}
	return nil
}

// Close gives the files back. Every write was synced when it returned.
func (l *fsLog) Close() error {
	l.turn <- struct{}{}
	defer func() { <-l.turn }()
	if l.f == nil {
		return nil
	}
	err := errors.Join(l.f.Close(), l.lock.Close())
	l.f, l.broken = nil, errors.New("raft log is closed")
	return err
}
