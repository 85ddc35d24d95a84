package lint

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"testing"
)

// coreImports is all that a core may import besides rows of layers.txt: nothing
// that knows the time, chance, files, sockets or other goroutines.
var coreImports = []string{"bufio", "bytes", "cmp", "encoding/base64", "encoding/binary", "encoding/hex", "errors", "fmt", "hash/crc32", "hash/fnv",
	"io", "iter", "maps", "math", "math/bits", "regexp", "slices", "sort", "strconv", "strings", "time", "unicode/utf16"}

// bannedNames are what they have all the same, and why a core goes without.
var bannedNames = map[string]struct {
	why   string
	names []string
}{
	"time": {"the moment is an argument", []string{"Now", "After", "AfterFunc", "Sleep", "Since", "Until", "NewTimer", "NewTicker", "Tick", "Local", "LoadLocation"}},
	"fmt":  {"it is I/O", []string{"Print", "Printf", "Println", "Scan", "Scanf", "Scanln"}},
	"iter": {"it runs beside its caller", []string{"Pull", "Pull2"}},
	"maps": {"its order is chance; sort it at once, with slices.Sorted or SortedFunc", []string{"Keys", "Values", "All"}},
}

func TestCoresArePure(t *testing.T) {
	layers := readLayers(t)
	files, fset := sources(t)
	byPackage := map[string][]goFile{}
	for _, f := range files {
		if layers[f.pkg].core {
			byPackage[f.pkg] = append(byPackage[f.pkg], f)
		}
	}
	for _, files := range byPackage {
		report(t, coreFaults(fset, files))
	}
}

// coreFaults finds what the files of one core must not do.
func coreFaults(fset *token.FileSet, files []goFile) (faults []string) {
	fault := func(at ast.Node, format string, args ...any) {
		faults = append(faults, fmt.Sprintf("%s: a core must not ", fset.Position(at.Pos()))+fmt.Sprintf(format, args...))
	}
	for _, f := range files {
		for i, path := range f.imports() {
			spec := f.syntax.Imports[i]
			if _, counts := counted(path); !counts && !slices.Contains(coreImports, path) {
				fault(spec, "import %s", path)
			}
			if spec.Name != nil { // what follows goes by the names
				fault(spec, "rename the import of %s", path)
			}
		}
		ordered := map[ast.Expr]bool{} // the argument of something that sorts
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt, *ast.SelectStmt, *ast.ChanType, *ast.SendStmt:
				fault(n, "use %T", n)
			case *ast.UnaryExpr:
				if n.Op == token.ARROW {
					fault(n, "receive")
				}
			case *ast.CallExpr:
				if of, name := qualified(n.Fun); of == "slices" && (name == "Sorted" || name == "SortedFunc") {
					if call, ok := n.Args[0].(*ast.CallExpr); ok {
						ordered[call.Fun] = true
					}
				}
			case *ast.SelectorExpr:
				of, name := qualified(n)
				if b := bannedNames[of]; slices.Contains(b.names, name) && !(of == "maps" && ordered[n]) {
					fault(n, "use %s.%s: %s", of, name, b.why)
				}
			}
			return true
		})
	}
	for _, n := range mapRanges(fset, files) {
		fault(n, "range over a map: its order is chance; range over sorted(m)")
	}
	return faults
}

// qualified takes package.Name apart.
func qualified(e ast.Expr) (of, name string) {
	if s, ok := e.(*ast.SelectorExpr); ok {
		if x, ok := s.X.(*ast.Ident); ok {
			return x.Name, s.Sel.Name
		}
	}
	return "", ""
}

// mapRanges finds the range statements over maps outside of functions called
// sorted. Types of other packages stay unknown, which is enough: the maps that
// a core keeps are declared in it.
func mapRanges(fset *token.FileSet, files []goFile) (found []ast.Node) {
	var syntax []*ast.File
	for _, f := range files {
		syntax = append(syntax, f.syntax)
	}
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}}
	lenient := types.Config{Error: func(error) {}, Importer: noImporter{}}
	_, _ = lenient.Check(files[0].pkg, fset, syntax, info) // errors about imports are expected
	for _, f := range syntax {
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Name.Name == "sorted" {
				continue
			}
			ast.Inspect(d, func(n ast.Node) bool {
				if r, ok := n.(*ast.RangeStmt); ok && isMap(info.Types[r.X].Type) {
					found = append(found, n)
				}
				return true
			})
		}
	}
	return found
}

// isMap says whether a type is a map, or stands for one.
func isMap(t types.Type) bool {
	if t == nil {
		return false
	}
	switch u := t.Underlying().(type) {
	case *types.Map:
		return true
	case *types.Interface: // of a type parameter: what it may be
		for i := range u.NumEmbeddeds() {
			if isMap(u.EmbeddedType(i)) {
				return true
			}
		}
	case *types.Union:
		for i := range u.Len() {
			if isMap(u.Term(i).Type()) {
				return true
			}
		}
	}
	return false
}

type noImporter struct{}

func (noImporter) Import(path string) (*types.Package, error) {
	return nil, fmt.Errorf("%s is not looked into", path)
}
