package cli

import "testing"

func TestPlain(t *testing.T) {
	for _, c := range []struct{ key, value, want string }{
		{"retention.ms", "7d", "604800000"},
		{"retention.ms", "90m", "5400000"},
		{"retention.ms", "1500ms", "1500"},
		{"retention.ms", "-1", "-1"},
		{"retention.ms", "86400000", "86400000"},
		{"retention.ms", "1GiB", "1GiB"},
		{"retention.ms", "", ""},
		{"retention.ms", "d", "d"},
		{"retention.ms", "1.5d", "1.5d"},
		{"retention.ms", "9223372036854775807w", "9223372036854775807w"},
		{"segment.bytes", "1GiB", "1073741824"},
		{"segment.bytes", "10MB", "10000000"},
		{"segment.bytes", "7d", "7d"},
		{"cleanup.policy", "1d", "1d"},
	} {
		if got := plain(c.key, c.value); got != c.want {
			t.Errorf("%s=%s is %q, want %q", c.key, c.value, got, c.want)
		}
	}
}
