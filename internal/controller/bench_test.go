package controller

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/step"
)

// BenchmarkCommands submits from many goroutines that each wait for their answer:
// what one voter on bbolt takes, beside one caller who waits for each commit.
func BenchmarkCommands(b *testing.B) {
	for _, callers := range []int{1, 64, 512} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			n := start(b, boltOptions(b, b.TempDir()))
			n.Register(registration())
			n.await(n.WaitActive)
			var next atomic.Int64
			b.ResetTimer()
			began := time.Now()
			var wg sync.WaitGroup
			for range callers {
				wg.Go(func() {
					done := make(chan Committed, 1)
					for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
						id := step.TopicID{byte(i), byte(i >> 8), byte(i >> 16), 15: 1}
						n.Submit([]meta.Command{meta.CreateTopic{ID: id, Name: fmt.Sprint("t", i), Assignments: [][]int32{{1}}}},
							time.Time{}, func(c Committed) { done <- c })
						if c := <-done; c.Err != nil || c.Results[0].Err != nil {
							b.Errorf("%+v", c)
						}
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "commands/s")
			n.stop()
			runtime.GC()
		})
	}
}

// BenchmarkStart opens, elects, registers and unfences a node that has state.
func BenchmarkStart(b *testing.B) {
	dir := b.TempDir()
	n := start(b, boltOptions(b, dir))
	n.Register(registration())
	n.await(n.WaitActive)
	n.stop()
	for b.Loop() {
		n := start(b, boltOptions(b, dir))
		n.Register(registration())
		n.await(n.WaitActive)
		b.StopTimer()
		n.stop()
		b.StartTimer()
	}
}

// BenchmarkIdle is what a registered node that nobody asks anything costs.
func BenchmarkIdle(b *testing.B) {
	n := start(b, boltOptions(b, b.TempDir()))
	n.Register(registration())
	n.await(n.WaitActive)
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began := time.Now()
	for b.Loop() {
		time.Sleep(2 * time.Second)
	}
	runtime.ReadMemStats(&after)
	s := time.Since(began).Seconds()
	b.ReportMetric(float64(after.Mallocs-before.Mallocs)/s, "allocs/s")
	b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/s, "B/s")
	b.ReportMetric(float64(before.HeapAlloc)/1e6, "heap-MB")
}
