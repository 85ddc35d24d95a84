package obs

import (
	"sync"
	"time"
)

// rateWindow is the least time that a rate is taken over.
const rateWindow = 15 * time.Second

// Rate tells how fast a number rises, for names that are rates: a counter that
// the scraper divides itself is better. It remembers two moments at which it was
// asked, so that several scrapers do not disturb each other.
type Rate struct {
	mu           sync.Mutex
	first, later moment
}

type moment struct {
	at    time.Time
	total float64
}

// Of takes the total of now, and gives how much it has risen a second since it
// was asked before, at least rateWindow ago. The first answer is 0.
func (r *Rate) Of(now time.Time, total float64) (perSecond float64) {
	m := moment{now, total}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.first.at.IsZero() {
		r.first, r.later = m, m
	}
	if now.Sub(r.later.at) >= rateWindow {
		r.first, r.later = r.later, m
	}
	past := now.Sub(r.first.at).Seconds()
	if past <= 0 {
		return 0
	}
	return max(0, total-r.first.total) / past // a log may be cut
}
