package obs

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func scrape(t *testing.T, r *Registry) string {
	t.Helper()
	w := httptest.NewRecorder()
	r.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	body, err := io.ReadAll(w.Result().Body)
	if err != nil || w.Code != 200 {
		t.Fatalf("status %d, error %v", w.Code, err)
	}
	var lines []string
	for line := range strings.Lines(string(body)) {
		if !strings.Contains(line, "promhttp_") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

func TestExposition(t *testing.T) {
	r := NewRegistry()
	r.Counter("a_total", "Things.").Add(3)
	r.Counters("b_total", "Things by reason.", "reason").With("x").Inc()
	r.Gauge("c", "A level.", func() float64 { return 1.5 })
	r.Info("d_info", "Facts.", map[string]string{"version": "1"})
	r.Collect([]Family{
		{Name: "e", Help: "Per partition.", Kind: GaugeKind, Labels: []string{"topic", "partition"}},
		{Name: "f_total", Help: "All.", Kind: CounterKind},
	}, func(s *Scrape) {
		s.Emit(0, 7, "t", "0")
		s.Emit(0, 8, "t", "1")
		s.Emit(1, 9)
	})
	want := `# HELP a_total Things.
# TYPE a_total counter
a_total 3
# HELP b_total Things by reason.
# TYPE b_total counter
b_total{reason="x"} 1
# HELP c A level.
# TYPE c gauge
c 1.5
# HELP d_info Facts.
# TYPE d_info gauge
d_info{version="1"} 1
# HELP e Per partition.
# TYPE e gauge
e{partition="0",topic="t"} 7
e{partition="1",topic="t"} 8
# HELP f_total All.
# TYPE f_total counter
f_total 9
`
	if got := scrape(t, r); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestProcessMetrics(t *testing.T) {
	r := NewRegistry()
	r.Process()
	if got := scrape(t, r); !strings.Contains(got, "go_goroutines ") || !strings.Contains(got, "process_start_time_seconds ") {
		t.Errorf("go_ or process_ metrics are missing in\n%s", got)
	}
}

// A collector that gives wrong labels loses its family and nothing else.
func TestBadSeriesSpoilsOnlyItself(t *testing.T) {
	r := NewRegistry()
	r.Counter("good_total", "Good.").Inc()
	r.Collect([]Family{{Name: "bad", Help: "Bad.", Kind: GaugeKind, Labels: []string{"a"}}}, func(s *Scrape) { s.Emit(0, 1) })
	got := scrape(t, r)
	if !strings.Contains(got, "good_total 1") || strings.Contains(got, "bad{") {
		t.Errorf("got\n%s", got)
	}
}

func TestSecondNamePanics(t *testing.T) {
	r := NewRegistry()
	r.Counter("a_total", "A.")
	defer func() {
		if recover() == nil {
			t.Error("a name was taken twice")
		}
	}()
	r.Counter("a_total", "A.")
}

func TestQuantiles(t *testing.T) {
	r := NewRegistry()
	h := r.Durations("d_seconds", "Durations.", "api").With("Produce")
	if q := h.Read().Quantile(0.99); q != 0 {
		t.Errorf("quantile of nothing is %v", q)
	}
	for range 90 {
		h.Observe(2 * time.Millisecond) // bucket 1 to 2.5 ms
	}
	for range 10 {
		h.Observe(40 * time.Millisecond) // bucket 25 to 50 ms
	}
	h.Observe(time.Hour) // beyond the last bucket
	d := h.Read()
	if d.Count != 101 {
		t.Errorf("count %d", d.Count)
	}
	for _, c := range []struct{ q, lo, hi float64 }{{0.5, .001, .0025}, {0.95, .025, .05}, {1, 30, 30}, {0, 0, .001}} {
		if got := d.Quantile(c.q); got < c.lo || got > c.hi {
			t.Errorf("quantile %v is %v, want between %v and %v", c.q, got, c.lo, c.hi)
		}
	}
}

func TestSummary(t *testing.T) {
	r := NewRegistry()
	h := r.Durations("d_seconds", "Durations.").With()
	h.Observe(2 * time.Millisecond)
	r.Collect([]Family{{Name: "d_ms", Help: "Milliseconds.", Labels: []string{"request"}}}, func(s *Scrape) {
		s.EmitDistribution(0, h.Read(), 1000, []float64{0.5}, "Produce")
	})
	if got := scrape(t, r); !strings.Contains(got, `d_ms{request="Produce",quantile="0.5"} 1.75`) || !strings.Contains(got, `d_ms_count{request="Produce"} 1`) {
		t.Errorf("got\n%s", got)
	}
}

func TestLevels(t *testing.T) {
	var out bytes.Buffer
	logs := NewLogs(&out, Text, slog.LevelInfo)
	raft, door := logs.Logger("raft"), logs.Logger("server")
	raft.Debug("hidden")
	logs.SetLevel("raft", slog.LevelDebug)
	raft.Debug("shown")
	door.Debug("hidden")
	logs.SetLevel("", slog.LevelWarn)
	door.Info("hidden")
	raft.Debug("shown too")
	logs.ResetLevel("raft")
	raft.Info("hidden")
	if got := out.String(); strings.Contains(got, "hidden") || strings.Count(got, "shown") != 2 || !strings.Contains(got, "component=raft") {
		t.Errorf("got\n%s", got)
	}
	if l := logs.Levels(); l["raft"] != slog.LevelWarn || l["root"] != slog.LevelWarn {
		t.Errorf("levels %v", l)
	}
}

func TestLevelNames(t *testing.T) {
	for _, n := range levelNames {
		l, err := ParseLevel(strings.ToLower(n.name))
		if err != nil || LevelName(l) != n.name {
			t.Errorf("%s became %v and %s, error %v", n.name, l, LevelName(l), err)
		}
	}
	if _, err := ParseLevel("loud"); err == nil {
		t.Error("loud is no level")
	}
}

func TestJSONWhenNoTerminal(t *testing.T) {
	var out bytes.Buffer
	NewLogs(&out, Auto, slog.LevelInfo).Logger("server").Info("started", "took", 1500*time.Millisecond,
		"remote", &net.TCPAddr{IP: net.IPv6loopback, Port: 9}, "bytes", []byte{0xff, 1}, "nobody", (*net.TCPAddr)(nil), "error", errors.New("why"))
	for _, want := range []string{`"took":"1.5s"`, `"component":"server"`, `"remote":"[::1]:9"`, `"bytes":"ff01"`, `"nobody":"<nil>"`, `"error":"why"`} {
		if got := out.String(); !strings.Contains(got, want) {
			t.Errorf("%s is not in %s", want, got)
		}
	}
}

func TestRepeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		log := slog.New(NewRepeats(slog.NewTextHandler(&out, nil), time.Second))
		for range 35 {
			log.Warn("again")
		}
		log.Info("other")
		for range 35 {
			log.Error("act")
		}
		time.Sleep(time.Second)
		log.With("k", 1).Warn("again")
		got := out.String()
		if n := strings.Count(got, "again"); n != burst+1 {
			t.Errorf("%d lines passed", n)
		}
		if !strings.Contains(got, "k=1 repeated=15") || !strings.Contains(got, "other") || strings.Count(got, "act") != 35 {
			t.Errorf("got\n%s", got)
		}
	})
}

func TestRepeatsIsBounded(t *testing.T) {
	h := NewRepeats(slog.NewTextHandler(io.Discard, nil), time.Hour).(*repeats)
	log := slog.New(h)
	for i := range 10 * maxRepeats {
		log.Info(strings.Repeat("x", i%1000) + string(rune('a'+i%26)))
	}
	if n := len(h.state.seen); n > maxRepeats {
		t.Errorf("remembers %d messages", n)
	}
}

func BenchmarkObserve(b *testing.B) {
	h := NewRegistry().Durations("d_seconds", "Durations.", "api").With("Produce")
	b.ReportAllocs()
	for i := range b.N {
		h.Observe(time.Duration(i%1000) * time.Microsecond)
	}
}

func BenchmarkCount(b *testing.B) {
	c := NewRegistry().Counter("c_total", "C.")
	b.ReportAllocs()
	for range b.N {
		c.Add(100)
	}
}
