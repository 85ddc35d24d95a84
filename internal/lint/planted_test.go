package lint

import (
	"fmt"
	"go/parser"
	"go/token"
	"strings"
	"testing"
)

// planted parses a file of package pkg. The imports it lacks are its own affair.
func planted(t *testing.T, fset *token.FileSet, pkg, path, text string) goFile {
	t.Helper()
	syntax, err := parser.ParseFile(fset, path, text, parser.ParseComments)
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return goFile{path, pkg, syntax}
}

// TestPlantedInCores plants each thing that a core must not do, and looks whether
// it is found.
func TestPlantedInCores(t *testing.T) {
	plants := map[string]string{ // text of the file after the package clause: what is said of it
		"import `os`":                                     "import os",
		`import . "time"`:                                 "rename the import of time",
		`import clock "time"`:                             "rename the import of time",
		`import m "maps"`:                                 "rename the import of maps",
		"func f() { go g() }":                             "use *ast.GoStmt",
		"func f() { select {} }":                          "use *ast.SelectStmt",
		"var c chan int":                                  "use *ast.ChanType",
		"func f() { g() <- 1 }":                           "use *ast.SendStmt",
		"func f() { <-g() }":                              "receive",
		"func f() { for range g() { <-h() } }":            "receive",
		"var now = time.Now":                              "use time.Now: the moment is an argument",
		"func f() { for range maps.Keys(m) {} }":          "use maps.Keys: its order is chance",
		"func f() { for range (maps.All(m)) {} }":         "use maps.All: its order is chance",
		"func f() { for range maps.Keys[M, K, V](m) {} }": "use maps.Keys: its order is chance",
		"func f() { keys := slices.Collect(maps.Keys(m)); g(keys) }":            "use maps.Keys: its order is chance",
		"var m map[int]int\nfunc f() { for range m {} }":                        "range over a map",
		"type s map[int]int\nfunc f(x s) { for k := range x { g(k) } }":         "range over a map",
		"type s struct { m map[int]int }\nfunc (x *s) f() { for range x.m {} }": "range over a map",
		"func f[M ~map[K]V, K comparable, V any](m M) { for range m {} }":       "range over a map",
	}
	for _, path := range strings.Fields("context crypto/rand embed hash/maphash io/fs io/ioutil log log/slog math/rand math/rand/v2 net net/http net/netip os " +
		"os/exec os/signal os/user path/filepath plugin reflect runtime runtime/debug sync sync/atomic syscall testing unique unsafe weak golang.org/x/sys/unix") {
		plants[fmt.Sprintf("import %q", path)] = "import " + path
	}
	for pkg, b := range bannedNames {
		for _, name := range b.names {
			plants[fmt.Sprintf("func f() { %s.%s() }", pkg, name)] = "use " + pkg + "." + name
		}
	}
	for text, want := range plants {
		fset := token.NewFileSet()
		got := coreFaults(fset, []goFile{planted(t, fset, "core", "core.go", "package core\n"+text)})
		if len(got) != 1 || !strings.Contains(got[0], "a core must not "+want) {
			t.Errorf("planted\n%s\nexpected one %q, found %q", text, want, got)
		}
	}
	for _, text := range []string{
		"import (\n\"maps\"\n\"slices\"\n)\nfunc f(m map[int]int) { for range slices.Sorted(maps.Keys(m)) {} }",
		"func sorted(m map[int]int) { for range m {} }",
		"import \"time\"\nfunc f(at time.Time, list []int) { for range list {} }",
	} {
		fset := token.NewFileSet()
		if got := coreFaults(fset, []goFile{planted(t, fset, "core", "core.go", "package core\n"+text)}); len(got) > 0 {
			t.Errorf("in\n%s\nnothing is wrong, found %q", text, got)
		}
	}
}

func TestPlantedImports(t *testing.T) {
	layers := readLayers(t)
	for _, c := range []struct{ pkg, path, want string }{
		{"nowhere", "fmt", "package nowhere is not in layers.txt"},
		{"storage", module + "internal/api", "storage must not import api"},
		{"cli", module + "internal/replica", "cli must not import replica"},
		{"cli", franz + "kgo", "cli must not import kgo"},
		{"cli", franz + "kmsg", "cli must not import kmsg"},
		{"cli", franz + "kerr", "cli must not import kerr"},
		{"cli", franz + "sasl/plain", "cli must not import sasl/plain"},
		{"broker", franz + "kgo", "broker must not import kgo"},
		{"cli", module + "pkg/client", ""},
		{"pkg/client", franz + "kgo", ""},
	} {
		got := strings.Join(layerFaults(layers, []goFile{planted(t, token.NewFileSet(), c.pkg, "x.go", fmt.Sprintf("package x\nimport %q", c.path))}), "\n")
		if !strings.Contains(got, c.want) || (got == "") != (c.want == "") {
			t.Errorf("%s imports %s: found %q, expected %q", c.pkg, c.path, got, c.want)
		}
	}
}

func TestPlantedDocs(t *testing.T) {
	fset := token.NewFileSet()
	for text, want := range map[string]int{"package x": 1, "// Package x is.\npackage x": 0} {
		for path, off := range map[string]int{"x/doc.go": 0, "x/x.go": 1 - want} {
			if got := docFaults([]goFile{planted(t, fset, "x", path, text)}); len(got) != want+off {
				t.Errorf("%s with %q: found %q", path, text, got)
			}
		}
	}
}
