package controller

import (
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"

	"github.com/hashicorp/go-hclog"
)

// raftLog lets raft write to slog. Raft's Info and Warn are chatter of elections
// to an operator and become Debug; its Error is mostly a peer that is away,
// which it copes with, and becomes Warn.
type raftLog struct {
	l    *slog.Logger
	name string
	args []any
}

var _ hclog.Logger = (*raftLog)(nil)

func newRaftLog(l *slog.Logger) *raftLog { return &raftLog{l: l, name: "raft"} }

func (r *raftLog) Log(level hclog.Level, msg string, args ...any) {
	to := slog.LevelDebug
	if level >= hclog.Error {
		to = slog.LevelWarn
	}
	if !r.l.Enabled(context.Background(), to) {
		return
	}
	for i, a := range args {
		switch v := a.(type) {
		case hclog.Format:
			args[i] = fmt.Sprintf(v[0].(string), v[1:]...)
		case error:
			args[i] = v.Error()
		case fmt.Stringer:
			args[i] = v.String() // now: raft's own values move on
		}
	}
	r.l.Log(context.Background(), to, r.name+": "+msg, args...)
}

func (r *raftLog) Trace(msg string, args ...any) { r.Log(hclog.Trace, msg, args...) }
func (r *raftLog) Debug(msg string, args ...any) { r.Log(hclog.Debug, msg, args...) }
func (r *raftLog) Info(msg string, args ...any)  { r.Log(hclog.Info, msg, args...) }
func (r *raftLog) Warn(msg string, args ...any)  { r.Log(hclog.Warn, msg, args...) }
func (r *raftLog) Error(msg string, args ...any) { r.Log(hclog.Error, msg, args...) }

func (r *raftLog) IsTrace() bool { return r.IsDebug() }
func (r *raftLog) IsDebug() bool { return r.l.Enabled(context.Background(), slog.LevelDebug) }
func (r *raftLog) IsInfo() bool  { return r.IsDebug() }
func (r *raftLog) IsWarn() bool  { return r.IsDebug() }
func (r *raftLog) IsError() bool { return r.l.Enabled(context.Background(), slog.LevelWarn) }

func (r *raftLog) ImpliedArgs() []any { return r.args }
func (r *raftLog) Name() string       { return r.name }

func (r *raftLog) With(args ...any) hclog.Logger {
	return &raftLog{l: r.l.With(args...), name: r.name, args: append(r.args[:len(r.args):len(r.args)], args...)}
}

func (r *raftLog) Named(name string) hclog.Logger { return r.ResetNamed(r.name + "." + name) }

func (r *raftLog) ResetNamed(name string) hclog.Logger {
	return &raftLog{l: r.l, name: name, args: r.args}
}

// The level is slog's business.
func (r *raftLog) SetLevel(hclog.Level)  {}
func (r *raftLog) GetLevel() hclog.Level { return hclog.Debug }

func (r *raftLog) StandardLogger(o *hclog.StandardLoggerOptions) *log.Logger {
	return log.New(r.StandardWriter(o), "", 0)
}

func (r *raftLog) StandardWriter(*hclog.StandardLoggerOptions) io.Writer { return lineWriter{r} }

type lineWriter struct{ r *raftLog }

func (w lineWriter) Write(p []byte) (int, error) {
	w.r.Debug(string(p))
	return len(p), nil
}
