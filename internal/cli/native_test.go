package cli

import (
	"bytes"
	"io"
	"strings"
	"testing"
)

// TestConfirmBeforeConnecting: the time that a person takes to answer is not taken
// from --timeout, which begins when a command connects.
func TestConfirmBeforeConnecting(t *testing.T) {
	for _, noun := range []string{"topics", "groups"} {
		var errs bytes.Buffer
		e := &Env{Args: []string{"brokerd", noun, "delete", "x", "--bootstrap-server", "127.0.0.1:1"}, In: strings.NewReader("no\n"),
			Out: io.Discard, Err: &errs, InTTY: true, Getenv: func(string) string { return "" }}
		if code := Main(e); code != exitFailed || !strings.Contains(errs.String(), "not confirmed") {
			t.Errorf("%s delete: exit code %d, %s", noun, code, errs.String())
		}
	}
}
