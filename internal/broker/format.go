package broker

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/brokerd/brokerd/internal/step"
	"github.com/brokerd/brokerd/internal/vfs"
)

const metaFile = "meta.properties"

var (
	// ErrFormatted says that a directory is formatted already.
	ErrFormatted = errors.New("already formatted")
	// ErrForeign says that a directory holds files of somebody else.
	ErrForeign = errors.New("holds files that are not brokerd's")
	// ErrMetaLost says that a directory was this program's before it lost meta.properties.
	ErrMetaLost = errors.New("holds files that brokerd wrote")
	// ErrNotFormatted says that a directory has no meta.properties, and that
	// auto.format.storage forbids making one.
	ErrNotFormatted = errors.New("is not formatted")
	// ErrIdentity says that a directory belongs to another cluster or node.
	ErrIdentity = errors.New("belongs to another cluster or node")
)

// Meta is what meta.properties says of a log directory, in Kafka's format
// (version 1, KIP-858): version, cluster.id, node.id, directory.id.
type Meta struct {
	ClusterID string
	NodeID    int32
	Directory step.TopicID
}

// Properties renders the file.
func (m Meta) Properties() string {
	return fmt.Sprintf("#\ncluster.id=%s\ndirectory.id=%s\nnode.id=%d\nversion=1\n", m.ClusterID, m.Directory, m.NodeID)
}

// NewID makes a random id as `kafka-storage random-uuid` prints it: never one
// that starts with a dash, which a command line would take for a flag.
func NewID() string { return newDirectoryID().String() }

// newDirectoryID draws an id that is not zero and is not written with a dash in
// front: it is an argument of command lines.
func newDirectoryID() (id step.TopicID) {
	for id.IsZero() || id.String()[0] == '-' {
		rand.Read(id[:])
	}
	return id
}

// CheckClusterID accepts what Kafka accepts: 16 bytes as unpadded base64url.
func CheckClusterID(id string) error {
	b, err := base64.RawURLEncoding.DecodeString(id)
	if err != nil || len(b) != 16 {
		return fmt.Errorf("cluster id %q is not 16 bytes of base64url; make one with `brokerd storage random-uuid`", id)
	}
	return nil
}

// ReadMeta reads a directory's meta.properties; fs.ErrNotExist when it has none.
func ReadMeta(f vfs.FS, dir string) (Meta, error) {
	name := path.Join(dir, metaFile)
	content, err := readFile(f, name)
	if err != nil {
		return Meta{}, err
	}
	values := map[string]string{}
	for lines := bufio.NewScanner(bytes.NewReader(content)); lines.Scan(); {
		line := strings.TrimSpace(lines.Text())
		if key, value, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(line, "#") {
			values[strings.TrimSpace(key)] = strings.TrimSpace(value)
		}
	}
	switch v := values["version"]; v {
	case "1":
	case "":
		return Meta{}, fmt.Errorf("%s has no version: it is damaged, or not a meta.properties; restore it, or name another directory", name)
	default:
		return Meta{}, fmt.Errorf("%s: version %q is not 1: a newer release wrote it; run that one", name, v)
	}
	node, err := strconv.ParseInt(values["node.id"], 10, 32)
	if err != nil {
		return Meta{}, fmt.Errorf("%s: node.id %q is not a number", name, values["node.id"])
	}
	directory, err := step.ParseTopicID(values["directory.id"])
	if err != nil {
		return Meta{}, fmt.Errorf("%s: directory.id is %q, where 22 characters of base64url are expected: was it written by Kafka before 3.7, or by hand? Add a line directory.id= with what `brokerd storage random-uuid` prints", name, values["directory.id"])
	}
	if values["cluster.id"] == "" {
		return Meta{}, fmt.Errorf("%s: no cluster.id", name)
	}
	return Meta{ClusterID: values["cluster.id"], NodeID: int32(node), Directory: directory}, nil
}

// WriteMeta formats one directory, making it if need be.
func WriteMeta(f vfs.FS, dir string, m Meta) error {
	if err := f.MkdirAll(dir); err != nil {
		return fmt.Errorf("make log directory: %w", err)
	}
	if err := writeFile(f, dir, metaFile, []byte(m.Properties())); err != nil {
		return fmt.Errorf("format %s: %w", dir, err)
	}
	return f.SyncDir(path.Dir(path.Clean(dir)))
}

// Foreign lists what stands in a directory without meta.properties that keeps
// us from formatting it. A missing directory is empty.
func Foreign(f vfs.FS, dir string) ([]string, error) {
	names, err := f.List(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return slices.DeleteFunc(names, func(name string) bool {
		return name == "lost+found" || name == lockFile || name == metaFile+".tmp" || name == freshFile
	}), err
}

// Identity is who this node is.
type Identity struct {
	ClusterID   string
	NodeID      int32
	Directories map[string]step.TopicID // by log directory
	Formatted   bool                    // by this very call
}

// Wanted is what the configuration says of the identity. Empty and -1: nothing.
type Wanted struct {
	Dirs      []string
	ClusterID string
	NodeID    int32
	Format    bool // auto.format.storage
}

// Identify reads who this node is, and formats what is empty. It refuses a
// directory with foreign files, and directories that disagree with each other
// or with what is wanted.
func Identify(f vfs.FS, w Wanted) (Identity, error) {
	id, empty, err := examine(f, w)
	if err != nil {
		return Identity{}, err
	}
	return id, id.formatEmpty(f, empty, w)
}

// examine reads who this node is, and which directories are empty.
func examine(f vfs.FS, w Wanted) (id Identity, empty []string, err error) {
	id = Identity{ClusterID: w.ClusterID, NodeID: w.NodeID, Directories: map[string]step.TopicID{}}
	clusterFrom, nodeFrom := "the configuration", "the configuration (node.id)"
	for _, dir := range w.Dirs {
		m, err := ReadMeta(f, dir)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			if err := refuseForeign(f, dir); err != nil {
				return Identity{}, nil, err
			}
			empty = append(empty, dir)
			continue
		case err != nil:
			return Identity{}, nil, err
		}
		at := path.Join(dir, metaFile)
		if id.ClusterID != "" && id.ClusterID != m.ClusterID {
			return Identity{}, nil, fmt.Errorf("%s %w: its cluster.id is %s, but %s says %s", at, ErrIdentity, m.ClusterID, clusterFrom, id.ClusterID)
		}
		if id.NodeID >= 0 && id.NodeID != m.NodeID {
			return Identity{}, nil, fmt.Errorf("%s %w: its node.id is %d, but %s says %d", at, ErrIdentity, m.NodeID, nodeFrom, id.NodeID)
		}
		id.ClusterID, id.NodeID, clusterFrom, nodeFrom = m.ClusterID, m.NodeID, at, at
		if err := id.add(dir, m.Directory); err != nil {
			return Identity{}, nil, err
		}
	}
	return id, empty, nil
}

func (id *Identity) add(dir string, d step.TopicID) error {
	for other, known := range id.Directories {
		if known == d {
			return fmt.Errorf("%s and %s have the same directory.id %s: one is a copy of the other; give only one in log.dirs", dir, other, d)
		}
	}
	id.Directories[dir] = d
	return nil
}

// formatEmpty makes every empty directory one of this node's.
func (id *Identity) formatEmpty(f vfs.FS, empty []string, w Wanted) error {
	if len(empty) == 0 {
		return nil
	}
	if !w.Format {
		return fmt.Errorf("%s %w, and auto.format.storage=false forbids to do it now: run `brokerd storage format -t CLUSTER_ID -c FILE`", empty[0], ErrNotFormatted)
	}
	if id.ClusterID == "" {
		id.ClusterID = NewID()
	}
	if err := CheckClusterID(id.ClusterID); err != nil {
		return err
	}
	if id.NodeID < 0 {
		id.NodeID = 1 // nobody named one; 0 is a node like any other
	}
	id.Formatted = len(id.Directories) == 0
	for _, dir := range empty {
		m := Meta{ClusterID: id.ClusterID, NodeID: id.NodeID}
		m.Directory = newDirectoryID()
		if err := WriteMeta(f, dir, m); err != nil {
			return err
		}
		if err := id.add(dir, m.Directory); err != nil {
			return err
		}
	}
	return nil
}

func refuseForeign(f vfs.FS, dir string) error {
	names, err := Foreign(f, dir)
	if err != nil {
		return fmt.Errorf("look into log directory: %w", err)
	}
	if len(names) == 0 {
		return nil
	}
	if own := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return name != raftDir && !strings.HasPrefix(name, "brokerd-") }); len(own) > 0 {
		return fmt.Errorf("%s has no %s and %w (%s): without it nobody knows whose data this is; restore the file from a backup, or, if the other replicas"+
			" have all of it, move the directory away: this node then starts empty and copies everything", dir, metaFile, ErrMetaLost, strings.Join(own, ", "))
	}
	shown := names[:min(3, len(names))]
	more := ""
	if len(names) > len(shown) {
		more = fmt.Sprintf(" and %d more", len(names)-len(shown))
	}
	return fmt.Errorf("%s has no %s and %w (%s%s); name an empty directory with --data-dir or log.dirs",
		dir, metaFile, ErrForeign, strings.Join(shown, ", "), more)
}

func readFile(f vfs.FS, name string) ([]byte, error) {
	file, err := f.Open(name, vfs.Read)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	size, err := file.Size()
	if err != nil {
		return nil, err
	}
	content := make([]byte, min(size, 1<<20))
	if _, err := file.ReadAt(content, 0); err != nil && err != io.EOF {
		return nil, err
	}
	return content, nil
}

// writeFile replaces a small file so that a crash leaves the old or the new one.
func writeFile(f vfs.FS, dir, name string, content []byte) error {
	temp := path.Join(dir, name+".tmp")
	file, err := f.Open(temp, vfs.Create)
	if err != nil {
		return err
	}
	err = errors.Join(file.Truncate(0), write(file, content), file.Sync(), file.Close())
	if err != nil {
		return err
	}
	if err := f.Rename(temp, path.Join(dir, name)); err != nil {
		return err
	}
	return f.SyncDir(dir)
}

func write(file vfs.File, content []byte) error {
	_, err := file.WriteAt(content, 0)
	return err
}

const lockFile = ".lock" // Kafka's name

// lockDirs takes every log directory for this process. Without the first, which
// holds the metadata, nothing can be done; any other that cannot be used is left
// out, and unusable says why.
func lockDirs(f vfs.FS, dirs []string) (locks []io.Closer, unusable map[string]error, err error) {
	unusable = map[string]error{}
	for i, dir := range dirs {
		err := f.MkdirAll(dir)
		var lock io.Closer
		if err == nil {
			lock, err = f.Lock(path.Join(dir, lockFile))
		}
		switch {
		case err == nil:
			locks = append(locks, lock)
		case errors.Is(err, vfs.ErrLocked):
			return locks, nil, fmt.Errorf("log directory %s is in use: %w; stop that broker with `brokerd stop`, or name another with --data-dir", dir, err)
		case i == 0:
			return locks, nil, fmt.Errorf("log directory %s cannot be written: %w; let this user write there, or name another with --data-dir", dir, err)
		default:
			unusable[dir] = fmt.Errorf("cannot be written: %w", err)
		}
	}
	return locks, unusable, nil
}
