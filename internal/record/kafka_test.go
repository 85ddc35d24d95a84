package record

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestKafkaWrote reads what Apache Kafka's classes wrote with every codec, and
// prints it as Kafka's tool does (testdata/kafka/README).
func TestKafkaWrote(t *testing.T) {
	for _, c := range []struct {
		name string
		spec DumpSpec
	}{
		{"small", DumpSpec{Contents: true}},
		{"large", DumpSpec{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			log := testdata(t, "kafka/"+c.name+".log")
			var got bytes.Buffer
			for rest := log; len(rest) > 0; {
				b, next, err := Next(rest)
				if err != nil {
					t.Fatal(err)
				}
				c.spec.Position = int64(len(log) - len(rest))
				if err := Dump(&got, b, c.spec); err != nil {
					t.Fatal(err)
				}
				checkKafkaBatch(t, b)
				rest = next
			}
			if want := testdata(t, "kafka/"+c.name+".txt"); got.String() != string(want) {
				t.Errorf("Dump differs from Kafka's:\n%s\nwant\n%s", got.String(), want)
			}
		})
	}
}

// checkKafkaBatch: records are what WriteLog.java put in, through every codec and back.
func checkKafkaBatch(t *testing.T, b Batch) {
	t.Helper()
	if err := b.VerifyInner(Limits{}); err != nil {
		t.Fatal(err)
	}
	if b.Control() {
		m, err := b.Marker()
		if err != nil || m.CoordinatorEpoch != 17 {
			t.Fatalf("marker %+v, %v", m, err)
		}
		return
	}
	records := read(t, b)
	for i, r := range records {
		key, headers := fmt.Sprint("key", i), 0
		if i%4 == 0 {
			key = ""
		}
		if i%3 == 1 {
			headers = 2
		}
		value, found := strings.CutPrefix(string(r.Value), fmt.Sprintf("value %d ", i))
		if r.Offset != b.BaseOffset()+int64(i) || string(r.Key) != key || (r.Value == nil) != (i%5 == 4) ||
			r.Value != nil && (!found || strings.Trim(value, "x") != "") || len(r.Headers) != headers ||
			headers == 2 && (string(r.Headers[1].Key) != "null" || r.Headers[1].Value != nil) {
			t.Fatalf("record %d of %s: %+v", i, b.Codec(), r)
		}
	}
	for _, c := range codecs {
		other, err := Recompress(nil, b, c, 0, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if err := other.VerifyInner(Limits{}); err != nil || other.Codec() != c {
			t.Fatalf("%s to %s: %v", b.Codec(), c, err)
		}
		same(t, read(t, other), records)
	}
}

func testdata(t testing.TB, name string) []byte {
	t.Helper()
	p, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
