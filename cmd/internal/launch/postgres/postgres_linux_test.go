package postgres

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport-iap/sallyport/cmd/internal/launch"
	"github.com/sallyport-iap/sallyport/cmd/internal/launch/launchtest"
)

// The test binary is also the parent that gets killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv("POSTGRES_TEST_PARENT"); dir != "" {
		parent(dir)
	}
	os.Exit(m.Run())
}

func parent(dir string) {
	binaries, err := FindBinaries("")
	if other := os.Getenv("POSTGRES_TEST_BINARIES"); other != "" {
		binaries = other
	}
	if err == nil {
		fmt.Println("starting")
		_, err = Start(context.Background(), Config{Dir: dir, Binaries: binaries})
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

// places returns a directory that other accounts may enter, and one that only we may: root runs the server in two ways.
func places(t *testing.T) map[string]string {
	t.Helper()
	open, private := t.TempDir(), t.TempDir()
	if err := os.Chmod(filepath.Dir(open), 0o711); err != nil { // the testing package makes it 0700
		t.Fatal(err)
	}
	if err := os.Chmod(private, 0o700); err != nil {
		t.Fatal(err)
	}
	return map[string]string{"open": filepath.Join(open, "pg"), "private": filepath.Join(private, "pg")}
}

func start(t *testing.T, config Config) *Server {
	t.Helper()
	binaries, err := FindBinaries("")
	if err != nil {
		t.Fatal(err)
	}
	config.Binaries = binaries
	server, err := Start(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	return server
}

// query runs one statement with the server's own client.
func query(t *testing.T, url, sql string) (string, error) {
	t.Helper()
	binaries, err := FindBinaries("")
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), filepath.Join(binaries, "psql"), "-X", "-A", "-t", "-v", "VERBOSITY=sqlstate", "-c", sql, url).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func TestDataSurvivesRestart(t *testing.T) {
	t.Parallel()
	for name, dir := range places(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first := start(t, Config{Dir: dir})
			if out, err := query(t, first.URL().String(), "create table t as select 42 as answer"); err != nil {
				t.Fatal(out, err)
			}
			if err := mode(t, name, filepath.Join(dir, "data")); err != nil {
				t.Error(err)
			}
			first.Stop()
			launchtest.AwaitNothingOf(t, dir)

			second := start(t, Config{Dir: dir, Port: first.Port()})
			defer second.Stop()
			if second.URL().String() != first.URL().String() {
				t.Error("the second start has another URL")
			}
			out, err := query(t, second.URL().String(), "select answer, current_setting('server_encoding'), datcollate from t, pg_database where datname = 'postgres'")
			if err != nil || out != "42|UTF8|C.UTF-8" {
				t.Errorf("read %s, %v", out, err)
			}
		})
	}
}

// The way to the data opens and closes between two starts: as root, the files change hands.
func TestDirectoryOpensAndCloses(t *testing.T) {
	t.Parallel()
	private := places(t)["private"]
	for _, reachable := range []bool{false, true, false} {
		place, permissions := "private", os.FileMode(0o700)
		if reachable {
			place, permissions = "open", 0o711
		}
		for _, parent := range []string{filepath.Dir(private), filepath.Dir(filepath.Dir(private))} {
			if err := os.Chmod(parent, permissions); err != nil {
				t.Fatal(err)
			}
		}
		start(t, Config{Dir: private, Lossy: true}).Stop()
		if err := mode(t, place, filepath.Join(private, "data")); err != nil {
			t.Error(err)
		}
	}
}

// mode checks that root really went both ways.
func mode(t *testing.T, place, data string) error {
	t.Helper()
	if os.Geteuid() != 0 {
		return nil
	}
	info, err := os.Stat(data)
	if err != nil {
		return err
	}
	if owner := info.Sys().(*syscall.Stat_t).Uid; (owner == 0) != (place == "private") {
		return fmt.Errorf("data in a directory that is %s belongs to uid %d", place, owner)
	}
	return nil
}

func TestPasswordIsAsked(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "pg")
	server := start(t, Config{Dir: dir, Lossy: true})
	defer server.Stop()
	wrong := server.URL()
	wrong.User = url.UserPassword(superuser, "guess")
	if out, err := query(t, wrong.String(), "select 1"); err == nil || !strings.Contains(out, "password authentication failed") {
		t.Errorf("wrong password: %s, %v", out, err)
	}
	for _, file := range []string{"password", "lock"} {
		info, err := os.Stat(filepath.Join(dir, file))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", file, info.Mode(), err)
		}
	}
	if sockets, err := filepath.Glob("/tmp/.s.PGSQL." + fmt.Sprint(server.Port()) + "*"); err != nil || len(sockets) > 0 {
		t.Errorf("unix sockets: %v, %v", sockets, err)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	binaries, err := FindBinaries("")
	if err != nil {
		t.Fatal(err)
	}
	t.Run("port taken", func(t *testing.T) {
		t.Parallel()
		other, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		_, err = Start(t.Context(), Config{Dir: filepath.Join(t.TempDir(), "pg"), Binaries: binaries, Port: other.Addr().(*net.TCPAddr).Port})
		if taken := (*launch.PortTaken)(nil); !errors.As(err, &taken) {
			t.Errorf("error = %v", err)
		}
	})
	t.Run("directory in use", func(t *testing.T) {
		t.Parallel()
		dir := filepath.Join(t.TempDir(), "pg")
		first := start(t, Config{Dir: dir, Lossy: true})
		defer first.Stop()
		_, err := Start(t.Context(), Config{Dir: dir, Binaries: binaries})
		if used := (*launch.InUse)(nil); !errors.As(err, &used) {
			t.Errorf("error = %v", err)
		}
	})
	t.Run("data of another version", func(t *testing.T) {
		t.Parallel()
		dir := filepath.Join(t.TempDir(), "pg")
		start(t, Config{Dir: dir, Lossy: true}).Stop()
		if err := os.WriteFile(filepath.Join(dir, "data", "PG_VERSION"), []byte("9.6\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Start(t.Context(), Config{Dir: dir, Binaries: binaries})
		if err == nil || !strings.Contains(err.Error(), "9.6") {
			t.Errorf("error = %v", err)
		}
	})
	t.Run("no server in that directory", func(t *testing.T) {
		t.Parallel()
		if _, err := FindBinaries(t.TempDir()); err == nil || !strings.Contains(err.Error(), "initdb") {
			t.Errorf("error = %v", err)
		}
	})
}

// A lock file whose pid belongs to somebody else by now, as after a reboot.
func TestStaleLockFile(t *testing.T) {
	t.Parallel()
	for name, dir := range places(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			start(t, Config{Dir: dir, Lossy: true}).Stop()
			stale := fmt.Sprintf("%d\n%s\n1\n1\n\n127.0.0.1\n\nready   \n", os.Getpid(), filepath.Join(dir, "data"))
			if err := os.WriteFile(lockFile(filepath.Join(dir, "data")), []byte(stale), 0o600); err != nil {
				t.Fatal(err)
			}
			start(t, Config{Dir: dir, Lossy: true}).Stop()
		})
	}
}

// Killed at any moment, initdb and recovery included: 3 s later nothing runs, and the next start finds its way.
func TestKilledParent(t *testing.T) {
	t.Parallel()
	for name, dir := range places(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			random := rand.New(rand.NewPCG(seed, 0))
			for range 8 {
				after := time.Duration(random.IntN(900)) * time.Millisecond
				kill(t, dir, func() <-chan time.Time { return time.After(after) })
				launchtest.AwaitNothingOf(t, dir)
			}
			start(t, Config{Dir: dir}).Stop()
		})
	}
}

// What initdb starts for its work does not notice that initdb is gone before it is done, which on a busy machine takes
// long; this one is never done.
func TestKilledParentOfInitdb(t *testing.T) {
	for name, dir := range places(t) {
		t.Run(name, func(t *testing.T) {
			binaries := filepath.Join(filepath.Dir(dir), "bin")
			if err := os.Mkdir(binaries, 0o755); err != nil {
				t.Fatal(err)
			}
			begun := filepath.Join(binaries, "begun")
			for program, script := range map[string]string{
				"initdb":   `cd "${0%/*}" && ./postgres & wait`,
				"postgres": `: >"${0%/*}/begun"; while :; do sleep 1; done`,
			} {
				if err := os.WriteFile(filepath.Join(binaries, program), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Chmod(binaries, 0o777); err != nil { // another account writes there
				t.Fatal(err)
			}
			t.Setenv("POSTGRES_TEST_BINARIES", binaries)
			kill(t, dir, func() <-chan struct{} { return appears(t, begun) })
			launchtest.AwaitNothingOf(t, filepath.Dir(dir))
		})
	}
}

// appears returns a channel that is closed once the file is there.
func appears(t *testing.T, path string) <-chan struct{} {
	there := make(chan struct{})
	go func() {
		defer close(there)
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-t.Context().Done():
				return
			case <-tick.C:
			}
			if _, err := os.Stat(path); err == nil {
				return
			}
		}
	}()
	return there
}

// kill runs the parent, and kills it when the channel that begun returns says so.
func kill[T any](t *testing.T, dir string, begun func() <-chan T) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "POSTGRES_TEST_PARENT="+dir)
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
	lines := bufio.NewScanner(stdout)
	lines.Scan() // "starting"
	<-begun()
	_ = cmd.Process.Signal(syscall.SIGKILL)
	for lines.Scan() {
		if got := lines.Text(); got != "ready" {
			t.Errorf("the parent says: %s", got)
		}
	}
	_ = cmd.Wait() // killed, as intended
}

func TestVersion(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]int{
		"/usr/lib/postgresql/15/bin": 15, "/usr/pgsql-17/bin": 17, "/opt/homebrew/opt/postgresql@16/bin": 16, "/usr/bin": 0,
	} {
		if got := version(path); got != want {
			t.Errorf("version(%s) = %d, want %d", path, got, want)
		}
	}
}
