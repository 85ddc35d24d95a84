package record

import (
	"encoding/binary"
	"fmt"
)

// A control record's key is {version 2, type 2}; an end-of-transaction
// marker's value is {version 2, coordinator epoch 4}. Later versions may add
// bytes behind.
const (
	controlKey   = 4
	markerValue  = 6
	controlAbort = 0
	controlTxn   = 1 // commit
)

// ControlType is the type in a control record's key.
type ControlType int16

func (c ControlType) String() string {
	names := [...]string{"ABORT", "COMMIT", "LEADER_CHANGE", "SNAPSHOT_HEADER", "SNAPSHOT_FOOTER", "KRAFT_VERSION", "KRAFT_VOTERS"}
	if c < 0 || int(c) >= len(names) {
		return "UNKNOWN"
	}
	return names[c]
}

// ParseControlType reads a control record's key.
func ParseControlType(key []byte) (ControlType, error) {
	if len(key) < controlKey {
		return 0, invalid("control key of %d bytes", len(key))
	}
	if v := int16(binary.BigEndian.Uint16(key)); v < 0 {
		return 0, invalid("control key of version %d", v)
	}
	return ControlType(binary.BigEndian.Uint16(key[2:])), nil
}

// Marker ends a transaction in one partition.
type Marker struct {
	Commit           bool
	CoordinatorEpoch int32
}

// BuildMarker makes the batch of one marker: transactional, control, one offset.
func BuildMarker(dst []byte, producerID int64, epoch int16, ms int64, m Marker) (Batch, error) {
	var key [controlKey]byte
	if m.Commit {
		key[3] = controlTxn
	}
	var value [markerValue]byte
	binary.BigEndian.PutUint32(value[2:], uint32(m.CoordinatorEpoch))
	var b Builder
	if err := b.Append(Record{Timestamp: ms, Key: key[:], Value: value[:]}); err != nil {
		return nil, err
	}
	return b.Build(dst, Spec{
		Producer:      &Producer{ID: producerID, Epoch: epoch, Sequence: -1},
		Transactional: true,
		Control:       true,
	})
}

// ParseMarker reads the record of a marker. ErrInvalid: it is another control
// record, or broken.
func ParseMarker(r Record) (Marker, error) {
	t, err := ParseControlType(r.Key)
	if err != nil {
		return Marker{}, err
	}
	if t != controlAbort && t != controlTxn {
		return Marker{}, invalid("control record is %s (%d), not a transaction marker", t, t)
	}
	if len(r.Value) < markerValue {
		return Marker{}, invalid("marker value of %d bytes", len(r.Value))
	}
	if v := int16(binary.BigEndian.Uint16(r.Value)); v < 0 {
		return Marker{}, invalid("marker of version %d", v)
	}
	return Marker{Commit: t == controlTxn, CoordinatorEpoch: int32(binary.BigEndian.Uint32(r.Value[2:]))}, nil
}

// Marker reads the marker that a control batch holds.
func (b Batch) Marker() (m Marker, err error) {
	if len(b) < HeaderSize || !b.Control() {
		return m, fmt.Errorf("%w: not a control batch", ErrInvalid)
	}
	found := false
	err = b.Skim(Limits{}, func(r Record) (err error) {
		found = true
		m, err = ParseMarker(r)
		return err
	})
	if err == nil && !found {
		err = invalid("control batch without a record")
	}
	return m, err
}
