package conf

import (
	"fmt"
	"strings"
)

// Severity orders problems; only an Error stops a start.
type Severity int8

const (
	Note Severity = iota
	Warning
	Error
)

func (s Severity) String() string { return [...]string{"note", "warning", "error"}[s] }

// Problem is one thing to say about the settings: where, which key, what is
// wrong, and what to do about it.
type Problem struct {
	Severity Severity
	Where    string // "server.properties:12", "env KAFKA_NODE_ID", "--override"; "" when it is no single place
	Key      string
	Text     string
	Hint     string
}

func (p Problem) String() string {
	var b strings.Builder
	if p.Where != "" {
		b.WriteString(p.Where + ": ")
	}
	if p.Key != "" && !strings.Contains(p.Text, p.Key) {
		b.WriteString(p.Key + ": ")
	}
	b.WriteString(p.Text)
	if p.Hint != "" {
		b.WriteString("; " + p.Hint)
	}
	return b.String()
}

// Report is everything that Load found, in the order of the sources.
type Report struct {
	Problems []Problem
	Unknown  int // keys in files that nobody knows
}

// Errors are the problems that stop a start.
func (r *Report) Errors() []Problem { return r.at(Error) }

// Warnings are the problems that one should read.
func (r *Report) Warnings() []Problem { return r.at(Warning) }

// Notes say what was derived without being asked.
func (r *Report) Notes() []Problem { return r.at(Note) }

func (r *Report) at(s Severity) []Problem {
	var out []Problem
	for _, p := range r.Problems {
		if p.Severity == s {
			out = append(out, p)
		}
	}
	return out
}

// Err is all errors as one, nil when there are none.
func (r *Report) Err() error {
	if errs := r.Errors(); len(errs) > 0 {
		return &LoadError{errs}
	}
	return nil
}

// LoadError is every problem that stopped a start.
type LoadError struct{ Problems []Problem }

func (e *LoadError) Error() string {
	if len(e.Problems) == 1 {
		return e.Problems[0].String()
	}
	lines := []string{fmt.Sprintf("%d problems in the settings:", len(e.Problems))}
	for _, p := range e.Problems {
		lines = append(lines, "  "+p.String())
	}
	return strings.Join(lines, "\n")
}

func (r *Report) add(p Problem) { r.Problems = append(r.Problems, p) }

func (r *Report) errorf(at Origin, key, format string, args ...any) {
	r.add(Problem{Severity: Error, Where: at.Where, Key: key, Text: fmt.Sprintf(format, args...)})
}

func (r *Report) warnf(at Origin, key, format string, args ...any) {
	r.add(Problem{Severity: Warning, Where: at.Where, Key: key, Text: fmt.Sprintf(format, args...)})
}

func (r *Report) notef(at Origin, key, format string, args ...any) {
	r.add(Problem{Severity: Note, Where: at.Where, Key: key, Text: fmt.Sprintf(format, args...)})
}

// failed tells whether key already has an error, so that no second one follows
// from the first.
func (r *Report) failed(keys ...string) bool {
	for _, p := range r.Problems {
		for _, k := range keys {
			if p.Severity == Error && p.Key == k {
				return true
			}
		}
	}
	return false
}
