package storage

import (
	"sync"
	"testing"
)

// Readers must see whole views, in and out of the crowd, while others replace them:
// every view here has the same number everywhere. What was loaded stays as it is.
func TestLatestIsWhole(t *testing.T) {
	var c latest
	c.Store(&view{})
	whole := func(v *view) int64 {
		n := v.End
		if v.Durable != n || v.HighWatermark != n || v.pos != n || len(v.places) != int(n%3) {
			t.Errorf("a view is of several moments: %+v", v)
		}
		return n
	}
	const writers, each = 3, 3000
	places := make([]place, 3)
	var writing, reading sync.WaitGroup
	for range writers {
		writing.Go(func() {
			for range each {
				c.update(func(v *view) bool {
					n := v.End + 1
					v.End, v.Durable, v.HighWatermark, v.pos, v.places = n, n, n, n, places[:n%3]
					return true
				})
			}
		})
	}
	quit := make(chan struct{})
	for range 2 {
		reading.Go(func() {
			kept, is := c.Load(), int64(0)
			is = whole(kept)
			for last := int64(0); ; {
				select {
				case <-quit:
					return
				default:
				}
				n := whole(c.enter())
				c.leave()
				if n < last {
					t.Errorf("view %d after %d", n, last)
				}
				if last = n; n%7 == 0 {
					if whole(kept) != is {
						t.Errorf("view %d, which was loaded, has become %d", is, kept.End)
					}
					kept = c.Load()
					is = whole(kept)
				}
			}
		})
	}
	writing.Wait()
	close(quit)
	reading.Wait()
	if n := whole(c.Load()); n != writers*each {
		t.Errorf("%d updates of %d are there", n, writers*each)
	}
	if c.inside.Load() != 0 {
		t.Errorf("%d never left", c.inside.Load())
	}
}

// Who is inside, and who loaded, keeps the view from being written again.
func TestLatestWritesAgain(t *testing.T) {
	var c latest
	c.Store(&view{})
	up := func(v *view) bool { v.End++; return true }
	inside := c.enter()
	for range 10 {
		c.update(up)
	}
	if inside.End != 0 {
		t.Errorf("the view of one inside has become %d", inside.End)
	}
	c.leave()
	loaded := c.Load()
	for range 10 {
		c.update(up)
	}
	if loaded.End != 10 {
		t.Errorf("the view that was loaded has become %d", loaded.End)
	}
	if c.update(func(v *view) bool { v.End = 99; return false }) || c.Load().End != 20 {
		t.Errorf("a change that was given up is there: %d", c.Load().End)
	}
}
