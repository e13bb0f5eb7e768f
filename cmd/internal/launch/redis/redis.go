// Package redis runs a private Redis as a child process, or, on a machine without redis-server, a substitute inside this
// process.
//
// It must never listen beyond 127.0.0.1 and never keep anything on disk: what Sallyport has in Redis may be lost at any
// time, and development should show that.
package redis

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/sallyport-iap/sallyport/cmd/internal/launch"
)

// Config says which server to run.
type Config struct {
	Binary string    // redis-server; "" = the substitute, see Find
	Port   int       // on 127.0.0.1; 0 = any free one
	Output io.Writer // the server's own log; nil = nowhere
}

// Find returns the machine's redis-server, or "" if there is none. The explicit path wins if it is not empty.
func Find(explicit string) (string, error) {
	if explicit != "" {
		return exec.LookPath(explicit)
	}
	for _, name := range []string{"redis-server", "valkey-server", "/usr/bin/redis-server", "/usr/local/bin/redis-server"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", nil
}

// Server is a running server that answers.
type Server struct {
	port       int
	child      *launch.Child        // nil: the substitute
	substitute *miniredis.Miniredis // nil: the real one
	done       chan struct{}
}

const (
	startTimeout = 10 * time.Second
	pollEvery    = 10 * time.Millisecond
)

// Start runs the server and returns when it answers. A taken port is a *launch.PortTaken.
func Start(ctx context.Context, config Config) (*Server, error) {
	port, err := launch.Port(config.Port)
	if err != nil {
		return nil, fmt.Errorf("start Redis: %w", err)
	}
	if config.Binary == "" {
		return startSubstitute(port)
	}
	output := &launch.Tail{To: config.Output}
	cmd := exec.Command(config.Binary, // no file: the system's own settings are not ours
		"--bind", "127.0.0.1", "--port", strconv.Itoa(port),
		"--save", "", "--appendonly", "no",
		// A session that was evicted would look like one that never was.
		"--maxmemory-policy", "noeviction",
		"--daemonize", "no", "--loglevel", "warning")
	cmd.Env = []string{"LC_ALL=C.UTF-8", "PATH=/usr/bin:/bin"}
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = output, output
	child, err := launch.Start(cmd, syscall.SIGKILL)
	if err != nil {
		return nil, fmt.Errorf("start Redis: %w", err)
	}
	server := &Server{port: port, child: child, done: make(chan struct{})}
	if err := server.awaitReady(ctx); err != nil {
		server.Stop()
		return nil, fmt.Errorf("start Redis: %w: %s", err, output.LastLines(3))
	}
	return server, nil
}

func startSubstitute(port int) (*Server, error) {
	substitute := miniredis.NewMiniRedis()
	substitute.ClockTTL(true) // without it nothing ever expires
	if err := substitute.StartAddr(launch.Loopback(port)); err != nil {
		return nil, fmt.Errorf("start the substitute of Redis: %w", err)
	}
	return &Server{port: port, substitute: substitute, done: make(chan struct{})}, nil
}

// Addr is host:port; there is no password (values are sealed by their writers, and the port is this machine's only).
func (s *Server) Addr() string { return launch.Loopback(s.port) }

// Pid is the server's process id, 0 for the substitute.
func (s *Server) Pid() int {
	if s.child == nil {
		return 0
	}
	return s.child.Pid()
}

// Substitute reports whether this is not a real Redis: say so to the person, some commands differ.
func (s *Server) Substitute() bool { return s.substitute != nil }

// Done is closed when the server has ended.
func (s *Server) Done() <-chan struct{} {
	if s.child == nil {
		return s.done
	}
	return s.child.Done()
}

// Wait blocks until the server has ended, for whatever reason, and says how.
func (s *Server) Wait() error {
	<-s.Done()
	if s.child == nil {
		return nil
	}
	if err := s.child.Wait(); err != nil {
		return fmt.Errorf("Redis ended: %w", err)
	}
	return nil
}

// Stop ends the server and returns when it is gone, after 300 ms at most. It is called once.
func (s *Server) Stop() {
	if s.child == nil {
		s.substitute.Close()
		close(s.done)
		return
	}
	s.child.Stop(launch.Step{Signal: syscall.SIGTERM, Grace: 300 * time.Millisecond})
}

func (s *Server) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
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
		if answers(ctx, s.Addr()) {
			return nil
		}
	}
}

// answers asks with an inline command, so that nothing here needs a client.
func answers(ctx context.Context, addr string) bool {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp4", addr)
	if err != nil {
		return false
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return false
		}
	}
	if _, err := io.WriteString(conn, "PING\r\n"); err != nil {
		return false
	}
	answer, err := bufio.NewReader(conn).ReadString('\n')
	return err == nil && answer == "+PONG\r\n"
}
