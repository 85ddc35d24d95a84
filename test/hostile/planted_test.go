//go:build hostile

package hostile

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/brokerd/brokerd/test/harness"
)

// planted are mistakes that the judge has to find. Each changes a line of one
// file, for the compiler only: the files themselves stay as they are.
var planted = []struct {
	name, file string
	old, new   string
	found      string // the finding that it must lead to
}{
	{
		"memory for a length that was announced", "internal/server/conn.go",
		"in.need = prefixBytes + int(size)",
		"in.need = prefixBytes + int(size); p := make([]byte, size); for i := 0; i < len(p); i += 4096 { p[i] = 1 }",
		"memory grew",
	},
	{
		"a panic where a body is malformed", "internal/api/call.go",
		"func malformed() wire.Outcome { return",
		"func malformed() wire.Outcome { panic(\"planted\"); return",
		"a panic was recovered",
	},
	{
		"a closing that nobody counts", "internal/server/server.go",
		"s.totals.closed(why.reason)",
		"_ = why.reason",
		"connections closed without a reason",
	},
	{
		"an answer that is cut", "internal/api/versions.go",
		"return wire.Respond(c, resp)\n}\n\n// tooNew",
		"o := wire.Respond(c, resp)\n\tif a := o.Finish(false); c.Version == 4 {\n\t\ta.Frame = a.Frame[:len(a.Frame)-1]\n\t\ta.Frame[3]--\n\t\to = &wire.Ready{Answer: a}\n\t}\n\treturn o\n}\n\n// tooNew",
		"an answer that cannot be decoded",
	},
}

// TestPlanted judges the judge (H3).
func TestPlanted(t *testing.T) {
	for _, p := range planted {
		t.Run(p.name, func(t *testing.T) {
			v, g := begin(t, buildPlanted(t, p.file, p.old, p.new))
			g.frames()
			for _, a := range g.apis {
				if r := a.base(g.target); r != nil && a.key == 18 {
					g.truncations(a, r)
					g.request("whole", a, "whole", r.AppendTo(nil), false)
				}
			}
			j := &judge{addr: v.node.Addr()}
			before := v.state()
			v.resetPeak()
			j.run(g.all, attackers, 0)
			j.check(v, before)
			for _, f := range j.findings {
				if strings.HasPrefix(f.what, p.found) {
					t.Logf("found: %s: %.200s", f.what, f.name)
					return
				}
			}
			t.Errorf("not found; what was: %.2000v", j.findings)
		})
	}
}

// buildPlanted builds the broker with one text replaced in one file, by the
// compiler's overlay.
func buildPlanted(t *testing.T, file, old, new string) (binary string) {
	t.Helper()
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(source), old); n != 1 {
		t.Fatalf("%s has %d places like %q: plant it anew", file, n, old)
	}
	dir := t.TempDir()
	changed, overlay := filepath.Join(dir, "changed.go"), filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(changed, []byte(strings.Replace(string(source), old, new, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	list, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(root, file): changed}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(overlay, list, 0o644); err != nil {
		t.Fatal(err)
	}
	binary = filepath.Join(dir, "brokerd")
	build := exec.Command("go", "build", "-overlay", overlay, "-o", binary, "./cmd/brokerd")
	build.Dir = root
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build with %s: %v\n%s", file, err, out)
	}
	return binary
}
