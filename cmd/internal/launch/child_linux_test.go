package launch

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The test binary is also the parent that gets killed.
func TestMain(m *testing.M) {
	if os.Getenv("LAUNCH_TEST_PARENT") != "" {
		parent()
	}
	os.Exit(m.Run())
}

// parent starts one child, says its pid, and waits for the end of the world.
func parent() {
	child, err := Start(exec.Command("sleep", "600"), syscall.SIGKILL)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(child.Pid())
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

func TestChildDiesWithKilledParent(t *testing.T) {
	t.Parallel()
	for _, signal := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM, syscall.SIGINT} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), "LAUNCH_TEST_PARENT=1")
			stdin, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			defer stdin.Close()
			stdout, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			line, err := bufio.NewReader(stdout).ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			pid, err := strconv.Atoi(strings.TrimSpace(line))
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait() // killed, as intended
			awaitGone(t, pid)
		})
	}
}

// The thread that forked must live as long as the child: with goroutines coming and going on locked threads, an
// unpinned start would lose its child to the death of a thread.
func TestChildSurvivesThreads(t *testing.T) {
	t.Parallel()
	child, err := Start(exec.Command("sleep", "600"), syscall.SIGKILL)
	if err != nil {
		t.Fatal(err)
	}
	defer child.Stop()
	for range 50 {
		done := make(chan struct{})
		go lockAndExit(done)
		<-done
	}
	select {
	case <-child.Done():
		t.Errorf("the child ended: %v", child.Wait())
	default:
	}
}

func TestStop(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		script string
		want   syscall.Signal
	}{
		"polite":   {"echo; exec sleep 600", syscall.SIGTERM},
		"stubborn": {"trap '' TERM; echo; while :; do sleep 0.05; done", syscall.SIGKILL},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ready, writer := io.Pipe()
			cmd := exec.Command("sh", "-c", tc.script)
			cmd.Stdout = writer
			child, err := Start(cmd, syscall.SIGKILL)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := bufio.NewReader(ready).ReadString('\n'); err != nil {
				t.Fatal(err)
			}
			child.Stop(Step{syscall.SIGTERM, 300 * time.Millisecond})
			exit := (*exec.ExitError)(nil)
			if err := child.Wait(); !errors.As(err, &exit) && !errors.Is(err, exec.ErrWaitDelay) {
				t.Fatalf("ended with %v", err)
			}
			if exit != nil && exit.Sys().(syscall.WaitStatus).Signal() != tc.want {
				t.Errorf("ended with %v, want %v", exit, tc.want)
			}
			if err := child.Signal(syscall.SIGTERM); err != nil {
				t.Errorf("signal to a child that has ended: %v", err)
			}
			awaitGone(t, child.Pid())
		})
	}
}

func TestStartUnknownProgram(t *testing.T) {
	t.Parallel()
	if _, err := Start(exec.Command("/no/such/program"), syscall.SIGKILL); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error = %v", err)
	}
}

func TestPort(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	wanted := taken.Addr().(*net.TCPAddr).Port
	_, err = Port(wanted)
	if is := (*PortTaken)(nil); !errors.As(err, &is) || is.Port != wanted {
		t.Errorf("taken port: %v", err)
	}
	free, err := Port(0)
	if err != nil || free == 0 {
		t.Fatalf("free port: %d, %v", free, err)
	}
	if got, err := Port(free); err != nil || got != free {
		t.Errorf("wanted port: %d, %v", got, err)
	}
}

func TestLock(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	release, err := Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Lock(dir)
	if is := (*InUse)(nil); !errors.As(err, &is) {
		t.Errorf("second lock: %v", err)
	}
	release()
	release, err = Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	release()
}

func TestTail(t *testing.T) {
	t.Parallel()
	var passed strings.Builder
	tail := &Tail{To: &passed}
	for i := range 2000 {
		fmt.Fprintf(tail, "line %d\n", i)
	}
	if got, want := tail.LastLines(2), "line 1998; line 1999"; got != want {
		t.Errorf("tail = %q, want %q", got, want)
	}
	if !strings.HasPrefix(passed.String(), "line 0\nline 1\n") {
		t.Error("the output was not passed on")
	}
	if len(tail.kept) > tailBytes {
		t.Errorf("kept %d bytes", len(tail.kept))
	}
}
