package server

import (
	"bytes"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/brokerd/brokerd/internal/vfs"
	"github.com/brokerd/brokerd/internal/wire"
)

// diskRange is a range of a real file, as storage gives it.
type diskRange struct {
	f      vfs.File
	off, n int64
}

func (r *diskRange) Len() int64                         { return r.n }
func (r *diskRange) WriteTo(w io.Writer) (int64, error) { return vfs.CopyRange(w, r.f, r.off, r.n) }

// fileAPI answers every request with two ranges of a file; late ones from another goroutine.
type fileAPI struct {
	f    vfs.File
	size int64
	late bool
}

func (a *fileAPI) Trait(int16, int16) wire.Trait { return wire.Trait{Known: true, ReadsOn: true} }
func (a *fileAPI) Gather([]wire.Outcome)         {}
func (a *fileAPI) Closed(*wire.Client)           {}
func (a *fileAPI) Serve(c *wire.Call) wire.Outcome {
	fr := wire.NewFrame(c.Reply(), false, 0)
	fr.B = append(fr.B, '<')
	fr.File(&diskRange{a.f, 0, a.size / 3})
	fr.B = append(fr.B, '|')
	fr.File(&diskRange{a.f, a.size / 3, a.size - a.size/3})
	fr.B = append(fr.B, '>')
	if !a.late {
		return &wire.Ready{Answer: fr.Answer()}
	}
	w := &lateOutcome{a: &lateAPI{make(chan *lateOutcome, 1)}, answer: fr.Answer()}
	go func() { o := <-w.a.todo; o.done(nil) }()
	return w
}

// Ranges of a file reach a peer that reads slowly, whole: by sendfile on a raw
// connection, by copies on another; from the reader and from the drain goroutine.
func TestFilesToASlowPeer(t *testing.T) {
	fs := vfs.NewOS()
	path := filepath.Join(t.TempDir(), "segment")
	want := make([]byte, 3<<20)
	rand.NewChaCha8([32]byte{7}).Read(want)
	if err := os.WriteFile(path, want, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := fs.Open(path, vfs.Read)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for name, late := range map[string]bool{"reader": false, "drain": true} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, n wire.Network) { fetchSlowly(t, n, &fileAPI{f, int64(len(want)), late}, want) })
		})
	}
}

func fetchSlowly(t *testing.T, n wire.Network, api *fileAPI, want []byte) {
	w := start(t, n, Options{Dispatcher: api})
	w.api.closed = 1 // the fake API hears nothing of this connection
	c := w.dial(t)
	const requests = 3
	for i := range int32(requests) {
		c.send(t, request(keyEcho, i, nil))
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range int32(requests) {
		correlation, body, err := c.readFrom(&trickle{c.Conn, true, rng})
		if err != nil || correlation != i {
			t.Fatal(correlation, err)
		}
		third := len(want) / 3
		if body[0] != '<' || body[1+third] != '|' || body[len(body)-1] != '>' ||
			!bytes.Equal(body[1:1+third], want[:third]) || !bytes.Equal(body[2+third:len(body)-1], want[third:]) {
			t.Fatal("came out wrong")
		}
	}
}
