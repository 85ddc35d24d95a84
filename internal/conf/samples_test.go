package conf

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// The sample files under config/ load without a word to say, and none of them
// sets a key that would keep internal topics from growing.
func TestSampleFiles(t *testing.T) {
	var files []string
	for _, dir := range []string{"", "kraft", "container"} {
		found, err := filepath.Glob(filepath.Join("../../config", dir, "*.properties"))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	if len(files) < 4 {
		t.Fatalf("only %v", files)
	}
	for _, path := range files {
		b, report := Load(Sources{Files: []string{path}})
		for _, p := range report.Problems {
			t.Errorf("%s: %s", path, p)
		}
		for key := range b.values {
			if strings.Contains(key, "replication.factor") && key != "default.replication.factor" || strings.HasSuffix(key, "min.isr") || key == "min.insync.replicas" {
				t.Errorf("%s sets %s", path, key)
			}
		}
		if !b.HasRole("controller") || !slices.ContainsFunc(b.Listeners, func(l Listener) bool { return b.IsController(l.Name) }) {
			t.Errorf("%s: no controller", path)
		}
	}
}

// The compose file's environment, on top of the image's own file.
func TestComposeFile(t *testing.T) {
	data, err := os.ReadFile("../../config/compose/one-node.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var compose struct {
		Services map[string]struct{ Environment map[string]string }
	}
	if err := yaml.Unmarshal(data, &compose); err != nil {
		t.Fatal(err)
	}
	var env []string
	for k, v := range compose.Services["brokerd"].Environment {
		env = append(env, k+"="+v)
	}
	b, report := Load(Sources{Files: []string{"../../config/container/server.properties"}, Env: env})
	if len(env) == 0 || len(report.Problems) > 0 {
		t.Errorf("%v: %v", env, report.Problems)
	}
	if b.InterBroker != "PLAINTEXT" || len(b.Advertised) != 2 || len(b.Listeners) != 3 {
		t.Errorf("%+v", b)
	}
}
