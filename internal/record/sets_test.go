package record

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// sets calls f with what real producers sent (testdata/sets/README).
func sets(t testing.TB, f func(name string, magic int8, c Codec, set []byte)) {
	t.Helper()
	files, err := os.ReadDir("testdata/sets")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		var magic, codec int8
		at := strings.LastIndex(file.Name(), "format")
		if at < 0 {
			continue
		}
		if _, err := fmt.Sscanf(file.Name()[at:], "format%d-codec%d", &magic, &codec); err != nil {
			t.Fatal(err)
		}
		f(file.Name(), magic, Codec(codec), testdata(t, "sets/"+file.Name()))
	}
}

// TestClientsWrote reads what real clients of old sent, and writes it as they
// would read it.
func TestClientsWrote(t *testing.T) {
	seen := map[string]bool{}
	sets(t, func(name string, magic int8, c Codec, set []byte) {
		seen[fmt.Sprint(magic, c)] = true
		b, err := Upgrade(nil, set, Limits{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		records := read(t, b)
		if b.Codec() != c || len(records) != 4 {
			t.Fatalf("%s: %d records with %s", name, len(records), b.Codec())
		}
		for i, r := range records {
			key, value := fmt.Sprint("key", i), fmt.Sprintf("value %d x", i)
			if i%3 == 0 {
				key = ""
			}
			if (r.Key == nil) != (key == "") || string(r.Key) != key || (r.Value == nil) != (i == 2) ||
				i != 2 && !strings.HasPrefix(string(r.Value), value) || (r.Timestamp == -1) != (magic == 0) {
				t.Errorf("%s: record %d: %+v", name, i, r)
			}
		}
		out, _, err := Downgrade{Magic: magic, MaxBytes: 1 << 20}.Append(nil, b)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		same(t, readSet(t, magic, out), records)
	})
	if len(seen) != 8 {
		t.Errorf("only %v were captured", seen)
	}
}

// TestLZ4AsClientsWrite: our frames of format 0 have the checksum that a client
// of format 0 wrote into its own, under the same flags.
func TestLZ4AsClientsWrite(t *testing.T) {
	found := false
	sets(t, func(name string, magic int8, c Codec, set []byte) {
		if magic != 0 || c != LZ4 || !strings.HasPrefix(name, "java-") {
			return
		}
		found = true
		m, _, err := nextMessage(set)
		if err != nil {
			t.Fatal(err)
		}
		theirs := string(m.value[:7])
		mendLZ4(m.value)
		if string(m.value[:7]) == theirs {
			t.Errorf("%s: the checksum was right", name)
		}
		breakLZ4(m.value)
		if string(m.value[:7]) != theirs {
			t.Errorf("%s: %x, want %x", name, m.value[:7], theirs)
		}
	})
	if !found {
		t.Error("no client's frame")
	}
}
