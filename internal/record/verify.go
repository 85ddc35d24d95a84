package record

import (
	"fmt"
	"hash/crc32"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (b Batch) checksum() uint32 { return crc32.Checksum(b[offAttributes:], castagnoli) }

// Verify checks a batch as a producer may send it: CRC, header, and, where it
// is not compressed, every record. A compressed one is not opened: that costs
// more than all else (VerifyInner does it). Whether control batches are
// welcome, and how large a batch may be, the caller decides.
func (b Batch) Verify() error {
	_, err := b.Latest()
	return err
}

// VerifyInner is Verify and the records inside a compressed batch
// (record.validation=full).
func (b Batch) VerifyInner(l Limits) error {
	_, err := b.LatestInner(l)
	return err
}

// Latest is Verify, and gives the largest timestamp that the producer gave to a
// record: the header may tell another. It is the header's where the records are
// compressed.
func (b Batch) Latest() (hi int64, err error) {
	if err := b.verifyCRC(); err != nil {
		return 0, err
	}
	if err := b.verifyProduced(); err != nil {
		return 0, err
	}
	if b.Codec() != None {
		return b.MaxTimestamp(), nil
	}
	hi, err = walk(b[HeaderSize:], b.Count())
	return b.BaseTimestamp() + hi, err
}

// LatestInner is Latest, with a look inside a compressed batch.
func (b Batch) LatestInner(l Limits) (hi int64, err error) {
	if hi, err = b.Latest(); err != nil || b.Codec() == None {
		return hi, err
	}
	err = b.withRecords(l, func(p []byte) error {
		hi, err = walk(p, b.Count())
		hi += b.BaseTimestamp()
		return err
	})
	return hi, err
}

// VerifyStored checks a batch that some leader has accepted: a follower's, one
// found by recovery, one that compaction thinned out. Offsets may have gaps and
// no record may be left. The CRC stands for the records.
func (b Batch) VerifyStored() error {
	if err := b.verifyCRC(); err != nil {
		return err
	}
	count, delta := b.Count(), b.LastOffsetDelta()
	switch {
	case !b.nextOffsetFits():
		return invalid("base offset %d", b.BaseOffset())
	case delta < 0:
		return invalid("last offset delta %d", delta)
	case count < 0 || int64(count) > int64(delta)+1:
		return invalid("%d records in %d offsets", count, int64(delta)+1)
	}
	return b.verifyCodec()
}

func (b Batch) verifyCRC() error {
	size, err := Size(b)
	if err != nil {
		return err
	}
	if size != int64(len(b)) {
		return ErrIncomplete
	}
	if b.checksum() != b.CRC() {
		return fmt.Errorf("%w: crc is %08x, header says %08x", ErrCorrupt, b.checksum(), b.CRC())
	}
	return nil
}

// verifyProduced checks the header of a batch that has no offsets yet.
func (b Batch) verifyProduced() error {
	count, delta := b.Count(), b.LastOffsetDelta()
	switch {
	case count <= 0:
		return invalid("record count %d", count)
	case delta != count-1:
		return invalid("last offset delta %d with %d records", delta, count)
	}
	if err := b.verifyProducer(); err != nil {
		return err
	}
	return b.verifyCodec()
}

// verifyProducer: a producer id comes with an epoch and, except on a control
// batch, a sequence; without one there are neither, nor a transaction.
func (b Batch) verifyProducer() error {
	id, epoch, sequence := b.ProducerID(), b.ProducerEpoch(), b.BaseSequence()
	switch {
	case id < -1 || epoch < -1 || sequence < -1:
		return invalid("producer id %d, epoch %d, sequence %d", id, epoch, sequence)
	case id < 0 && b.Transactional():
		return invalid("transactional without a producer id")
	case id >= 0 && epoch < 0:
		return invalid("producer id %d without an epoch", id)
	case id >= 0 && sequence < 0 && !b.Control():
		return invalid("producer id %d without a sequence", id)
	}
	return nil
}

func (b Batch) verifyCodec() error {
	if c := b.Codec(); c > Zstd {
		return fmt.Errorf("%w: %d", ErrCodec, c)
	}
	return nil
}
