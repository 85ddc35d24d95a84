//go:build !linux

package server

import "golang.org/x/sys/unix"

// sendNoWait: the descriptor is non-blocking as it is; there is no MSG_MORE.
func sendNoWait(fd int, p []byte, _ bool) (int, error) {
	return ignoringEINTR(unix.Write, fd, p)
}

// unacknowledged cannot be told here: "writable" alone says that the peer lives.
func unacknowledged(int) int { return 0 }

// somethingToRead is not asked here: naps end at once.
func somethingToRead(int) bool { return true }
