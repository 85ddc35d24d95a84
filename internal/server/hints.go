package server

import (
	"bytes"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/brokerd/brokerd/internal/wire"
)

// hintInterval is how often one kind of line may be logged: clients that are
// set up wrong come back several times a second.
const hintInterval = 10 * time.Second

// strangeBytes is how much of a frame is looked at to tell what it is instead.
const strangeBytes = 8

// hints logs what an operator can act on, each kind at most once per interval.
type hints struct {
	log *slog.Logger

	mu   sync.Mutex
	last map[string]hint
}

type hint struct {
	at      time.Time
	skipped int
}

// due says whether this kind may be logged now, and how many were not since.
// The kinds are constants of this file.
func (h *hints) due(kind string) (skipped int, ok bool) {
	now := time.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.last == nil {
		h.last = map[string]hint{}
	}
	was, seen := h.last[kind]
	if seen && now.Sub(was.at) < hintInterval {
		was.skipped++
		h.last[kind] = was
		return 0, false
	}
	h.last[kind] = hint{at: now}
	return was.skipped, true
}

func (h *hints) warn(kind, message string, args ...any) {
	skipped, ok := h.due(kind)
	if !ok {
		return
	}
	if skipped > 0 {
		args = append(args, "more", skipped)
	}
	h.log.Warn(message, args...)
}

func (h *hints) unsupported(c *conn, header wire.Header) {
	h.warn("unsupported", "client sent a request that is not served here; its connection is closed",
		"key", header.Key, "version", header.Version, "client", string(header.ClientID),
		"software", c.client.Software, "softwareVersion", c.client.SoftwareVersion,
		"listener", c.client.Listener, "remote", c.client.Remote)
}

// strangeSize tells what the first bytes look like when they are no length.
func (h *hints) strangeSize(c *conn, first []byte) {
	args := []any{"listener", c.client.Listener, "remote", c.client.Remote}
	switch {
	case looksLikeHTTP(first):
		h.warn("http", "a client speaks HTTP on a Kafka port: metrics and health are on the HTTP port", args...)
	case looksLikeTLS(first):
		h.warn("tls", "a client speaks TLS on a plaintext listener: it wants security.protocol=PLAINTEXT, or another port", args...)
	default:
		h.warn("size", "a client sent a frame of impossible size; its connection is closed", append(args, "bytes", first)...)
	}
}

func looksLikeHTTP(p []byte) bool {
	for _, verb := range []string{"GET ", "HEAD", "POST", "PUT ", "DELE", "OPTI", "PRI "} {
		if bytes.HasPrefix(p, []byte(verb)) {
			return true
		}
	}
	return false
}

// looksLikeTLS: a handshake record of version 3.x.
func looksLikeTLS(p []byte) bool { return len(p) >= 2 && p[0] == 0x16 && p[1] == 0x03 }

func (h *hints) refused(reason string, remote net.Addr) {
	h.warn("refused", "connection refused", "reason", reason, "remote", remote)
}

func (h *hints) acceptFailed(listener string, err error) {
	h.warn("accept", "cannot accept connections for now", "listener", listener, "error", err)
}
