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
	least   map[int16]int16     // the first version that it serves, by API
	groups  []string            // that this test uses
	members map[string]string   // roles, by the ids that it gave
	given   map[string]string   // the other way
	counts  bool                // whether before is known:
	before  int32               // the epoch before a consumer group's first, which is 2 in Kafka

	cluster, port, controllerPort string
	own                           *strings.Replacer // of its addresses and directory
}

// pair is Kafka and brokerd, asked the same.
type pair struct {
	t            testing.TB
	node         *harness.Node
	theirs, ours *side
	planting     bool // what is met now does not count
}

func newPair(t *testing.T) *pair {
	t.Helper()
	addr, dir := kafka(t)
	ours := merged(settings, startScript)
	ours["record.validation"] = "full" // Kafka has no other
	node := harness.Start(t, harness.Options{Properties: ours}).Nodes[0]
	p := &pair{t: t, node: node,
		theirs: &side{name: "Kafka", addr: addr, dir: dir, controllerPort: theKafka.controller},
		ours:   &side{name: "brokerd", addr: node.Addr(), dir: node.Dir + "/data", controllerPort: fmt.Sprint(node.ControllerPort)},
	}
	p.each(func(s *side) {
		s.ids, s.born = map[string][16]byte{}, now()
		s.members, s.given = map[string]string{}, map[string]string{}
		_, s.port, _ = net.SplitHostPort(s.addr) // it has just been dialled
		s.own = strings.NewReplacer(":"+s.port, ":PORT", ":"+s.controllerPort, ":CONTROLLER", s.dir, "DIR")
		s.redial(t)
		s.introduce(t)
	})
	t.Cleanup(func() {
		p.each(func(s *side) {
			s.conn.Close()
			for name := range s.ids {
				foreign[name] = true
			}
			for _, name := range s.groups {
				foreign[name] = true
			}
		})
	})
	return p
}

// introduce learns what the side serves and how its cluster is called.
func (s *side) introduce(t testing.TB) {
	t.Helper()
	hello := kmsg.NewPtrApiVersionsRequest()
	hello.ClientSoftwareName, hello.ClientSoftwareVersion = "brokerd", "1" // ours tells it of its own APIs
	resp, ending := s.do(t, 3, hello)
	if resp == nil {
		t.Fatalf("%s: %s", s.name, ending)
	}
	s.least = map[int16]int16{}
	for _, k := range resp.(*kmsg.ApiVersionsResponse).ApiKeys {
		s.least[k.ApiKey] = k.MinVersion
		if s.name == "brokerd" {
			theRun.served[k.ApiKey] = [2]int16{k.MinVersion, k.MaxVersion}
		}
	}
	resp, ending = s.do(t, 1, kmsg.NewPtrDescribeClusterRequest())
	if resp == nil {
		t.Fatalf("%s: %s", s.name, ending)
	}
	s.cluster = resp.(*kmsg.DescribeClusterResponse).ClusterID
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

// ask sends what build makes for each side and compares the answers. A version
// that Kafka has given up it hears as its oldest, and its answer is taken down.
func (p *pair) ask(name string, version int16, build func(*side) kmsg.Request) (theirs, ours kmsg.Response) {
	p.t.Helper()
	return p.hear(name, version, build(p.ours), func(_ int, s *side) (kmsg.Response, string) {
		asked, at := s.up(p.t, build(s), version)
		return s.do(p.t, at, asked)
	})
}

// hear receives the answers of both to a request, and compares them.
func (p *pair) hear(name string, version int16, req kmsg.Request, answer func(int, *side) (kmsg.Response, string)) (theirs, ours kmsg.Response) {
	p.t.Helper()
	name = fmt.Sprintf("%s v%d", name, version)
	var facts [2]map[string]string
	var both [2]kmsg.Response
	for i, s := range []*side{p.theirs, p.ours} {
		resp, ending := answer(i, s)
		if resp == nil {
			facts[i] = map[string]string{"ending": ending}
			continue
		}
		s.learn(resp)
		both[i] = down(p.t, resp, version)
		facts[i] = flatten(s, both[i])
	}
	theRun.note(version, req, both, len(merged(facts[0], facts[1])))
	p.compare(name, facts[0], facts[1])
	if both[0] != nil && both[1] != nil {
		p.plant(name, version, facts[0], both[1])
	}
	return both[0], both[1]
}

// settled asks until both agree, for what Kafka's broker hears of its controller
// some time after the change was answered; it tells nobody when.
func (p *pair) settled(name string, version int16, build func(*side) kmsg.Request) {
	p.t.Helper()
	for range 100 {
		theirs, _ := p.theirs.do(p.t, version, build(p.theirs))
		ours, _ := p.ours.do(p.t, version, build(p.ours))
		if theirs != nil && ours != nil && len(p.differing(name, flatten(p.theirs, theirs), flatten(p.ours, ours))) == 0 {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	p.ask(name, version, build)
}

// oldest is the first version of an API that Kafka answers; it says 0 of Produce
// for the sake of old clients, and refuses them.
func (s *side) oldest(key int16) int16 {
	if key == 0 && s.name == "Kafka" {
		return 3
	}
	return s.least[key]
}

// up is what an older version asks, for a side that has given it up.
func (s *side) up(t testing.TB, req kmsg.Request, version int16) (kmsg.Request, int16) {
	oldest := s.oldest(req.Key())
	if version >= oldest {
		return req, version
	}
	again := kmsg.RequestForKey(req.Key())
	req.SetVersion(version)
	again.SetVersion(version)
	if err := again.ReadFrom(req.AppendTo(nil)); err != nil {
		t.Fatal(err)
	}
	return again, oldest
}

// down is what an older version can say of an answer.
func down(t testing.TB, resp kmsg.Response, version int16) kmsg.Response {
	if resp.GetVersion() == version {
		return resp
	}
	if r, ok := resp.(*kmsg.ListOffsetsResponse); ok {
		listed(r)
	}
	old := kmsg.ResponseForKey(resp.Key())
	resp.SetVersion(version)
	old.SetVersion(version)
	if err := old.ReadFrom(resp.AppendTo(nil)); err != nil {
		t.Fatal(err)
	}
	return old
}

// listed puts the offsets where version 0 has them.
func listed(r *kmsg.ListOffsetsResponse) {
	for i := range r.Topics {
		for j := range r.Topics[i].Partitions {
			if q := &r.Topics[i].Partitions[j]; q.Offset >= 0 && q.ErrorCode == 0 {
				q.OldStyleOffsets = []int64{q.Offset}
			}
		}
	}
}

// learn notes the ids of topics that were created and of members that joined.
func (s *side) learn(resp kmsg.Response) {
	if r, ok := resp.(*kmsg.JoinGroupResponse); ok {
		s.learnMember(r.MemberID)
	}
	if r, ok := resp.(*kmsg.ConsumerGroupHeartbeatResponse); ok && r.MemberID != nil {
		s.learnMember(*r.MemberID)
		if !s.counts {
			s.counts, s.before = true, r.MemberEpoch-1
		}
	}
	if r, ok := resp.(*kmsg.CreateTopicsResponse); ok {
		for _, t := range r.Topics {
			if t.ErrorCode == 0 && t.TopicID != [16]byte{} {
				s.ids[t.Topic] = t.TopicID
			}
		}
	}
}

// compare reports every field that differs and should not.
func (p *pair) compare(name string, theirs, ours map[string]string) {
	p.t.Helper()
	if lines := p.differing(name, theirs, ours); len(lines) > 0 {
		p.t.Errorf("%s\n%s", name, strings.Join(lines, "\n"))
	}
}

func (p *pair) differing(name string, theirs, ours map[string]string) (lines []string) {
	missing := "" // an element that one side has not: what is in it is not told
	for _, path := range slices.Sorted(maps.Keys(merged(theirs, ours))) {
		a, b := shown(theirs, path), shown(ours, path)
		if missing != "" && strings.HasPrefix(path, missing) {
			continue
		}
		if a != b && (a == present || b == present) {
			missing = path + "."
		}
		if a != b && !p.intended(name, path, a, b) {
			lines = append(lines, fmt.Sprintf("  %-50s Kafka %s\n  %-50s ours  %s", path, a, "", b))
		}
	}
	return lines
}

// absent is how a field is shown that an answer has not.
const absent = "(absent)"

func shown(facts map[string]string, path string) string {
	if v, ok := facts[path]; ok {
		return v
	}
	return absent
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
