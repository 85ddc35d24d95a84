package cli

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/brokerd/brokerd/pkg/client"
	"github.com/twmb/franz-go/pkg/kgo"
)

// show writes a record so that nil and empty differ.
func show(r *client.Record) string {
	field := func(b []byte) string {
		if b == nil {
			return "nil"
		}
		return "'" + string(b) + "'"
	}
	var heads []string
	for _, h := range r.Headers {
		heads = append(heads, h.Key+"="+field(h.Value))
	}
	return strings.Join(heads, ",") + "|" + field(r.Key) + "|" + field(r.Value)
}

func TestLineReader(t *testing.T) {
	for _, c := range []struct {
		name, props, in string
		want            []string
		err             string
	}{
		{name: "lines, an empty one, no end of line at the end", in: "a\n\nb\r\nc", want: []string{"|nil|'a'", "|nil|''", "|nil|'b'", "|nil|'c'"}},
		{name: "key", props: "parse.key=true", in: "k\tv\nk\t\n\tv\tw\n", want: []string{"|'k'|'v'", "|'k'|''", "|''|'v\tw'"}},
		{name: "another separator", props: "parse.key=TRUE key.separator=::", in: "k::v:w\n", want: []string{"|'k'|'v:w'"}},
		{name: "no separator", props: "parse.key=true", in: "a\tb\nplain\n", want: []string{"|'a'|'b'"}, err: "No key separator found on line number 2: 'plain'"},
		{name: "ignored errors", props: "parse.key=true ignore.error=true", in: "plain\n", want: []string{"|nil|'plain'"}},
		{name: "headers", props: "parse.headers=true parse.key=true", in: "a:1,,b:2\tk\tv\n", want: nil, err: "No header key separator found in pair '' on line number 1"},
		{name: "trailing separators are dropped", props: "parse.headers=true", in: "a:1,b:x:y,\tv\n", want: []string{"a='1',b='x:y'|nil|'v'"}},
		{name: "null marker", props: "parse.headers=true parse.key=true null.marker=N", in: "N\tN\tN\na:N\tk\tv\n", want: []string{"|nil|nil", "a=nil|'k'|'v'"}},
		{name: "null header key", props: "parse.headers=true null.marker=N", in: "N:1\tv\n", err: "Header keys should not be equal to the null marker 'N' as they can't be null"},
		{name: "headers without separator, ignored", props: "parse.headers=true ignore.error=true", in: "a,b\tv\n", want: []string{"a=nil,b=nil|nil|'v'"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			props := client.Properties{}
			if err := props.Set(strings.Fields(c.props)...); err != nil {
				t.Fatal(err)
			}
			r, err := newLineReader(strings.NewReader(c.in), nil, "t", props)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for {
				rec, err := r.next()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					if err.Error() != c.err {
						t.Fatalf("error %v, want %q", err, c.err)
					}
					c.err = ""
					break
				}
				got = append(got, show(rec))
			}
			if strings.Join(got, "\n") != strings.Join(c.want, "\n") || c.err != "" {
				t.Fatalf("got %q, want %q, and %q", got, c.want, c.err)
			}
		})
	}
}

func TestLineReaderRefusesEqualSeparators(t *testing.T) {
	for props, want := range map[string]string{
		"headers.delimiter=,":               "headers.delimiter and headers.separator may not be equal",
		"headers.key.separator=,":           "headers.separator and headers.key.separator may not be equal",
		"null.marker=X key.separator=X":     "null.marker and key.separator may not be equal",
		"null.marker=, headers.separator=,": "null.marker and headers.separator may not be equal",
	} {
		p := client.Properties{}
		if err := p.Set(strings.Fields(props)...); err != nil {
			t.Fatal(err)
		}
		if _, err := newLineReader(nil, nil, "t", p); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", props, err, want)
		}
	}
}

func TestPrompt(t *testing.T) {
	var out bytes.Buffer
	r, err := newLineReader(strings.NewReader("a\n"), &out, "t", nil)
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := r.next(); err != nil {
			break
		}
	}
	if out.String() != ">>" {
		t.Errorf("%q", out.String())
	}
}

func FuzzLineReader(f *testing.F) {
	f.Add("a:1\tk\tv\n", true, true, false)
	f.Fuzz(func(t *testing.T, in string, key, headers, ignore bool) {
		p := client.Properties{}
		for name, on := range map[string]bool{"parse.key": key, "parse.headers": headers, "ignore.error": ignore} {
			if on {
				p[name] = "true"
			}
		}
		r, err := newLineReader(strings.NewReader(in), nil, "t", p)
		if err != nil {
			t.Fatal(err)
		}
		for {
			if _, err := r.next(); err != nil {
				return
			}
		}
	})
}

func TestRecordWriter(t *testing.T) {
	long := binary.BigEndian.AppendUint64(nil, 1<<40)
	at := time.UnixMilli(1718782930115)
	full := client.Record{Topic: "t", Partition: 1, Offset: 3, Timestamp: at, LeaderEpoch: 7, Key: []byte("key"), Value: []byte("value"),
		Headers: []client.Header{{Key: "k", Value: []byte("v")}, {Key: "k2"}}}
	for _, c := range []struct {
		name, props string
		rec         client.Record
		want        string
	}{
		{"value only", "", full, "value\n"},
		{"everything", "print.timestamp=true print.partition=true print.offset=true print.delivery=true print.epoch=true print.headers=true print.key=true", full,
			"CreateTime:1718782930115\tPartition:1\tOffset:3\tDelivery:NOT_PRESENT\tEpoch:7\tk:v,k2:null\tkey\tvalue\n"},
		{"nulls", "print.key=true print.headers=true null.literal=NIL", client.Record{}, "NO_HEADERS\tNIL\tNIL\n"},
		{"separators", "print.key=true key.separator== line.separator=;", full, "key=value;"},
		{"nothing", "print.value=false", full, ""},
		{"no value", "print.value=false print.offset=true", full, "Offset:3\n"},
		{"numbers", "print.key=true key.deserializer=org.apache.kafka.common.serialization.LongDeserializer", client.Record{Key: long, Value: []byte("v")}, "1099511627776\tv\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := client.Properties{}
			if err := p.Set(strings.Fields(c.props)...); err != nil {
				t.Fatal(err)
			}
			w, err := newRecordWriter(p)
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			b := bufio.NewWriter(&out)
			rec := kgo.Record(c.rec)
			if err := w.write(b, &rec); err != nil {
				t.Fatal(err)
			}
			if err := b.Flush(); err != nil || out.String() != c.want {
				t.Errorf("%q, want %q (%v)", out.String(), c.want, err)
			}
		})
	}
	w, err := newRecordWriter(client.Properties{"value.deserializer": "IntegerDeserializer"})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.write(bufio.NewWriter(io.Discard), &full); err == nil || !strings.Contains(err.Error(), "offset 3: size of data received by IntegerDeserializer is not 4") {
		t.Errorf("five bytes as an integer: %v", err)
	}
	if _, err := newRecordWriter(client.Properties{"key.deserializer": "com.acme.Avro"}); err == nil {
		t.Error("a class that is not here")
	}
}

func TestJavaDouble(t *testing.T) {
	for v, want := range map[float64]string{1024: "1024.0", 0.5: "0.5", 1.2345678e7: "1.2345678E7", 1e10: "1.0E10", 0: "0.0", 1e-4: "1.0E-4", -2.5e8: "-2.5E8"} {
		if got := javaDouble(v); got != want {
			t.Errorf("%v: %s, want %s", v, got, want)
		}
	}
}

func TestListeners(t *testing.T) {
	for in, want := range map[string]string{
		"0.0.0.0":                          "PLAINTEXT://0.0.0.0:9092",
		"host:1":                           "PLAINTEXT://host:1",
		"::1":                              "PLAINTEXT://[::1]:9092",
		"[::1]:7":                          "PLAINTEXT://[::1]:7",
		"[::1]":                            "PLAINTEXT://[::1]:9092",
		"PLAINTEXT://h:1,CONTROLLER://h:2": "PLAINTEXT://h:1,CONTROLLER://h:2",
		"INTERNAL://h":                     "INTERNAL://h:9092",
	} {
		if got := listeners([]string{in}, "9092"); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}
