package meta

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write the histories of testdata/applied anew: only while no release has what they hold")

// TestAppliedAsEver applies a history of each level that is written down, and holds the
// images against those that it gave when it was. Nodes of two programs apply the same
// entries: whoever changes what a command does gives it one more version, and keeps the
// old one doing what it did (doc.go, Growth).
func TestAppliedAsEver(t *testing.T) {
	for level := MinLevel; level <= MaxLevel; level++ {
		t.Run(fmt.Sprint("level ", level), func(t *testing.T) {
			file := fmt.Sprintf("testdata/applied/level%d.txt", level)
			if *rewrite {
				if err := os.WriteFile(file, written(t, level), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			p, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			im, at := New(), uint64(0)
			for lines := bufio.NewScanner(bytes.NewReader(p)); lines.Scan(); {
				switch line := lines.Text(); {
				case strings.HasPrefix(line, "#"):
				case strings.HasPrefix(line, "= "):
					if got := sumOf(t, im); got != line[2:] {
						t.Fatalf("the image after %d entries is another one than it was: a command of level %d does something else", at, level)
					}
				default:
					entry, err := hex.DecodeString(line)
					if err != nil {
						t.Fatal(err)
					}
					at++
					im, _, _ = Apply(im, at, DecodeEntry(entry))
				}
			}
			if at < 100 {
				t.Fatalf("%d entries in %s", at, file)
			}
		})
	}
}

func sumOf(t *testing.T, im *Image) string {
	sum := sha256.Sum256(snapshotOf(t, im))
	return hex.EncodeToString(sum[:8])
}

// written makes a history: the random ones of TestRandomHistories, without what is large
// or what the level does not know.
func written(t *testing.T, level int16) []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out, "# entries of a cluster at level %d, and (=) a sum of the image's snapshot after them\n", level)
	h := &history{t: t, rng: rand.New(rand.NewPCG(uint64(level), 5)), c: &cluster{t: t, im: New()}}
	apply := func(c Command) {
		if CheckLevel(c, level) != nil {
			return
		}
		entry := AppendCommand(EntryHeader(), c, level)
		if len(entry) > 400 {
			return
		}
		h.c.at++
		h.c.im, _, _ = Apply(h.c.im, h.c.at, DecodeEntry(entry))
		fmt.Fprintf(&out, "%x\n", entry)
	}
	apply(Bootstrap{ClusterID: "here", Level: level})
	for _, id := range []int32{1, 2, 3} {
		apply(h.c.registration(id))
		b, _ := h.c.im.Broker(id)
		apply(SetBrokerState{id, b.Epoch, Active})
	}
	for h.c.at < 200 {
		apply(h.command())
		if h.c.at%20 == 0 {
			fmt.Fprintf(&out, "= %s\n", sumOf(t, h.c.im))
		}
	}
	return out.Bytes()
}
