package conf

import (
	"bufio"
	"os"
	"strings"
	"testing"
)

// kafka reads testdata/kafka-4.4.0.tsv, what Kafka's own ConfigDefs say:
// kind, name, type, default, range, importance, dynamic mode, internal.
func kafka(t *testing.T) [][]string {
	t.Helper()
	f, err := os.Open("testdata/kafka-4.4.0.tsv")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }() // read only
	var rows [][]string
	for s := bufio.NewScanner(f); s.Scan(); {
		rows = append(rows, strings.Split(s.Text(), "\t"))
	}
	return rows
}

func find(kind, name string) (*Key, bool) {
	if kind == "topic" {
		return TopicKey(name)
	}
	return BrokerKey(name)
}

// The table holds every key of Kafka 4.4.0 with its type, range and dynamic
// scope, and its default unless the key says which default of Kafka's it changes.
func TestTableIsKafkas(t *testing.T) {
	ours := map[string]bool{"process.roles": true, "node.id": true, "controller.listener.names": true}
	for _, row := range kafka(t) {
		kind, name, typ, def, text, mode, internal := row[0], row[1], row[2], row[3], row[4], row[6], row[7]
		k, ok := find(kind, name)
		if !ok {
			t.Errorf("%s key %s is missing", kind, name)
			continue
		}
		if k.Type.String() != typ {
			t.Errorf("%s: type %v, Kafka has %s", name, k.Type, typ)
		}
		got := k.Default
		if k.Null {
			got = "<null>"
		}
		if k.Kafka != "" {
			got = k.Kafka
		}
		if def = strings.ReplaceAll(def, "<none>", "<null>"); got != def && !ours[name] {
			t.Errorf("%s: default %q, Kafka has %q", name, got, def)
		}
		if text != k.Range() && text != "non-null string" {
			t.Errorf("%s: range %q, Kafka has %q", name, k.Range(), text)
		}
		want := map[string]Scope{"": ReadOnly, "per-broker": PerBroker, "cluster-wide": Cluster}[mode]
		if k.Scope != want && !fixed[name] {
			t.Errorf("%s: scope %v, Kafka has %v", name, k.Scope, want)
		}
		if (internal == "true") != k.Hidden {
			t.Errorf("%s: hidden is %v", name, k.Hidden)
		}
	}
}

// fixed are keys that Kafka changes while it runs and we read at start: they are
// refused then, not taken and ignored.
var fixed = map[string]bool{"listeners": true, "listener.security.protocol.map": true}

func TestTableIsSound(t *testing.T) {
	kafkas := map[string]bool{"super.users": true, "allow.everyone.if.no.acl.found": true}
	for _, row := range kafka(t) {
		kafkas[row[0]+" "+row[1]] = true
	}
	for kind, keys := range map[string][]Key{"topic": topicTable, "broker": brokerTable()} {
		seen := map[string]bool{}
		for i := range keys {
			k := &keys[i]
			if seen[k.Name] {
				t.Errorf("%s key %s is there twice", kind, k.Name)
			}
			seen[k.Name] = true
			if !strings.HasSuffix(k.Doc, ".") {
				t.Errorf("%s: its doc is no sentence: %q", k.Name, k.Doc)
			}
			if (k.Status == Refused) != (k.refuse != nil) {
				t.Errorf("%s: status %v and a refusal that says otherwise", k.Name, k.Status)
			}
			if !k.Null {
				if err := k.Check(k.Default); err != nil {
					t.Errorf("%s: its default: %v", k.Name, err)
				}
				if k.refuse != nil && k.refuse(k.Default) != "" {
					t.Errorf("%s: its default is refused", k.Name)
				}
			}
			if foreign := !kafkas[kind+" "+k.Name] && !kafkas[k.Name]; foreign != (k.Own || k.Legacy) && !strings.Contains(k.Name, "throttled.rate") && !strings.HasPrefix(k.Name, "replica.alter.log.dirs") {
				t.Errorf("%s %s: own %v, legacy %v, and Kafka has it: %v", kind, k.Name, k.Own, k.Legacy, !foreign)
			}
			for _, link := range k.From {
				if _, ok := BrokerKey(link.Name); !ok {
					t.Errorf("%s: its broker key %s is not there", k.Name, link.Name)
				}
			}
		}
	}
}
