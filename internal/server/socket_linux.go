package server

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// sendNoWait is send(2). x/sys has it only with a result thrown away.
func sendNoWait(fd int, p []byte, more bool) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	flags := uintptr(unix.MSG_DONTWAIT | unix.MSG_NOSIGNAL)
	if more {
		flags |= unix.MSG_MORE
	}
	for {
		n, _, errno := unix.Syscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)), flags, 0, 0)
		switch errno {
		case 0:
			return int(n), nil
		case unix.EINTR:
		default:
			return 0, errno
		}
	}
}

// unacknowledged is the number of bytes in the send queue, 0 if it cannot be told.
func unacknowledged(fd int) int {
	n, err := unix.IoctlGetInt(fd, unix.SIOCOUTQ)
	if err != nil {
		return 0
	}
	return n
}

// somethingToRead looks at the first byte: true also at the end, and for an error.
func somethingToRead(fd int) bool {
	var first byte
	_, _, errno := unix.Syscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(&first)), 1, unix.MSG_PEEK|unix.MSG_DONTWAIT, 0, 0)
	return errno != unix.EAGAIN
}
