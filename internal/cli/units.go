package cli

import (
	"math"
	"math/bits"
	"strconv"
	"strings"
)

// spans and sizes are what may follow a number in a setting's value: milliseconds for
// settings in .ms, bytes for settings in .bytes.
var spans = map[string]uint64{"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 7 * 86_400_000}

var sizes = map[string]uint64{
	"B": 1, "kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40,
}

// plain is the value of a setting as brokers take it: retention.ms=7d is 604800000.
// What is not understood stays as it is, for the broker to say what it wants.
func plain(key, value string) string {
	var units map[string]uint64
	switch {
	case strings.HasSuffix(key, ".ms"):
		units = spans
	case strings.HasSuffix(key, ".bytes"):
		units = sizes
	}
	number := strings.TrimRight(value, "BGKMTdhikmsw")
	unit, ok := units[value[len(number):]]
	n, err := strconv.ParseUint(number, 10, 63)
	if !ok || err != nil {
		return value
	}
	if over, product := bits.Mul64(n, unit); over == 0 && product <= math.MaxInt64 {
		return strconv.FormatUint(product, 10)
	}
	return value
}
