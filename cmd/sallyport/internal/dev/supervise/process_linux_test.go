package supervise

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport-iap/sallyport/cmd/internal/launch"
	"github.com/sallyport-iap/sallyport/cmd/internal/launch/launchtest"
	"github.com/sallyport-iap/sallyport/cmd/internal/launch/postgres"
	"github.com/sallyport-iap/sallyport/cmd/internal/launch/redis"
	"github.com/sallyport-iap/sallyport/cmd/internal/process"
	"github.com/sallyport-iap/sallyport/cmd/sallyport/internal/dev/serve"
)

// The test binary is also a small `sallyport dev`, and a program that it runs.
func TestMain(m *testing.M) {
	switch os.Getenv("SUPERVISE_TEST_AS") {
	case "dev":
		process.Main(miniature)
	case "program":
		process.Main(program)
	}
	os.Exit(m.Run())
}

// program serves /readyz on a port until it is told to stop.
func program(ctx context.Context, env process.Env) error {
	port, err := strconv.Atoi(env.Getenv("SUPERVISE_TEST_PORT"))
	if err != nil {
		return err
	}
	listener, err := serve.Listen(ctx, port)
	if err != nil {
		return err
	}
	return serve.Run(ctx, listener, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), slog.New(slog.DiscardHandler))
}

func programOn(dir string, port int, started func(int)) Process {
	return Process{
		Command: func() *exec.Cmd {
			cmd := exec.Command(os.Args[0])
			cmd.Env = []string{"SUPERVISE_TEST_AS=program", "SUPERVISE_TEST_PORT=" + strconv.Itoa(port), "SUPERVISE_TEST_DIR=" + dir}
			return cmd
		},
		Output:  os.Stderr,
		Ready:   Answers("http://" + launch.Loopback(port) + "/readyz"),
		Started: started,
	}
}

// miniature runs everything that `sallyport dev` runs, in the same way. Its arguments are the directory and six ports.
func miniature(ctx context.Context, env process.Env) error {
	dir, log := env.Args[0], slog.New(slog.DiscardHandler)
	var ports []int
	for _, arg := range env.Args[1:] {
		port, err := strconv.Atoi(arg)
		if err != nil {
			return err
		}
		ports = append(ports, port)
	}
	binaries, err := postgres.FindBinaries("")
	if err != nil {
		return err
	}
	binary, err := redis.Find("")
	if err != nil {
		return err
	}
	group := NewGroup(env.Stderr)
	defer group.Stop()
	err = group.Start(ctx,
		Part{"Postgres", Keep("postgres", Postgres(postgres.Config{Dir: filepath.Join(dir, "pg"), Binaries: binaries, Port: ports[0]}, func(*postgres.Server) {}), true, log)},
		Part{"Redis", Keep("redis", Redis(redis.Config{Binary: binary, Port: ports[1]}, func(*redis.Server) {}), true, log)})
	if err != nil {
		return err
	}
	listener, err := serve.Listen(ctx, ports[2])
	if err != nil {
		return err
	}
	if err := group.Start(ctx, Part{"upstream", Server(listener, http.NotFoundHandler(), log)}); err != nil {
		return err
	}
	if err := group.Start(ctx, Part{"control plane", Keep("cp", programOn(dir, ports[3], nil).Run, true, log)}); err != nil {
		return err
	}
	err = group.Start(ctx,
		Part{"edge 1", Keep("edge 1", programOn(dir, ports[4], nil).Run, true, log)},
		Part{"edge 2", Keep("edge 2", programOn(dir, ports[5], nil).Run, true, log)})
	if err != nil {
		return err
	}
	fmt.Fprintln(env.Stdout, "welcome")
	return group.Wait(ctx)
}

func freePorts(t *testing.T, n int) []int {
	t.Helper()
	var ports []int
	for range n {
		port, err := launchtest.Port()
		if err != nil {
			t.Fatal(err)
		}
		ports = append(ports, port)
	}
	return ports
}

// Whatever ends it, at whatever moment: 3 s later no process is left and all ports are free; and the next start works.
func TestNothingIsLeft(t *testing.T) {
	t.Parallel()
	dir, seed := t.TempDir(), rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	ports := freePorts(t, 6)
	args := []string{dir}
	for _, port := range ports {
		args = append(args, strconv.Itoa(port))
	}
	signals := []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM, syscall.SIGINT}
	for i := range 9 {
		var stderr bytes.Buffer
		cmd := exec.Command(os.Args[0], args...)
		cmd.Env = append(os.Environ(), "SUPERVISE_TEST_AS=dev")
		cmd.Stderr = &stderr
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// The first three when it is up, the others at any moment of its start.
		if i < 3 {
			if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil || line != "welcome\n" {
				t.Fatalf("start %d: %q, %v\n%s", i, line, err, &stderr)
			}
		} else {
			<-time.After(time.Duration(random.IntN(1200)) * time.Millisecond)
		}
		killed := time.Now()
		if err := cmd.Process.Signal(signals[i%3]); err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, stdout)
		_ = cmd.Wait() // however it ended
		launchtest.AwaitNothingOf(t, dir)
		for _, port := range ports {
			if _, err := launch.Port(port); err != nil {
				t.Errorf("after %v: %v", signals[i%3], err)
			}
		}
		t.Logf("%v: gone after %d ms", signals[i%3], time.Since(killed).Milliseconds())
	}
}

func TestKilledProcessStartsAgain(t *testing.T) {
	t.Parallel()
	pids := make(chan int, 2)
	port := freePorts(t, 1)[0]
	attempt := Keep("program", programOn("", port, func(pid int) { pids <- pid }).Run, true, slog.New(slog.DiscardHandler))
	group := NewGroup(io.Discard)
	defer group.Stop()
	if err := group.Start(t.Context(), Part{"program", attempt}); err != nil {
		t.Fatal(err)
	}
	first, killed := <-pids, time.Now()
	if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	second := <-pids
	if first == second || time.Since(killed) < restartAfter {
		t.Errorf("process %d, then %d after %s", first, second, time.Since(killed))
	}
	if err := Answers("http://" + launch.Loopback(port) + "/readyz")(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestProcessFaults(t *testing.T) {
	t.Parallel()
	never := func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}
	shell := func(script string) func() *exec.Cmd {
		return func() *exec.Cmd { return exec.Command("sh", "-c", script) }
	}
	t.Run("ends at once", func(t *testing.T) {
		t.Parallel()
		err := Process{Command: shell("echo port 8443 is taken >&2; exit 3"), Ready: never}.Run(t.Context(), func() {})
		if err == nil || !strings.Contains(err.Error(), "exit status 3: port 8443 is taken") {
			t.Errorf("error = %v", err)
		}
	})
	t.Run("is not there", func(t *testing.T) {
		t.Parallel()
		err := Process{Command: func() *exec.Cmd { return exec.Command("/no/such/program") }, Ready: never}.Run(t.Context(), func() {})
		if !errors.Is(err, os.ErrNotExist) {
			t.Errorf("error = %v", err)
		}
	})
	t.Run("does not listen to SIGTERM", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		begun := time.Now()
		p := Process{Command: shell("trap '' TERM; while :; do sleep 0.05; done"), Ready: never, Started: func(int) { cancel() }}
		if err := p.Run(ctx, func() {}); err != nil || time.Since(begun) > 3*time.Second {
			t.Errorf("ended after %s with %v", time.Since(begun), err)
		}
	})
}
