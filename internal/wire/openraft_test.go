package wire

import (
	"bytes"
	"testing"
)

func TestOpenRaftStream(t *testing.T) {
	req := &OpenRaftStreamRequest{ClusterID: "c", Wanted: "2@x", Own: "1@y"}
	frame := AppendRequest(nil, req, 7, "me")
	h, rest := ParseFixed(frame[4:])
	body, err := h.ParseRest(rest, true)
	if err != nil || h.Key != KeyOpenRaftStream || h.Correlation != 7 || string(h.ClientID) != "me" {
		t.Fatalf("%+v %v", h, err)
	}
	var got OpenRaftStreamRequest
	if err := got.ReadFrom(body); err != nil || got != *req {
		t.Fatalf("%+v %v", got, err)
	}
	resp := OpenRaftStreamResponse{ErrorCode: 42, Message: "no"}
	answer := append([]byte{0, 0, 0, 7, 0}, resp.AppendTo(nil)...)
	var back OpenRaftStreamResponse
	if err := ReadResponse(answer, 7, &back); err != nil || back != resp {
		t.Fatalf("%+v %v", back, err)
	}
	if err := ReadResponse(answer, 8, &back); err == nil {
		t.Fatal("the answer to another request was taken")
	}
}

// FuzzOpenRaftStream: any bytes are a message or an error, and a message that
// was read is read again from what is written of it.
func FuzzOpenRaftStream(f *testing.F) {
	f.Add((&OpenRaftStreamRequest{ClusterID: "c", Wanted: "2@x", Own: "1@y"}).AppendTo(nil))
	f.Add((&OpenRaftStreamResponse{ErrorCode: 3, Message: "no"}).AppendTo(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		var req, again OpenRaftStreamRequest
		if req.ReadFrom(b) == nil {
			if err := again.ReadFrom(req.AppendTo(nil)); err != nil || again != req {
				t.Fatalf("%+v %v", again, err)
			}
		}
		var resp, more OpenRaftStreamResponse
		if resp.ReadFrom(b) == nil {
			if err := more.ReadFrom(resp.AppendTo(nil)); err != nil || more != resp || !bytes.Equal(more.AppendTo(nil), resp.AppendTo(nil)) {
				t.Fatalf("%+v %v", more, err)
			}
		}
	})
}
