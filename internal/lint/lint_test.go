package lint

import (
	"bufio"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/brokerd/brokerd/"

// row is one line of layers.txt.
type row struct {
	core    bool
	imports []string
}

// goFile is one parsed source file, tests excluded.
type goFile struct {
	path, pkg string // pkg as in layers.txt: internal/ stripped
	syntax    *ast.File
}

func TestLayers(t *testing.T) {
	layers := readLayers(t)
	files, _ := sources(t)
	for _, f := range files {
		r, known := layers[f.pkg]
		if !known {
			t.Errorf("%s: package %s is not in layers.txt; a new room needs a page in docs/decisions", f.path, f.pkg)
			continue
		}
		for _, path := range f.imports() {
			name, ours := strings.CutPrefix(path, module)
			name = strings.TrimPrefix(name, "internal/")
			if ours && name != f.pkg && !slices.Contains(r.imports, "*") && !slices.Contains(r.imports, name) {
				t.Errorf("%s: %s must not import %s", f.path, f.pkg, name)
			}
		}
	}
}

func TestEveryPackageHasADoc(t *testing.T) {
	seen := map[string]bool{}
	files, _ := sources(t)
	for _, f := range files {
		seen[f.pkg] = seen[f.pkg] || filepath.Base(f.path) == "doc.go" && f.syntax.Doc != nil
	}
	for pkg, has := range seen {
		if !has && pkg != "cmd/brokerd" {
			t.Errorf("package %s has no doc.go with a package comment", pkg)
		}
	}
}

// bannedImports know the time, chance, files, sockets or other goroutines.
var bannedImports = []string{"os", "net", "sync", "sync/atomic", "math/rand", "math/rand/v2", "crypto/rand", "io/fs", "context",
	"syscall", "runtime", "unsafe", "os/exec", "os/signal", "log", "log/slog"}

// bannedTime are the functions of package time that know what time it is.
var bannedTime = []string{"Now", "After", "AfterFunc", "Sleep", "Since", "Until", "NewTimer", "NewTicker", "Tick"}

func TestCoresArePure(t *testing.T) {
	layers := readLayers(t)
	files, fset := sources(t)
	byPackage := map[string][]*ast.File{}
	for _, f := range files {
		if !layers[f.pkg].core {
			continue
		}
		byPackage[f.pkg] = append(byPackage[f.pkg], f.syntax)
		for _, path := range f.imports() {
			if slices.Contains(bannedImports, path) {
				t.Errorf("%s: a core must not import %s", f.path, path)
			}
		}
		for _, spec := range f.syntax.Imports { // what follows goes by these names
			if spec.Name != nil && (spec.Path.Value == `"time"` || spec.Path.Value == `"maps"`) {
				t.Errorf("%s: a core must not rename the import of %s", f.path, spec.Path.Value)
			}
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.RangeStmt:
				if call, ok := n.X.(*ast.CallExpr); ok {
					if s, ok := call.Fun.(*ast.SelectorExpr); ok {
						if x, ok := s.X.(*ast.Ident); ok && x.Name == "maps" {
							t.Errorf("%s: a core must not range over maps.%s: its order is chance; range over sorted(m)", fset.Position(n.Pos()), s.Sel.Name)
						}
					}
				}
			case *ast.GoStmt, *ast.SelectStmt, *ast.ChanType, *ast.SendStmt:
				t.Errorf("%s: a core must not use %T", fset.Position(n.Pos()), n)
			case *ast.SelectorExpr:
				if x, ok := n.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains(bannedTime, n.Sel.Name) {
					t.Errorf("%s: a core must not call time.%s: the moment is an argument", fset.Position(n.Pos()), n.Sel.Name)
				}
			}
			return true
		})
	}
	for pkg, syntax := range byPackage {
		for _, n := range mapRanges(pkg, fset, syntax) {
			t.Errorf("%s: a core must not range over a map: its order is chance; range over sorted(m)", fset.Position(n.Pos()))
		}
	}
}

// mapRanges finds the range statements over maps outside of functions called
// sorted. Types of other packages stay unknown, which is enough: the maps that
// a core keeps are declared in it.
func mapRanges(pkg string, fset *token.FileSet, files []*ast.File) []ast.Node {
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}}
	lenient := types.Config{Error: func(error) {}, Importer: noImporter{}}
	_, _ = lenient.Check(pkg, fset, files, info) // errors about imports are expected
	var found []ast.Node
	for _, f := range files {
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Name.Name == "sorted" {
				continue
			}
			ast.Inspect(d, func(n ast.Node) bool {
				if r, ok := n.(*ast.RangeStmt); ok {
					if tv, ok := info.Types[r.X]; ok && tv.Type != nil {
						if _, isMap := tv.Type.Underlying().(*types.Map); isMap {
							found = append(found, n)
						}
					}
				}
				return true
			})
		}
	}
	return found
}

type noImporter struct{}

func (noImporter) Import(path string) (*types.Package, error) {
	return nil, fmt.Errorf("%s is not looked into", path)
}

func (f goFile) imports() []string {
	var paths []string
	for _, spec := range f.syntax.Imports {
		paths = append(paths, strings.Trim(spec.Path.Value, `"`))
	}
	return paths
}

func readLayers(t *testing.T) map[string]row {
	t.Helper()
	file, err := os.Open("layers.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	layers := map[string]row{}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		left, right, ok := strings.Cut(line, ":")
		if !ok {
			t.Fatalf("layers.txt: no colon in %q", line)
		}
		name, mark, _ := strings.Cut(left, " ")
		layers[name] = row{core: mark == "core", imports: strings.Fields(right)}
	}
	return layers
}

// sources parses every Go file of the module outside test/. The conformance
// suite of a package (vfs/vfstest) counts as part of it.
func sources(t *testing.T) ([]goFile, *token.FileSet) {
	t.Helper()
	var files []goFile
	fset := token.NewFileSet()
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if rel == "test" || d.Name() == "testdata" || rel != "." && strings.HasPrefix(d.Name(), ".") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		syntax, err := parser.ParseFile(fset, path, nil, parser.ParseComments)
		if err != nil {
			return fmt.Errorf("parse %s: %w", path, err)
		}
		pkg := strings.TrimPrefix(filepath.ToSlash(filepath.Dir(rel)), "internal/")
		pkg = strings.TrimSuffix(pkg, "/vfstest")
		files = append(files, goFile{rel, pkg, syntax})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files, fset
}
