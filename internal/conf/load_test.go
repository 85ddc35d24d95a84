package conf

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "rewrite golden files and docs/configuration.md")

// Each script in testdata/load is a machine with files and a start on it: the
// comment holds the sources, one a line (file NAME, env K=V, override K=V,
// flag --name key value, implied --name key value, data-dir DIR, allow KEY, hostname NAME, root), the
// archive the files, and "want" what the start came to.
func TestLoadScripts(t *testing.T) {
	scripts, err := filepath.Glob("testdata/load/*.txt")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, path := range scripts {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			a := txtar.Parse(data)
			b, report := Load(scriptSources(t, a))
			got := printStart(b, report)
			i := len(a.Files) - 1
			if i < 0 || a.Files[i].Name != "want" {
				a.Files = append(a.Files, txtar.File{Name: "want"})
				i++
			}
			if got == string(a.Files[i].Data) {
				return
			}
			if *update {
				a.Files[i].Data = []byte(got)
				if err := os.WriteFile(path, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			t.Errorf("got\n%s\nwant\n%s", got, a.Files[i].Data)
		})
	}
}

func scriptSources(t *testing.T, a *txtar.Archive) Sources {
	t.Helper()
	files := map[string][]byte{}
	for _, f := range a.Files {
		files[f.Name] = f.Data
	}
	src := Sources{
		ReadFile: func(path string) ([]byte, error) {
			if data, ok := files[path]; ok {
				return data, nil
			}
			return nil, &os.PathError{Op: "open", Path: path, Err: os.ErrNotExist}
		},
		Hostname: func() (string, error) { return "box", nil },
		Root:     func() bool { return false },
		Home:     func() (string, error) { return "/home/u", nil },
	}
	for line := range strings.Lines(string(a.Comment)) {
		line = strings.TrimSpace(line)
		verb, rest, _ := strings.Cut(line, " ")
		switch verb {
		case "", "#":
		case "file":
			src.Files = append(src.Files, rest)
		case "env":
			src.Env = append(src.Env, rest)
		case "override":
			src.Overrides = append(src.Overrides, rest)
		case "flag", "implied":
			f := strings.SplitN(rest, " ", 3)
			src.Flags = append(src.Flags, Flag{f[0], f[1], f[2], verb == "implied"})
		case "data-dir":
			src.DataDir = rest
		case "allow":
			src.Allow = append(src.Allow, rest)
		case "root":
			src.Root = func() bool { return true }
		default:
			t.Fatalf("unknown line %q", line)
		}
	}
	return src
}

// printStart is what a start came to: what Load settled, every value with its
// origin, and the report.
func printStart(b *Broker, r *Report) string {
	var w strings.Builder
	line := func(name, format string, args ...any) {
		if s := fmt.Sprintf(format, args...); s != "" && s != "[]" {
			fmt.Fprintf(&w, "%-10s %s\n", name, s)
		}
	}
	line("node", "%d %s", b.NodeID, strings.Join(b.ProcessRoles, ","))
	line("cluster", "%s", b.ClusterID)
	for _, ln := range b.Listeners {
		optional := map[bool]string{true: " optional"}[ln.Optional]
		line("listen", "%s %s%s", ln, ln.Protocol, optional)
	}
	for _, ln := range b.Advertised {
		line("advertise", "%s %s", ln, ln.Protocol)
	}
	line("controller", "%s", strings.Join(b.ControllerNames, ","))
	line("brokers", "%s", b.InterBroker)
	line("voters", "%v", b.Voters)
	line("bootstrap", "%v", b.BootstrapServers)
	line("data", "%s (%s) metadata %s", strings.Join(b.LogDirs, ","), b.DataDirOrigin, b.MetadataDir)
	line("durability", "%s", b.Durability)
	for _, key := range sortedNames(b.values) {
		s := b.values[key]
		shown := s.value
		if k, ok := brokerKeyOf(key); s.secret || ok && k.Sensitive() {
			shown = "[hidden]"
		}
		line("set", "%s=%s (%s)", key, shown, s.origin.Where)
	}
	for _, p := range r.Problems {
		line(p.Severity.String(), "%s", p)
	}
	return w.String()
}
