package controller

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	"go.etcd.io/bbolt"
	bolterr "go.etcd.io/bbolt/errors"

	"github.com/brokerd/brokerd/internal/meta"
)

// ErrHeld says that a running server holds the metadata log.
var ErrHeld = errors.New("a running server holds it: stop the server, or ask it with `brokerd quorum status`")

// Dump prints what raft keeps, without changing it: a directory of OpenBolt's, its
// raft.db, or one snapshot (its directory, or the state.bin in it).
func Dump(w io.Writer, name string, asJSON bool) error {
	out := bufio.NewWriter(w)
	err := dump(&dumper{out: out, json: asJSON}, name)
	return errors.Join(err, out.Flush())
}

func dump(d *dumper, name string) error {
	if i, err := os.Stat(name); err != nil {
		return err
	} else if !i.IsDir() {
		if filepath.Base(name) == stateFile {
			return d.snapshot(filepath.Dir(name))
		}
		return d.log(name)
	}
	if _, err := os.Stat(filepath.Join(name, stateFile)); err == nil {
		return d.snapshot(name)
	}
	err := d.log(filepath.Join(name, logFile))
	list, listErr := os.ReadDir(filepath.Join(name, snapshotDir))
	if listErr != nil && !errors.Is(listErr, os.ErrNotExist) {
		err = errors.Join(err, listErr)
	}
	for _, s := range list {
		if s.IsDir() && !strings.HasSuffix(s.Name(), ".tmp") { // half written when the power went
			err = errors.Join(err, d.snapshot(filepath.Join(name, snapshotDir, s.Name())))
		}
	}
	return err
}

// log prints raft.db: term, vote, which quorum it is, and every entry.
func (d *dumper) log(name string) error {
	d.begin(name)
	db, err := raftboltdb.New(raftboltdb.Options{Path: name, BoltOptions: &bbolt.Options{ReadOnly: true, Timeout: 100 * time.Millisecond}})
	if errors.Is(err, bolterr.ErrTimeout) {
		err = ErrHeld
	}
	if err != nil {
		return fmt.Errorf("open raft log %s: %w", name, err)
	}
	defer db.Close() // read only
	bad := d.stable(Stores{Stable: db})
	first, err := db.FirstIndex()
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	last, err := db.LastIndex()
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	for i := first; i > 0 && i <= last; i++ {
		var e raft.Log
		if err := db.GetLog(i, &e); err != nil {
			return fmt.Errorf("read entry %d of %s: %w", i, name, err)
		}
		d.entry(&e)
	}
	return bad
}

func (d *dumper) stable(s Stores) error {
	var facts fields
	for _, key := range [][]byte{keyCurrentTerm, keyLastVoteTerm} {
		if v, err := s.Stable.GetUint64(key); err == nil { // one that was never set is an error
			facts = append(facts, field{camel(string(key)), v})
		}
	}
	if v, err := s.Stable.Get(keyLastVoteCand); err == nil && v != nil {
		facts = append(facts, field{camel(string(keyLastVoteCand)), string(v)})
	}
	group, err := s.Group()
	if !group.IsZero() {
		facts = append(facts, field{"group", group})
	}
	note, worse := s.recovery()
	var recovered []fields
	if note != nil && worse == nil {
		recovered = append(recovered, fieldsOf(*note))
	}
	d.nested("stable", facts, "recovered", recovered)
	return errors.Join(err, worse)
}

func (d *dumper) entry(e *raft.Log) {
	facts := fields{{"index", e.Index}, {"term", e.Term}, {"kind", strings.TrimPrefix(e.Type.String(), "Log")}, {"size", len(e.Data)}}
	if !e.AppendedAt.IsZero() {
		facts = append(facts, field{"appendedAt", e.AppendedAt.UTC().Format(time.RFC3339Nano)})
	}
	switch {
	case e.Type == raft.LogCommand:
		var cmds []fields
		for _, c := range meta.Describe(e.Data) {
			cmds = append(cmds, commandFields(c))
		}
		d.nested("entry", facts, "commands", cmds)
	case e.Type == raft.LogConfiguration:
		d.nested("entry", facts, "servers", servers(raft.DecodeConfiguration(e.Data)))
	case len(e.Data) > 0:
		d.line("entry", "", append(facts, field{"hex", hex.EncodeToString(e.Data)}))
	default:
		d.line("entry", "", facts)
	}
}

func servers(c raft.Configuration) (list []fields) {
	for _, s := range c.Servers {
		list = append(list, fields{{"suffrage", s.Suffrage.String()}, {"id", string(s.ID)}, {"address", string(s.Address)}})
	}
	return list
}

func commandFields(c meta.Described) fields {
	f := fields{{"command", c.Kind()}, {"version", c.Version}}
	if bad, ok := c.Command.(meta.Malformed); ok {
		return append(f, field{"error", bad.Err.Error()}, field{"hex", hex.EncodeToString(c.Body)})
	}
	return append(f, fieldsOf(c.Command)...)
}

// snapshot prints one that is complete: what raft says of it, then the image.
func (d *dumper) snapshot(dir string) error {
	d.begin(filepath.Join(dir, metaFile))
	p, err := os.ReadFile(filepath.Join(dir, metaFile))
	if err != nil {
		return err
	}
	var m struct {
		raft.SnapshotMeta
		CRC []byte
	}
	if err := json.Unmarshal(p, &m); err != nil {
		return fmt.Errorf("read %s: %w", filepath.Join(dir, metaFile), err)
	}
	d.nested("snapshot", fields{{"id", m.ID}, {"index", m.Index}, {"term", m.Term}, {"configurationIndex", m.ConfigurationIndex},
		{"size", m.Size}, {"crc64", hex.EncodeToString(m.CRC)}}, "servers", servers(m.Configuration))
	name := filepath.Join(dir, stateFile)
	d.begin(name)
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close() // read only
	im, err := meta.ReadSnapshot(f)
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	d.image(im)
	return nil
}

func (d *dumper) image(im *meta.Image) {
	d.line("image", "image ", fields{{"index", im.Index()}, {"clusterId", im.ClusterID()}, {"metadataLevel", im.Features().Metadata},
		{"featureEpoch", im.Features().Epoch}, {"nextProducerId", im.NextProducerID()}, {"topics", im.TopicCount()}, {"partitions", im.PartitionCount()}})
	for _, v := range im.Voters() {
		d.line("voter", "voter ", fieldsOf(v))
	}
	for _, r := range im.Recoveries() {
		d.line("recovery", "recovery ", fieldsOf(r))
	}
	for b := range im.Brokers() {
		d.line("broker", "broker ", fieldsOf(*b))
	}
	for r := range im.AllResources() {
		d.line("config", "config ", fields{{"resource", r.Type}, {"name", r.Name}, {"set", im.Config(r)}})
	}
	for t := range im.Topics() {
		d.topic(t)
	}
	for t := range im.DeletedTopics() {
		d.topic(t)
	}
}

func (d *dumper) topic(t *meta.Topic) {
	d.line("topic", "topic ", fields{{"id", t.ID}, {"name", t.Name}, {"internal", t.Internal}, {"minIsrSetting", t.MinISRSetting()},
		{"deletedAt", t.Deleted}, {"partitions", t.Partitions()}})
	for i := range t.Partitions() {
		p, _ := t.Partition(i)
		facts := append(fields{{"topic", t.Name}, {"partition", i}}, fieldsOf(p)...)
		d.line("partition", "| partition ", append(facts, field{"isr", p.ISR()}, field{"elr", p.ELR()}, field{"lastKnownElr", p.LastKnownELR()}))
	}
}
