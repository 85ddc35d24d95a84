package server

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
)

// Why a connection ended. Each is counted under its name; the API layer has
// reasons of its own (wire.Answer.Close).
const (
	closedByPeer      = "closed by peer"
	closedReset       = "connection error"
	closedIdle        = "idle"
	closedSize        = "bad frame size"
	closedHeader      = "malformed header"
	closedVersion     = "unsupported api or version"
	closedRefused     = "refused"
	closedSlowHeader  = "slow header"
	closedSlowBody    = "slow body"
	closedStall       = "peer does not read"
	closedPanic       = "panic"
	closedShutdown    = "shutdown"
	closedUpgraded    = "upgraded"
	closedShortFile   = "file range came short"
	closedTotal       = "too many connections"
	closedPerIP       = "too many connections from one address"
	closedNoBudget    = "stopped while waiting for memory"
	closedAcceptError = "accept error"
)

// maxReasons bounds the table of counts, which other packages' texts enter.
const maxReasons = 100

// otherReason takes what came after the table was full.
const otherReason = "other"

// ended is why the connection's goroutine stops: a counted reason.
type ended struct {
	reason string
	cause  error // what the log shows, where there is more to say
}

func (e *ended) Error() string {
	if e.cause != nil {
		return fmt.Sprintf("%s: %v", e.reason, e.cause)
	}
	return e.reason
}

func end(reason string) *ended { return &ended{reason: reason} }

// asleep is no end: the goroutine makes way for a new one.
var asleep = &ended{reason: "asleep"}

// readEnd names a failed read.
func readEnd(err error) *ended {
	if errors.Is(err, io.EOF) {
		return end(closedByPeer)
	}
	return connEnd(err)
}

// connEnd names an error of the connection.
func connEnd(err error) *ended {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return end(closedStall)
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.ErrClosedPipe), errors.Is(err, net.ErrClosed):
		return end(closedByPeer)
	}
	return &ended{closedReset, err}
}
