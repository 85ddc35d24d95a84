package conf

import (
	"os"
	"strings"
	"testing"
)

const page = "../../docs/configuration.md"

// The page is the table: go generate ./internal/conf writes it anew.
func TestDocs(t *testing.T) {
	want := Page()
	got, err := os.ReadFile(page)
	if err == nil && string(got) == want {
		return
	}
	if !*update {
		t.Fatalf("%s is not what the table says (error %v): run go generate ./internal/conf", page, err)
	}
	if err := os.MkdirAll("../../docs", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Every key is on the page, those that one may need twice.
func TestDocsAreComplete(t *testing.T) {
	text := Page()
	for kind, keys := range map[string][]*Key{"broker": BrokerKeys(), "topic": TopicKeys()} {
		for _, k := range keys {
			if !strings.Contains(text, "**`"+k.Name+"`**") {
				t.Errorf("%s key %s is not on the page", kind, k.Name)
			}
		}
	}
	for _, name := range needed {
		if _, ok := BrokerKey(name); !ok {
			t.Errorf("%s is no key", name)
		}
	}
}
