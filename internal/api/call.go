package api

import (
	"encoding/binary"
	"net"

	"github.com/brokerd/brokerd/internal/auth"
	"github.com/brokerd/brokerd/internal/wire"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const apiVersionsKey = 18

// read decodes a call into req. Its strings are copies; its byte fields alias
// the read buffer. false: the bytes are no such request.
func read(c *wire.Call, req kmsg.Request) bool {
	req.SetVersion(c.Version)
	return req.ReadFrom(c.Body) == nil
}

// malformed closes the connection of a client whose bytes cannot be read.
func malformed() wire.Outcome { return refuse("malformed request") }

// refuse answers nothing and closes the connection; reason is counted.
func refuse(reason string) wire.Outcome {
	return &wire.Ready{Answer: wire.Answer{Close: reason}}
}

// answer is an outcome that is ready: resp in the version of the call.
func answer(c *wire.Call, resp kmsg.Response) wire.Outcome {
	return &wire.Ready{Answer: encode(reply{c.Key, c.Version, c.Correlation}, resp)}
}

// reply is what outlives a call that waits: enough to frame the answer.
type reply struct {
	key, version int16
	correlation  int32
}

func replyTo(c *wire.Call) reply { return reply{c.Key, c.Version, c.Correlation} }

// encode frames a response. The header of ApiVersions is always version 0, or
// no client could read what the versions are.
func encode(r reply, resp kmsg.Response) wire.Answer {
	resp.SetVersion(r.version)
	frame := make([]byte, 8, 256)
	binary.BigEndian.PutUint32(frame[4:], uint32(r.correlation))
	if resp.IsFlexible() && r.key != apiVersionsKey {
		frame = append(frame, 0)
	}
	frame = resp.AppendTo(frame)
	binary.BigEndian.PutUint32(frame, uint32(len(frame)-4))
	return wire.Answer{Frame: frame}
}

// may asks the authorizer, against the image of now.
func may(d Deps, c *wire.Call, op auth.Operation, r auth.Resource) bool {
	return d.Auth.Allows(d.Catalog.Image(), auth.Question{
		Principal: auth.Principal(c.Client.Principal),
		Host:      host(c.Client.Remote),
		Operation: op,
		Resource:  r,
	})
}

// host is the address of a client without its port.
func host(a net.Addr) string {
	if a == nil {
		return ""
	}
	h, _, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String() // the simulator's addresses have no port
	}
	return h
}
