package wire

import (
	"fmt"

	"golang.org/x/sys/unix"
)

func setCongestion(fd uintptr, name string) error {
	if err := unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, name); err != nil {
		return fmt.Errorf("set tcp.congestion=%s (see net.ipv4.tcp_available_congestion_control): %w", name, err)
	}
	return nil
}
