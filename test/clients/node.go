//go:build clients

package clients

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/brokerd/brokerd/test/harness"
	"github.com/twmb/franz-go/pkg/kgo"
)

// node is the broker that a client is asked against.
type node interface {
	Addr() string
	Kill()
	Restart() error
	// settle checks what a change must have led to.
	settle(check func() error) error
}

// startNode starts brokerd, or Apache Kafka; it ends with the test.
func startNode(t testing.TB, root string, kafka bool) node {
	if kafka {
		return startKafka(t, root)
	}
	return &brokerdNode{harness.Start(t, harness.Options{Properties: groupSettings}).Nodes[0]}
}

type brokerdNode struct{ *harness.Node }

func (b *brokerdNode) Restart() error {
	b.Launch()
	return b.TryReady()
}

// settle checks once: what brokerd has answered is so.
func (b *brokerdNode) settle(check func() error) error { return check() }

// kafkaNode is an Apache Kafka run by scripts/kafka.
type kafkaNode struct {
	script, dir string
	port        int
	cmd         *exec.Cmd
	errors      tail
}

func startKafka(t testing.TB, root string) node {
	port, err := portPair()
	if err != nil {
		t.Fatal(err)
	}
	k := &kafkaNode{script: filepath.Join(root, "scripts", "kafka"), dir: t.TempDir(), port: port}
	t.Cleanup(k.Kill)
	if err := k.Restart(); err != nil {
		t.Fatal(err)
	}
	return k
}

// portPair finds two neighbouring ports that nobody listens on: scripts/kafka
// takes the second for the controller.
func portPair() (int, error) {
	for range 100 {
		first, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return 0, err
		}
		port := first.Addr().(*net.TCPAddr).Port
		second, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port+1))
		_ = first.Close() // only looked whether it is free
		if err == nil {
			_ = second.Close()
			return port, nil
		}
	}
	return 0, fmt.Errorf("no two neighbouring free ports")
}

func (k *kafkaNode) Addr() string { return fmt.Sprintf("127.0.0.1:%d", k.port) }

func (k *kafkaNode) Kill() {
	if k.cmd == nil {
		return
	}
	_ = k.cmd.Process.Kill() // it may have ended
	_ = k.cmd.Wait()         // killed: no news
	k.cmd = nil
}

func (k *kafkaNode) Restart() error {
	args := []string{"broker", k.dir, fmt.Sprint(k.port)}
	for key, value := range groupSettings {
		args = append(args, key+"="+value)
	}
	k.cmd = exec.Command(k.script, args...)
	k.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	k.cmd.Stderr = &k.errors
	if err := k.cmd.Start(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), caseLimit)
	defer cancel()
	c, err := kgo.NewClient(kgo.SeedBrokers(k.Addr()))
	if err != nil {
		return err
	}
	defer c.Close()
	for {
		if err = c.Ping(ctx); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("kafka does not answer: %w\n%s", err, k.errors.String())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// settle gives Kafka a while: it answers a change before its broker has heard of it.
func (k *kafkaNode) settle(check func() error) (err error) {
	for range 60 {
		if err = check(); err == nil {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return err
}
