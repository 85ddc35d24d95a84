package cli

import (
	"fmt"
)

func kafkaDumpLog(e *Env, args []string) int {
	table := dumpOptions()
	set, err := parseJopt(table, args)
	if err != nil {
		return usage(e, table, err.Error())
	}
	if code, done := help(e, table, set, args, "This tool helps to parse a log file and dump its contents to the console, useful for debugging a seemingly corrupt log segment."); done {
		return code
	}
	if !set.has("files") {
		return usage(e, table, `Missing required argument "[files]"`)
	}
	for _, o := range []string{"cluster-metadata-decoder", "remote-log-metadata-decoder", "share-group-state-decoder"} {
		if set.has(o) {
			fmt.Fprintf(e.Err, "--%s: brokerd writes no such records\n", o)
			return 1
		}
	}
	return 1
}
