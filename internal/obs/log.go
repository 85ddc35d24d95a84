package obs

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mattn/go-isatty"
)

// Format is how log lines look.
type Format string

const (
	Auto Format = "auto" // text on a terminal, JSON elsewhere
	Text Format = "text"
	JSON Format = "json"
)

// Logs makes loggers that write to one place, each component with a level that
// can change while the broker runs.
type Logs struct {
	handler slog.Handler
	root    *slog.LevelVar

	mu     sync.Mutex
	levels map[string]*componentLevel
}

// componentLevel is the level of one component; it follows the root until it is
// set for itself.
type componentLevel struct {
	level slog.LevelVar
	own   bool // guarded by Logs.mu
}

// NewLogs sets up logging to w at a level for all components.
func NewLogs(w io.Writer, format Format, level slog.Level) *Logs {
	root := &slog.LevelVar{}
	root.Set(level)
	opts := &slog.HandlerOptions{Level: slog.LevelDebug - 8, ReplaceAttr: readable}
	var h slog.Handler = slog.NewJSONHandler(w, opts)
	if format == Text || format != JSON && terminal(w) {
		opts.ReplaceAttr = short
		h = slog.NewTextHandler(w, opts)
	}
	return &Logs{handler: NewRepeats(h, 10*time.Second), root: root, levels: map[string]*componentLevel{}}
}

func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}

// readable writes durations as 1.5s, bytes in hex, and what has words of its own
// (addresses, ids) in them: JSON otherwise shows their insides.
func readable(_ []string, a slog.Attr) slog.Attr {
	switch a.Value.Kind() {
	case slog.KindDuration:
		a.Value = slog.StringValue(a.Value.Duration().String())
	case slog.KindAny:
		switch v := a.Value.Any().(type) {
		case error, *slog.Source: // the handler's own
		case []byte:
			a.Value = slog.StringValue(hex.EncodeToString(v))
		case fmt.Stringer:
			a.Value = slog.StringValue(fmt.Sprint(v)) // which survives a nil inside
		}
	}
	return a
}

// short leaves the day out of the time: a terminal is read as it happens.
func short(groups []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey && len(groups) == 0 {
		a.Value = slog.StringValue(a.Value.Time().Format("15:04:05.000"))
	}
	return readable(groups, a)
}

// Logger is the logger of one component; its lines carry component=name.
func (l *Logs) Logger(component string) *slog.Logger {
	h := &leveled{next: l.handler, level: &l.component(component).level}
	return slog.New(h).With("component", component)
}

func (l *Logs) component(name string) *componentLevel {
	l.mu.Lock()
	defer l.mu.Unlock()
	c, ok := l.levels[name]
	if !ok {
		c = &componentLevel{}
		c.level.Set(l.root.Level())
		l.levels[name] = c
	}
	return c
}

// SetLevel changes the level of one component, or of all that have none of their
// own when component is "" or "root".
func (l *Logs) SetLevel(component string, level slog.Level) {
	if component != "" && component != "root" {
		c := l.component(component)
		l.mu.Lock()
		defer l.mu.Unlock()
		c.own = true
		c.level.Set(level)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.root.Set(level)
	for _, c := range l.levels {
		if !c.own {
			c.level.Set(level)
		}
	}
}

// ResetLevel lets a component follow the root again.
func (l *Logs) ResetLevel(component string) {
	c := l.component(component)
	l.mu.Lock()
	defer l.mu.Unlock()
	c.own = false
	c.level.Set(l.root.Level())
}

// Levels is the level of every component that has logged or was set, and root.
func (l *Logs) Levels() map[string]slog.Level {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := map[string]slog.Level{"root": l.root.Level()}
	for name, c := range l.levels {
		out[name] = c.level.Level()
	}
	return out
}

// levelNames are Kafka's, which DescribeConfigs shows and AlterConfigs takes.
var levelNames = []struct {
	name  string
	level slog.Level
}{
	{"TRACE", slog.LevelDebug - 4}, {"DEBUG", slog.LevelDebug}, {"INFO", slog.LevelInfo},
	{"WARN", slog.LevelWarn}, {"ERROR", slog.LevelError}, {"FATAL", slog.LevelError + 4},
}

// ParseLevel reads a level by Kafka's names, in any case.
func ParseLevel(s string) (slog.Level, error) {
	for _, n := range levelNames {
		if strings.EqualFold(n.name, s) {
			return n.level, nil
		}
	}
	return 0, fmt.Errorf("unknown log level %q: one of TRACE, DEBUG, INFO, WARN, ERROR, FATAL", s)
}

// LevelName is Kafka's name for a level, the nearest one at or below it.
func LevelName(l slog.Level) string {
	i := slices.IndexFunc(levelNames, func(n struct {
		name  string
		level slog.Level
	}) bool {
		return n.level > l
	})
	switch i {
	case -1:
		return "FATAL"
	case 0:
		return "TRACE"
	}
	return levelNames[i-1].name
}

// leveled drops lines below its level.
type leveled struct {
	next  slog.Handler
	level *slog.LevelVar
}

func (h *leveled) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level.Level() }

func (h *leveled) Handle(ctx context.Context, r slog.Record) error { return h.next.Handle(ctx, r) }

func (h *leveled) WithAttrs(a []slog.Attr) slog.Handler {
	return &leveled{h.next.WithAttrs(a), h.level}
}

func (h *leveled) WithGroup(name string) slog.Handler {
	return &leveled{h.next.WithGroup(name), h.level}
}
