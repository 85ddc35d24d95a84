package conf

import (
	"net"
	"os"
	"path/filepath"
	"strings"
)

// dataDirs settles where data lives. The first that is given counts:
//
//	--data-dir · log.dirs, log.dir · BROKERD_DATA_DIR · systemd's STATE_DIRECTORY ·
//	as root /var/lib/brokerd · XDG_STATE_HOME/brokerd · ~/.local/state/brokerd
//
// It is never a directory for temporary files, as Kafka's own default is.
func (l *loader) dataDirs() {
	b := l.broker
	b.LogDirs, b.DataDirOrigin = l.chooseDirs()
	b.MetadataDir = b.val("metadata.log.dir").str
	if b.MetadataDir == "" && len(b.LogDirs) > 0 {
		b.MetadataDir = b.LogDirs[0]
	}
}

func (l *loader) chooseDirs() (dirs []string, origin string) {
	for _, key := range []string{"log.dirs", "log.dir"} {
		if s, ok := l.values[key]; ok {
			return splitList(trim(s.value)), s.origin.Where
		}
	}
	if d := l.env.vars["BROKERD_DATA_DIR"]; d != "" {
		return []string{d}, "env BROKERD_DATA_DIR"
	}
	if d, _, _ := strings.Cut(l.env.vars["STATE_DIRECTORY"], ":"); d != "" {
		return []string{d}, "systemd"
	}
	if l.root() {
		return []string{"/var/lib/brokerd"}, "default"
	}
	if d := l.env.vars["XDG_STATE_HOME"]; filepath.IsAbs(d) {
		return []string{filepath.Join(d, "brokerd")}, "env XDG_STATE_HOME"
	}
	home, err := l.home()
	if err != nil {
		l.report.add(Problem{Error, "", "log.dirs", "log.dirs is not set and there is no home directory: " + err.Error(), "set log.dirs or --data-dir"})
		return nil, ""
	}
	return []string{filepath.Join(home, ".local", "state", "brokerd")}, "default"
}

func (l *loader) root() bool {
	if l.src.Root != nil {
		return l.src.Root()
	}
	return os.Geteuid() == 0
}

func (l *loader) home() (string, error) {
	if h := l.env.vars["HOME"]; h != "" {
		return h, nil
	}
	if l.src.Home != nil {
		return l.src.Home()
	}
	return os.UserHomeDir()
}

// hostname is the machine's full name: the kernel's, made longer by /etc/hosts
// where that has a name with dots for it. No name server is asked.
func (l *loader) hostname() string {
	name := l.src.Hostname
	if name == nil {
		name = os.Hostname
	}
	host, err := name()
	if err != nil || host == "" {
		return "localhost"
	}
	if strings.Contains(host, ".") {
		return host
	}
	if data, err := l.readFile("/etc/hosts"); err == nil {
		return fullName(string(data), host)
	}
	return host
}

func fullName(hosts, host string) string {
	for line := range strings.Lines(hosts) {
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Fields(line)
		if len(fields) < 2 || net.ParseIP(fields[0]) == nil {
			continue
		}
		for _, alias := range fields[1:] {
			if alias == host && strings.Contains(fields[1], ".") && !strings.HasPrefix(fields[1], "localhost") {
				return fields[1]
			}
		}
	}
	return host
}
