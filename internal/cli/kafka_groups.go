package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/pkg/client"
)

// kafkaGroups is kafka-groups: the groups of all kinds, by name.
func kafkaGroups(e *Env, args []string) int {
	table := groupsOptions()
	set, err := parseJopt(table, args)
	if err != nil {
		return usage(e, table, err.Error())
	}
	if len(args) > 0 {
		if code, done := help(e, table, set, args, "This tool helps to list groups of all types."); done {
			return code
		}
	}
	if err := checkGroups(set); err != nil {
		return usage(e, table, err.Error())
	}
	kind := ""
	if set.has("group-type") {
		kinds, ok := spelled(set.one("group-type", ""), []string{"Classic", "Consumer", "Share", "Streams"})
		if !ok || len(kinds) != 1 {
			const text = "--group-type must be a valid group type."
			fmt.Fprintf(e.Err, "%s\njava.lang.IllegalArgumentException: %s\n", text, text)
			return 1
		}
		kind = kinds[0]
	}
	ctx, stop := interruptible()
	defer stop()
	return ended(listAllGroups(ctx, e, set, kind), func(err error) { fmt.Fprintln(e.Err, javaText(err)) })
}

func checkGroups(set *jset) error {
	if !set.has("bootstrap-server") {
		return errors.New("Missing required option(s) [bootstrap-server]")
	}
	if !set.has("list") {
		return errors.New("Command must include exactly one action: --list.")
	}
	filters := []string{"consumer", "share", "streams", "group-type", "protocol"}
	for i, a := range filters[:3] {
		for _, b := range filters[i+1:] {
			if set.has(a) && set.has(b) {
				return fmt.Errorf(`Option "[%s]" can't be used with option "[%s]"`, a, b)
			}
		}
	}
	return nil
}

func listAllGroups(ctx context.Context, e *Env, set *jset, kind string) error {
	c, ctx, closeClient, err := dialFace(ctx, e, set)
	if err != nil {
		return err
	}
	defer closeClient()
	all, err := c.Admin().Groups(ctx, nil, nil)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(g client.GroupInfo) bool {
		switch {
		case set.has("consumer"):
			return !ofConsumers(g)
		case set.has("share"):
			return g.Type != "Share"
		case set.has("streams"):
			return g.Type != "Streams"
		}
		return kind != "" && g.Type != kind || set.has("protocol") && g.Protocol != set.one("protocol", "")
	})
	width := [3]int{20, 20, 20}
	rows := [][3]string{{"GROUP", "TYPE", "PROTOCOL"}}
	for _, g := range all {
		rows = append(rows, [3]string{g.Name, orUnknown(g.Type), g.Protocol})
	}
	var b strings.Builder
	for _, r := range rows {
		for i, cell := range r {
			width[i] = max(width[i], len(cell))
		}
	}
	for i, r := range rows {
		end := " " // but for the header
		if i == 0 {
			end = ""
		}
		fmt.Fprintf(&b, "%-*s %-*s %-*s%s\n", width[0], r[0], width[1], r[1], width[2], r[2], end)
	}
	_, err = fmt.Fprint(e.Out, b.String())
	return err
}
