package conf

import (
	"testing"
	"time"
)

// The longest retention is long, not over: minutes that no duration holds are the
// longest one.
func TestOffsetsRetention(t *testing.T) {
	for minutes, want := range map[string]time.Duration{"10080": 7 * 24 * time.Hour, "2147483647": 1<<63 - 1} {
		if got := broker(t, "offsets.retention.minutes="+minutes).Groups.Retention; got != want {
			t.Errorf("%s minutes: %v, want %v", minutes, got, want)
		}
	}
}
