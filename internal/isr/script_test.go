package isr

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/brokerd/brokerd/internal/step"
)

var rewrite = flag.Bool("rewrite", false, "accept what the scripts print")

// TestScripts replays testdata/*.txt: paragraphs of commands, "----", and what
// they printed. Broker 1 is the leader, and the follower in follower scripts.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, name := range files {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			got := replay(t, string(text))
			if *rewrite {
				if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != string(text) {
				t.Errorf("prints now:\n%s", got)
			}
		})
	}
}

func replay(t *testing.T, text string) string {
	s := &script{t: t}
	var out []string
	for _, para := range strings.Split(strings.TrimRight(text, "\n"), "\n\n") {
		commands, _, _ := strings.Cut(para, "\n----\n")
		var printed []string
		for _, line := range strings.Split(commands, "\n") {
			if line != "" && !strings.HasPrefix(line, "#") {
				printed = append(printed, s.run(line)...)
			}
		}
		if len(printed) == 0 {
			out = append(out, commands) // a drawing
			continue
		}
		out = append(out, commands+"\n----\n"+strings.Join(append(printed, s.state()), "\n"))
	}
	return strings.Join(out, "\n\n") + "\n"
}

type script struct {
	t   *testing.T
	now step.Instant
	cfg Config
	rec Record
	l   *Leader
	f   *Follower
	cor int64
}

func (s *script) state() string {
	if s.f != nil {
		return s.f.String()
	}
	return s.l.String()
}

func (s *script) run(line string) []string {
	verb, rest, _ := strings.Cut(line, " ")
	a := args(rest)
	if d, ok := a["after"]; ok {
		dur, err := time.ParseDuration(d)
		if err != nil {
			s.t.Fatal(err)
		}
		s.now = s.now.Add(dur)
	}
	var e Effects
	var err error
	switch verb {
	case "leader":
		s.configure(a)
		s.f, s.l = nil, NewLeader(s.now, s.cfg, s.rec, a.log(), &e)
	case "follower":
		s.configure(a)
		s.l, s.f = nil, NewFollower(s.cfg, s.rec, a.log())
	case "append":
		s.l.Appended(s.now, int32(a.num("epoch", int64(s.rec.LeaderEpoch))), a.num("to", 0), &e)
	case "durable":
		if s.f != nil {
			s.f.NowDurable(a.num("to", 0))
		} else {
			s.l.NowDurable(s.now, a.num("to", 0), &e)
		}
	case "fetched":
		from := int32(a.num("from", 0))
		err = s.l.Fetched(s.now, Fetched{
			Replica: from, BrokerEpoch: a.num("broker", int64(from)*10),
			LeaderEpoch: int32(a.num("epoch", int64(s.rec.LeaderEpoch))), Offset: a.num("offset", 0),
		}, &e)
	case "alive":
		s.l.Alive(s.now, int32(a.num("from", 0)))
	case "tick":
		s.l.Tick(s.now, &e)
	case "setting":
		s.l.SetFsync(s.now, a["durability"] != "isr", &e)
	case "record":
		s.configure(a)
		s.l.Altered(s.now, s.rec, &e)
	case "refused":
		r := Definite
		if a["why"] == "unknown" {
			r = Unknown
		}
		q := s.l.proposal()
		q.PartitionEpoch = int32(a.num("pe", int64(q.PartitionEpoch)))
		s.l.Refused(q, r, &e)
	case "next":
		s.cor++
		f, ok := s.f.Next(s.cor, int32(a.num("last", -1)))
		if !ok {
			return []string{"no fetch"}
		}
		return []string{fmt.Sprintf("fetch #%d epoch=%d offset=%d last=%d", f.Correlation, f.LeaderEpoch, f.Offset, f.LastEpoch)}
	case "reply":
		to := s.f.sent
		to.Correlation = a.num("to", to.Correlation)
		_, diverged := a["leaderend"]
		s.f.Received(Received{
			To: to, Diverged: diverged, LeaderEnd: a.num("leaderend", 0), OwnEnd: a.num("ownend", 0),
			HighWatermark: a.num("hw", 0), Records: a["records"] != "",
		}, &e)
	case "appended":
		s.f.Appended(a.num("to", 0), a.num("hw", 0), &e)
	case "truncated":
		s.f.Truncated(a.num("to", 0))
	default:
		s.t.Fatalf("unknown command %q", line)
	}
	return s.print(e, err)
}

func (s *script) print(e Effects, err error) []string {
	var out []string
	if err != nil {
		out = append(out, "refused: "+err.Error())
	}
	if e.Propose {
		out = append(out, fmt.Sprintf("propose isr=%v at %d.%d", e.Proposal.ISR.Members(s.rec.Replicas),
			e.Proposal.LeaderEpoch, e.Proposal.PartitionEpoch))
	}
	if e.Truncate {
		out = append(out, fmt.Sprintf("truncate to %d", e.TruncateTo))
	}
	if e.Append {
		out = append(out, "append the records")
	}
	if e.Moved {
		out = append(out, fmt.Sprintf("hw=%d", e.HighWatermark))
	}
	if e.Broken != "" {
		out = append(out, "BROKEN "+e.Broken)
	}
	if out == nil {
		out = []string{"-"}
	}
	return out
}

// configure changes the record by what the command names; the rest stays.
func (s *script) configure(a arguments) {
	s.cfg = Config{Self: 1, Fsync: a["isrmode"] == "" && (s.cfg.Fsync || s.rec.Replicas == nil), LagMax: 10 * time.Second}
	r := s.rec
	r.LeaderEpoch = int32(a.num("epoch", int64(r.LeaderEpoch)))
	r.PartitionEpoch = int32(a.num("pe", int64(r.PartitionEpoch)))
	r.MinISR = int(a.num("min", int64(max(r.MinISR, 1))))
	if v, ok := a["replicas"]; ok {
		r.Replicas = ids(v)
		r.Eligible = 1<<len(r.Replicas) - 1
		r.BrokerEpochs = nil
		for _, id := range r.Replicas {
			r.BrokerEpochs = append(r.BrokerEpochs, int64(id)*10)
		}
		r.ISR = r.Eligible
	}
	if v, ok := a["lives"]; ok { // broker epochs
		r.BrokerEpochs = nil
		for _, e := range ids(v) {
			r.BrokerEpochs = append(r.BrokerEpochs, int64(e))
		}
	}
	if v, ok := a["isr"]; ok {
		r.ISR = MaskOf(r.Replicas, ids(v))
	}
	if v, ok := a["eligible"]; ok {
		r.Eligible = MaskOf(r.Replicas, ids(v))
	}
	r.Recovering = a["recovering"] != ""
	r.Unclean = a["unclean"] != ""
	s.rec = r
}

type arguments map[string]string

func args(rest string) arguments {
	a := arguments{}
	for _, f := range strings.Fields(rest) {
		k, v, ok := strings.Cut(f, "=")
		if !ok {
			v = "yes"
		}
		a[k] = v
	}
	return a
}

func (a arguments) num(key string, otherwise int64) int64 {
	v, ok := a[key]
	if !ok {
		return otherwise
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}

func (a arguments) log() Log {
	end := a.num("end", 0)
	return Log{End: end, Durable: a.num("durable", end), HighWatermark: a.num("hw", 0)}
}

func ids(v string) []int32 {
	var out []int32
	for _, s := range strings.Split(v, ",") {
		n, err := strconv.Atoi(s)
		if err == nil {
			out = append(out, int32(n))
		}
	}
	return out
}
