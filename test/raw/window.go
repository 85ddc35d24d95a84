package raw

import (
	"bytes"
	"encoding/binary"
)

// Window keeps depth copies of one frame under way, until each has said for
// depth answers in a row that no more shall be sent; what is under way then is
// awaited. Frames that are due together leave in one write, and answers that
// have come together are read by one read, as a busy client's are.
//
// each gets an answer from its correlation id on, valid until it returns.
func (c *Conn) Window(frame []byte, depth int, each func(answer []byte) (more bool, err error)) error {
	burst := bytes.Repeat(frame, depth)
	if _, err := c.Write(burst); err != nil {
		return err
	}
	if err := c.grow(64 << 10); err != nil {
		return err
	}
	for under, have := depth, 0; under > 0; {
		n, err := c.Read(c.buf[have:])
		if err != nil {
			return err
		}
		have += n
		due, at := 0, 0
		for have-at >= 4 {
			end := at + 4 + int(binary.BigEndian.Uint32(c.buf[at:]))
			if end > have {
				if err := c.grow(end - at); err != nil {
					return err
				}
				break
			}
			more, err := each(c.buf[at+4 : end])
			if err != nil {
				return err
			}
			under--
			if more {
				due++
			}
			at = end
		}
		have = copy(c.buf, c.buf[at:have])
		if due > 0 {
			if _, err := c.Write(burst[:due*len(frame)]); err != nil {
				return err
			}
			under += due
		}
	}
	return nil
}
