package cli

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The files are what the tools of Apache Kafka 4.3.1 print.
func TestHelpIsKafkas(t *testing.T) {
	for name, table := range map[string][]jopt{
		"topics": topicsOptions(), "configs": configsOptions(), "producer": producerOptions(),
		"consumer": consumerOptions(), "dump": dumpOptions(),
		"consumer_groups": consumerGroupsOptions(), "get_offsets": getOffsetsOptions(), "delete_records": deleteRecordsOptions(), "groups": groupsOptions(),
		"reassign": reassignOptions(), "elect": electOptions(), "log_dirs": logDirsOptions(),
	} {
		t.Run(name, func(t *testing.T) {
			want, err := os.ReadFile(filepath.Join("testdata", "help", name+".txt"))
			if err != nil {
				t.Fatal(err)
			}
			wantLines, gotLines := strings.Split(string(want), "\n"), strings.Split(joptHelp(table), "\n")
			for i := range max(len(wantLines), len(gotLines)) {
				if w, g := at(wantLines, i), at(gotLines, i); w != g {
					t.Fatalf("line %d:\nwant %q\ngot  %q", i+1, w, g)
				}
			}
		})
	}
}

func TestParseJopt(t *testing.T) {
	for _, c := range []struct {
		name, args string
		want       map[string][]string
		err        string
	}{
		{name: "space, equals, any order", args: "--topic t --list --bootstrap-server=h:1",
			want: map[string][]string{"topic": {"t"}, "list": {""}, "bootstrap-server": {"h:1"}}},
		{name: "unique abbreviation", args: "--boot h:1 --cre --top t --part 3",
			want: map[string][]string{"bootstrap-server": {"h:1"}, "create": {""}, "topic": {"t"}, "partitions": {"3"}},
			err:  "top is not a recognized option: it is short for --topic, --topic-id, --topics-with-overrides"},
		{name: "the exact name is no abbreviation", args: "--topic t", want: map[string][]string{"topic": {"t"}}},
		{name: "a value with equals signs", args: "--config a=b=c", want: map[string][]string{"config": {"a=b=c"}}},
		{name: "repeated", args: "--config a=1 --config b=2", want: map[string][]string{"config": {"a=1", "b=2"}}},
		{name: "single dash", args: "-list", want: map[string][]string{"list": {""}}},
		{name: "a negative number is a value", args: "--partitions -1", want: map[string][]string{"partitions": {"-1"}}},
		{name: "unknown", args: "--frobnicate", err: "frobnicate is not a recognized option"},
		{name: "missing argument", args: "--topic --list", err: "Option topic requires an argument"},
		{name: "missing at the end", args: "--topic", err: "Option topic requires an argument"},
		{name: "not a number", args: "--partitions x", err: "Cannot parse argument 'x' of option partitions"},
	} {
		t.Run(c.name, func(t *testing.T) {
			set, err := parseJopt(topicsOptions(), strings.Fields(c.args))
			if c.err != "" {
				if err == nil || err.Error() != c.err {
					t.Fatalf("error %v, want %q", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for k, v := range c.want {
				if !slices.Equal(set.values[k], v) {
					t.Errorf("%s = %q, want %q", k, set.values[k], v)
				}
			}
		})
	}
}

func TestOptionalArgument(t *testing.T) {
	for args, want := range map[string]string{
		"--compression-codec --topic t":      "",
		"--compression-codec zstd --topic t": "zstd",
		"--compression-codec=lz4":            "lz4",
	} {
		set, err := parseJopt(producerOptions(), strings.Fields(args))
		if err != nil {
			t.Fatal(err)
		}
		if !set.has("compression-codec") || set.one("compression-codec", "?") != want {
			t.Errorf("%s: %q", args, set.values)
		}
	}
}

func FuzzParseJopt(f *testing.F) {
	f.Add("--topic t --list")
	f.Add("-- x --compression-codec=\x00 -=")
	f.Fuzz(func(t *testing.T, line string) {
		_, _ = parseJopt(producerOptions(), strings.Split(line, " "))
		_ = layout([][2]string{{line, line}})
	})
}
