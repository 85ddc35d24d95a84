package client

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// deaf accepts connections and answers nothing; fake answers as a broker that
// tells clients to go to advertised.
func deaf(t *testing.T) string {
	t.Helper()
	l := listen(t)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = c.Close() })
		}
	}()
	return l.Addr().String()
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// refusing is an address where nobody listens.
func refusing(t *testing.T) string {
	t.Helper()
	l := listen(t)
	defer l.Close()
	return l.Addr().String()
}

func TestConnectSaysWhy(t *testing.T) {
	gone := refusing(t)
	c, err := New(Brokers(gone, gone))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	err = c.Connect(t.Context())
	var u *UnreachableError
	if !errors.As(err, &u) || len(u.Tried) != 1 || !errors.Is(err, syscall.ECONNREFUSED) {
		t.Fatalf("%v", err)
	}
	if want := "cannot reach the cluster at " + gone + ": connection refused"; err.Error() != want {
		t.Errorf("%q, want %q", err, want)
	}
}

func TestConnectGivesUp(t *testing.T) {
	c, err := New(Brokers(deaf(t)), ConnectTimeout(50*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	err = c.Connect(t.Context())
	var u *UnreachableError
	if !errors.As(err, &u) || !strings.HasSuffix(err.Error(), ": no answer in time") {
		t.Fatalf("%v", err)
	}
}

// A broker that answers, but advertises an address that nobody can reach.
func TestGuardNamesTheAdvertisedAddress(t *testing.T) {
	gone := refusing(t)
	addr := fakeBroker(t, gone)
	c, err := New(Brokers(addr), ConnectTimeout(500*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := c.Guard(t.Context())
	defer cancel()
	_, err = c.Admin().CreateTopic(ctx, Topic{Name: "t"})
	var a *AdvertisedError
	if !errors.As(err, &a) || a.Bootstrap != addr || a.Advertised != gone {
		t.Fatalf("%v", err)
	}
	if want := "connected to " + addr + `, but it tells clients to use "` + gone + `": connection refused`; a.Error() != want {
		t.Errorf("%q, want %q", a, want)
	}
}

// The dialer alone, in virtual time: when an advertised address counts as hopeless.
func TestDialerTellsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDialer([]string{"seed:1"}, nil, 5*time.Second)
		told := 0
		d.watch(func(error) { told++ })
		d.note("seed:1", nil)
		d.note("node:1", syscall.ECONNREFUSED)
		d.note("node:1", syscall.ECONNREFUSED)
		if told != 0 {
			t.Fatal("given up at once")
		}
		time.Sleep(d.hopeless)
		d.note("node:1", syscall.ECONNREFUSED)
		if told != 1 {
			t.Fatal("not given up")
		}
		d.note("other:1", nil) // one node answers: the others may come back
		d.note("node:1", syscall.ECONNREFUSED)
		if told != 1 {
			t.Fatal("gave up on a cluster that is there")
		}
		if err := d.trouble([]string{"seed:1"}); err != nil {
			t.Fatal(err)
		}
	})
}

// A record that was sent once, and never answered: franz-go alone would wait for
// ever, because the broker may have it.
func TestSendGivesUp(t *testing.T) {
	t.Parallel() // 5 s: franz-go asks for metadata that often
	c, err := New(Brokers(fakeBroker(t, "")), DeliveryTimeout(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := c.SendAndWait(ctx, &Record{Topic: "t", Value: []byte("v")}); err == nil || ctx.Err() != nil {
		t.Fatalf("%v, %v", err, ctx.Err())
	}
}

// One that hangs does not hide the one that answers.
func TestConnectBesideOneThatHangs(t *testing.T) {
	c, err := New(Brokers(deaf(t), fakeBroker(t, "")))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Connect(t.Context()); err != nil {
		t.Error(err)
	}
}

// One that hangs does not hold up who asks whose disk is full.
func TestFullDirsBesideOneThatHangs(t *testing.T) {
	t.Parallel() // fullDirsWithin
	c, err := New(Brokers(fakeBroker(t, deaf(t))))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 5*fullDirsWithin)
	defer cancel()
	if full := c.Admin().FullDirs(ctx, 1); len(full) > 0 || ctx.Err() != nil {
		t.Errorf("%v, %v", full, ctx.Err())
	}
}

// A group whose coordinator is away does not hide the others.
func TestDescribeGroupsOneByOne(t *testing.T) {
	c, err := New(Brokers(fakeBroker(t, "")))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	found := map[string]Group{}
	if err := c.Admin().describeClassic(t.Context(), []string{"here", "gone"}, found); err != nil {
		t.Fatal(err)
	}
	if g := found["here"]; g.Err != nil || g.State != "Empty" {
		t.Errorf("%+v", g)
	}
	if g := found["gone"]; !errors.Is(g.Err, kerr.CoordinatorNotAvailable) {
		t.Errorf("%+v", g)
	}
}

// fakeBroker speaks just enough Kafka: ApiVersions, InitProducerID, Metadata with
// topic t and one broker at advertised (empty: itself), and two groups: here, and
// gone with its coordinator. It hangs up on everything else.
func fakeBroker(t *testing.T, advertised string) string {
	t.Helper()
	l := listen(t)
	if advertised == "" {
		advertised = l.Addr().String()
	}
	host, port, err := net.SplitHostPort(advertised)
	if err != nil {
		t.Fatal(err)
	}
	n, err := net.LookupPort("tcp", port)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go serveFake(c, host, int32(n))
		}
	}()
	return l.Addr().String()
}

func serveFake(c net.Conn, host string, port int32) {
	defer c.Close()
	for {
		frame, err := readFrame(c)
		if err != nil {
			return
		}
		key := int16(frame[0])<<8 | int16(frame[1])
		version := int16(frame[2])<<8 | int16(frame[3])
		var body []byte
		switch key {
		case 18:
			resp := kmsg.NewPtrApiVersionsResponse()
			resp.Version = min(version, 3)
			if version > 3 {
				resp.Version, resp.ErrorCode = 0, kerr.UnsupportedVersion.Code
			}
			for k, v := range map[int16]int16{18: 3, 3: 9, 19: 5, 0: 9, 22: 4, 10: 4, 15: 5} {
				api := kmsg.NewApiVersionsResponseApiKey()
				api.ApiKey, api.MaxVersion = k, v
				resp.ApiKeys = append(resp.ApiKeys, api)
			}
			body = resp.AppendTo(nil)
		case 3:
			resp := kmsg.NewPtrMetadataResponse()
			resp.Version = version
			b := kmsg.NewMetadataResponseBroker()
			b.NodeID, b.Host, b.Port = 1, host, port
			resp.Brokers, resp.ControllerID = append(resp.Brokers, b), 1
			part := kmsg.NewMetadataResponseTopicPartition()
			part.Leader, part.Replicas, part.ISR = 1, []int32{1}, []int32{1}
			topic := kmsg.NewMetadataResponseTopic()
			topic.Topic, topic.Partitions = kmsg.StringPtr("t"), append(topic.Partitions, part)
			resp.Topics = append(resp.Topics, topic)
			body = resp.AppendTo([]byte{0}) // flexible header: no tags
		case 22:
			resp := kmsg.NewPtrInitProducerIDResponse()
			resp.Version, resp.ProducerID = version, 1
			body = resp.AppendTo([]byte{0})
		case 10:
			resp := kmsg.NewPtrFindCoordinatorResponse()
			resp.Version = version
			resp.Coordinators = []kmsg.FindCoordinatorResponseCoordinator{{Key: "here", NodeID: 1, Host: host, Port: port},
				{Key: "gone", ErrorCode: kerr.CoordinatorNotAvailable.Code}}
			body = resp.AppendTo([]byte{0})
		case 15:
			resp := kmsg.NewPtrDescribeGroupsResponse()
			resp.Version, resp.Groups = version, []kmsg.DescribeGroupsResponseGroup{{Group: "here", State: "Empty"}}
			body = resp.AppendTo([]byte{0})
		default:
			return
		}
		out := append([]byte{0, 0, 0, 0}, frame[4:8]...)
		out = append(out, body...)
		size := len(out) - 4
		out[0], out[1], out[2], out[3] = byte(size>>24), byte(size>>16), byte(size>>8), byte(size)
		if _, err := c.Write(out); err != nil {
			return
		}
	}
}

func readFrame(c net.Conn) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(c, head[:]); err != nil {
		return nil, err
	}
	frame := make([]byte, int(head[2])<<8|int(head[3]))
	_, err := io.ReadFull(c, frame)
	return frame, err
}

func TestPlain(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, "connection refused"},
		{&net.DNSError{IsNotFound: true}, "host name does not resolve here"},
		{context.DeadlineExceeded, "no answer in time"},
		{&tlsError{errors.New("tls: first record does not look like a TLS handshake")}, "TLS handshake failed: first record does not look like a TLS handshake"},
		{io.EOF, "the peer closed the connection: is it a Kafka port, and does it speak this security protocol?"},
		{errors.New("other"), "other"},
	} {
		if got := Plain(c.err); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}
