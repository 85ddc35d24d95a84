package cli

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAnotherOneAnswers: a node that ended because another broker has its ports is
// not ready, however ready the other one is.
func TestAnotherOneAnswers(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }))
	defer other.Close()
	dir := t.TempDir()
	words := filepath.Join(dir, "server.out")
	if err := os.WriteFile(words, []byte("error: port 9092 is already in use\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := &devProcess{
		cluster: &devCluster{Name: "dev", dir: dir}, node: devNode{ID: 1, HTTP: other.Listener.Addr().(*net.TCPAddr).Port},
		pid: os.Getpid(), ended: make(chan struct{}), output: words,
	}
	close(p.ended)
	err := p.ready(t.Context())
	if err == nil || !strings.Contains(err.Error(), "node 1 did not start") || !strings.Contains(hint(err), "port 9092") {
		t.Fatalf("%v, hint %q", err, hint(err))
	}
}

// TestPortsThatSomebodyHas: a cluster is not laid out with them, so that the next
// start can choose others.
func TestPortsThatSomebodyHas(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := l.Addr().(*net.TCPAddr).Port
	for _, n := range []devNode{{ID: 2, Kafka: taken}, {ID: 2, Controller: taken}, {ID: 2, HTTP: taken}} {
		d := &devCluster{Name: "dev", Nodes: []devNode{{ID: 1}, n}} // port 0: always free
		err := d.portsAreFree()
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("node 2 of dev cluster dev cannot listen on 127.0.0.1:%d: address already in use", taken)) || !strings.Contains(hint(err), "--any-port") {
			t.Errorf("%+v: %v, hint %q", n, err, hint(err))
		}
	}
	if err := (&devCluster{Nodes: []devNode{{ID: 1}}}).portsAreFree(); err != nil {
		t.Error(err)
	}
}

func hint(err error) string {
	var c *cliError
	if !errors.As(err, &c) {
		return ""
	}
	return c.hint
}
