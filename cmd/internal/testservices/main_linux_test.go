package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/sallyport-iap/sallyport/cmd/internal/launch/launchtest"
	"github.com/sallyport-iap/sallyport/cmd/internal/process"
)

// The test binary is also the program itself.
func TestMain(m *testing.M) {
	if os.Getenv("TESTSERVICES_TEST_SELF") != "" {
		process.Main(run)
	}
	os.Exit(m.Run())
}

// self runs the program with a temporary directory of its own, by which its processes are known.
func self(t *testing.T, args ...string) (cmd *exec.Cmd, tmp string) {
	t.Helper()
	tmp = t.TempDir()
	if err := os.Chmod(filepath.Dir(tmp), 0o711); err != nil {
		t.Fatal(err)
	}
	cmd = exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), "TESTSERVICES_TEST_SELF=1", "TMPDIR="+tmp)
	return cmd, tmp
}

func TestCommandGetsServices(t *testing.T) {
	t.Parallel()
	cmd, tmp := self(t, "--", "sh", "-c", `echo "$SALLYPORT_TEST_POSTGRES_URL $SALLYPORT_TEST_REDIS_ADDR $SALLYPORT_TEST_REDIS_URL"; cat; sleep 600 & exit 7`)
	cmd.Stdin = strings.NewReader("stdin")
	out, err := cmd.Output()
	exit := (*exec.ExitError)(nil)
	if !errors.As(err, &exit) || exit.ExitCode() != 7 {
		t.Errorf("ended with %v, want the command's status 7", err)
	}
	fields := strings.Fields(string(out))
	if len(fields) != 4 || !strings.HasPrefix(fields[0], "postgres://postgres:") || fields[2] != "redis://"+fields[1]+"/0" || fields[3] != "stdin" {
		t.Errorf("the command saw %q", fields)
	}
	launchtest.AwaitNothingOf(t, tmp)
	if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
		t.Errorf("left on disk: %v, %v", left, err)
	}
}

func TestSignals(t *testing.T) {
	t.Parallel()
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			cmd, tmp := self(t, "--", "sh", "-c", `trap 'echo told; exit 3' INT TERM; echo ready; while :; do sleep 0.05; done`)
			stdout, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewReader(stdout)
			if line, err := lines.ReadString('\n'); err != nil || line != "ready\n" {
				t.Fatalf("read %q, %v", line, err)
			}
			if err := cmd.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			rest, err := io.ReadAll(lines)
			if err != nil || string(rest) != "told\n" {
				t.Errorf("the command says %q, %v", rest, err)
			}
			_ = cmd.Wait()
			if got := cmd.ProcessState.ExitCode(); signal != syscall.SIGKILL && got != 3 {
				t.Errorf("exit status %d, want the command's", got)
			}
			launchtest.AwaitNothingOf(t, tmp)
		})
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	cmd, _ := self(t)
	out, _ := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() != 2 || !bytes.HasPrefix(out, []byte("usage:")) {
		t.Errorf("status %d, says %s", cmd.ProcessState.ExitCode(), out)
	}
}
