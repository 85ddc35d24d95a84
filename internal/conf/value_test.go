package conf

import (
	"bufio"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"
)

// Each row is what Kafka 4.4.0's ConfigDef makes of one value for one key: kind,
// key, value, ok and the parsed value as it prints, or err and the message.
func TestValuesAreKafkas(t *testing.T) {
	f, err := os.Open("testdata/kafka-4.4.0-values.tsv")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }() // read only
	rows := 0
	for s := bufio.NewScanner(f); s.Scan(); rows++ {
		row := strings.SplitN(s.Text(), "\t", 5)
		k, ok := find(row[0], row[1])
		if !ok {
			t.Fatalf("no key %s", row[1])
		}
		got, want := outcome(k, row[2]), row[3]+" "+row[4]
		if got != want {
			t.Errorf("%s=%q\n got %s\nwant %s", k.Name, row[2], got, want)
		}
	}
	if rows < 1000 {
		t.Errorf("only %d rows", rows)
	}
}

func outcome(k *Key, raw string) string {
	v, err := k.parse(raw)
	if err == nil && k.check.fn != nil {
		err = k.check.fn(k.Name, v)
	}
	if err != nil {
		return "err " + err.Error()
	}
	if k.Type == Password {
		return "ok [hidden]"
	}
	return "ok " + v.print()
}

// What Java's Double.parseDouble and Double.toString do.
func TestDoubles(t *testing.T) {
	for text, want := range map[string]string{
		"0.5": "0.5", "1": "1.0", "1e3": "1000.0", "1e7": "1.0E7", "12345678": "1.2345678E7", "0.001": "0.001",
		"0.0001": "1.0E-4", "-0": "-0.0", "1.7976931348623157E308": "1.7976931348623157E308", ".5": "0.5", "5.": "5.0",
		"1f": "1.0", "1D": "1.0", "Infinity": "Infinity", "-Infinity": "-Infinity", "NaN": "NaN", "1e999": "Infinity",
		"0x1p3": "8.0", "0x1p3d": "8.0", "+1": "1.0",
	} {
		v, err := parseDouble(text)
		if got := formatDouble(v); err != nil || got != want {
			t.Errorf("%q became %s, error %v, want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", "+", "nan", "inf", "infinity", "1_000", "0x10", "1e", "e1", "--1", "f", "0x", "1ff"} {
		if v, err := parseDouble(text); err == nil {
			t.Errorf("%q became %v", text, v)
		}
	}
}

func TestMillis(t *testing.T) {
	if millis(math.MaxInt64) != math.MaxInt64 || millis(-5) != -1 || millis(3) != 3e6 {
		t.Errorf("%v %v %v", millis(math.MaxInt64), millis(-5), millis(3))
	}
}

func FuzzValue(f *testing.F) {
	for _, s := range []string{"", " 1 ", "true", "1e3", "a, b", "1@h:9093", "NaN", "0x1p3f", "*"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		for _, typ := range []Type{Boolean, Int, Short, Long, Double, List, String} {
			k := &Key{Name: "k", Type: typ}
			v, err := k.parse(raw)
			if err != nil {
				continue
			}
			again, err := k.parse(v.print())
			if err != nil || again.print() != v.print() {
				t.Fatalf("%v %q printed as %q, which became %q, error %v", typ, raw, v.print(), again.print(), err)
			}
		}
		for _, k := range TopicKeys() {
			if err := CheckTopic(k.Name, raw); err != nil && !strings.Contains(err.Error(), k.Name) {
				t.Fatalf("the message does not name the key: %v", err)
			}
		}
		if n, err := parseInteger(raw, 64); err == nil {
			if m, err := strconv.ParseInt(raw, 10, 64); err != nil || m != n {
				t.Fatalf("%q is %d or %d", raw, n, m)
			}
		}
	})
}
