package record

import (
	"bytes"
	"fmt"
	"testing"
)

// batches are 16.5 KB and 1 MB of records with values of one size, as performance.md 2.3 measures.
func benchBatches(b *testing.B, f func(b *testing.B, batch Batch)) {
	for _, size := range []int{100, 1024} {
		for _, total := range []int{16_500, 1 << 20} {
			b.Run(fmt.Sprintf("value=%d/batch=%dK", size, total>>10), func(b *testing.B) {
				f(b, benchBatch(b, size, total))
			})
		}
	}
}

func benchBatch(b *testing.B, size, total int) Batch {
	var build Builder
	value := bytes.Repeat([]byte{'x'}, size)
	for i := 0; build.Size() < total-size; i++ {
		if err := build.Append(Record{Timestamp: 1_700_000_000_000 + int64(i/64), Value: value}); err != nil {
			b.Fatal(err)
		}
	}
	batch, err := build.Build(nil, Spec{})
	if err != nil {
		b.Fatal(err)
	}
	return batch
}

func perRecord(b *testing.B, batch Batch) {
	b.SetBytes(int64(len(batch)))
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(batch.Count()), "ns/record")
}

func BenchmarkVerify(b *testing.B) {
	benchBatches(b, func(b *testing.B, batch Batch) {
		b.ReportAllocs()
		for b.Loop() {
			if err := batch.Verify(); err != nil {
				b.Fatal(err)
			}
		}
		perRecord(b, batch)
	})
}

func BenchmarkVerifyStored(b *testing.B) {
	benchBatches(b, func(b *testing.B, batch Batch) {
		b.ReportAllocs()
		for b.Loop() {
			if err := batch.VerifyStored(); err != nil {
				b.Fatal(err)
			}
		}
		perRecord(b, batch)
	})
}

func BenchmarkCRC(b *testing.B) {
	benchBatches(b, func(b *testing.B, batch Batch) {
		for b.Loop() {
			if batch.checksum() != batch.CRC() {
				b.Fatal("crc")
			}
		}
		perRecord(b, batch)
	})
}

func BenchmarkWalk(b *testing.B) {
	benchBatches(b, func(b *testing.B, batch Batch) {
		for b.Loop() {
			if _, err := walk(batch[HeaderSize:], batch.Count()); err != nil {
				b.Fatal(err)
			}
		}
		perRecord(b, batch)
	})
}

func BenchmarkEach(b *testing.B) {
	benchBatches(b, func(b *testing.B, batch Batch) {
		b.ReportAllocs()
		for b.Loop() {
			if err := batch.Each(Limits{}, func(Record) error { return nil }); err != nil {
				b.Fatal(err)
			}
		}
		perRecord(b, batch)
	})
}

func BenchmarkBuild(b *testing.B) {
	var build Builder
	value := bytes.Repeat([]byte{'x'}, 100)
	var out []byte
	b.ReportAllocs()
	for b.Loop() {
		build.Reset()
		for i := range int64(150) {
			if err := build.Append(Record{Timestamp: i, Value: value}); err != nil {
				b.Fatal(err)
			}
		}
		batch, err := build.Build(out[:0], Spec{})
		if err != nil {
			b.Fatal(err)
		}
		out = batch
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/150, "ns/record")
}
