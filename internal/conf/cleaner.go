package conf

import "time"

// Cleaner is how compaction works on a broker.
type Cleaner struct {
	Backoff        time.Duration // log.cleaner.backoff.ms
	KeyBytes       int64         // log.cleaner.dedupe.buffer.size
	BytesPerSecond float64       // log.cleaner.io.max.bytes.per.second
}

// Cleaner resolves the cleaner's settings: dynamic broker settings over the file
// over the defaults. A value that does not parse counts as not set.
func (b *Broker) Cleaner(d Dynamic) Cleaner {
	return Cleaner{
		Backoff:        millis(b.dynamic(d, "log.cleaner.backoff.ms").num),
		KeyBytes:       b.dynamic(d, "log.cleaner.dedupe.buffer.size").num,
		BytesPerSecond: b.dynamic(d, "log.cleaner.io.max.bytes.per.second").dbl,
	}
}

// dynamic is what a broker key is worth now.
func (b *Broker) dynamic(d Dynamic, key string) value {
	k, _ := BrokerKey(key)
	for _, f := range b.search(d, []Link{{Name: key}}) {
		if v, err := k.parse(f.value); err == nil && (k.check.fn == nil || k.check.fn(key, v) == nil) {
			return v
		}
	}
	return k.standard()
}
