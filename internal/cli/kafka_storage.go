package cli

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/broker"
	"github.com/brokerd/brokerd/internal/conf"
	"github.com/brokerd/brokerd/internal/vfs"
	"github.com/brokerd/brokerd/pkg/client"
)

const storageUsage = `usage: kafka-storage [-h]
                     {info,format,version-mapping,feature-dependencies,random-uuid}
                     ...
`

// storageUsages are the usage lines of the commands that take options.
var storageUsages = map[string]string{
	"info": "usage: kafka-storage info [-h] --config CONFIG\n",
	"format": `usage: kafka-storage format [-h] --config CONFIG --cluster-id CLUSTER_ID
                     [--add-scram ADD_SCRAM] [--ignore-formatted]
                     [--release-version RELEASE_VERSION]
                     [--feature FEATURE] [--standalone |
                     --no-initial-controllers |
                     --initial-controllers INITIAL_CONTROLLERS]
`,
}

const storageHelp = storageUsage + `
The Kafka storage tool.

positional arguments:
  {info,format,version-mapping,feature-dependencies,random-uuid}
    info                 Get information about  the  Kafka  log directories
                         on this node.
    format               Format the Kafka log directories on this node.
    version-mapping      Look up the  corresponding  features  for  a given
                         metadata version. Using  the  command  with  no --
                         release-version  argument will  return the mapping
                         for the latest stable metadata version
    feature-dependencies
                         Look up dependencies for  a given feature version.
                         If the feature is  not  known  or  the version not
                         yet  defined,  an   error   is   thrown.  Multiple
                         features can be specified.
    random-uuid          Print a random UUID.

optional arguments:
  -h, --help             show this help message and exit
`

// metadataVersions are those that Kafka 4.4.0 formats with. They are words here:
// brokerd's metadata has a feature level of its own.
var metadataVersions = strings.Fields("3.3-IV3 3.4-IV0 3.5-IV0 3.5-IV1 3.5-IV2 3.6-IV0 3.6-IV1 3.6-IV2 3.7-IV0 3.7-IV1 3.7-IV2 3.7-IV3 3.7-IV4 " +
	"3.8-IV0 3.9-IV0 4.0-IV0 4.0-IV1 4.0-IV2 4.0-IV3 4.1-IV0 4.1-IV1 4.2-IV0 4.2-IV1 4.3-IV0 4.4-IV0 4.4-IV1 4.4-IV2")

// metadataVersion is the one that a release means, the last by default.
func metadataVersion(release string) (string, error) {
	for _, v := range slices.Backward(metadataVersions) {
		if number, _, _ := strings.Cut(v, "-"); release == "" || release == v || release == number || strings.HasPrefix(release, number+".") {
			return v, nil
		}
	}
	return "", fmt.Errorf("Unknown metadata.version '%s'. Supported metadata.version are: %s", release, strings.Join(metadataVersions, ", "))
}

func kafkaStorage(e *Env, args []string) int {
	if len(args) == 0 {
		fmt.Fprint(e.Err, storageUsage+"kafka-storage: error: too few arguments\n")
		return 1
	}
	switch args[0] {
	case "-h", "--help":
		fmt.Fprint(e.Out, storageHelp)
		return 0
	case "random-uuid":
		if len(args) > 1 {
			fmt.Fprintf(e.Err, "usage: kafka-storage random-uuid [-h]\nkafka-storage: error: unrecognized arguments: '%s'\n", args[1])
			return 1
		}
		fmt.Fprintln(e.Out, broker.NewID())
		return 0
	case "info":
		return kafkaStorageInfo(e, args[1:])
	case "format":
		return kafkaStorageFormat(e, args[1:])
	case "version-mapping", "feature-dependencies":
		fmt.Fprintf(e.Err, "%s: brokerd has no metadata.version to look up: its metadata has one feature level, raised when all brokers know it.\n", args[0])
		return 1
	}
	fmt.Fprintf(e.Err, storageUsage+"kafka-storage: error: argument command: invalid choice: '%s' (choose from 'info', 'format', 'version-mapping', 'feature-dependencies', 'random-uuid')\n", args[0])
	return 1
}

// storageOptions is the command line of format and info. The short names are
// joptsimple's way to spell argparse4j's.
func storageOptions() []jopt {
	return []jopt{
		{name: "config", arg: required, kind: "String"}, {name: "c", arg: required, kind: "String", alias: "config"},
		{name: "cluster-id", arg: required, kind: "String"}, {name: "t", arg: required, kind: "String", alias: "cluster-id"},
		{name: "add-scram", arg: required, kind: "String"}, {name: "S", arg: required, kind: "String", alias: "add-scram"},
		{name: "ignore-formatted"}, {name: "g", alias: "ignore-formatted"},
		{name: "release-version", arg: required, kind: "String"}, {name: "r", arg: required, kind: "String", alias: "release-version"},
		{name: "feature", arg: required, kind: "String"}, {name: "f", arg: required, kind: "String", alias: "feature"},
		{name: "standalone"}, {name: "s", alias: "standalone"},
		{name: "no-initial-controllers"}, {name: "N", alias: "no-initial-controllers"},
		{name: "initial-controllers", arg: required, kind: "String"}, {name: "I", arg: required, kind: "String", alias: "initial-controllers"},
		{name: "help"}, {name: "h", alias: "help"},
	}
}

// storageCall parses the arguments of a storage command and loads the file.
func storageCall(e *Env, command string, args []string, needs ...string) (*jset, *conf.Broker, int) {
	set, err := parseJopt(storageOptions(), args)
	if err != nil {
		fmt.Fprintf(e.Err, "%skafka-storage: error: %v\n", storageUsages[command], err)
		return nil, nil, 1
	}
	if set.has("help") {
		fmt.Fprintf(e.Out, "usage: kafka-storage %s --config CONFIG%s\n", command, map[bool]string{true: " --cluster-id CLUSTER_ID [--ignore-formatted] [--standalone | --no-initial-controllers | --initial-controllers ID@HOST:PORT:DIRECTORY_ID,...]"}[command == "format"])
		return nil, nil, 0
	}
	for _, n := range needs {
		if !set.has(n) {
			fmt.Fprintf(e.Err, "%skafka-storage: error: argument --%s/-%s is required\n", storageUsages[command], n, map[string]string{"config": "c", "cluster-id": "t"}[n])
			return nil, nil, 1
		}
	}
	settings, report := conf.Load(conf.Sources{Files: []string{set.one("config", "")}, Env: serverEnviron()})
	if err := report.Err(); err != nil {
		fmt.Fprintln(e.Err, err)
		return nil, nil, 1
	}
	return set, settings, -1
}

func kafkaStorageFormat(e *Env, args []string) int {
	set, settings, code := storageCall(e, "format", args, "config", "cluster-id")
	if code >= 0 {
		return code
	}
	if set.has("add-scram") {
		fmt.Fprintln(e.Err, "--add-scram is not supported: brokerd has no SCRAM credentials yet")
		return 1
	}
	directory, err := ownDirectoryID(set.one("initial-controllers", ""), settings.NodeID)
	if err != nil {
		fmt.Fprintln(e.Err, err)
		return 1
	}
	version, err := metadataVersion(set.one("release-version", ""))
	if err != nil {
		fmt.Fprintln(e.Err, err)
		return 1
	}
	list, err := broker.Format(vfs.NewOS(), broker.FormatOptions{Dirs: storageDirs(settings), ClusterID: set.one("cluster-id", ""),
		NodeID: settings.NodeID, Directory: directory, IgnoreFormatted: set.has("ignore-formatted")})
	if err != nil {
		fmt.Fprintln(e.Err, err)
		return 1
	}
	printFormatted(e.Out, list, version)
	return 0
}

// printFormatted says what format did, in Kafka's words.
func printFormatted(w io.Writer, list []broker.Formatted, version string) {
	all := true
	for _, f := range list {
		all = all && f.Already
	}
	if all {
		fmt.Fprintln(w, "All of the log directories are already formatted.")
		return
	}
	for i, f := range list {
		kind := "data"
		if i == 0 {
			kind = "metadata"
		}
		if !f.Already {
			fmt.Fprintf(w, "Formatting %s directory %s with metadata.version %s.\n", kind, f.Dir, version)
		}
	}
}

// storageDirs lists every directory once, the metadata directory first.
func storageDirs(b *conf.Broker) []string {
	all := []string{b.MetadataDir}
	for _, d := range b.LogDirs {
		if !slices.Contains(all, d) {
			all = append(all, d)
		}
	}
	return all
}

// ownDirectoryID finds this node in ID@HOST:PORT:DIRECTORY_ID,….
func ownDirectoryID(list string, node int32) (string, error) {
	if list == "" {
		return "", nil
	}
	for _, c := range strings.Split(list, ",") {
		name, rest, found := strings.Cut(strings.TrimSpace(c), "@")
		directory := rest[strings.LastIndexByte(rest, ':')+1:]
		if _, err := client.ParseID(directory); !found || err != nil {
			return "", fmt.Errorf("--initial-controllers: %q is not of the form ID@HOST:PORT:DIRECTORY_ID", c)
		}
		if name == fmt.Sprint(node) {
			return directory, nil
		}
	}
	return "", errors.New("--initial-controllers does not name this node (node.id=" + fmt.Sprint(node) + ")")
}

func kafkaStorageInfo(e *Env, args []string) int {
	_, settings, code := storageCall(e, "info", args, "config")
	if code >= 0 {
		return code
	}
	return printStorageInfo(e.Out, broker.Inspect(vfs.NewOS(), storageDirs(settings)))
}

func printStorageInfo(w io.Writer, info broker.StorageInfo) int {
	list := func(one, many string, lines []string) {
		if len(lines) == 0 {
			return
		}
		title := many
		if len(lines) == 1 {
			title = one
		}
		fmt.Fprintf(w, "%s\n  %s\n\n", title, strings.Join(lines, "\n  "))
	}
	list("Found log directory:", "Found log directories:", info.Found)
	if m := info.Meta; m != nil {
		fmt.Fprintf(w, "Found metadata: {cluster.id=%s, directory.id=%s, node.id=%d, version=1}\n\n", m.ClusterID, m.Directory, m.NodeID)
	}
	list("Found problem:", "Found problems:", info.Problems)
	if len(info.Problems) > 0 {
		return 1
	}
	return 0
}
