package conf

import (
	"testing"
	"time"
)

func TestCleanerIsDynamic(t *testing.T) {
	b, err := New(map[string]string{"log.cleaner.backoff.ms": "100"})
	if err != nil {
		t.Fatal(err)
	}
	if c := b.Cleaner(Dynamic{}); c.Backoff != 100*time.Millisecond || c.KeyBytes != 128<<20 || c.BytesPerSecond < 1e308 {
		t.Errorf("%+v", c)
	}
	d := Dynamic{
		PerBroker: map[string]string{"log.cleaner.backoff.ms": "-5"}, // no such backoff: the next layer's
		Cluster:   map[string]string{"log.cleaner.backoff.ms": "200", "log.cleaner.io.max.bytes.per.second": "1e6"},
	}
	if c := b.Cleaner(d); c.Backoff != 200*time.Millisecond || c.BytesPerSecond != 1e6 {
		t.Errorf("%+v", c)
	}
}
