// Package postgres runs a private Postgres server as a child process: the machine's binaries, a data directory of its
// own, reachable from this machine only and with a password.
//
// It must never listen beyond 127.0.0.1, never touch a server that it did not start, and never leave one behind: the
// server dies with us whatever kills us.
//
// Why TCP with SCRAM and no unix socket: a socket with trust authentication lets every local account in that can reach
// it, and one way in is simpler than two.
package postgres

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/sallyport-iap/sallyport/cmd/internal/launch"
)

// Config says which server to run.
type Config struct {
	Dir      string    // holds data, password and lock; made if it is not there
	Binaries string    // the directory of initdb and postgres, see FindBinaries
	Port     int       // on 127.0.0.1; 0 = any free one
	Lossy    bool      // do not wait for the disk: for tests, whose data nobody needs after a crash
	Output   io.Writer // the server's own log; nil = nowhere
}

// Server is a running server that answers.
type Server struct {
	child    *launch.Child
	release  func()
	url      *url.URL
	port     int
	finished chan struct{}
}

const (
	superuser     = "postgres"
	startTimeout  = 60 * time.Second // initdb on a slow disk, or crash recovery
	previousGrace = 5 * time.Second  // for the server of a process that was just killed
)

// Start runs the server and returns when it accepts connections. The first start makes the data, a later one reuses it.
// A taken port is a *launch.PortTaken, a directory in use a *launch.InUse.
func Start(ctx context.Context, config Config) (_ *Server, err error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()

	dir, err := filepath.Abs(config.Dir)
	if err != nil {
		return nil, fmt.Errorf("start Postgres: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("start Postgres: %w", err)
	}
	release, err := launch.Lock(dir)
	if err != nil {
		return nil, fmt.Errorf("start Postgres: %w", err)
	}
	defer func() {
		if err != nil {
			release()
		}
	}()
	as, err := chooseAccount(dir)
	if err != nil {
		return nil, err
	}
	if err := as.own(dir); err != nil {
		return nil, err
	}
	password, err := keepPassword(filepath.Join(dir, "password"))
	if err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	if _, err := os.Stat(data); errors.Is(err, os.ErrNotExist) {
		if err := initialise(ctx, config.Binaries, data, password, as); err != nil {
			return nil, err
		}
	}
	if err := clearPrevious(ctx, data); err != nil {
		return nil, err
	}
	port, err := launch.Port(config.Port)
	if err != nil {
		return nil, fmt.Errorf("start Postgres: %w", err)
	}

	output := &launch.Tail{To: config.Output}
	cmd := command(filepath.Join(config.Binaries, "postgres"), settings(data, port, config.Lossy)...)
	cmd.SysProcAttr = as.attr()
	cmd.Stdout, cmd.Stderr = output, output
	// SIGQUIT is Postgres's immediate shutdown: its processes go at once, the log replays at the next start. A fast
	// shutdown (SIGINT) would first write a checkpoint, for as long as that takes.
	child, err := launch.Start(cmd, syscall.SIGQUIT)
	if err != nil {
		return nil, as.explain(fmt.Errorf("start Postgres: %w", err))
	}
	server := &Server{child: child, release: release, port: port, finished: make(chan struct{}), url: &url.URL{
		Scheme: "postgres", User: url.UserPassword(superuser, password), Host: launch.Loopback(port), Path: "/postgres",
		RawQuery: "sslmode=disable", // never leaves the machine
	}}
	if err := server.awaitReady(ctx, data); err != nil {
		server.stopChild()
		return nil, fmt.Errorf("start Postgres: %w: %s", err, output.LastLines(3))
	}
	return server, nil
}

// URL is the superuser's way in, password included: for child processes and 0600 files, never for a log.
func (s *Server) URL() *url.URL { u := *s.url; return &u }

// Port is where it listens, on 127.0.0.1.
func (s *Server) Port() int { return s.port }

// Pid is the process id of the postmaster.
func (s *Server) Pid() int { return s.child.Pid() }

// Wait blocks until the server has ended, for whatever reason, and says how.
func (s *Server) Wait() error {
	if err := s.child.Wait(); err != nil {
		return fmt.Errorf("Postgres ended: %w", err)
	}
	return nil
}

// Done is closed when the server has ended.
func (s *Server) Done() <-chan struct{} { return s.child.Done() }

// Stop ends the server and returns when it is gone, after about a second at most. Open connections are cut. It is called once.
func (s *Server) Stop() {
	s.stopChild()
	s.release()
}

func (s *Server) stopChild() {
	s.child.Stop(
		launch.Step{Signal: syscall.SIGINT, Grace: 700 * time.Millisecond},  // cut connections, write a checkpoint
		launch.Step{Signal: syscall.SIGQUIT, Grace: 300 * time.Millisecond}, // at once; the log replays at the next start
	)
}

// command passes none of our environment on: PGDATA, PGPORT and their like would change what the server does.
func command(path string, args ...string) *exec.Cmd {
	cmd := exec.Command(path, args...)
	cmd.Env = []string{"LC_ALL=C.UTF-8", "TZ=UTC", "PATH=" + filepath.Dir(path) + ":/usr/bin:/bin"}
	cmd.Dir = "/" // the account may not be allowed where we are
	return cmd
}

func settings(data string, port int, lossy bool) []string {
	args := []string{"-D", data}
	for _, setting := range []string{
		"listen_addresses=127.0.0.1", "port=" + strconv.Itoa(port), "unix_socket_directories=",
		"max_connections=300", "timezone=UTC", "log_timezone=UTC", "jit=off",
		// A file in the data directory, not /dev/shm: nothing stays behind after a SIGKILL.
		"dynamic_shared_memory_type=mmap",
		"logging_collector=off", "log_destination=stderr",
	} {
		args = append(args, "-c", setting)
	}
	if lossy {
		for _, setting := range []string{
			"fsync=off", "synchronous_commit=off", "full_page_writes=off", "wal_level=minimal", "max_wal_senders=0",
			"autovacuum_naptime=1h", "log_min_messages=fatal", // tests provoke errors by the thousand
		} {
			args = append(args, "-c", setting)
		}
	}
	return args
}

// initialise makes the data beside its place and moves it there when it is whole, so that a kill in between leaves
// nothing that looks like a database.
func initialise(ctx context.Context, binaries, data, password string, as account) error {
	unfinished := data + ".unfinished"
	if err := os.RemoveAll(unfinished); err != nil {
		return fmt.Errorf("make the database: %w", err)
	}
	if err := os.Mkdir(unfinished, 0o700); err != nil {
		return fmt.Errorf("make the database: %w", err)
	}
	// initdb reads the password from a file, as the account; a copy, because the original stays ours.
	passwordFile := data + ".password"
	if err := os.WriteFile(passwordFile, []byte(password+"\n"), 0o600); err != nil {
		return fmt.Errorf("make the database: %w", err)
	}
	defer os.Remove(passwordFile)
	for _, path := range []string{unfinished, passwordFile} {
		if err := as.own(path); err != nil {
			return err
		}
	}
	if err := initdb(ctx, binaries, as, "--pgdata="+unfinished, "--username="+superuser, "--pwfile="+passwordFile,
		"--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"); err != nil {
		return err
	}
	if err := os.Rename(unfinished, data); err != nil {
		return fmt.Errorf("make the database: %w", err)
	}
	return nil
}

// keepPassword reads the superuser's password, or makes it at the first start.
func keepPassword(path string) (string, error) {
	kept, err := os.ReadFile(path)
	if err == nil && len(bytes.TrimSpace(kept)) > 0 {
		return string(bytes.TrimSpace(kept)), nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("read the database's password: %w", err)
	}
	password := rand.Text()
	if err := os.WriteFile(path, []byte(password+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("keep the database's password: %w", err)
	}
	return password, nil
}

const (
	pidLine    = 0 // of postmaster.pid (src/include/utils/pidfile.h)
	statusLine = 7
	pollEvery  = 10 * time.Millisecond
)

func lockFile(data string) string { return filepath.Join(data, "postmaster.pid") }

// awaitReady reads the status where pg_ctl does: the server writes it into its own lock file.
func (s *Server) awaitReady(ctx context.Context, data string) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		select {
		case <-s.child.Done():
			if err := s.child.Wait(); err != nil {
				return err
			}
			return errors.New("it ended at once")
		case <-ctx.Done():
			return fmt.Errorf("it is not ready: %w", context.Cause(ctx))
		case <-tick.C:
		}
		content, err := os.ReadFile(lockFile(data))
		if err != nil {
			continue // not written yet
		}
		lines := strings.Split(string(content), "\n")
		if len(lines) > statusLine && strings.TrimSpace(lines[pidLine]) == strconv.Itoa(s.Pid()) && strings.TrimSpace(lines[statusLine]) == "ready" {
			return nil
		}
	}
}

// clearPrevious deals with the lock file of an earlier start. We hold the directory's lock, so its server belongs to a
// process that is dead: it is about to go too, or gone and its pid belongs to anybody by now. Postgres itself cannot
// tell the last two apart when it may signal that pid.
func clearPrevious(ctx context.Context, data string) error {
	content, err := os.ReadFile(lockFile(data))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read Postgres's lock file: %w", err)
	}
	first, _, _ := strings.Cut(string(content), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil {
		return fmt.Errorf("read Postgres's lock file: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, previousGrace)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for serves(pid, data) {
		select {
		case <-ctx.Done():
			return fmt.Errorf("a Postgres server (process %d) still runs in %s", pid, data)
		case <-tick.C:
		}
	}
	if err := os.Remove(lockFile(data)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove Postgres's stale lock file: %w", err)
	}
	return nil
}
