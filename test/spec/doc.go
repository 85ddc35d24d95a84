// Package spec proves the protocol's page: client.py is a client of fewer than 150
// lines of Python without a library, written from docs/protocol.md and
// docs/format/record-batch.md alone. What it could not know was added to the pages.
// Its sizes and field orders are the pages'; when it fails, one of the two is wrong.
//
// Run by `make spec`.
package spec
