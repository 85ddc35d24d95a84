package replica

import (
	"errors"
	"syscall"
	"testing"

	"github.com/brokerd/brokerd/internal/record"
	"github.com/brokerd/brokerd/internal/storage"
	"github.com/brokerd/brokerd/internal/vfs"
)

// A log directory cannot be looked into at the start. Its partitions must not
// begin anew, empty, in the other one; a topic that is made now may.
func TestADirectoryIsMissingAtTheStart(t *testing.T) {
	disk := vfs.NewFault(vfs.NewMem())
	n := startNode(t, disk)
	n.stop()
	n.dirs = []string{"d0", "d1"}
	n.boot()
	made := n.topic("t", 2, nil, self)
	where := map[string]int32{}
	for i := range int32(2) {
		p := n.partition(made, i)
		if s := n.produce(p, batch(t, 1, record.Spec{}), AcksAll); s.Err != nil {
			t.Fatal(s.Err)
		}
		where[p.Log().Dir()] = i
	}
	n.stop()

	gone := disk.Add(vfs.Rule{Op: vfs.OpList, Path: "d1", Err: syscall.EIO})
	n.register()
	n.boot()
	if p, err := n.m.Partition(made, where["d1"]); !errors.Is(err, storage.ErrDirFailed) {
		t.Errorf("a partition of the missing directory: %v %v", p, err)
	}
	if v := n.partition(made, where["d0"]).Log().View(); v.End != 1 {
		t.Errorf("the partition that is there: %+v", v)
	}
	n.partition(n.topic("later", 1, nil, self), 0)
	n.mu.Lock()
	if len(n.faults) != 1 || len(n.faults[0].Partitions) != 1 || n.faults[0].Partitions[0].Index != where["d1"] {
		t.Errorf("the controller heard %+v", n.faults)
	}
	n.mu.Unlock()
	n.stop()

	gone.Remove()
	n.register()
	n.boot()
	if v := n.partition(made, where["d1"]).Log().View(); v.End != 1 {
		t.Errorf("after the repair: %+v", v)
	}
}
