package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// printJSON writes one document.
func printJSON(w io.Writer, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s\n", text)
	return err
}

// printLine writes one line of NDJSON.
func printLine(w io.Writer, v any) error { return json.NewEncoder(w).Encode(v) }

// printTable writes aligned columns, headers first, no drawing.
func printTable(w io.Writer, rows [][]string) error {
	widths := []int{}
	for _, r := range rows {
		for i, cell := range r {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for _, r := range rows {
		for i, cell := range r {
			if i > 0 {
				b.WriteString("  ")
			}
			b.WriteString(cell)
			if i < len(r)-1 {
				b.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)))
			}
		}
		b.WriteByte('\n')
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// outcome is one row of a command that does the same to several things.
type outcome struct {
	Name   string     `json:"name"`
	Status string     `json:"status"` // what was done, or "failed"
	Error  *errorJSON `json:"error,omitempty"`
	text   string     // the line for people
	err    *cliError
}

// outcomes prints what came of each, and gives the error of the whole: nil, the
// only one's own, or "partly done".
func (a *app) outcomes(list []outcome) error {
	failed := 0
	for i := range list {
		if e := list[i].err; e != nil {
			failed++
			list[i].Status, list[i].Error = "failed", e.json()
		}
	}
	if a.json() {
		if err := printJSON(a.e.Out, list); err != nil {
			return err
		}
	} else if failed < len(list) {
		for _, o := range list {
			if o.err == nil {
				fmt.Fprintln(a.e.Out, o.text)
			}
		}
	}
	switch {
	case failed == 0:
		return nil
	case len(list) == 1:
		return list[0].err
	}
	var lines []string
	worst := exitPartly
	for _, o := range list {
		if o.err != nil {
			lines = append(lines, o.err.text)
			if failed == len(list) {
				worst = o.err.code
			}
		}
	}
	return &cliError{text: fmt.Sprintf("%d of %d failed", failed, len(list)), hint: strings.Join(lines, "\n"), code: worst}
}
