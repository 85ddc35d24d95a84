package record

import (
	"errors"
	"fmt"
)

var (
	// ErrIncomplete: the bytes end before the batch does.
	ErrIncomplete = errors.New("batch is incomplete")
	// ErrCorrupt: the length is impossible or the CRC is wrong (CORRUPT_MESSAGE).
	ErrCorrupt = errors.New("batch is corrupt")
	// ErrMagic: an older or unknown message format. It is an ErrCorrupt too.
	ErrMagic = fmt.Errorf("%w: message format is not 2", ErrCorrupt)
	// ErrInvalid: the CRC is right, but what it covers breaks the format (INVALID_RECORD).
	ErrInvalid = errors.New("record is invalid")
	// ErrCodec: the codec is not one of ours (UNSUPPORTED_COMPRESSION_TYPE).
	ErrCodec = errors.New("compression codec is unknown")
	// ErrTooLarge: what was compressed is larger than Limits allow, or a batch than 2 GiB.
	ErrTooLarge = errors.New("records are too large")
)

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}
