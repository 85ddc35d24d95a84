package broker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/brokerd/brokerd/internal/conf"
	"github.com/brokerd/brokerd/internal/wire"
)

// httpServer serves metrics and health. It is bound to loopback unless a
// setting says otherwise: nothing of it asks who you are.
type httpServer struct {
	b        *Broker
	server   *http.Server
	bound    net.Addr
	done     chan struct{}
	draining atomic.Bool
}

// nextPorts is how far the search for a free port goes when nobody chose one.
const nextPorts = 100

func newHTTP(b *Broker) *httpServer { return &httpServer{b: b} }

// listen binds and serves. When the port is the default and taken, the next
// free one serves (decisions 5.4).
func (h *httpServer) listen(ctx context.Context, n wire.Network, c *conf.Broker) error {
	if c.HTTPAddr == "" {
		return nil
	}
	l, err := n.Listen(ctx, c.HTTPAddr)
	if errors.Is(err, syscall.EADDRINUSE) && !c.HTTPAddrSet {
		l, err = nextFree(ctx, n, c.HTTPAddr)
	}
	if err != nil {
		return &BindError{Listener: "HTTP", Addr: c.HTTPAddr, Err: err}
	}
	h.bound = l.Addr()
	h.server = &http.Server{
		Handler:           h.mux(c),
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 60 * time.Second,
		IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
	}
	h.done = make(chan struct{})
	go func() { // ended and waited for by close
		defer close(h.done)
		_ = h.server.Serve(l) // it ends by close, or the health check hears nothing: nobody else depends on it
	}()
	return nil
}

func nextFree(ctx context.Context, n wire.Network, addr string) (net.Listener, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	first, err := strconv.Atoi(port)
	if err != nil {
		return nil, err
	}
	var l net.Listener
	for p := first + 1; p < first+nextPorts && p < 1<<16; p++ {
		if l, err = n.Listen(ctx, hostPort(host, p)); err == nil {
			return l, nil
		}
	}
	return nil, err
}

func (h *httpServer) addr() string {
	if h.bound == nil {
		return ""
	}
	return h.bound.String()
}

func (h *httpServer) close() {
	if h.server != nil {
		_ = h.server.Close() // connections that are cut are all that it can complain of
		<-h.done
	}
}

func (h *httpServer) mux(c *conf.Broker) http.Handler {
	m := http.NewServeMux()
	m.Handle("GET /metrics", h.b.o.Metrics.Handler())
	m.HandleFunc("GET /healthz", h.alive)
	m.HandleFunc("GET /readyz", h.ready)
	m.HandleFunc("GET /{$}", h.index)
	if c.Pprof || loopback(h.bound) {
		m.HandleFunc("GET /debug/pprof/", pprof.Index)
		m.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		m.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	}
	return m
}

func loopback(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

func (h *httpServer) index(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("brokerd " + h.b.o.Version + "\n/metrics\n/healthz\n/readyz\n")) // the reader has gone
}

// alive answers as long as the process does.
func (h *httpServer) alive(w http.ResponseWriter, _ *http.Request) {
	respond(w, http.StatusOK, health{Status: "ok"})
}

// health is the body of a health answer. Reasons say why it is not ready.
type health struct {
	Status  string   `json:"status"`
	Reasons []string `json:"reasons,omitempty"`
}

// ready answers 200 when this broker serves all that is asked of it.
func (h *httpServer) ready(w http.ResponseWriter, _ *http.Request) {
	if !h.b.isReady() { // and not all parts are there to be asked
		respond(w, http.StatusServiceUnavailable, health{"not ready", h.missing([]string{"starting"})})
		return
	}
	var reasons []string
	if h.draining.Load() {
		reasons = append(reasons, "shutting down")
	}
	if _, ok := h.b.control.Leader(); !ok {
		reasons = append(reasons, "no controller quorum: serving what this broker leads, administration refused")
		reasons = h.missing(reasons)
	}
	if h.b.logs != nil {
		for _, d := range h.b.logs.Dirs() {
			if d.Err != nil {
				reasons = append(reasons, "log directory "+d.Path+" has failed: "+d.Err.Error())
			} else if d.Full {
				reasons = append(reasons, "log directory "+d.Path+" is short of space: produce is refused")
			}
		}
	}
	reasons = append(reasons, h.lost()...)
	if len(reasons) > 0 {
		respond(w, http.StatusServiceUnavailable, health{"not ready", reasons})
		return
	}
	respond(w, http.StatusOK, health{Status: "ready"})
}

// missing adds whom this node waits for.
func (h *httpServer) missing(reasons []string) []string {
	if who := h.b.told.Load(); who != nil {
		return append(reasons, "waiting for "+*who)
	}
	return reasons
}

// lostReasons is how many offline partitions an answer names one by one.
const lostReasons = 20

// lost says which partitions cannot be served though their directories work.
func (h *httpServer) lost() (reasons []string) {
	lost := h.b.replicas.Lost()
	for i, l := range lost {
		if i == lostReasons {
			return append(reasons, fmt.Sprintf("%d more partitions are offline; the log names them", len(lost)-i))
		}
		reasons = append(reasons, fmt.Sprintf("partition %s-%d is offline: %v", l.Topic, l.ID.Index, l.Err))
	}
	return reasons
}

func respond(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v) // the reader has gone
}
