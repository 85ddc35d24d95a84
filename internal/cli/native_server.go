package cli

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/conf"
	"github.com/spf13/cobra"
)

// serverFlags is what `brokerd server` and kafka-server-start ask for.
type serverFlags struct {
	files     []string
	listen    []string
	advertise []string
	dataDir   string
	http      string
	anyPort   bool
	ephemeral bool
	overrides []string
	allow     []string
	daemon    bool
	kafkaFace bool
}

func (a *app) serverCommand() *cobra.Command {
	var s serverFlags
	c := &cobra.Command{Use: "server [FILE...]", Short: "Start a broker",
		Long: `Start a broker. Without a file it listens on this machine only and keeps its data in a state directory, which it prints.
FILE is a property file of Kafka's, or YAML. Flags outrank --override, both the environment (BROKERD_*, KAFKA_*), and all of them the files.`,
		Example: "  brokerd server\n  brokerd server server.properties --override num.partitions=3\n" +
			"  brokerd server --listen 0.0.0.0 --advertise kafka.example.com\n  brokerd server --ephemeral --any-port"}
	f := c.Flags()
	f.StringArrayVar(&s.listen, "listen", nil, "address to listen on, `HOST[:PORT]` or NAME://HOST:PORT")
	f.StringArrayVar(&s.advertise, "advertise", nil, "address that clients are told, `HOST[:PORT]` or NAME://HOST:PORT")
	f.StringVar(&s.dataDir, "data-dir", "", "keep data in `DIR`")
	f.StringVar(&s.http, "http", "", "address of metrics and health, `HOST:PORT`; off switches it off")
	f.BoolVar(&s.anyPort, "any-port", false, "take free ports; other commands on this machine find them")
	f.BoolVar(&s.ephemeral, "ephemeral", false, "keep data in a temporary directory, and forget it at the end")
	f.StringArrayVar(&s.overrides, "override", nil, "one setting, `key=value`")
	f.StringArrayVar(&s.overrides, "set", nil, "the same as --override")
	f.StringSliceVar(&s.allow, "allow-unsupported", nil, "start although this `KEY` is set, which brokerd cannot honour")
	f.BoolVarP(&s.daemon, "daemon", "d", false, "go to the background once the broker is ready")
	_ = f.MarkHidden("set") // exists: defined just above
	c.RunE = func(_ *cobra.Command, files []string) error {
		s.files = files
		return serve(a.e, s, a.quiet)
	}
	return c
}

const serverStartUsage = "USAGE: kafka-server-start.sh [-daemon] server.properties [--override property=value]*"

// kafkaServerStart takes what Kafka's script takes: -daemon, -name and -loggc
// first, then the file, then overrides.
func kafkaServerStart(e *Env, args []string) int {
	s := serverFlags{kafkaFace: true}
	for len(args) > 0 && strings.HasPrefix(args[0], "-") && args[0] != "--override" {
		switch args[0] {
		case "-daemon":
			s.daemon = true
		case "-loggc":
		case "-name":
			args = args[1:]
		case "--version":
			fmt.Fprintln(e.Out, kafkaVersion)
			return 0
		default:
			fmt.Fprintln(e.Err, serverStartUsage)
			return 1
		}
		if len(args) > 0 {
			args = args[1:]
		}
	}
	if len(args) == 0 || strings.HasPrefix(args[0], "-") {
		fmt.Fprintln(e.Err, serverStartUsage)
		return 1
	}
	s.files = args[:1]
	set, err := parseJopt([]jopt{{name: "override", arg: required, kind: "String"}, {name: "version"}}, args[1:])
	if err != nil || len(set.rest) > 0 {
		if err == nil {
			err = joptErrorf("OptionException", "Found non argument parameters: %s", strings.Join(set.rest, ","))
		}
		fmt.Fprintln(e.Err, err)
		return 1
	}
	if set.has("version") {
		fmt.Fprintln(e.Out, kafkaVersion)
		return 0
	}
	s.overrides = set.values["override"]
	if err := serve(e, s, false); err != nil {
		report(e.Err, explained(err, addressOrigin{}), false)
		return 1
	}
	return 0
}

// load gathers the settings of a server and says what is wrong with them.
func (s serverFlags) load(e *Env, quiet bool) (*conf.Broker, error) {
	src := conf.Sources{Files: s.files, Env: serverEnviron(), Overrides: s.overrides, DataDir: s.dataDir, Allow: s.allow, Flags: s.flags()}
	settings, problems := conf.Load(src)
	if !quiet {
		for _, p := range problems.Warnings() {
			fmt.Fprintln(e.Err, "warning: "+p.String())
		}
		for _, p := range problems.Notes() {
			fmt.Fprintln(e.Err, "note: "+p.String())
		}
	}
	if err := problems.Err(); err != nil {
		return nil, &cliError{text: err.Error(), code: exitUsage, err: err}
	}
	return settings, nil
}

// serverEnviron is the environment without what is addressed to the command line.
func serverEnviron() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return name == "BROKERD_RUN_DIR" || name == "BROKERD_BROKERS" || name == readyVariable
	})
}

// flags are the settings that flags stand for.
func (s serverFlags) flags() []conf.Flag {
	var out []conf.Flag
	set := func(flag, key, value string) {
		out = append(out, conf.Flag{Name: flag, Key: key, Value: value, Implied: flag == "--any-port"})
	}
	port := "9092"
	if s.anyPort {
		port = "0"
	}
	switch {
	case len(s.listen) > 0 && s.anyPort:
		all := listeners(s.listen, port)
		set("--listen", "listeners", all+",CONTROLLER://"+hostOf(all)+":0")
		set("--any-port", "controller.listener.names", "CONTROLLER")
	case len(s.listen) > 0:
		set("--listen", "listeners", listeners(s.listen, port))
	case s.anyPort:
		set("--any-port", "listeners", "PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:0")
		set("--any-port", "controller.listener.names", "CONTROLLER")
	}
	if len(s.advertise) > 0 {
		set("--advertise", "advertised.listeners", listeners(s.advertise, port))
	}
	switch {
	case s.http == "off":
		set("--http", "http.address", "")
	case s.http != "":
		set("--http", "http.address", s.http)
	case s.anyPort:
		set("--any-port", "http.address", "127.0.0.1:0")
	}
	return out
}

// hostOf is the host of the first of a list of listeners.
func hostOf(all string) string {
	first, _, _ := strings.Cut(all, ",")
	host := first[strings.Index(first, "://")+3:]
	return host[:strings.LastIndexByte(host, ':')]
}

// listeners completes HOST and HOST:PORT to PLAINTEXT://HOST:PORT.
func listeners(addrs []string, port string) string {
	var out []string
	for _, a := range strings.Split(strings.Join(addrs, ","), ",") {
		if !strings.Contains(a, "://") {
			a = "PLAINTEXT://" + a
		}
		host := a[strings.Index(a, "://")+3:]
		if i := strings.LastIndexByte(host, ':'); i < strings.LastIndexByte(host, ']') || i < 0 || strings.Count(host, ":") > 1 && host[0] != '[' {
			if strings.Contains(host, ":") && host[0] != '[' { // a bare IPv6 address
				a = strings.Replace(a, host, "["+host+"]", 1)
			}
			a += ":" + port
		}
		out = append(out, a)
	}
	return strings.Join(out, ",")
}
