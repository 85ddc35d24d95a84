//go:build clients

package clients

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// request is one operation that an adapter carries out. Bytes travel as base64,
// null stays null.
//
//	create   topic, partitions, replication, configs
//	describe topic                          → layout
//	list                                    → topics
//	delete   topic
//	grow     topic, partitions
//	configs  topic                          → config
//	alter    topic, configs
//	trim     topic, partition, offset       delete records before offset
//	produce  topic, acks, codec, idempotent, records   → offsets, in order
//	offset   topic, partition, at           → offset
//	open     topic, from                    begin to read; one reader at a time
//	poll     count, timeout                 → records: returns with count or at the timeout
//	join     topic, group, client, reset …  begin to read as a member of a group
//	commit   mode                           what was polled: sync, or async with its callback
//	seek     partition, offset
//	pause    partition
//	resume   partition
//	close                                   end reading, leave the group
//	committed topic, group, partition       → offset, -1 if there is none
//	groups                                  → groups: the type of each by its name
//
// A producer with the same settings stays open from one operation to the next,
// so does the reader from open or join to close: a restart happens under them.
type request struct {
	Op          string            `json:"op"`
	Topic       string            `json:"topic,omitempty"`
	Partitions  int               `json:"partitions,omitempty"`
	Replication int               `json:"replication,omitempty"`
	Configs     map[string]string `json:"configs,omitempty"`
	Partition   int32             `json:"partition"`
	Offset      int64             `json:"offset"`
	At          *position         `json:"at,omitempty"`
	From        []position        `json:"from,omitempty"`
	Acks        string            `json:"acks,omitempty"`  // 0, 1 or all
	Codec       string            `json:"codec,omitempty"` // none, gzip, snappy, lz4 or zstd
	Idempotent  bool              `json:"idempotent,omitempty"`
	Records     []record          `json:"records,omitempty"`
	Count       int               `json:"count,omitempty"`
	Timeout     int               `json:"timeout,omitempty"` // milliseconds
	Group       string            `json:"group,omitempty"`
	Client      string            `json:"client,omitempty"`  // the member's client id
	Reset       string            `json:"reset,omitempty"`   // earliest, latest or none
	Session     int               `json:"session,omitempty"` // milliseconds
	Heartbeat   int               `json:"heartbeat,omitempty"`
	Instance    string            `json:"instance,omitempty"` // of a static member
	Cooperative bool              `json:"cooperative,omitempty"`
	Consumer    bool              `json:"consumer,omitempty"` // the group protocol of KIP-848
	Mode        string            `json:"mode,omitempty"`
}

// position is where to read: at "start", "end", "offset" n or "time" n.
type position struct {
	Partition int32  `json:"partition"`
	At        string `json:"at"`
	N         int64  `json:"n"`
}

type record struct {
	Partition int32    `json:"partition"`
	Offset    int64    `json:"offset"`
	Timestamp int64    `json:"timestamp"` // 0 when produced: the client's clock
	Key       []byte   `json:"key"`
	Value     []byte   `json:"value"`
	Headers   []header `json:"headers,omitempty"`
}

type header struct {
	Key   string `json:"key"`
	Value []byte `json:"value"`
}

// layout is one partition as a client describes it.
type layout struct {
	Partition int32   `json:"partition"`
	Leader    int32   `json:"leader"`
	Replicas  []int32 `json:"replicas"`
	ISR       []int32 `json:"isr"`
}

// answer is what came out. Code is Kafka's, 0 when the client gives none.
type answer struct {
	Error   string            `json:"error"`
	Code    int               `json:"code"`
	Layout  []layout          `json:"layout"`
	Topics  []string          `json:"topics"`
	Config  map[string]string `json:"config"`
	Offsets []int64           `json:"offsets"`
	Offset  int64             `json:"offset"`
	Records []record          `json:"records"`
	Groups  map[string]string `json:"groups"`
}

// clientError is a client's own error.
type clientError struct {
	Op, Text string
	Code     int
}

func (e *clientError) Error() string { return fmt.Sprintf("%s: %s (code %d)", e.Op, e.Text, e.Code) }

// opLimit bounds an operation; then the adapter is ended.
const opLimit = 150 * time.Second

// adapter is a running program that speaks for a client.
type adapter struct {
	cmd     *exec.Cmd
	in      io.WriteCloser
	lines   chan []byte // closed at the end of its output; capacity 1: one answer per request
	errors  tail
	drained sync.WaitGroup
	ended   bool
}

func startAdapter(command []string) (*adapter, error) {
	a := &adapter{cmd: exec.Command(command[0], command[1:]...), lines: make(chan []byte, 1)}
	a.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	a.cmd.Stderr = &a.errors
	var err error
	if a.in, err = a.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := a.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := a.cmd.Start(); err != nil {
		return nil, err
	}
	a.drained.Add(1)
	go a.read(bufio.NewReaderSize(out, 1<<16))
	return a, nil
}

// read passes on the answers until the program ends.
func (a *adapter) read(out *bufio.Reader) {
	defer a.drained.Done()
	defer close(a.lines)
	for {
		line, err := out.ReadBytes('\n')
		if err != nil {
			return
		}
		a.lines <- line
	}
}

// do carries out one operation. A *clientError is the client's; any other error
// means that the adapter is gone.
func (a *adapter) do(r request) (answer, error) {
	line, err := json.Marshal(r)
	if err != nil {
		return answer{}, err
	}
	timeout := time.NewTimer(opLimit)
	defer timeout.Stop()
	if _, err := a.in.Write(append(line, '\n')); err != nil {
		a.end()
		return answer{}, fmt.Errorf("%s: the adapter ended: %w\n%s", r.Op, err, a.errors.String())
	}
	select {
	case line, ok := <-a.lines:
		if !ok {
			a.end()
			return answer{}, fmt.Errorf("%s: the adapter ended:\n%s", r.Op, a.errors.String())
		}
		var got answer
		if err := json.Unmarshal(line, &got); err != nil {
			a.end()
			return answer{}, fmt.Errorf("%s: not an answer: %.200q: %w", r.Op, line, err)
		}
		if got.Error != "" {
			return got, &clientError{Op: r.Op, Text: got.Error, Code: got.Code}
		}
		return got, nil
	case <-timeout.C:
		a.end()
		return answer{}, fmt.Errorf("%s: no answer within %v:\n%s", r.Op, opLimit, a.errors.String())
	}
}

// end kills the program and waits for it. A second call does nothing.
func (a *adapter) end() {
	if a.ended {
		return
	}
	a.ended = true
	_ = a.in.Close()         // it may be gone
	_ = a.cmd.Process.Kill() // it may be gone
	for range a.lines {      // let its reader go
	}
	a.drained.Wait()
	_ = a.cmd.Wait() // killed: no news
}

// tail keeps the last 4 KiB of what was written to it.
type tail struct {
	mu   sync.Mutex
	kept bytes.Buffer
}

const tailBytes = 4096

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept.Write(p)
	if extra := t.kept.Len() - tailBytes; extra > 0 {
		t.kept.Next(extra)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.kept.String()
}
