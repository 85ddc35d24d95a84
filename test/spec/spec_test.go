//go:build clients

package spec

import (
	"context"
	"os/exec"
	"testing"
	"time"

	"github.com/brokerd/brokerd/test/harness"
)

func TestSpecification(t *testing.T) {
	node := harness.Start(t, harness.Options{}).Nodes[0]
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "python3", "client.py", node.Addr()).CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatal(err)
	}
}
