package broker

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"syscall"

	"github.com/brokerd/brokerd/internal/step"
	"github.com/brokerd/brokerd/internal/vfs"
)

// FormatOptions says what somebody asks `storage format` to format.
type FormatOptions struct {
	Dirs            []string // the metadata directory first, unless it stands among the others
	ClusterID       string   // empty: a random one
	NodeID          int32
	Directory       string // directory id of Dirs[0]; empty: a random one
	IgnoreFormatted bool
}

// Formatted is what Format did to one directory.
type Formatted struct {
	Dir     string
	Already bool // it was formatted before, and left alone
	Meta    Meta
}

// Format gives every directory its meta.properties. Nothing is written unless
// all directories can be: empty, foreign or formatted for the same node.
func Format(f vfs.FS, o FormatOptions) ([]Formatted, error) {
	if o.ClusterID == "" {
		o.ClusterID = NewID()
	}
	if err := CheckClusterID(o.ClusterID); err != nil {
		return nil, err
	}
	var directory step.TopicID
	if o.Directory != "" {
		d, err := step.ParseTopicID(o.Directory)
		if err != nil {
			return nil, fmt.Errorf("directory id: %w", err)
		}
		directory = d
	}
	list := make([]Formatted, 0, len(o.Dirs))
	for i, dir := range o.Dirs {
		one, err := formatPlan(f, dir, o)
		if err != nil {
			return nil, err
		}
		if i == 0 && !one.Already && !directory.IsZero() {
			one.Meta.Directory = directory
		}
		list = append(list, one)
	}
	for _, one := range list {
		if one.Already {
			continue
		}
		if err := markFresh(f, one.Dir); err != nil {
			return nil, err
		}
		if err := WriteMeta(f, one.Dir, one.Meta); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func formatPlan(f vfs.FS, dir string, o FormatOptions) (Formatted, error) {
	m, err := ReadMeta(f, dir)
	file := path.Join(dir, metaFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		m = Meta{ClusterID: o.ClusterID, NodeID: o.NodeID}
		m.Directory = newDirectoryID()
		return Formatted{Dir: dir, Meta: m}, nil
	case err != nil:
		return Formatted{}, err
	case m.ClusterID != o.ClusterID:
		return Formatted{}, fmt.Errorf("Invalid cluster.id in: %s. Expected %s, but read %s", file, o.ClusterID, m.ClusterID) //nolint:staticcheck // Kafka's words
	case m.NodeID != o.NodeID:
		return Formatted{}, fmt.Errorf("Invalid node.id in: %s. Expected %d, but read %d", file, o.NodeID, m.NodeID) //nolint:staticcheck // Kafka's words
	case !o.IgnoreFormatted:
		return Formatted{}, &AlreadyFormattedError{dir}
	}
	return Formatted{Dir: dir, Already: true, Meta: m}, nil
}

// AlreadyFormattedError is ErrFormatted of one directory, in Kafka's words.
type AlreadyFormattedError struct{ Dir string }

func (e *AlreadyFormattedError) Error() string {
	return fmt.Sprintf("Log directory %s is already formatted. Use --ignore-formatted to ignore this directory and format the others.", e.Dir)
}

func (e *AlreadyFormattedError) Unwrap() error { return ErrFormatted }

// StorageInfo is what `storage info` tells.
type StorageInfo struct {
	Found    []string // directories that are there, sorted
	Meta     *Meta    // of the first that is formatted
	Problems []string
}

// Inspect looks at directories and changes nothing.
func Inspect(f vfs.FS, dirs []string) StorageInfo {
	var info StorageInfo
	for _, dir := range slices.Sorted(slices.Values(dirs)) {
		if _, err := f.List(dir); err != nil {
			info.Problems = append(info.Problems, unlisted(dir, err))
			continue
		}
		info.Found = append(info.Found, dir)
		m, err := ReadMeta(f, dir)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			info.Problems = append(info.Problems, dir+" is not formatted.")
		case err != nil:
			info.Problems = append(info.Problems, fmt.Sprintf("Error loading %s: %v", path.Join(dir, metaFile), err))
		case info.Meta == nil:
			info.Meta = &m
		case info.Meta.ClusterID != m.ClusterID:
			info.Problems = append(info.Problems, "Mismatched cluster IDs between storage directories.")
		case info.Meta.NodeID != m.NodeID:
			info.Problems = append(info.Problems, "Mismatched node IDs between storage directories.")
		}
	}
	return info
}

func unlisted(dir string, err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return dir + " does not exist"
	case errors.Is(err, syscall.ENOTDIR):
		return dir + " is not a directory"
	}
	return fmt.Sprintf("%s cannot be read: %v", dir, err)
}
