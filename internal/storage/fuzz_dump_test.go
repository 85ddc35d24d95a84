package storage

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/brokerd/brokerd/internal/record"
	"github.com/brokerd/brokerd/internal/step"
	"github.com/brokerd/brokerd/internal/vfs"
)

// dumpNames is every kind of file that Dump knows, and one that it does not.
var dumpNames = []string{
	segmentName(0) + logSuffix, segmentName(0) + indexSuffix, segmentName(0) + timeIndexSuffix, segmentName(0) + abortedSuffix,
	epochsName, producersName, checkpointName, metadataName, segmentName(0) + logSuffix + deletedSuffix, "no base" + indexSuffix, "notes.txt",
}

// FuzzDump prints any bytes as any kind of file, beside any bytes as its log, in
// every way: it never panics and it ends, and of what it prints as JSON every line
// is an object.
func FuzzDump(f *testing.F) {
	mem := vfs.NewMem()
	writeAll(f, mem, "/d")
	log, err := readWhole(mem, "/d/orders-0/"+dumpNames[0])
	if err != nil {
		f.Fatal(err)
	}
	id := step.PartitionID{Topic: step.TopicID{7}, Index: 3}
	entries := appendCleaned(appendGone(appendCut(checkpointKind.seal(make([]byte, frameHeader)), id, 0, 60), id), id, 9)
	entries = sealedMark{base: 4, size: 90, covers: 2}.encode(entries, id)
	open := producers{}
	b := build(f, record.Spec{Producer: &record.Producer{ID: 4, Epoch: 2}, Transactional: true}, 3, 5, 1000)
	txns := append(open.data(b, nil), txn{producer: 5, first: 1, marker: 2})
	for kind, name := range dumpNames {
		p, err := readWhole(mem, "/d/orders-0/"+name)
		if name == checkpointName {
			p, err = readWhole(mem, "/d/"+name)
		}
		if err != nil {
			f.Fatal(err)
		}
		for ways := range uint8(32) {
			f.Add(uint8(kind), ways, p, log)
		}
		for _, p := range [][]byte{nil, {0}, make([]byte, frameHeader), make([]byte, 68), log[:100], entries, append(entries[:len(entries):len(entries)], 9, 9),
			producersFile(3, &open, txns), indexFile([]indexEntry{newIndexEntry(9, 400, 3, 1000)}),
			timeIndexFile(0, []indexEntry{newIndexEntry(9, 400, 3, 1000)}, &summary{3000, 40}),
			abortedFile([]record.Aborted{{ProducerID: 1, First: 2, Last: 9, LastStable: 4}}),
			movedMetadataFile(id.Topic, 2), []byte("version: 9\n")} {
			f.Add(uint8(kind), uint8(0), p, log)
			f.Add(uint8(kind), uint8(dumpJSON|dumpVerify), p, []byte{})
		}
	}
	f.Fuzz(func(t *testing.T, kind, ways uint8, p, log []byte) {
		mem := vfs.NewMem()
		if err := mem.MkdirAll("/d"); err != nil {
			t.Fatal(err)
		}
		name := "/d/" + dumpNames[int(kind)%len(dumpNames)]
		for file, p := range map[string][]byte{"/d/" + dumpNames[0]: log, name: p} {
			if err := overwrite(mem, file, p, 0); err != nil {
				t.Fatal(err)
			}
		}
		o := DumpOptions{FS: mem, Records: ways&dumpRecords != 0, Contents: ways&dumpRecords != 0, SkipMetadata: ways&dumpVerify != 0,
			VerifyOnly: ways&dumpVerify != 0, SanityOnly: ways&dumpSanity != 0, JSON: ways&dumpJSON != 0}
		if ways&dumpRecords == 0 {
			o.MaxBytes = int64(ways) << 6
		}
		if ways&dumpAll != 0 {
			name = "/d"
		}
		var out bytes.Buffer
		_ = Dump(&out, name, o) // what is wrong with the bytes: all may be
		if !o.JSON {
			return
		}
		for in := json.NewDecoder(&out); ; {
			var line map[string]any
			if err := in.Decode(&line); err == io.EOF {
				return
			} else if file, _ := line["file"].(string); err != nil || !strings.HasPrefix(file, name) {
				t.Fatalf("%v: %v", line, err)
			}
		}
	})
}

// The ways of a dump.
const (
	dumpRecords = 1 << iota
	dumpJSON
	dumpVerify
	dumpSanity
	dumpAll
)
