package obs

import (
	"testing"
	"time"
)

func TestRate(t *testing.T) {
	var r Rate
	start := time.Unix(1000, 0)
	for _, s := range []struct {
		at          int
		total, want float64
	}{
		{0, 100, 0},     // nothing to compare with
		{5, 150, 10},    // since the first
		{5, 150, 10},    // another scraper
		{10, 200, 10},   //
		{20, 400, 15},   // since the first still: the next was asked for at 20
		{30, 700, 20},   //
		{40, 800, 20},   // since 20
		{3640, 4400, 1}, // since 40
		{3650, 0, 0},    // it fell
	} {
		if got := r.Of(start.Add(time.Duration(s.at)*time.Second), s.total); got != s.want {
			t.Errorf("at %d s: %v, want %v", s.at, got, s.want)
		}
	}
}
