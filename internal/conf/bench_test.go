package conf

import (
	"os"
	"testing"
)

// BenchmarkTopic is what a change of a topic's settings costs per topic.
func BenchmarkTopic(b *testing.B) {
	br, _ := Load(Sources{Root: func() bool { return true }})
	overrides := map[string]string{"retention.ms": "1000", "cleanup.policy": "compact"}
	b.ReportAllocs()
	for range b.N {
		if _, err := br.Topic(Dynamic{}, overrides); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkLoad is the part of a start that this package takes.
func BenchmarkLoad(b *testing.B) {
	data, err := os.ReadFile("../../config/kraft/server.properties")
	if err != nil {
		b.Fatal(err)
	}
	src := Sources{Files: []string{"x.properties"}, Env: os.Environ(), ReadFile: func(string) ([]byte, error) { return data, nil }}
	b.ReportAllocs()
	for range b.N {
		if _, r := Load(src); r.Err() != nil {
			b.Fatal(r.Err())
		}
	}
}
