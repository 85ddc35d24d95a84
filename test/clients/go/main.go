// Command goclients is the adapter of the Go clients, and of kcat, which it
// runs as a program per operation. doc.go of test/clients says what it is for,
// adapter.go there which operations there are.
//
//	goclients franz-go|sarama|kafka-go|confluent-kafka-go|kcat BOOTSTRAP
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"time"
)

type request struct {
	Op          string            `json:"op"`
	Topic       string            `json:"topic"`
	Partitions  int               `json:"partitions"`
	Replication int               `json:"replication"`
	Configs     map[string]string `json:"configs"`
	Partition   int32             `json:"partition"`
	Offset      int64             `json:"offset"`
	At          position          `json:"at"`
	From        []position        `json:"from"`
	Acks        string            `json:"acks"`
	Codec       string            `json:"codec"`
	Idempotent  bool              `json:"idempotent"`
	Records     []record          `json:"records"`
	Count       int               `json:"count"`
	Timeout     int               `json:"timeout"`
	Group       string            `json:"group"`
	Client      string            `json:"client"`
	Reset       string            `json:"reset"`
	Session     int               `json:"session"`
	Heartbeat   int               `json:"heartbeat"`
	Instance    string            `json:"instance"`
	Cooperative bool              `json:"cooperative"`
	Consumer    bool              `json:"consumer"`
	Mode        string            `json:"mode"`
}

func (r request) timeout() time.Duration { return time.Duration(r.Timeout) * time.Millisecond }

func (r request) session() time.Duration { return time.Duration(r.Session) * time.Millisecond }

func (r request) heartbeat() time.Duration { return time.Duration(r.Heartbeat) * time.Millisecond }

type position struct {
	Partition int32  `json:"partition"`
	At        string `json:"at"`
	N         int64  `json:"n"`
}

type record struct {
	Partition int32    `json:"partition"`
	Offset    int64    `json:"offset"`
	Timestamp int64    `json:"timestamp"`
	Key       []byte   `json:"key"`
	Value     []byte   `json:"value"`
	Headers   []header `json:"headers"`
}

type header struct {
	Key   string `json:"key"`
	Value []byte `json:"value"`
}

type layout struct {
	Partition int32   `json:"partition"`
	Leader    int32   `json:"leader"`
	Replicas  []int32 `json:"replicas"`
	ISR       []int32 `json:"isr"`
}

type answer struct {
	Error   string            `json:"error,omitempty"`
	Code    int               `json:"code,omitempty"`
	Layout  []layout          `json:"layout,omitempty"`
	Topics  []string          `json:"topics,omitempty"`
	Config  map[string]string `json:"config,omitempty"`
	Offsets []int64           `json:"offsets,omitempty"`
	Offset  int64             `json:"offset"`
	Records []record          `json:"records,omitempty"`
	Groups  map[string]string `json:"groups,omitempty"`
}

// client is what an adapter must do. A call that its client lacks is absent:
// the reviewed table keeps it from being asked.
type client interface {
	// calls maps operations to what does them.
	calls() map[string]func(request, *answer) error
	// code is Kafka's number of one of the client's errors, 0 if it has none.
	code(error) int
}

// patience is how long a client may try.
const patience = 60 * time.Second

// largest is above every record that a case sends.
const largest = 64 << 20

func main() {
	bootstrap := os.Args[2]
	var c client
	switch os.Args[1] {
	case "franz-go":
		c = newFranz(bootstrap)
	case "sarama":
		c = newSarama(bootstrap)
	case "kafka-go":
		c = newKafkaGo(bootstrap)
	case "confluent-kafka-go":
		c = newConfluent(bootstrap)
	case "kcat":
		c = newKcat(bootstrap)
	}
	calls := c.calls()
	in, out := bufio.NewReaderSize(os.Stdin, 1<<16), json.NewEncoder(os.Stdout)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return
		}
		var r request
		var a answer
		if err := json.Unmarshal(line, &r); err != nil {
			panic(err)
		}
		if call := calls[r.Op]; call == nil {
			a.Error = "no such call"
		} else if err := call(r, &a); err != nil {
			a = answer{Error: err.Error(), Code: c.code(err)}
			if a.Error == "" {
				a.Error = fmt.Sprintf("%T", err)
			}
		}
		if err := out.Encode(a); err != nil {
			panic(err)
		}
	}
}
