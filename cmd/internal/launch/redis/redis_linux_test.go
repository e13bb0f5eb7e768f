package redis

import (
	"bufio"
	"context"
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

	"github.com/sallyport-iap/sallyport/cmd/internal/launch"
)

// The test binary is also the parent that gets killed.
func TestMain(m *testing.M) {
	if os.Getenv("REDIS_TEST_PARENT") != "" {
		parent()
	}
	os.Exit(m.Run())
}

func parent() {
	binary, err := Find("")
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	server, err := Start(context.Background(), Config{Binary: binary})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(server.Pid())
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

// ask sends one command and returns the first line of the answer.
func ask(t *testing.T, addr, command string) string {
	t.Helper()
	conn, err := net.DialTimeout("tcp4", addr, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	words := strings.Fields(command)
	request := fmt.Sprintf("*%d\r\n", len(words))
	for _, word := range words {
		request += fmt.Sprintf("$%d\r\n%s\r\n", len(word), word)
	}
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	answer, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(answer)
}

func TestServer(t *testing.T) {
	t.Parallel()
	binary, err := Find("")
	if err != nil {
		t.Fatal(err)
	}
	if binary == "" {
		t.Fatal("no redis-server on this machine: install it")
	}
	for name, binary := range map[string]string{"real": binary, "substitute": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, err := Start(t.Context(), Config{Binary: binary})
			if err != nil {
				t.Fatal(err)
			}
			if got := server.Substitute(); got != (binary == "") {
				t.Errorf("substitute = %v", got)
			}
			if got := ask(t, server.Addr(), "SET k v PX 50"); got != "+OK" {
				t.Errorf("SET: %s", got)
			}
			for deadline := time.Now().Add(3 * time.Second); ask(t, server.Addr(), "EXISTS k") != ":0"; {
				if time.Now().After(deadline) {
					t.Fatal("the key does not expire")
				}
			}
			_, err = Start(t.Context(), Config{Binary: binary, Port: server.port})
			if taken := (*launch.PortTaken)(nil); !errors.As(err, &taken) {
				t.Errorf("second server on the port: %v", err)
			}
			server.Stop()
			if err := server.Wait(); err != nil {
				t.Errorf("ended: %v", err)
			}
			if conn, err := net.DialTimeout("tcp4", server.Addr(), time.Second); err == nil {
				conn.Close()
				t.Error("somebody still listens")
			}
		})
	}
}

func TestKilledParent(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "REDIS_TEST_PARENT=1")
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
		t.Fatalf("the parent says: %s", line)
	}
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed, as intended
	deadline := time.After(3 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil || strings.Contains(string(status), "\nState:\tZ") {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("redis-server, process %d, is still there", pid)
		case <-tick.C:
		}
	}
}
