package lint

import (
	"bufio"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Imports that begin so stand in layers.txt, by what follows.
const (
	module = "github.com/brokerd/brokerd/"
	franz  = "github.com/twmb/franz-go/pkg/"
)

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
	files, _ := sources(t)
	report(t, layerFaults(readLayers(t), files))
}

func layerFaults(layers map[string]row, files []goFile) (faults []string) {
	for _, f := range files {
		r, known := layers[f.pkg]
		if !known {
			faults = append(faults, fmt.Sprintf("%s: package %s is not in layers.txt; a new room needs a page in docs/decisions", f.path, f.pkg))
			continue
		}
		for _, path := range f.imports() {
			name, counts := counted(path)
			if counts && name != f.pkg && !slices.Contains(r.imports, "*") && !slices.Contains(r.imports, name) {
				faults = append(faults, fmt.Sprintf("%s: %s must not import %s", f.path, f.pkg, name))
			}
		}
	}
	return faults
}

// counted gives an import the name that it has in layers.txt, if it can stand there.
func counted(path string) (name string, counts bool) {
	if name, counts = strings.CutPrefix(path, module); counts {
		return strings.TrimPrefix(name, "internal/"), true
	}
	return strings.CutPrefix(path, franz)
}

func TestEveryPackageHasADoc(t *testing.T) {
	files, _ := sources(t)
	report(t, docFaults(files))
}

func docFaults(files []goFile) (faults []string) {
	seen := map[string]bool{}
	for _, f := range files {
		seen[f.pkg] = seen[f.pkg] || filepath.Base(f.path) == "doc.go" && f.syntax.Doc != nil
	}
	for pkg, has := range seen {
		if !has && pkg != "cmd/brokerd" {
			faults = append(faults, fmt.Sprintf("package %s has no doc.go with a package comment", pkg))
		}
	}
	return faults
}

func report(t *testing.T, faults []string) {
	t.Helper()
	for _, f := range faults {
		t.Error(f)
	}
}

func (f goFile) imports() []string {
	var paths []string
	for _, spec := range f.syntax.Imports {
		path, _ := strconv.Unquote(spec.Path.Value) // the parser has made sure
		paths = append(paths, path)
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
