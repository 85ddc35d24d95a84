package storage

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/brokerd/brokerd/internal/record"
	"github.com/brokerd/brokerd/internal/vfs"
)

// writeAll makes a directory that has every file that storage writes.
func writeAll(t testing.TB, fsys vfs.FS, dir string) {
	t.Helper()
	s, err := Open(t.Context(), Options{FS: fsys, Dirs: []string{dir}})
	if err != nil {
		t.Fatal(err)
	}
	c := testConfig()
	c.SegmentBytes = 5000
	l := openLog(t, s, 0, c)
	if _, err := l.Lead(3); err != nil {
		t.Fatal(err)
	}
	at := int64(1_700_000_000_000)
	for i := range 100 {
		mustAppend(t, l, 3, build(t, record.Spec{Codec: record.Codec(i % 5)}, 1+i%4, 30*(i%7), at+int64(i*(i%9))))
		if i%10 == 3 {
			p := &record.Producer{ID: 7, Epoch: 1, Sequence: int32(i/10) * 2}
			mustAppend(t, l, 3, build(t, record.Spec{Producer: p, Transactional: true}, 2, 10, at))
			m, err := record.BuildMarker(nil, 7, 1, at, record.Marker{Commit: i%20 == 3, CoordinatorEpoch: 5})
			if err != nil {
				t.Fatal(err)
			}
			mustAppend(t, l, 3, m)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func dump(t *testing.T, fsys vfs.FS, name string, o DumpOptions) string {
	t.Helper()
	o.FS = fsys
	var out bytes.Buffer
	if err := Dump(&out, name, o); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestDumpPrintsEveryFile(t *testing.T) {
	mem := vfs.NewMem()
	writeAll(t, mem, "/d")
	all := dump(t, mem, "/d/orders-0", DumpOptions{}) + dump(t, mem, "/d/"+checkpointName, DumpOptions{})
	for _, want := range []string{
		"Dumping /d/orders-0/00000000000000000000.log\nLog starting offset: 0\nbaseOffset: 0 lastOffset: 0 count: 1 baseSequence: -1",
		"Dumping /d/orders-0/00000000000000000082.index\noffset: ",
		"Dumping /d/orders-0/00000000000000000082.timeindex\ntimestamp: 17000000",
		"Dumping /d/orders-0/00000000000000000000.txnindex\nversion: 0 producerId: 7 firstOffset: 36 lastOffset: 38 lastStableOffset: 39\n",
		"Dumping /d/orders-0/leader-epochs\nepoch: 3 startOffset: 0\n",
		"Dumping /d/orders-0/partition.metadata\nversion: 0 topicId: AQIDAAAAAAAAAAAAAAAAAA\n",
		"Dumping /d/orders-0/producer-state\ntrue up to offset: 280\nproducerId: 7 producerEpoch: 1 coordinatorEpoch: 5 currentTxnFirstOffset: OptionalLong.empty lastTimestamp: 1700000000000\n| firstSequence: ",
		"position: 16 sealed topicId: AQIDAAAAAAAAAAAAAAAAAA partition: 0 segment: 0 size: ",
		" point topicId: AQIDAAAAAAAAAAAAAAAAAA partition: 0 topic: orders clean: true leaderEpoch: 3 logStartOffset: 0 endOffset: 280 ",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is not in\n%s", want, all)
		}
	}
	var out bytes.Buffer
	if err := Dump(&out, "/d/orders-0", DumpOptions{FS: mem, VerifyOnly: true}); err != nil {
		t.Errorf("verify: %v\n%s", err, out.String())
	}
	if n := strings.Count(dump(t, mem, "/d/orders-0/"+segmentName(0)+logSuffix, DumpOptions{Contents: true}), " payload: vvv"); n == 0 {
		t.Error("no record was printed")
	}
}

// TestDumpJSON has as many lines as the text, each an object that says file and type.
func TestDumpJSON(t *testing.T) {
	mem := vfs.NewMem()
	writeAll(t, mem, "/d")
	all, text := "", ""
	for _, name := range []string{"/d/orders-0", "/d/" + checkpointName} {
		all += dump(t, mem, name, DumpOptions{JSON: true, Contents: true})
		text += dump(t, mem, name, DumpOptions{Contents: true})
	}
	if a, b := strings.Count(all, "\n"), strings.Count(text, "\n"); a != b {
		t.Errorf("%d lines of JSON, %d of text", a, b)
	}
	types := map[string]int{}
	for _, line := range strings.Split(strings.TrimSpace(all), "\n") {
		var v struct{ File, Type string }
		if err := json.Unmarshal([]byte(line), &v); err != nil || !strings.HasPrefix(v.File, "/d/") {
			t.Fatalf("%v: %s", err, line)
		}
		types[v.Type]++
	}
	for _, want := range []string{"file", "start", "batch", "record", "offset", "timestamp", "aborted", "epoch", "end", "producer", "producedBatch", "point", "sealed", "partition"} {
		if types[want] == 0 {
			t.Errorf("no line of type %s", want)
		}
	}
	for _, want := range []string{
		`{"file":"/d/orders-0/partition.metadata","type":"partition","version":0,"topicId":"AQIDAAAAAAAAAAAAAAAAAA"}`,
		`"type":"producer","producerId":7,"producerEpoch":1,"coordinatorEpoch":5,"currentTxnFirstOffset":null,`,
		`"controlType":"COMMIT","coordinatorEpoch":5}`, `"value":"vvv`,
	} {
		if !strings.Contains(all, want) {
			t.Errorf("%s is not in\n%s", want, all)
		}
	}
	if err := mem.Flip("/d/orders-0/"+segmentName(82)+indexSuffix, 11, 1); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err := Dump(&out, "/d/orders-0/"+segmentName(82)+indexSuffix, DumpOptions{FS: mem, JSON: true, VerifyOnly: true})
	if !errors.Is(err, ErrMismatch) || !strings.Contains(out.String(), `"type":"mismatch","indexOffset":`) {
		t.Errorf("%v\n%s", err, out.String())
	}
}

func TestDumpSeesDamage(t *testing.T) {
	mem := vfs.NewMem()
	writeAll(t, mem, "/d")
	name := "/d/orders-0/" + segmentName(82)
	if err := mem.Flip(name+indexSuffix, 11, 1); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := Dump(&out, name+indexSuffix, DumpOptions{FS: mem, VerifyOnly: true}); !errors.Is(err, ErrMismatch) || !strings.Contains(out.String(), "Mismatches in :"+name) {
		t.Errorf("%v\n%s", err, out.String())
	}
	if err := mem.Flip(name+logSuffix, 100, 1); err != nil {
		t.Fatal(err)
	}
	if got := dump(t, mem, name+logSuffix, DumpOptions{}); strings.Count(got, "isvalid: false") != 1 {
		t.Errorf("one batch is damaged:\n%s", got)
	}
	if err := mem.Flip("/d/orders-0/"+epochsName, 7, 2); err != nil {
		t.Fatal(err)
	}
	want := "leader epochs file /d/orders-0/leader-epochs has format version 3, this brokerd reads up to 1: a newer release wrote it; run that one"
	if err := Dump(&out, "/d/orders-0/"+epochsName, DumpOptions{FS: mem}); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("newer version: %v", err)
	}
}

// TestKafkaReadsOurs has Kafka's own DumpLogSegments verify our files, where
// scripts/kafka has installed it.
func TestKafkaReadsOurs(t *testing.T) {
	jars, err := filepath.Abs("../../.cache/kafka/tools")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(jars, ".done")); err != nil || testing.Short() {
		t.Skip("no Kafka here: scripts/kafka install")
	}
	dir := t.TempDir()
	writeAll(t, vfs.NewOS(), dir)
	files, err := filepath.Glob(filepath.Join(dir, "orders-0", "0*index"))
	if err != nil {
		t.Fatal(err)
	}
	logs, err := filepath.Glob(filepath.Join(dir, "orders-0", "*.log"))
	if err != nil {
		t.Fatal(err)
	}
	sort.Strings(logs)
	for _, args := range [][]string{
		{"--verify-index-only", "--files", strings.Join(files, ",")},
		{"--files", strings.Join(logs, ",")},
	} {
		cmd := exec.Command("java", append([]string{"-Xmx256M", "-XX:TieredStopAtLevel=1", "-cp", jars + "/*", "org.apache.kafka.tools.DumpLogSegments"}, args...)...)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v: %v", args, err)
		}
		var want bytes.Buffer
		for _, f := range strings.Split(args[len(args)-1], ",") {
			if err := Dump(&want, f, DumpOptions{VerifyOnly: true}); err != nil {
				t.Fatal(err)
			}
		}
		if got := string(out); got != want.String() {
			t.Errorf("Kafka prints\n%s\nwe print\n%s", got, fmt.Sprint(want.String()))
		}
	}
}
