package storage

import (
	"encoding/json"
	"fmt"
	"path"
	"strconv"
	"strings"
)

// line prints one thing: the text or, where JSON is asked for, an object of the
// file's name, the kind and the facts (name, value, name, value, …).
func (d *dumper) line(kind, text string, facts ...any) {
	if !d.o.JSON {
		d.out.WriteString(text + "\n") // a bufio.Writer remembers its error for Flush
		return
	}
	facts = append([]any{"file", d.name, "type", kind}, facts...)
	sep := "{"
	for i := 0; i < len(facts); i += 2 {
		p, err := json.Marshal(jsonValue(facts[i+1]))
		if err != nil {
			p = []byte("null") // numbers, texts and truths only: it does not happen
		}
		fmt.Fprintf(d.out, "%s%q:%s", sep, facts[i], p)
		sep = ","
	}
	d.out.WriteString("}\n")
}

func jsonValue(v any) any {
	switch v := v.(type) {
	case optional:
		if v < 0 {
			return nil
		}
		return int64(v)
	case fmt.Stringer:
		return v.String()
	}
	return v
}

// fields prints facts as they are called.
func (d *dumper) fields(kind, prefix string, facts ...any) {
	d.line(kind, prefix+fieldText(facts...), facts...)
}

// title prints what stands above lines in text.
func (d *dumper) title(text string) {
	if !d.o.JSON {
		d.out.WriteString(text + "\n")
	}
}

// invalid tells of a tail that makes no sense.
func (d *dumper) invalid(bytes int64) {
	d.line("invalid", fmt.Sprintf("Found %d invalid bytes at the end of %s", bytes, path.Base(d.name)), "bytes", bytes)
}

func fieldText(facts ...any) string {
	var b strings.Builder
	for i := 0; i < len(facts); i += 2 {
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%s: %v", facts[i], facts[i+1])
	}
	return b.String()
}

// optional is an offset, or none where it is negative, in Java's words.
type optional int64

func (o optional) String() string {
	if o < 0 {
		return "OptionalLong.empty"
	}
	return "OptionalLong[" + strconv.FormatInt(int64(o), 10) + "]"
}
