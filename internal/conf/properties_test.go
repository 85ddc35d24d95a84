package conf

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/magiconair/properties"
)

func printProps(props []property, errs []syntaxError) string {
	var b strings.Builder
	for _, p := range props {
		fmt.Fprintf(&b, "%d %q=%q", p.line, p.key, p.value)
		if p.comment != "" {
			fmt.Fprintf(&b, " comment %q", p.comment)
		}
		b.WriteByte('\n')
	}
	for _, e := range errs {
		fmt.Fprintf(&b, "%d error %s\n", e.line, e.text)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func TestProperties(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"separators", "a=1\nb:2\nc 3\nd = 4\ne : 5\nf\t=\t6\ng", "1 \"a\"=\"1\"\n2 \"b\"=\"2\"\n3 \"c\"=\"3\"\n4 \"d\"=\"4\"\n5 \"e\"=\"5\"\n6 \"f\"=\"6\"\n7 \"g\"=\"\""},
		{"only the first separator", "a=b=c\nb:=c\nc==d", "1 \"a\"=\"b=c\"\n2 \"b\"=\"=c\"\n3 \"c\"=\"=d\""},
		{"comments and blank lines", "# x\n! y\n\n  # z\na=1", `5 "a"="1"`},
		{"line ends", "a=1\r\nb=2\rc=3", "1 \"a\"=\"1\"\n2 \"b\"=\"2\"\n3 \"c\"=\"3\""},
		{"continuation", "a=1,\\\n   2,\\\n\t3\nb=4", "1 \"a\"=\"1,2,3\"\n4 \"b\"=\"4\""},
		{"continuation into a comment", "a=1\\\n#2", `1 "a"="1#2"`},
		{"even backslashes do not continue", "a=1\\\\\nb=2", "1 \"a\"=\"1\\\\\"\n2 \"b\"=\"2\""},
		{"continuation at the end", "a=1\\", `1 "a"="1"`},
		{"escapes", `a\ b\=\:=\t\n\r\f\\\x\"`, "1 \"a b=:\"=\"\\t\\n\\r\\f\\\\x\\\"\""},
		{"unicode", `a=\u00e9\u4E2D\uD83D\uDE00`, `1 "a"="é中😀"`},
		{"malformed unicode", "a=1\nb=\\u12\nc=3", "1 \"a\"=\"1\"\n3 \"c\"=\"3\"\n2 error malformed \\uXXXX in \"\\\\u12\""},
		{"trailing blanks stay", "a=1  ", `1 "a"="1  "`},
		{"leading blanks go", "   a   =   1", `1 "a"="1"`},
		{"comment behind a value", "node.id=2 ##节点ID\na=b # c\nd=e\t#f", "1 \"node.id\"=\"2\" comment \"##节点ID\"\n2 \"a\"=\"b\" comment \"# c\"\n3 \"d\"=\"e\" comment \"#f\""},
		{"no comment without a blank", "a=b#c\nurl=http://h/#x", "1 \"a\"=\"b#c\"\n2 \"url\"=\"http://h/#x\""},
		{"escaped hash", `a=b \#c`, `1 "a"="b #c"`},
		{"hash inside quotes", `a=m required password="x #y" u="z"; # c`, `1 "a"="m required password=\"x #y\" u=\"z\";" comment "# c"`},
		{"a lone quote is no quote", `a=5" # c`, `1 "a"="5\"" comment "# c"`},
		{"comment instead of a value", "a= # c\nb=#c", "1 \"a\"=\"\" comment \"# c\"\n2 \"b\"=\"\" comment \"#c\""},
		{"byte order mark", "\ufeffa=1", `1 "a"="1"`},
		{"latin-1", "a=\xe9", `1 "a"="é"`},
		{"empty", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := printProps(parseProperties([]byte(c.in))); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

func TestYAML(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"flat and nested", "num.partitions: 3\nlog:\n  retention:\n    hours: 24\n  dirs: [/a, /b]\n", "1 \"num.partitions\"=\"3\"\n4 \"log.retention.hours\"=\"24\"\n5 \"log.dirs\"=\"/a,/b\""},
		{"leaf and prefix", "broker.id: 1\nbroker.id.generation.enable: false\n", "1 \"broker.id\"=\"1\"\n2 \"broker.id.generation.enable\"=\"false\""},
		{"as written", "a: 08\nb: no\nc: ~\nd: 1_000\ne:\n", "1 \"a\"=\"08\"\n2 \"b\"=\"no\"\n3 \"c\"=\"\"\n4 \"d\"=\"1_000\"\n5 \"e\"=\"\""},
		{"alias and merge", "x: &x\n  b: 1\ny:\n  <<: *x\n", "2 \"x.b\"=\"1\"\n2 \"y.b\"=\"1\""},
		{"a list at the top", "- a\n", "1 error expected keys, found a list"},
		{"a list of lists", "a:\n- [b]\n", "2 error a: a list may hold only words"},
		{"not YAML", "a: b: c\n", "0 error mapping values are not allowed in this context"},
		{"empty", "", ""},
		{"two documents", "a: 1\n---\nb: 2\n", "1 \"a\"=\"1\"\n3 \"b\"=\"2\""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := printProps(parseYAML([]byte(c.in))); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

// A file whose aliases expand to more and more ends in an error, not in memory.
func TestYAMLBomb(t *testing.T) {
	var b strings.Builder
	b.WriteString("a0: &a0 {x: 1, y: 2}\n")
	for i := 1; i < 40; i++ {
		fmt.Fprintf(&b, "a%d: &a%d {l: *a%d, r: *a%d}\n", i, i, i-1, i-1)
	}
	props, errs := parseYAML([]byte(b.String()))
	if len(errs) == 0 || len(props) > maxYAMLEntries+1 {
		t.Errorf("%d entries, errors %v", len(props), errs)
	}
}

// Each row is a text and what java.util.Properties of Java 17 makes of it; texts
// with a line of nothing but a backslash are left out, where Java makes up an
// empty key.
func TestPropertiesAreJavas(t *testing.T) {
	data, err := os.ReadFile("testdata/java-properties.tsv")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		quoted, want, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		in, err := strconv.Unquote(quoted)
		if err != nil {
			t.Fatalf("%s: %v", quoted, err)
		}
		if got := javaPrint(parseProperties([]byte(in))); got != want {
			t.Errorf("%s\n got %s\nwant %s", quoted, got, want)
		}
	}
}

func javaPrint(props []property, errs []syntaxError) string {
	if len(errs) > 0 {
		return "error"
	}
	m := map[string]string{}
	for _, p := range props {
		m[p.key] = p.value
	}
	var out []string
	for _, k := range sortedNames(m) {
		out = append(out, javaQuote(k)+"="+javaQuote(m[k]))
	}
	return strings.Join(out, " ")
}

func javaQuote(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteString(`\` + string(r))
		case r < ' ' || r > 126:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return `"` + b.String() + `"`
}

// Without comments behind values the parser agrees with another implementation
// of Java's rules, and it never fails for anything but \u.
func FuzzProperties(f *testing.F) {
	for _, s := range []string{"a=1", "a\\ b:c\\\n d", "a=b #c", "# x\r\n!y\r\na", "a=\\u0041", "\\=\\:=x", "=v", ":", "a==b", "\\\n a=1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		props, errs := parseProperties([]byte(in))
		last := 0
		for _, p := range props {
			if p.line <= last {
				t.Fatalf("line %d after line %d", p.line, last)
			}
			last = p.line
		}
		for _, e := range errs {
			if !strings.Contains(e.text, `\uXXXX`) {
				t.Fatalf("error %q", e.text)
			}
		}
		compareProperties(t, in, props, errs)
	})
}

// compareProperties leaves out what the other implementation does otherwise than
// Java: \u errors, lone carriage returns, lines with nothing before their
// separator, control characters, and lines that are continued.
func compareProperties(t *testing.T, in string, props []property, errs []syntaxError) {
	if len(errs) > 0 || strings.ContainsAny(in, "#!\r\f\ufeff\x00") || strings.Contains(in, `\u`) || strings.ContainsFunc(in, func(r rune) bool { return r > 126 || r < ' ' && r != '\n' && r != '\t' }) {
		return
	}
	if strings.Contains(in, "\\\n") || strings.HasSuffix(in, `\`) {
		return
	}
	for line := range strings.Lines(in) {
		if s := strings.TrimLeft(line, " \t"); s != "" && strings.IndexByte("=:\\\n", s[0]) >= 0 {
			return
		}
	}
	other, err := (&properties.Loader{Encoding: properties.UTF8, DisableExpansion: true}).LoadBytes([]byte(in))
	if err != nil {
		return
	}
	want := other.Map()
	got := map[string]string{}
	for _, p := range props {
		got[p.key] = p.value
	}
	for k, v := range want {
		if got[k] != v {
			t.Fatalf("%q: %q is %q, another parser says %q", in, k, got[k], v)
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%q: %v, another parser says %v", in, got, want)
	}
}
