package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
)

// kcat runs a program per operation.
type kcat struct {
	bootstrap string
	topic     string
	next      map[int32]string // where each partition of the open reader goes on
	member    *kcatMember      // nil outside of groups
}

func newKcat(bootstrap string) client { return &kcat{bootstrap: bootstrap} }

// kcatError is what kcat printed.
type kcatError string

func (e kcatError) Error() string { return string(e) }

// code reads librdkafka's words, for kcat prints no numbers.
func (*kcat) code(err error) int {
	for words, code := range map[string]int{"Message size too large": 10, "Unknown topic or partition": 3} {
		if strings.Contains(err.Error(), words) {
			return code
		}
	}
	return 0
}

func (k *kcat) calls() map[string]func(request, *answer) error {
	return map[string]func(request, *answer) error{
		"describe": k.describe, "list": k.list, "produce": k.produce, "offset": k.offset,
		"open": k.open, "poll": k.poll, "close": k.close,
		"join": k.join, "commit": func(request, *answer) error { return nil },
	}
}

func (k *kcat) run(ctx context.Context, stdin []byte, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "kcat", append([]string{"-b", k.bootstrap}, args...)...)
	cmd.Stdin = bytes.NewReader(stdin)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return out, kcatError(fmt.Sprintf("%v: %s", err, errs.String()))
	}
	return out, nil
}

// metadata is what kcat -L -J prints.
type metadata struct {
	Topics []struct {
		Topic      string
		Error      string
		Partitions []struct {
			Partition, Leader int32
			Replicas, Isrs    []struct{ ID int32 }
		}
	}
}

func (k *kcat) metadata(args ...string) (m metadata, err error) {
	ctx, cancel := within()
	defer cancel()
	out, err := k.run(ctx, nil, append([]string{"-L", "-J", "-X", "allow.auto.create.topics=false"}, args...)...)
	if err != nil {
		return m, err
	}
	return m, json.Unmarshal(out, &m)
}

func (k *kcat) describe(r request, a *answer) error {
	m, err := k.metadata("-t", r.Topic)
	if err != nil {
		return err
	}
	if m.Topics[0].Error != "" {
		return kcatError(m.Topics[0].Error)
	}
	for _, p := range m.Topics[0].Partitions {
		l := layout{Partition: p.Partition, Leader: p.Leader}
		for _, r := range p.Replicas {
			l.Replicas = append(l.Replicas, r.ID)
		}
		for _, r := range p.Isrs {
			l.ISR = append(l.ISR, r.ID)
		}
		a.Layout = append(a.Layout, l)
	}
	return nil
}

func (k *kcat) list(_ request, a *answer) error {
	m, err := k.metadata()
	for _, t := range m.Topics {
		a.Topics = append(a.Topics, t.Topic)
	}
	return err
}

// produce runs kcat once per partition, and once more for each record that has
// headers or no value: these are arguments. kcat tells no offsets.
func (k *kcat) produce(r request, _ *answer) error {
	batches := map[string][]record{}
	var order []string
	for i, x := range r.Records {
		id := fmt.Sprint(x.Partition)
		if x.Headers != nil || x.Value == nil {
			id = fmt.Sprint(x.Partition, "#", i)
		}
		if batches[id] == nil {
			order = append(order, id)
		}
		batches[id] = append(batches[id], x)
	}
	for _, id := range order {
		if err := k.send(r, batches[id]); err != nil {
			return err
		}
	}
	return nil
}

// Separators that no record of a case contains.
const keyEnd, recordEnd = "<:key:>", "<:record:>"

func (k *kcat) send(r request, records []record) error {
	ctx, cancel := within()
	defer cancel()
	var in bytes.Buffer
	for i, x := range records {
		if i > 0 {
			in.WriteString(recordEnd)
		}
		if x.Key != nil {
			in.Write(x.Key)
			in.WriteString(keyEnd)
		}
		in.Write(x.Value)
	}
	args := []string{"-P", "-t", r.Topic, "-p", fmt.Sprint(records[0].Partition), "-K", keyEnd, "-D", recordEnd, "-z", r.Codec,
		"-X", "acks=" + r.Acks, "-X", fmt.Sprint("enable.idempotence=", r.Idempotent), "-X", fmt.Sprint("message.max.bytes=", largest),
		"-X", fmt.Sprint("message.timeout.ms=", patience.Milliseconds())}
	if records[0].Value == nil {
		args = append(args, "-Z")
	}
	for _, h := range records[0].Headers {
		if h.Value == nil {
			args = append(args, "-H", h.Key)
		} else {
			args = append(args, "-H", h.Key+"="+string(h.Value))
		}
	}
	_, err := k.run(ctx, in.Bytes(), args...)
	return err
}

func (k *kcat) offset(r request, a *answer) error {
	ctx, cancel := within()
	defer cancel()
	at := map[string]string{"start": "-2", "end": "-1", "time": fmt.Sprint(r.At.N)}[r.At.At]
	out, err := k.run(ctx, nil, "-Q", "-t", fmt.Sprintf("%s:%d:%s", r.Topic, r.At.Partition, at))
	if err != nil {
		return err
	}
	// "topic [0] offset 7"
	words := strings.Fields(string(out))
	if len(words) == 0 {
		return errors.New("kcat -Q printed nothing")
	}
	a.Offset, err = strconv.ParseInt(words[len(words)-1], 10, 64)
	return err
}

func (k *kcat) open(r request, _ *answer) error {
	k.topic, k.next = r.Topic, map[int32]string{}
	for _, p := range r.From {
		switch p.At {
		case "start":
			k.next[p.Partition] = "beginning"
		case "end":
			var a answer
			if err := k.offset(request{Topic: r.Topic, At: p}, &a); err != nil {
				return err
			}
			k.next[p.Partition] = fmt.Sprint(a.Offset)
		case "offset":
			k.next[p.Partition] = fmt.Sprint(p.N)
		case "time":
			k.next[p.Partition] = fmt.Sprint("s@", p.N)
		}
	}
	return nil
}

// poll reads what each partition has, to its end.
func (k *kcat) poll(r request, a *answer) error {
	if m := k.member; m != nil {
		err := m.poll(r, a)
		if err != nil {
			k.member = nil
			err = errors.Join(err, m.cmd.Wait())
		}
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), r.timeout())
	defer cancel()
	for partition, from := range k.next {
		out, err := k.run(ctx, nil, "-C", "-q", "-e", "-t", k.topic, "-p", fmt.Sprint(partition), "-o", from,
			"-X", fmt.Sprint("fetch.message.max.bytes=", largest), "-X", fmt.Sprint("fetch.max.bytes=", 2*largest),
			"-X", fmt.Sprint("receive.message.max.bytes=", 2*largest+1024), "-f", "%o %T %K %S %h\n%k%s\n")
		if err != nil {
			return err
		}
		records, err := parse(partition, out)
		if err != nil {
			return err
		}
		a.Records = append(a.Records, records...)
		if len(records) > 0 {
			k.next[partition] = fmt.Sprint(records[len(records)-1].Offset + 1)
		}
	}
	return nil
}

// parse reads what the format of poll printed: a line with offset, timestamp,
// the lengths of key and value (-1 is null) and headers, then key and value.
func parse(partition int32, out []byte) (records []record, err error) {
	for len(out) > 0 {
		line, rest, _ := bytes.Cut(out, []byte("\n"))
		x := record{Partition: partition}
		var key, value int
		if _, err := fmt.Sscanf(string(line), "%d %d %d %d", &x.Offset, &x.Timestamp, &key, &value); err != nil {
			return nil, fmt.Errorf("kcat printed %.100q: %w", line, err)
		}
		if words := bytes.SplitN(line, []byte(" "), 5); len(words[4]) > 0 {
			for _, h := range strings.Split(string(words[4]), ",") {
				name, v, _ := strings.Cut(h, "=")
				x.Headers = append(x.Headers, header{name, []byte(v)})
				if v == "NULL" {
					x.Headers[len(x.Headers)-1].Value = nil
				}
			}
		}
		if len(rest) < max(key, 0)+max(value, 0)+1 {
			return nil, fmt.Errorf("kcat printed less than %d bytes of offset %d", key+value, x.Offset)
		}
		if key >= 0 {
			x.Key, rest = rest[:key], rest[key:]
		}
		if value >= 0 {
			x.Value, rest = rest[:value], rest[value:]
		}
		records, out = append(records, x), rest[1:]
	}
	return records, nil
}
