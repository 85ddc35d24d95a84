package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// portHolder names who listens on a port, as " by pid 4711 (…)": a server of
// ours by its run file, anybody else by /proc. Empty if nobody can tell.
func portHolder(e *Env, addr string) string {
	port := portOf(addr)
	if list, err := running(runDir(e.Getenv)); err == nil {
		for _, r := range list {
			if portOf(r.Kafka) == port {
				return fmt.Sprintf(" by pid %d (brokerd, data dir %s)", r.Pid, strings.Join(r.DataDirs, ","))
			}
		}
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return ""
	}
	inode := listeningInode(n)
	if inode == "" {
		return ""
	}
	pid := socketOwner(inode)
	if pid == "" {
		return ""
	}
	name, err := os.ReadFile(filepath.Join("/proc", pid, "comm"))
	if err != nil {
		return " by pid " + pid
	}
	return fmt.Sprintf(" by pid %s (%s)", pid, strings.TrimSpace(string(name)))
}

// listeningInode finds the socket that listens on a port.
func listeningInode(port int) string {
	suffix := fmt.Sprintf(":%04X", port)
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, err := os.ReadFile(table)
		if err != nil {
			continue // not Linux, or no IPv6
		}
		for _, line := range strings.Split(string(text), "\n") {
			f := strings.Fields(line) // sl local remote st … inode at 9
			if len(f) > 9 && strings.HasSuffix(f[1], suffix) && f[3] == "0A" {
				return f[9]
			}
		}
	}
	return ""
}

// socketOwner finds the process that has a socket open, among those we may look at.
func socketOwner(inode string) string {
	links, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		return ""
	}
	for _, l := range links {
		if to, err := os.Readlink(l); err == nil && to == "socket:["+inode+"]" {
			return strings.Split(l, "/")[2]
		}
	}
	return ""
}
