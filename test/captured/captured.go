// Package captured is the seeds of fuzz targets: what real clients sent, requests
// and records, and what becomes of any bytes when they are spoiled.
//
//	BROKERD_CAPTURE=FILE make clients ─► test/harness (capture) ─► captured.txt ─► fuzz targets
//
// captured.txt was written by that run; it holds one of each kind (API, version,
// client, about that long), sorted. Goroutines and locks: none. Tests: its users.
package captured

import (
	_ "embed"
	"encoding/hex"
	"strings"
)

//go:embed captured.txt
var file string

// Requests are frames without their length: header and body.
func Requests() [][]byte { return lines("request ") }

// Records are what produce requests brought for a partition: batches, and message
// sets of the older formats.
func Records() [][]byte { return lines("records ") }

func lines(prefix string) (all [][]byte) {
	for line := range strings.Lines(file) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), prefix); ok {
			p, err := hex.DecodeString(rest)
			if err != nil {
				panic("captured.txt: " + err.Error())
			}
			all = append(all, p)
		}
	}
	return all
}
