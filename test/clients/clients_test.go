//go:build clients

package clients

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/brokerd/brokerd/test/harness"
)

// suiteLimit bounds one client's whole list of cases.
const suiteLimit = 5 * time.Minute

func TestClients(t *testing.T) {
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	cache := filepath.Join(root, ".cache", "clients")
	java := func(version string) []string {
		dir := filepath.Join(cache, "java-"+version)
		return []string{"java", "-Xmx256M", "-cp", dir + ":" + dir + "/*", "Suite", "BOOTSTRAP", version}
	}
	suites := map[string][]string{
		"kafka-python-2.0.2": {filepath.Join(cache, "kafka-python-2.0.2/bin/python"), "kafka_python_suite.py", "BOOTSTRAP"},
		"confluent-kafka":    {filepath.Join(cache, "confluent-kafka/bin/python"), "confluent_suite.py", "BOOTSTRAP"},
		"java-2.3.0":         java("2.3.0"),
		"java-4.4.0":         java("4.4.0"),
	}
	for name, command := range suites {
		t.Run(name, func(t *testing.T) {
			node := harness.Start(t, harness.Options{}).Nodes[0]
			runSuite(t, node.Addr(), command)
		})
	}
	t.Run("franz-go", func(t *testing.T) {
		node := harness.Start(t, harness.Options{}).Nodes[0]
		franz{bootstrap: node.Addr()}.run(t)
	})
}

// runSuite runs one client's program and turns its lines into subtests.
func runSuite(t *testing.T, bootstrap string, command []string) {
	ctx, cancel := context.WithTimeout(context.Background(), suiteLimit)
	defer cancel()
	for i, word := range command {
		command[i] = strings.ReplaceAll(word, "BOOTSTRAP", bootstrap)
	}
	var errors strings.Builder
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Stderr = &errors
	out, err := cmd.Output()
	cases := 0
	for line := range strings.Lines(string(out)) {
		line = strings.TrimSpace(line)
		name, passed := strings.CutPrefix(line, "ok ")
		if failure, failed := strings.CutPrefix(line, "FAIL "); failed {
			name, _, _ = strings.Cut(failure, ":")
		} else if !passed {
			t.Log(line)
			continue
		}
		cases++
		t.Run(name, func(t *testing.T) {
			if !passed {
				t.Error(line)
			}
		})
	}
	if err != nil {
		t.Errorf("%v; its errors:\n%s", err, errors.String())
	}
	if cases == 0 {
		t.Error("the suite ran no case")
	}
}
