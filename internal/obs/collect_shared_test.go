package obs

import (
	"sync"
	"testing"
)

// Two brokers of one process register the same list at the same time.
func TestCollectLeavesTheListAlone(t *testing.T) {
	list := []Family{{Name: "brokerd_x", Help: "x", Kind: GaugeKind}}
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() { NewRegistry().Collect(list, func(*Scrape) {}) })
	}
	both.Wait()
	if list[0].desc != nil {
		t.Error("the caller's list was written to")
	}
}
