//go:build clients

package clients

import (
	"errors"
	"fmt"
	"testing"
)

// TestFlaws: a client is asked again for what it is known for, and for nothing else.
func TestFlaws(t *testing.T) {
	who := shares{"Stable", map[string][]int32{"a": {0, 1}, "b": {2}}}
	stage := func(err error) error { return fmt.Errorf("one joined: member b of %v: %w", who, err) }
	anew, onward := round(0, 10, 1), round(1, 5, 1)
	for _, c := range []struct {
		client, kase string
		err          error
		want         bool
	}{
		{"java-3.9.1", "group-consumer", stage(same(anew, onward, 0)), true},
		{"java-3.9.1", "group-consumer", stage(same(anew[:5], onward, 0)), true},
		{"java-3.9.1", "group-members", stage(same(anew, onward, 0)), false},
		{"java-3.9.1", "group-consumer", fmt.Errorf("three members: member b of %v: %w", who, same(anew, onward, 0)), false}, // nothing was committed yet
		{"java-3.9.1", "group-consumer", fmt.Errorf("one joined: %w", fmt.Errorf("the group is %v: not shared evenly", who)), false},
		{"java-3.9.1", "group-consumer", fmt.Errorf("one joined: 3 records read, want 5; the group is %v", who), false},
		{"kafka-python-3.0.12", "group-members", fmt.Errorf("one joined: 3 records read, want 5; the group is %v", who), true},
		{"kafka-python-3.0.12", "group-seek", fmt.Errorf("0 records read, want 5; the group is %v", who), true},
		{"kafka-python-3.0.12", "group-latest", errors.New("nothing arrives"), true},
		{"kafka-python-3.0.12", "read-none", fmt.Errorf("0 records read, want 5; the group is %v", who), false},
		{"kafka-python-3.0.12", "group-seek", stage(same(anew, onward, 0)), false},
		{"java-4.4.0", "group-consumer", stage(same(anew, onward, 0)), false},
	} {
		for _, client := range Clients {
			if client.ID() == c.client {
				f := client.unsteady
				if got := f.of(Case{ID: c.kase}) && f.says.MatchString(c.err.Error()); got != c.want {
					t.Errorf("%s, %s: %v: known %v, want %v", c.client, c.kase, c.err, got, c.want)
				}
			}
		}
	}
}
