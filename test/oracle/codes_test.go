//go:build oracle

package oracle

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/brokerd/brokerd/test/harness"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// answered lists by API the error codes that are asked for: each is met in a
// run, and no other is.
var answered = map[int16]string{
	0:  "2 3 10 17 18 21 32 45 47 48 53 76 87 100",
	1:  "1 3 31 70 71 75 77 100 106",
	2:  "3 35 75",
	3:  "3 17 42 100",
	8:  "3 12 22 25 27 35 82 100 113",
	9:  "25 100 113",
	10: "15 42",
	11: "23 24 25 26 79 82",
	12: "16 22 24 25 27 82",
	13: "24 25 82",
	14: "22 23 24 25 27 82",
	15: "69",
	18: "35 42 129",
	19: "17 36 37 38 39 40 42 44",
	20: "3 42 100",
	21: "1 3 17 44",
	22: "42",
	23: "3 75",
	32: "3 17 42",
	33: "3 17 40 42",
	34: "3 57",
	35: "",
	37: "3 37 39 42 44",
	42: "68 69",
	43: "3 42 84",
	44: "3 17 40 42",
	45: "3 39 85",
	46: "",
	47: "3 24 69 86",
	55: "3",
	60: "42 114 115",
	61: "3",
	68: "25 42 69 82 110 111 112 128",
	69: "24 69",
	64: "102",
	74: "35",
	75: "3 17 42",
	80: "104 126",
	81: "104 127",
}

// unasked lists the other codes that the product knows, with why no request to
// one healthy node, ours or Kafka's, is answered with them.
var unasked = []struct {
	codes  string
	reason string
}{
	{"-1", "a surprise: nothing is known that gives it"},
	{"5 6 72 78", "needs a partition without a leader on this listener, or a leader that has just been elected"},
	{"7", "needs a change that takes longer than its timeout, or replicas that do not follow"},
	{"14", "needs a node in its first instants"},
	{"19 20", "needs replicas that do not follow"},
	{"29 30", "no authorizer is served yet"},
	{"41", "needs a second controller"},
	{"52", "needs a coordinator, and none is served yet"},
	{"56", "needs a disk that fails: the chaos suite has one"},
	{"81", "needs group.max.size: the unit tests of internal/group have it"},
	{"88", "needs an open transaction, and none are served yet"},
	{"73", "delete.topic.enable=false is a broker of its own: the unit tests of topics_delete.go have one"},
	{"74", "needs a leader epoch that has passed, that is a second node or a restart"},
	{"9", "needs a replica that lies on another broker, that is a second node"},
	{"80", "needs a preferred leader that is not there: test/cluster has two nodes more"},
	{"83 95 101 107", "between brokers and their controller"},
}

// codesMissing compares the codes that were met with the two lists, and the
// lists with the source.
func (r *run) codesMissing() (lines []string) {
	known := map[int16]bool{}
	for key, text := range answered {
		met := map[int16]bool{0: true}
		for at, m := range r.met {
			for c := range m.codes {
				met[c] = met[c] || at[0] == key
			}
		}
		for _, c := range numbers(text) {
			known[c] = true
			if !met[c] {
				lines = append(lines, fmt.Sprintf("%s: no request is answered with %d (%v)", kmsg.NameForKey(key), c, kerr.ErrorForCode(c)))
			}
		}
		for c, yes := range met {
			if yes && c != 0 && !slices.Contains(numbers(text), c) {
				lines = append(lines, fmt.Sprintf("%s: %d (%v) is met and not in the list of codes", kmsg.NameForKey(key), c, kerr.ErrorForCode(c)))
			}
		}
	}
	for _, u := range unasked {
		for _, c := range numbers(u.codes) {
			if known[c] {
				lines = append(lines, fmt.Sprintf("code %d (%v) is asked for, and excused: %s", c, kerr.ErrorForCode(c), u.reason))
			}
			known[c] = true
		}
	}
	for c, file := range codesInSource() {
		if !known[c] {
			lines = append(lines, fmt.Sprintf("%s knows code %d (%v), and no request asks for it", file, c, kerr.ErrorForCode(c)))
		}
		delete(known, c)
	}
	for c := range known {
		lines = append(lines, fmt.Sprintf("code %d (%v) is listed, and the product does not know it", c, kerr.ErrorForCode(c)))
	}
	return lines
}

func numbers(text string) (list []int16) {
	for _, word := range strings.Fields(text) {
		n, err := strconv.ParseInt(word, 10, 16)
		if err != nil {
			panic(err)
		}
		list = append(list, int16(n))
	}
	return list
}

// codesInSource finds the errors that internal/api names, and the constants of
// internal/group.
func codesInSource() map[int16]string {
	byName := map[string]int16{}
	for c := int16(-1); c < 200; c++ {
		if e := kerr.TypedErrorForCode(c); e != nil && e.Code == c {
			byName[strings.ToLower(strings.ReplaceAll(e.Message, "_", ""))] = c
		}
	}
	found := map[int16]string{}
	note := func(n ast.Node, file string) {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(spec.Names[0].Name, "code") || len(spec.Values) != 1 {
			return
		}
		if lit, ok := spec.Values[0].(*ast.BasicLit); ok {
			if c := numbers(lit.Value)[0]; c != 0 {
				found[c] = filepath.Base(file)
			}
		}
	}
	root, err := harness.Root()
	if err != nil {
		panic(err)
	}
	var files []string
	for _, dir := range []string{"api", "group"} {
		some, err := filepath.Glob(filepath.Join(root, "internal", dir, "*.go"))
		if err != nil {
			panic(err)
		}
		files = append(files, some...)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			panic(err)
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			if tree.Name.Name == "group" {
				note(n, file)
			}
			if s, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := s.X.(*ast.Ident); ok && x.Name == "kerr" {
					if c, ok := byName[strings.ToLower(s.Sel.Name)]; ok {
						found[c] = filepath.Base(file)
					} else if s.Sel.Name != "Error" && s.Sel.Name != "ErrorForCode" && s.Sel.Name != "TypedErrorForCode" {
						panic(fmt.Sprintf("%s: no code is called kerr.%s", file, s.Sel.Name))
					}
				}
			}
			return true
		})
	}
	return found
}
