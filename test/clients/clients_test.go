//go:build clients

package clients

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/brokerd/brokerd/test/harness"
)

// choice is what of the matrix is run, from the environment.
type choice struct {
	client, kase *regexp.Regexp
	part, of     int // SLICE=part/of
	kafka        bool
}

func choose(t *testing.T) choice {
	c := choice{part: 0, of: 1, kafka: os.Getenv("AGAINST") == "kafka"}
	var err1, err2 error
	c.client, err1 = regexp.Compile(os.Getenv("CLIENT"))
	c.kase, err2 = regexp.Compile(os.Getenv("CASE"))
	if err := errors.Join(err1, err2); err != nil {
		t.Fatalf("CLIENT and CASE are regular expressions: %v", err)
	}
	if s := os.Getenv("SLICE"); s != "" {
		if n, err := fmt.Sscanf(s, "%d/%d", &c.part, &c.of); n != 2 || err != nil || c.part < 0 || c.part >= c.of {
			t.Fatalf("SLICE=%s: write it as 0/3, 1/3 or 2/3", s)
		}
	}
	return c
}

func (c choice) clients() []Client {
	var chosen []Client
	for i, x := range Clients {
		if c.client.MatchString(x.ID()) && i%c.of == c.part && !(c.kafka && x.unserved) {
			chosen = append(chosen, x)
		}
	}
	return chosen
}

// whole is whether nothing was left out: only then the page is written.
func (c choice) whole() bool { return len(c.clients()) == len(Clients) && c.kase.String() == "" }

func TestClients(t *testing.T) {
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	chosen, results := choose(t), &matrix{}
	if chosen.of > 1 {
		t.Logf("slice %d of %d", chosen.part, chosen.of)
	}
	t.Run("all", func(t *testing.T) {
		for _, c := range chosen.clients() {
			t.Run(c.ID(), func(t *testing.T) {
				t.Parallel()
				askClient(t, root, c, chosen, results)
			})
		}
	})
	results.print(os.Stdout, chosen.clients()) // seen when it fails; make prints the file
	var drawn bytes.Buffer
	results.print(&drawn, chosen.clients())
	if err := os.WriteFile(filepath.Join(root, ".cache", "clients", "matrix.txt"), drawn.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	if !chosen.whole() || t.Failed() {
		return
	}
	page, err := os.Create(filepath.Join(root, "docs", "compatibility.md"))
	if err != nil {
		t.Fatal(err)
	}
	results.page(page)
	if err := page.Close(); err != nil {
		t.Fatal(err)
	}
}

// askClient takes one client through the cases, with a node of its own.
func askClient(t *testing.T, root string, c Client, chosen choice, results *matrix) {
	broker := startNode(t, root, chosen.kafka)
	all := &crew{argv: c.argv(here(root), filepath.Join(root, ".cache", "clients"), broker.Addr())}
	t.Cleanup(all.end)
	for _, k := range Cases {
		if !chosen.kase.MatchString(k.ID) {
			continue
		}
		t.Run(k.ID, func(t *testing.T) {
			topic := "case-" + k.ID
			ask := func() error {
				ctx, cancel := context.WithTimeout(t.Context(), 2*caseLimit)
				defer cancel()
				first, err := all.hire()
				if err != nil {
					return err
				}
				return k.run(&scene{ctx: ctx, topic: topic, ask: first, crew: all, node: broker})
			}
			v, why := judge(c, k, chosen.kafka, ask)
			all.rest(v == fail)
			known := c.unsteady.of(k)
			for tries := 0; v == fail && known && c.unsteady.says.MatchString(why) && tries < 2; tries++ {
				results.again(c.ID(), k.ID, why)
				topic += "-again"
				v, why = judge(c, k, chosen.kafka, ask)
				all.rest(v == fail)
			}
			if v == pass && known {
				why = c.unsteady.why
			}
			results.set(c.ID(), k.ID, v, why)
			if v == fail {
				t.Error(why)
			}
		})
	}
}

// judge asks for one case, or says why it need not be asked.
func judge(c Client, k Case, kafka bool, ask func() error) (verdict, string) {
	if why := c.lack(k); why != "" {
		return cannot, why
	}
	known := c.kafkaToo[k.ID]
	if known != "" && !kafka {
		return cannot, known + " The same against Apache Kafka 4.4.0."
	}
	err := ask()
	switch {
	case err == nil && known != "":
		return fail, "passes against Kafka: take it out of the table, which says: " + known
	case err == nil:
		return pass, ""
	case known != "":
		return cannot, known
	case kafka && c.kafkaOnly[k.ID] != "":
		return cannot, c.kafkaOnly[k.ID]
	}
	return fail, err.Error()
}
