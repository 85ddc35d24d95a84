//go:build clients

package clients

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
)

// verdict is how a client did in a case.
type verdict byte

const (
	unasked verdict = iota
	pass
	cannot
	fail
)

var marks = map[verdict]string{unasked: " ", pass: "✓", cannot: "–", fail: "✗"}

// matrix collects the verdicts of clients that run at the same time.
type matrix struct {
	mu    sync.Mutex
	cells map[[2]string]cell // client and case
	tries []string           // what was asked again, and why
}

type cell struct {
	verdict verdict
	why     string // of cannot and fail, and of a client that does not always pass
}

func (m *matrix) set(client, kase string, v verdict, why string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cells == nil {
		m.cells = map[[2]string]cell{}
	}
	m.cells[[2]string{client, kase}] = cell{v, why}
}

// again notes that a client is asked a case once more.
func (m *matrix) again(client, kase, why string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tries = append(m.tries, fmt.Sprintf("%s was asked %s again: %s", client, kase, why))
}

func (m *matrix) get(client, kase string) cell {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.cells[[2]string{client, kase}]
}

// count is how many cells of some clients have a verdict.
func (m *matrix) count(clients []Client, v verdict) int {
	n := 0
	for _, c := range clients {
		for _, k := range Cases {
			if m.get(c.ID(), k.ID).verdict == v {
				n++
			}
		}
	}
	return n
}

// print writes one line per case with a column per client, for a terminal.
func (m *matrix) print(w io.Writer, clients []Client) {
	for i, c := range clients {
		fmt.Fprintf(w, "%-22s%s %s\n", "", strings.Repeat("│ ", i), c.ID())
	}
	for _, k := range Cases {
		fmt.Fprintf(w, "%-22s", k.ID)
		for _, c := range clients {
			fmt.Fprintf(w, "%s ", marks[m.get(c.ID(), k.ID).verdict])
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "%d clients, %d cases: %d passed, %d cannot, %d failed\n", len(clients), len(Cases),
		m.count(clients, pass), m.count(clients, cannot), m.count(clients, fail))
	for _, line := range m.tries {
		fmt.Fprintln(w, line)
	}
}

const pageHead = `# Compatibility

Every client below, unmodified, goes through the same cases against one broker. This page is written by ` + "`make clients`" + `;
the cases are in ` + "`test/clients/cases.go`" + `, the reviewed reasons in ` + "`test/clients/clients.go`" + `.

✓ passes. –¹ the client cannot, the note says why: it has no such call, or the case fails in the same way against Apache Kafka 4.4.0.
✓¹ passes, but now and then fails in the way that the note says, whatever the broker: only such a failure is asked again, twice at most.
✗ fails.

`

// page writes docs/compatibility.md.
func (m *matrix) page(w io.Writer) {
	io.WriteString(w, pageHead)
	fmt.Fprintf(w, "%d clients × %d cases: %d pass, %d cannot, %d fail.\n\n", len(Clients), len(Cases),
		m.count(Clients, pass), m.count(Clients, cannot), m.count(Clients, fail))
	fmt.Fprint(w, "| Client | Language | Passes | Cannot | Served by Kafka 4.4 |\n|---|---|---|---|---|\n")
	for _, c := range Clients {
		one := []Client{c}
		served := map[bool]string{false: "yes", true: "no"}[c.unserved]
		fmt.Fprintf(w, "| %s %s | %s | %d | %d | %s |\n", c.Name, c.Version, c.Language,
			m.count(one, pass), m.count(one, cannot), served)
	}
	var notes []string
	fmt.Fprint(w, "\n| Case |")
	for _, c := range Clients {
		fmt.Fprintf(w, " %s %s |", c.Name, c.Version)
	}
	fmt.Fprint(w, "\n|---|"+strings.Repeat("---|", len(Clients))+"\n")
	for _, k := range Cases {
		fmt.Fprintf(w, "| `%s` |", k.ID)
		for _, c := range Clients {
			x := m.get(c.ID(), k.ID)
			fmt.Fprintf(w, " %s", marks[x.verdict])
			if x.why != "" {
				i := slices.Index(notes, x.why)
				if i < 0 {
					i = len(notes)
					notes = append(notes, x.why)
				}
				fmt.Fprintf(w, "<sup>%d</sup>", i+1)
			}
			io.WriteString(w, " |")
		}
		fmt.Fprintln(w)
	}
	fmt.Fprint(w, "\n## Notes\n\n")
	for i, why := range notes {
		fmt.Fprintf(w, "%d. %s\n", i+1, why)
	}
	fmt.Fprint(w, "\n## Cases\n\n| Case | What the client must do |\n|---|---|\n")
	for _, k := range Cases {
		fmt.Fprintf(w, "| `%s` | %s |\n", k.ID, k.Must)
	}
}
