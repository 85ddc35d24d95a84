package harness

import (
	"os/exec"
	"strings"
)

// Commit names what Binary builds of a tree: the last commit that changed what the
// program is made of, and whether something has been changed since.
func Commit(root string) string {
	made := []string{"--", "cmd", "internal", "pkg", "go.mod", "go.sum"}
	last, err := exec.Command("git", append([]string{"-C", root, "log", "-1", "--format=%h"}, made...)...).Output()
	if err != nil {
		return "unknown commit"
	}
	what := strings.TrimSpace(string(last))
	changed, err := exec.Command("git", append([]string{"-C", root, "status", "--porcelain"}, made...)...).Output()
	if err != nil || len(changed) > 0 {
		what += "-dirty"
	}
	return what
}
