package ports

import (
	"net"
	"strconv"
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	everywhere, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer everywhere.Close()
	taken, wide := listener.Addr().(*net.TCPAddr).Port, everywhere.Addr().(*net.TCPAddr).Port
	free, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := free.Addr().(*net.TCPAddr).Port
	free.Close()

	if err := Check(Use{"--a-port", "a", port}); err != nil {
		t.Errorf("a free port: %v", err)
	}
	err = Check(Use{"--a-port", "a", port}, Use{"--b-port", "b", port}, Use{"--c-port", "edge", taken}, Use{"--d-port", "d", 0}, Use{"--e-port", "e", 70000}, Use{"--f-port", "f", wide})
	if err == nil {
		t.Fatal("no error")
	}
	lines := strings.Split(err.Error(), "\n")
	for i, want := range [][]string{
		{"--b-port", "--a-port", strconv.Itoa(port)},
		{"--c-port", "edge", "is taken", strconv.Itoa(taken)},
		{"--d-port", "not a port"},
		{"--e-port", "not a port"},
		{"--f-port", "is taken"},
	} {
		for _, part := range want {
			if i >= len(lines) || !strings.Contains(lines[i], part) {
				t.Errorf("line %d of %q lacks %q", i, lines, part)
			}
		}
	}
}
