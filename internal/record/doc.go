// Package record reads and writes Kafka's record batches, format 2, and converts
// the messages that were before them, formats 0 and 1.
//
//	bytes ── Next ──► Batch ──┬─ Verify         produced: CRC, header, every record
//	  (wire, .log)            ├─ VerifyStored   followed or recovered: CRC, header
//	                          ├─ Set…           patch in place
//	                          ├─ Each, Skim ──► Record (aliases the batch or a pooled buffer)
//	                          └─ Recompress
//	Record… ──► Builder ──► Batch
//	set of messages ── Upgrade ──► Batch ── Downgrade ──► set of messages
//	gzip.go snappy.go lz4.go zstd.go   bytes ⇄ bytes, with a cap on what comes out
//
// Invariants
//
//	B1  No input makes this package panic, and nothing is allocated from a length that a peer wrote:
//	    buffers grow as bytes arrive, up to Limits.
//	B2  A batch that Verify accepts has offsets base … base+count-1, and ends where its last record ends.
//	B3  Base offset, length, leader epoch and magic are outside the CRC: Next checks length and magic,
//	    storage the other two. Every other byte is under it.
//	B4  What Compress writes every Kafka client reads: snappy in xerial framing, lz4 as one frame of
//	    independent blocks, zstd without a dictionary.
//	B5  Verify, VerifyStored, Next and the setters allocate nothing unless they fail.
//	B6  As many batches are decompressed at once as there are processors, and no more buffers are kept
//	    for that; the rest wait their turn. Who looks into one never waits for anything else, nor looks
//	    into a second one.
//	B7  A batch that Upgrade makes Verify accepts; what Downgrade makes, clients of
//	    0.8 to 0.10 read. Nobody else knows that there were other formats.
//
// Goroutines: none. Locks: none but the places of B6 (places.go): a channel made before main,
// and a mutex over the buffers. Codecs are pooled, one owner at a time, and the one shared zstd
// decoder is safe for concurrent use. All of them may be used inside a synctest bubble: no pooled
// object has a channel that a bubble made.
//
// Tests: examples taken from other writers and captured from old clients, builders against walkers, a fuzz target per decoder.
package record
