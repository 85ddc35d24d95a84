package meta

import (
	"bytes"
	"fmt"
	"io"
	"runtime"
	"testing"

	"github.com/brokerd/brokerd/internal/step"
)

// bigImage has topics x parts partitions on three brokers.
func bigImage(t testing.TB, topics, parts int) *Image {
	im := newCluster(t, 1, 2, 3).im
	e := im.Edit()
	sets := [][]int32{{1, 2, 3}, {2, 3, 1}, {3, 1, 2}}
	assignments := make([][]int32, parts)
	for i := range assignments {
		assignments[i] = sets[i%3]
	}
	for i := range topics {
		id := step.TopicID{byte(i), byte(i >> 8), byte(i >> 16), 15: 9}
		r := e.Apply(uint64(10+i), []Command{CreateTopic{ID: id, Name: fmt.Sprintf("topic-%07d", i), Assignments: assignments}})
		if r[0].Err != nil {
			t.Fatal(r[0].Err)
		}
	}
	im, _ = e.Done()
	return im
}

var shapes = []struct{ topics, parts int }{{20_000, 100}, {200_000, 10}, {2_000_000, 1}}

// BenchmarkLoad reads a snapshot of two million partitions.
func BenchmarkLoad(b *testing.B) {
	for _, s := range shapes {
		b.Run(fmt.Sprintf("%dx%d", s.topics, s.parts), func(b *testing.B) {
			var buf bytes.Buffer
			if err := WriteSnapshot(&buf, bigImage(b, s.topics, s.parts)); err != nil {
				b.Fatal(err)
			}
			runtime.GC()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			var im *Image
			for b.Loop() {
				var err error
				if im, err = ReadSnapshot(bytes.NewReader(buf.Bytes())); err != nil {
					b.Fatal(err)
				}
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			b.ReportMetric(float64(buf.Len())/1e6, "MB")
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/1e6, "heap-MB")
			runtime.KeepAlive(im)
		})
	}
}

// BenchmarkSave writes one.
func BenchmarkSave(b *testing.B) {
	for _, s := range shapes {
		b.Run(fmt.Sprintf("%dx%d", s.topics, s.parts), func(b *testing.B) {
			im := bigImage(b, s.topics, s.parts)
			for b.Loop() {
				if err := WriteSnapshot(io.Discard, im); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkFence takes a broker with a third of the leads of two million
// partitions out of all of them, in one entry.
func BenchmarkFence(b *testing.B) {
	im := bigImage(b, 20_000, 100)
	br, _ := im.Broker(2)
	for b.Loop() {
		_, _, r := Apply(im, im.Index()+1, []Command{SetBrokerState{2, br.Epoch, Fenced}})
		if r[0].Err != nil {
			b.Fatal(r[0].Err)
		}
	}
}

// BenchmarkApply creates one topic in one entry: the cost of the next image.
func BenchmarkApply(b *testing.B) {
	for _, s := range shapes {
		b.Run(fmt.Sprintf("%dx%d", s.topics, s.parts), func(b *testing.B) {
			im := bigImage(b, s.topics, s.parts)
			var i uint32
			for b.Loop() {
				i++
				id := step.TopicID{byte(i), byte(i >> 8), byte(i >> 16), 200, 15: 9}
				Apply(im, im.Index()+1, []Command{CreateTopic{ID: id, Name: fmt.Sprint("new", i), Assignments: [][]int32{{1, 2, 3}}}})
			}
		})
	}
}

func BenchmarkLookup(b *testing.B) {
	for _, s := range shapes {
		im := bigImage(b, s.topics, s.parts)
		names := make([]string, 4096)
		ids := make([]step.TopicID, len(names))
		for i := range names {
			names[i] = fmt.Sprintf("topic-%07d", i*7919%s.topics)
			t, _ := im.TopicNamed(names[i])
			ids[i] = t.ID
		}
		b.Run(fmt.Sprintf("id/%dx%d", s.topics, s.parts), func(b *testing.B) {
			i := 0
			for b.Loop() {
				t, _ := im.Topic(ids[i%len(ids)])
				t.Partition(0)
				i++
			}
		})
		b.Run(fmt.Sprintf("name/%dx%d", s.topics, s.parts), func(b *testing.B) {
			i := 0
			for b.Loop() {
				t, _ := im.TopicNamed(names[i%len(names)])
				t.Partition(0)
				i++
			}
		})
	}
}
