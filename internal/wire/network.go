package wire

import (
	"context"
	"net"
	"syscall"
)

// Network is where connections come from: the kernel's TCP, or a simulator.
type Network interface {
	Listen(ctx context.Context, addr string) (net.Listener, error)
	Dial(ctx context.Context, addr string) (net.Conn, error)
}

// TCP is the network of the product.
type TCP struct {
	// Congestion is the congestion control of every connection
	// (tcp.congestion), "" for the host's default. bbr, which some hosts come
	// with, costs 2.4-3.6 times the CPU of cubic on loopback.
	Congestion string
}

var _ Network = TCP{}

func (t TCP) Listen(ctx context.Context, addr string) (net.Listener, error) {
	lc := net.ListenConfig{Control: t.control}
	return lc.Listen(ctx, "tcp", addr)
}

func (t TCP) Dial(ctx context.Context, addr string) (net.Conn, error) {
	d := net.Dialer{Control: t.control}
	return d.DialContext(ctx, "tcp", addr)
}

// control sets the option on the listening socket too: what it accepts inherits it.
func (t TCP) control(_, _ string, raw syscall.RawConn) error {
	if t.Congestion == "" {
		return nil
	}
	var err error
	if failed := raw.Control(func(fd uintptr) { err = setCongestion(fd, t.Congestion) }); failed != nil {
		return failed
	}
	return err
}
