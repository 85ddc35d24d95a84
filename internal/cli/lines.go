package cli

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/brokerd/brokerd/pkg/client"
)

// lineReader turns lines into records, as Kafka's LineMessageReader does:
//
//	[headers <delimiter>] [key <separator>] value
type lineReader struct {
	topic       string
	parseKey    bool
	parseHeads  bool
	ignoreError bool
	keySep      string
	headsEnd    string // after the headers
	headsSep    string // between headers
	headKeySep  string // between a header's key and value
	nullMarker  *string

	in     *bufio.Reader
	prompt io.Writer // nil: nobody to prompt
	line   int
}

// newLineReader reads the reader properties (parse.key, key.separator, …).
func newLineReader(in io.Reader, prompt io.Writer, topic string, props client.Properties) (*lineReader, error) {
	r := &lineReader{topic: topic, keySep: "\t", headsEnd: "\t", headsSep: ",", headKeySep: ":",
		in: bufio.NewReaderSize(in, 64<<10), prompt: prompt}
	for name, into := range map[string]*bool{"parse.key": &r.parseKey, "parse.headers": &r.parseHeads, "ignore.error": &r.ignoreError} {
		if v, ok := props[name]; ok {
			*into = strings.EqualFold(strings.TrimSpace(v), "true")
		}
	}
	for name, into := range map[string]*string{"key.separator": &r.keySep, "headers.delimiter": &r.headsEnd,
		"headers.separator": &r.headsSep, "headers.key.separator": &r.headKeySep} {
		if v, ok := props[name]; ok {
			*into = v
		}
	}
	if v, ok := props["null.marker"]; ok {
		r.nullMarker = &v
	}
	return r, r.check()
}

func (r *lineReader) check() error {
	type pair struct{ a, an, b, bn string }
	pairs := []pair{
		{r.headsEnd, "headers.delimiter", r.headsSep, "headers.separator"},
		{r.headsEnd, "headers.delimiter", r.headKeySep, "headers.key.separator"},
		{r.headsSep, "headers.separator", r.headKeySep, "headers.key.separator"},
	}
	if r.nullMarker != nil {
		m := *r.nullMarker
		pairs = append(pairs, pair{m, "null.marker", r.keySep, "key.separator"}, pair{m, "null.marker", r.headsSep, "headers.separator"},
			pair{m, "null.marker", r.headsEnd, "headers.delimiter"}, pair{m, "null.marker", r.headKeySep, "headers.key.separator"})
	}
	for _, p := range pairs {
		if p.a == p.b {
			return fmt.Errorf("%s and %s may not be equal", p.an, p.bn)
		}
	}
	return nil
}

// next gives the record of the next line, io.EOF after the last.
func (r *lineReader) next() (*client.Record, error) {
	r.line++
	if r.prompt != nil {
		if _, err := io.WriteString(r.prompt, ">"); err != nil {
			return nil, err
		}
	}
	line, err := r.in.ReadBytes('\n')
	if err != nil && !(errors.Is(err, io.EOF) && len(line) > 0) {
		return nil, err
	}
	line = bytes.TrimSuffix(line, []byte("\n"))
	return r.record(bytes.TrimSuffix(line, []byte("\r")))
}

func (r *lineReader) record(rest []byte) (*client.Record, error) {
	whole := rest
	rec := &client.Record{Topic: r.topic}
	heads, rest, err := r.take(r.parseHeads, rest, whole, r.headsEnd, "headers delimiter")
	if err != nil {
		return nil, err
	}
	key, value, err := r.take(r.parseKey, rest, whole, r.keySep, "key separator")
	if err != nil {
		return nil, err
	}
	rec.Key, rec.Value = r.orNull(key), r.orNull(value)
	if heads != nil && !r.isNull(heads) {
		rec.Headers, err = r.headers(string(heads))
	}
	return rec, err
}

// take cuts what is before sep; nil when it is not wanted, or missing and that
// is to be ignored.
func (r *lineReader) take(wanted bool, rest, whole []byte, sep, what string) (got, after []byte, err error) {
	if !wanted {
		return nil, rest, nil
	}
	got, after, found := bytes.Cut(rest, []byte(sep))
	if found {
		return got[:len(got):len(got)], after, nil
	}
	if r.ignoreError {
		return nil, rest, nil
	}
	return nil, nil, fmt.Errorf("No %s found on line number %d: '%s'", what, r.line, whole)
}

func (r *lineReader) isNull(b []byte) bool { return r.nullMarker != nil && string(b) == *r.nullMarker }

func (r *lineReader) orNull(b []byte) []byte {
	if r.isNull(b) {
		return nil
	}
	return b
}

func (r *lineReader) headers(text string) ([]client.Header, error) {
	parts := strings.Split(text, r.headsSep)
	for len(parts) > 1 && parts[len(parts)-1] == "" { // as Java's split
		parts = parts[:len(parts)-1]
	}
	var out []client.Header
	for _, p := range parts {
		key, value, found := strings.Cut(p, r.headKeySep)
		switch {
		case !found && r.ignoreError:
			out = append(out, client.Header{Key: p})
			continue
		case !found:
			return nil, fmt.Errorf("No header key separator found in pair '%s' on line number %d", p, r.line)
		case r.isNull([]byte(key)):
			return nil, fmt.Errorf("Header keys should not be equal to the null marker '%s' as they can't be null", *r.nullMarker)
		}
		out = append(out, client.Header{Key: key, Value: r.orNull([]byte(value))})
	}
	return out, nil
}
