package broker

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Limits of connections change while the broker runs, and hold from then on.
func TestLimitsChange(t *testing.T) {
	b := start(t, t.TempDir(), nil)
	defer stop(t, b)
	c := client(t, b)
	defer c.Close()
	admin := kadm.NewClient(c)
	set := func(key, value string) {
		t.Helper()
		got, err := admin.AlterBrokerConfigs(t.Context(), []kadm.AlterConfig{{Name: key, Value: &value}})
		if err != nil || got[0].Err != nil {
			t.Fatalf("%s=%s: %+v %v", key, value, got, err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	// taken tells whether a new connection is kept: else it is closed at once.
	taken := func() bool {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", b.Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
		_, err = conn.Read(make([]byte, 1))
		return !errors.Is(err, io.EOF) && !isReset(err)
	}
	until := func(want bool, what string) {
		t.Helper()
		for taken() != want {
			if ctx.Err() != nil {
				t.Fatalf("%s: a connection is taken: %v", what, !want)
			}
		}
	}
	until(true, "without a limit")
	set("max.connections.per.ip", "1")
	until(false, "one per address")
	set("max.connections.per.ip.overrides", "127.0.0.1:100")
	until(true, "a hundred from here")
	zero, key := "0", "max.connections.per.ip"
	if got, err := admin.AlterBrokerConfigs(t.Context(), []kadm.AlterConfig{{Name: key, Value: &zero}, {Op: kadm.DeleteConfig, Name: key + ".overrides"}}); err != nil || !errors.Is(got[0].Err, kerr.InvalidRequest) {
		t.Errorf("nobody may connect: %+v %v", got, err)
	}
	set("max.connections.per.ip", "0")
	until(true, "a hundred from here, none from elsewhere")
	set("max.connections.per.ip.overrides", "10.0.0.1:100")
	until(false, "none from here")
	// This client is connected, and may put it right.
	set("max.connections.per.ip.overrides", "127.0.0.1:100")
	until(true, "from here again")
	set("max.connections", "1")
	until(false, "one in all")
	set("max.connections", "1000")
	until(true, "a thousand in all")
}

func isReset(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && !op.Timeout()
}
