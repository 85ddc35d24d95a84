//go:build bench

package bench

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// floorVariable makes this test binary the floor: a process that makes the
// system calls of a broker and nothing else. Its value is a directory, with
// ",fsync" where an answer means that the bytes are synced.
const floorVariable = "BENCH_FLOOR"

// startFloor starts a fresh one; stop ends it and removes what it wrote.
func startFloor(t testing.TB, durability string) (s *system, stop func()) {
	t.Helper()
	dir, err := os.MkdirTemp("", "bench-floor-")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), floorVariable+"="+dir+","+durability, "GOMAXPROCS=512", "GOGC=off", "GODEBUG=asyncpreemptoff=1")
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	runtime.LockOSThread() // the signal is sent when this thread ends
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("floor: %v", err)
	}
	return &system{name: floorName, addr: strings.TrimSpace(addr), pid: cmd.Process.Pid}, func() {
		_ = cmd.Process.Kill() // nothing of it is needed any more
		_ = cmd.Wait()
		_ = os.RemoveAll(dir) // a leftover in the temporary directory harms nobody
	}
}

// floor is the state of the process.
type floor struct {
	file int
	sync bool

	mu       sync.Mutex
	end      int64 // next free byte
	reserved int64
	written  int64 // rounds of writes asked for a sync, and served
	served   int64
	syncing  bool
	synced   *sync.Cond
}

const (
	floorBuffer  = 4 << 20
	floorRead    = 256 << 10
	floorReserve = 64 << 20
	floorAnswer  = 60
)

// runFloor never returns. Descriptors block, each connection has a thread, and its
// calls bypass Go's scheduler: the kernel alone decides when it runs. [Through the
// scheduler the floor costs more than brokerd, which blocks in epoll only.]
func runFloor(arg string) {
	dir, durability, _ := strings.Cut(arg, ",")
	file, err := unix.Open(filepath.Join(dir, "log"), unix.O_RDWR|unix.O_CREAT, 0o600)
	exitOn(err)
	f := &floor{file: file, sync: durability == "fsync"}
	f.synced = sync.NewCond(&f.mu)
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	exitOn(err)
	exitOn(unix.Bind(s, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	exitOn(unix.Listen(s, 1024))
	name, err := unix.Getsockname(s)
	exitOn(err)
	fmt.Printf("127.0.0.1:%d\n", name.(*unix.SockaddrInet4).Port)
	for {
		c, _, err := unix.Accept(s)
		if err == unix.EINTR {
			continue
		}
		exitOn(err)
		_ = unix.SetsockoptInt(c, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1) // loopback works without
		go f.serve(c)
	}
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "floor:", err)
		os.Exit(1)
	}
}

// serve answers one connection: whatever whole frames have come are written by
// one call and answered by one.
func (f *floor) serve(c int) {
	runtime.LockOSThread()
	defer unix.Close(c)
	buf, answers := make([]byte, floorBuffer), make([]byte, 0, 64<<10)
	at := int64(0) // of a reader
	for have := 0; ; {
		n, err := call(unix.SYS_READ, c, buf[have:min(len(buf), have+floorRead)], 0)
		if err == unix.EINTR {
			continue
		}
		if err != 0 || n == 0 {
			return
		}
		have += n
		end := 0
		answers = answers[:0]
		for have-end >= 8 {
			size := 4 + int(binary.BigEndian.Uint32(buf[end:]))
			if end+size > have {
				break
			}
			if binary.BigEndian.Uint16(buf[end+4:]) == 1 {
				end += size
				at = f.send(c, at, 1<<20)
				continue
			}
			end += size
			answers = binary.BigEndian.AppendUint32(answers, floorAnswer-4)
			answers = append(answers, make([]byte, floorAnswer-4)...)
		}
		if len(answers) > 0 {
			f.append(buf[:end])
			if _, err := call(unix.SYS_WRITE, c, answers, 0); err != 0 {
				return // the driver is gone
			}
		}
		have = copy(buf, buf[end:have])
	}
}

// call makes a system call on bytes, unseen by Go's scheduler.
func call(number uintptr, fd int, p []byte, at int64) (int, syscall.Errno) {
	n, _, err := unix.RawSyscall6(number, uintptr(fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)), uintptr(at), 0, 0)
	return int(n), err
}

// append writes p at the end of the file, and waits for the sync if that is asked.
func (f *floor) append(p []byte) {
	f.mu.Lock()
	at := f.end
	f.end += int64(len(p))
	if f.end > f.reserved {
		exitOn(unix.Fallocate(f.file, unix.FALLOC_FL_KEEP_SIZE, f.reserved, floorReserve))
		f.reserved += floorReserve
	}
	f.mu.Unlock()
	if n, err := call(unix.SYS_PWRITE64, f.file, p, at); err != 0 || n < len(p) {
		exitOn(fmt.Errorf("append: %d of %d bytes: %w", n, len(p), err))
	}
	if f.sync {
		f.commit()
	}
}

// commit is a group commit: one syncs for all who have written before.
func (f *floor) commit() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.written++
	for mine := f.written; f.served < mine; {
		if f.syncing {
			f.synced.Wait()
			continue
		}
		f.syncing = true
		upTo := f.written
		f.mu.Unlock()
		err := unix.Fdatasync(f.file)
		f.mu.Lock()
		exitOn(err)
		f.syncing, f.served = false, max(f.served, upTo)
		f.synced.Broadcast()
	}
}

// send answers a fetch with n bytes of the file from at, and gives what is next.
func (f *floor) send(c int, at int64, n int) int64 {
	f.mu.Lock()
	if at+int64(n) > f.end {
		at = 0
	}
	f.mu.Unlock()
	var head [8]byte
	binary.BigEndian.PutUint32(head[:], uint32(4+n))
	exitOn(unix.Sendto(c, head[:], unix.MSG_MORE, nil))
	off := at
	for n > 0 {
		sent, err := unix.Sendfile(c, f.file, &off, n)
		if err == unix.EINTR {
			continue
		}
		exitOn(err)
		n -= sent
	}
	return off
}
