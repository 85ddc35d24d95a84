// Package pages holds lists in the pages of docs/ to what the code has. A list stands
// between two marks, <!-- NAME --> and <!-- end of NAME -->, each on a line of its own.
package pages

import (
	"os"
	"strings"
	"testing"
)

// Hold fails unless page has want as its list of that name; with rewrite it is
// written there instead.
func Hold(t testing.TB, page, name, want string, rewrite bool) {
	t.Helper()
	begin, end := "<!-- "+name+" -->\n", "<!-- end of "+name+" -->\n"
	raw, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(raw), begin)
	have, after, ok2 := strings.Cut(rest, end)
	switch {
	case !ok || !ok2:
		t.Fatalf("%s has no place for the list %q", page, name)
	case have == want:
	case !rewrite:
		t.Fatalf("%s differs from what the code has; run this test with -rewrite. It should have\n%s", page, want)
	default:
		if err := os.WriteFile(page, []byte(before+begin+want+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
