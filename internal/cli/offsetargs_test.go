package cli

import (
	"testing"
	"time"

	"github.com/brokerd/brokerd/pkg/client"
)

func TestParseWhen(t *testing.T) {
	now := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	for s, want := range map[string]int64{
		"start": client.Earliest, "end": client.Latest, "2h ago": now.Add(-2 * time.Hour).UnixMilli(),
		"1d 30m ago": now.Add(-24*time.Hour - 30*time.Minute).UnixMilli(), "7dago": now.Add(-7 * 24 * time.Hour).UnixMilli(),
		"2026-01-30": now.Add(-36 * time.Hour).UnixMilli(), "2026-01-31T11:00:00": now.Add(-time.Hour).UnixMilli(),
		"2026-01-31 11:00:00.500": now.Add(-time.Hour + 500*time.Millisecond).UnixMilli(), "2026-01-31T11:00:00+01:00": now.Add(-2 * time.Hour).UnixMilli(),
	} {
		if got, err := parseWhen(s, now); err != nil || got != want {
			t.Errorf("%q: %d, %v; want %d", s, got, err, want)
		}
	}
	for _, s := range []string{"", "ago", "2h", "two hours ago", "0s ago", "2h ago x", "99999999999h ago", "2026-13-01"} {
		if got, err := parseWhen(s, now); err == nil {
			t.Errorf("%q: %d, want an error", s, got)
		}
	}
}

func TestParseISODuration(t *testing.T) {
	for s, want := range map[string]time.Duration{
		"PT2H": 2 * time.Hour, "P7D": 7 * 24 * time.Hour, "P1DT30M": 24*time.Hour + 30*time.Minute, "pt1.5s": 1500 * time.Millisecond,
		"-PT1H": -time.Hour, "PT-1H": -time.Hour, "P0D": 0,
	} {
		if got, err := parseISODuration(s); err != nil || got != want {
			t.Errorf("%q: %v, %v; want %v", s, got, err, want)
		}
	}
	for _, s := range []string{"", "P", "PT", "P1DT", "2h", "P1H", "PT1D", "P9999999999999D"} {
		if got, err := parseISODuration(s); err == nil {
			t.Errorf("%q: %v, want an error", s, got)
		}
	}
}

func TestReadPlan(t *testing.T) {
	one, err := readPlan("t,0,5\nt,1,6\n", []string{"g"})
	if err != nil || one["g"][client.Partition{Topic: "t", Partition: 1}] != 6 || len(one["g"]) != 2 {
		t.Errorf("one group: %v, %v", one, err)
	}
	two, err := readPlan("g,t,0,5\nh,t,0,6\n", []string{"g", "h"})
	if err != nil || two["h"][client.Partition{Topic: "t", Partition: 0}] != 6 || len(two) != 2 {
		t.Errorf("two groups: %v, %v", two, err)
	}
	for text, groups := range map[string][]string{"t,0,5": {"g", "h"}, "t,x,5": {"g"}, "t,0,x": {"g"}, "t": {"g"}, "\"t,0,5": {"g"}} {
		if got, err := readPlan(text, groups); err == nil {
			t.Errorf("%q: %v, want an error", text, got)
		}
	}
}

func TestAssignmentText(t *testing.T) {
	list := []client.Partition{{Topic: "a", Partition: 0}, {Topic: "a", Partition: 2}, {Topic: "b", Partition: 1}}
	if got := assignmentText(list); got != "a:0,2;b:1" {
		t.Error(got)
	}
	if got := assignmentText(nil); got != "-" {
		t.Error(got)
	}
}
