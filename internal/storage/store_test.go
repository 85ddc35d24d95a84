package storage

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brokerd/brokerd/internal/step"
	"github.com/brokerd/brokerd/internal/vfs"
)

// spy counts what is asked of files, by path.
type spy struct {
	vfs.FS
	mu  sync.Mutex
	ops []string
}

func (s *spy) note(op, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ops = append(s.ops, op+" "+name)
}

func (s *spy) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.ops
	s.ops = nil
	return out
}

func (s *spy) Open(name string, mode vfs.Mode) (vfs.File, error) {
	s.note("open", name)
	return s.FS.Open(name, mode)
}

func (s *spy) List(dir string) ([]string, error) {
	s.note("list", dir)
	return s.FS.List(dir)
}

// TestColdLogsAreNotTouched: after a clean stop a start reads the checkpoint and
// the directory, and no file of any log until it is used.
func TestColdLogsAreNotTouched(t *testing.T) {
	mem := vfs.NewMem()
	s := openStore(t, mem)
	for i := range int32(50) {
		l := led(t, s, i, testConfig())
		for range 10 {
			mustAppend(t, l, 1, batch(t, 3, 50, 1000))
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	eye := &spy{FS: mem}
	s = openStore(t, eye)
	for _, op := range eye.take() {
		if strings.Contains(op, "orders-") {
			t.Errorf("%s at the start", op)
		}
	}
	if !s.WasClean() || len(s.Found()) != 50 || s.Found()[0].Bytes == 0 {
		t.Errorf("clean %v, %+v", s.WasClean(), s.Found())
	}
	l := openLog(t, s, 7, testConfig())
	if l.View().End != 30 {
		t.Errorf("%+v", l.View())
	}
	for _, op := range eye.take() {
		if !strings.Contains(op, "orders-7") {
			t.Errorf("%s for another log", op)
		}
	}
}

// TestNoFilesBeforeTheFirstAppend: leading and reading an empty log makes none.
func TestNoFilesBeforeTheFirstAppend(t *testing.T) {
	mem := vfs.NewMem()
	s := openStore(t, mem)
	l := led(t, s, 0, testConfig())
	if r, err := l.Read(ReadSpec{MaxBytes: 1}); err != nil || r.Len() != 0 {
		t.Error(err)
	}
	if at, err := l.MaxTimestamp(0); err != nil || at != nowhere {
		t.Error(at, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if names, err := mem.List("/d"); err != nil || len(names) != 1 {
		t.Errorf("%v, %v", names, err)
	}
}

func twoDirs(o *Options) { o.Dirs = []string{"/d", "/e"} }

// TestDirectoryFails is S3: one failed sync is final for its directory, and only for that.
func TestDirectoryFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := vfs.NewMem()
		fault := vfs.NewFault(mem)
		var mu sync.Mutex
		var failed []string
		told := map[string]int64{}
		s := openStore(t, fault, twoDirs, func(o *Options) {
			o.DirFailed = func(dir string, err error) {
				mu.Lock()
				defer mu.Unlock()
				failed = append(failed, dir)
			}
			o.Flushed = func(fs []Flushed) {
				mu.Lock()
				defer mu.Unlock()
				for _, f := range fs {
					told[f.Log.Dir()] = f.End
				}
			}
		})
		a, b := led(t, s, 0, testConfig()), led(t, s, 1, testConfig())
		if a.Dir() == b.Dir() {
			t.Fatal("both in one directory")
		}
		mustAppend(t, a, 1, batch(t, 1, 5, 1))
		mustAppend(t, b, 1, batch(t, 1, 5, 1))
		synctest.Wait()
		fault.Add(vfs.Rule{Op: vfs.OpSync, Path: a.Dir() + "/*/*.log", Times: 1, Err: syscall.EIO})
		mustAppend(t, a, 1, batch(t, 1, 5, 1))
		mustAppend(t, b, 1, batch(t, 1, 5, 1))
		synctest.Wait()
		if _, err := a.Append(1, batch(t, 1, 5, 1)); !errors.Is(err, ErrDirFailed) || !errors.Is(err, syscall.EIO) {
			t.Errorf("append: %v", err)
		}
		if _, err := a.Read(ReadSpec{MaxBytes: 1}); !errors.Is(err, ErrDirFailed) {
			t.Errorf("read: %v", err)
		}
		mustAppend(t, b, 1, batch(t, 1, 5, 1))
		synctest.Wait()
		mu.Lock()
		if len(failed) != 1 || failed[0] != a.Dir() || told[a.Dir()] != 1 || told[b.Dir()] != 3 {
			t.Errorf("failed %v, told %v", failed, told)
		}
		mu.Unlock()
		if l, err := s.Log(testID(9), "orders", testConfig()); err != nil || l.Dir() != b.Dir() {
			t.Errorf("a new log: %v", err)
		}
		for _, d := range s.Dirs() {
			if (d.Err != nil) != (d.Path == a.Dir()) {
				t.Errorf("%+v", d)
			}
		}
		if err := s.Close(); !errors.Is(err, ErrDirFailed) {
			t.Errorf("close: %v", err)
		}
	})
}

// TestDiskFull is S8: refused while there is little space, served again without a restart.
func TestDiskFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := vfs.NewMem()
		mem.SetCapacity(leastFree + 1<<20)
		told := 0
		s := openStore(t, mem, func(o *Options) { o.Filled = func() { told++ } })
		l := led(t, s, 0, defaultConfig)
		var err error
		n := 0
		for ; n < 100 && err == nil; n++ {
			_, err = l.Append(1, batch(t, 1, 100<<10, 1))
			time.Sleep(askEvery)
		}
		if !errors.Is(err, ErrDiskFull) || n < 5 || !s.Dirs()[0].Full {
			t.Fatalf("after %d: %v", n, err)
		}
		if _, err := l.DeleteBefore(0); err != nil {
			t.Errorf("delete records: %v", err)
		}
		if full := s.FullDirs(); !slices.Equal(full, []string{"/d"}) || told != 1 {
			t.Errorf("full are %v, told %d times", full, told)
		}
		mem.SetCapacity(leastFree + leastFree/5) // enough not to become full, too little to be so no more
		time.Sleep(askEvery)
		if _, err := l.Append(1, batch(t, 1, 100, 1)); !errors.Is(err, ErrDiskFull) {
			t.Errorf("a little was freed: %v", err)
		}
		mem.SetCapacity(2 * leastFree)
		time.Sleep(askEvery)
		if full := s.FullDirs(); full != nil || told != 2 { // nobody has to append for that
			t.Errorf("full are %v, told %d times", full, told)
		}
		mustAppend(t, l, 1, batch(t, 1, 100, 1))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestPlaceWithRoom: a new log goes where there is room, and only then where fewest are.
func TestPlaceWithRoom(t *testing.T) {
	mem := vfs.NewMem()
	if err := mem.MkdirAll("/e"); err != nil {
		t.Fatal(err)
	}
	s := openStore(t, mem, twoDirs)
	in := func(n int32) string { return led(t, s, n, defaultConfig).Dir() }
	s.dirs[0].setFull(true)
	if a, b := in(0), in(1); a != "/e" || b != "/e" {
		t.Errorf("beside a full directory: %s and %s", a, b)
	}
	s.dirs[1].setFull(true)
	if d := in(2); d != "/d" {
		t.Errorf("where all are full: %s", d)
	}
	s.dirs[0].setFull(false)
	s.dirs[1].setFull(false)
	if d := in(3); d != "/d" {
		t.Errorf("where all have room: %s", d)
	}
}

// TestFewOpenFiles: a handful of descriptors serve many segments, and none with
// unsynced bytes is closed (I6).
func TestFewOpenFiles(t *testing.T) {
	mem := vfs.NewMem()
	s := openStore(t, mem, func(o *Options) { o.MaxOpenFiles = 4 })
	var logs []*Log
	for i := range int32(6) {
		logs = append(logs, led(t, s, i, testConfig()))
	}
	for i := range 300 {
		mustAppend(t, logs[i%6], 1, batch(t, 1, 100, int64(i)))
	}
	for _, l := range logs {
		if !l.home().flusher.await(l, l.View().End) {
			t.Fatal("not durable")
		}
	}
	held, err := logs[0].Read(ReadSpec{Limit: 50, MaxBytes: 100, FirstWhole: true})
	if err != nil {
		t.Fatal(err)
	}
	want, err := held.ReadAll(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range logs {
		if l.Segments() < 3 || len(readAll(t, l, 0)) != 50 {
			t.Errorf("%d segments", l.Segments())
		}
	}
	if n := len(s.files.ring); n > 4 {
		t.Errorf("%d files open", n)
	}
	if got, err := held.ReadAll(nil); err != nil || string(got) != string(want) {
		t.Errorf("a held range: %v", err)
	}
	held.Release()
	held.Release()
}

func TestDeleteAndRecreate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := vfs.NewMem()
		s := openStore(t, mem)
		topic := strings.Repeat("t", 245)
		l, err := s.Log(testID(0), topic, testConfig())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.Lead(1); err != nil {
			t.Fatal(err)
		}
		mustAppend(t, l, 1, batch(t, 1, 5, 1))
		held, err := l.Read(ReadSpec{Limit: 1, MaxBytes: 1000})
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Delete(time.Minute); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Append(1, batch(t, 1, 5, 1)); !errors.Is(err, ErrDeleted) {
			t.Errorf("append: %v", err)
		}
		other := step.PartitionID{Topic: step.TopicID{9}, Index: 0}
		again, err := s.Log(other, topic, testConfig())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := again.Lead(0); err != nil {
			t.Fatal(err)
		}
		mustAppend(t, again, 0, batch(t, 2, 5, 1))
		names, err := mem.List("/d")
		if err != nil || len(names) != 3 {
			t.Fatalf("%v, %v", names, err)
		}
		for _, n := range names {
			if strings.HasSuffix(n, "-delete") && (len(n) != 255 || !strings.HasPrefix(n, "ttt") || !strings.Contains(n, "-0.")) {
				t.Errorf("%q has %d bytes", n, len(n))
			}
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if names, err := mem.List("/d"); err != nil || len(names) != 2 {
			t.Errorf("%v, %v", names, err)
		}
		if p, err := held.ReadAll(nil); err != nil || len(p) == 0 {
			t.Errorf("who reads it reads on: %v", err)
		}
		held.Release()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestStrays are set aside, never deleted (D11).
func TestStrays(t *testing.T) {
	mem := vfs.NewMem()
	s := openStore(t, mem)
	mustAppend(t, led(t, s, 0, testConfig()), 1, batch(t, 1, 5, 1))
	mustAppend(t, led(t, s, 1, testConfig()), 1, batch(t, 1, 5, 1))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, mem)
	if err := s.Quarantine(testID(0)); err != nil {
		t.Fatal(err)
	}
	if l := openLog(t, s, 0, testConfig()); l.View().End != 0 {
		t.Errorf("%+v", l.View())
	}
	// A directory that says it is of another topic makes room for ours.
	foreign, err := s.Log(step.PartitionID{Topic: step.TopicID{8}, Index: 1}, "orders", testConfig())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := foreign.Lead(0); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, foreign, 0, batch(t, 1, 5, 1))
	names, err := mem.List("/d")
	strays := 0
	for _, n := range names {
		if isParked(n, parkedStray) {
			files, err := mem.List("/d/" + n)
			if err != nil || len(files) < 2 {
				t.Errorf("%s has %v, %v", n, files, err)
			}
			strays++
		}
	}
	if err != nil || strays != 2 {
		t.Errorf("%v, %v", names, err)
	}
}

// TestRetention by time and by size; the LSO bounds it (P7), files go after the delay.
func TestRetention(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := vfs.NewMem()
		s := openStore(t, mem, func(o *Options) { o.RetentionInterval = time.Minute })
		c := testConfig()
		c.Delete, c.RetentionAge, c.FileDeleteDelay = true, time.Hour, 30*time.Second
		l := led(t, s, 0, c)
		for range 60 {
			mustAppend(t, l, 1, batch(t, 1, 100, time.Now().UnixMilli()))
			time.Sleep(time.Second)
		}
		time.Sleep(2 * time.Hour)
		if l.View().Start != 0 {
			t.Error("nothing is committed, something went")
		}
		mustAppend(t, l, 1, idempotent(t, 0, 0, 1, true))
		l.Commit(l.View().End)
		time.Sleep(61 * time.Second)
		synctest.Wait()
		if v := l.View(); v.Start == 0 || v.Start > 60 {
			t.Errorf("the transaction at 60 is open: %+v", v)
		}
		mustAppend(t, l, 1, marker(t, 0, true, 0))
		l.Commit(l.View().End)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if v := l.View(); v.Start != 62 || l.Segments() != 1 || l.Size() != 0 {
			t.Errorf("all has expired: %+v, %d segments", v, l.Segments())
		}
		files, err := mem.List("/d/orders-0")
		logs := 0
		for _, f := range files {
			if strings.Contains(f, logSuffix) {
				logs++
			}
		}
		if err != nil || logs != 1 {
			t.Errorf("%v, %v", files, err)
		}
		c.RetentionAge, c.RetentionBytes = -1, 5000
		l.SetConfig(c)
		for range 100 {
			mustAppend(t, l, 1, batch(t, 1, 100, time.Now().UnixMilli()))
		}
		synctest.Wait()
		l.Commit(l.View().End)
		time.Sleep(61 * time.Second)
		synctest.Wait()
		if n := l.Size(); n < 5000 || n > 7000 {
			t.Errorf("%d bytes are left", n)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestColdRetention: a log that nobody used since the start is looked after too.
func TestColdRetention(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := vfs.NewMem()
		c := testConfig()
		c.Delete, c.RetentionAge = true, time.Hour
		s := openStore(t, mem)
		l := led(t, s, 0, c)
		for range 60 {
			mustAppend(t, l, 1, batch(t, 1, 100, time.Now().UnixMilli()))
		}
		l.Commit(l.View().End)
		synctest.Wait()
		l.Commit(l.View().End)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = openStore(t, mem, func(o *Options) {
			o.RetentionInterval = time.Minute
			o.ConfigOf = func(step.PartitionID) (Config, bool) { return c, true }
		})
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		s.mu.Lock()
		l = s.logs[testID(0)]
		s.mu.Unlock()
		if l == nil || l.View().Start != 60 {
			t.Errorf("%+v", l)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
