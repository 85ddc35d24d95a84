//go:build cluster

package cluster

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"runtime"
	"strings"
	"testing"
)

// long is what takes more than 15 seconds on two quiet processors, the longest
// first: a slice has about as much of it as the next one.
var long = []func(*testing.T){TestUpgrade, TestSnapshotInstall, TestGroupsOutliveRolls, TestGrowAndShrink}

var slice = flag.String("slice", "0/1", "K/N: of the long tests only every Nth, from the Kth on, K from 0")

func TestMain(m *testing.M) {
	flag.Parse()
	skip, err := skipped(*slice)
	if err == nil && len(skip) > 0 {
		err = flag.Set("test.skip", "^("+strings.Join(skip, "|")+")$")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	os.Exit(m.Run())
}

// skipped is which long tests are not in a slice; it prints which are.
func skipped(slice string) (skip []string, err error) {
	var k, of int
	if n, err := fmt.Sscanf(slice, "%d/%d", &k, &of); n != 2 || err != nil || k < 0 || k >= of {
		return nil, fmt.Errorf("-slice %s: write it as 0/3, 1/3 or 2/3", slice)
	}
	var take []string
	for i, f := range long {
		name := runtime.FuncForPC(reflect.ValueOf(f).Pointer()).Name()
		name = name[strings.LastIndex(name, ".")+1:]
		if i%of == k {
			take = append(take, name)
		} else {
			skip = append(skip, name)
		}
	}
	if len(skip) > 0 {
		fmt.Printf("long tests of slice %s: %s; not: %s\n", slice, strings.Join(take, " "), strings.Join(skip, " "))
	}
	return skip, nil
}
