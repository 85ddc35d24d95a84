//go:build oracle

package oracle

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/brokerd/brokerd/test/harness"
	"github.com/brokerd/brokerd/test/raw"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// answerLimit bounds every answer, and how long nothing means nothing.
const answerLimit = 20 * time.Second

// side is one of the two brokers, with what it chose by itself.
type side struct {
	name    string
	addr    string
	dir     string // its log directory
	conn    *raw.Conn
	ids     map[string][16]byte // topics by name
	session int32               // what Fetch gave last
	born    int64               // ms; times after it are the clock's
}

// pair is Kafka and brokerd, asked the same.
type pair struct {
	t            testing.TB
	node         *harness.Node
	theirs, ours *side
}

func newPair(t *testing.T) *pair {
	t.Helper()
	addr, dir := kafka(t)
	ours := maps.Clone(settings)
	ours["record.validation"] = "full" // Kafka has no other
	node := harness.Start(t, harness.Options{Properties: ours}).Nodes[0]
	p := &pair{t: t, node: node,
		theirs: &side{name: "Kafka", addr: addr, dir: dir},
		ours:   &side{name: "brokerd", addr: node.Addr(), dir: node.Dir + "/data"},
	}
	p.each(func(s *side) { s.ids, s.born = map[string][16]byte{}, now(); s.redial(t) })
	t.Cleanup(func() { p.each(func(s *side) { s.conn.Close() }) })
	return p
}

func (p *pair) each(f func(*side)) {
	f(p.theirs)
	f(p.ours)
}

func (s *side) redial(t testing.TB) {
	t.Helper()
	if s.conn != nil {
		s.conn.Close()
	}
	c, err := raw.Dial(s.addr)
	if err != nil {
		t.Fatalf("%s: %v", s.name, err)
	}
	s.conn = c
}

// do asks one side. closed: it closed the connection instead of an answer;
// silent: it sent none and lives.
func (s *side) do(t testing.TB, version int16, req kmsg.Request) (resp kmsg.Response, ending string) {
	t.Helper()
	_ = s.conn.SetDeadline(time.Now().Add(answerLimit)) // a TCP connection takes deadlines
	resp, err := s.conn.Do(version, req)
	if err == nil {
		return resp, ""
	}
	if n, ok := errors.AsType[net.Error](err); ok && n.Timeout() {
		ending = "no answer"
	} else {
		ending = "closed"
	}
	if resp != nil {
		t.Fatalf("%s answers what cannot be read: %v", s.name, err)
	}
	s.redial(t)
	return nil, ending
}

// ask sends what build makes for each side and compares the answers.
func (p *pair) ask(name string, version int16, build func(*side) kmsg.Request) (theirs, ours kmsg.Response) {
	p.t.Helper()
	name = fmt.Sprintf("%s v%d", name, version)
	var facts [2]map[string]string
	var both [2]kmsg.Response
	for i, s := range []*side{p.theirs, p.ours} {
		resp, ending := s.do(p.t, version, build(s))
		if resp == nil {
			facts[i] = map[string]string{"ending": ending}
			continue
		}
		both[i], facts[i] = resp, flatten(s, resp)
	}
	p.compare(name, facts[0], facts[1])
	return both[0], both[1]
}

// compare reports every field that differs and should not.
func (p *pair) compare(name string, theirs, ours map[string]string) {
	p.t.Helper()
	var lines []string
	for _, path := range slices.Sorted(maps.Keys(merged(theirs, ours))) {
		a, inA := theirs[path]
		b, inB := ours[path]
		if a == b && inA == inB || p.intended(name, path, a, b) {
			continue
		}
		lines = append(lines, fmt.Sprintf("  %-50s Kafka %s\n  %-50s ours  %s", path, shown(a, inA), "", shown(b, inB)))
	}
	if len(lines) > 0 {
		p.t.Errorf("%s\n%s", name, strings.Join(lines, "\n"))
	}
}

func shown(v string, in bool) string {
	if !in {
		return "(absent)"
	}
	return v
}

func merged(a, b map[string]string) map[string]string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

// after sends a request that may have no answer, and then one that has.
func (s *side) after(t testing.TB, version int16, req kmsg.Request) (ending string) {
	t.Helper()
	_ = s.conn.SetDeadline(time.Now().Add(answerLimit)) // a TCP connection takes deadlines
	probe := kmsg.NewPtrApiVersionsRequest()
	frames := append(raw.Frame(version, 7, req), raw.Frame(0, 9, probe)...)
	if err := s.conn.Send(frames); err != nil {
		return "closed"
	}
	body, err := s.conn.Receive()
	switch {
	case err != nil:
		return "closed"
	case body[3] == 7:
		return "answered"
	}
	return "silent"
}
