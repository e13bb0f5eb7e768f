package cli

import (
	"bytes"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport-iap/sallyport/cmd/internal/process"
)

func run(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, log bytes.Buffer
	err = Run(t.Context(), process.Env{Args: args, Getenv: func(string) string { return "" }, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &log})
	return out.String(), log.String(), err
}

func file(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// All that is wrong is told at once, by the flag's name, and no secret with it.
func TestFaults(t *testing.T) {
	t.Parallel()
	_, log, err := run(t, "--sync-url=http://x", "--listen=:0", "--health-listen=0.0.0.0:1", "--tls-cert=a", "--log-level=loud",
		"--join-token-file=/nowhere/token", "--drain-timeout=0s", "--max-connections-per-source=-1",
		"--country-db="+file(t, "no database"), "--config="+file(t, "listne: x\n"))
	exit := (*process.Exit)(nil)
	if !errors.As(err, &exit) || exit.Status != 2 {
		t.Fatalf("got %v", err)
	}
	for _, want := range []string{"--sync-url", "--data-dir", "--listen", "--health-listen", "--tls-cert", "--log-level", "--join-token-file", "--drain-timeout", "--max-connections-per-source", "--country-db", `"listne"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("nothing is said of %s:\n%v", want, err)
		}
	}
	if strings.Contains(log, "starting") {
		t.Error("it began all the same")
	}
}

func TestHelpAndVersion(t *testing.T) {
	t.Parallel()
	if out, _, err := run(t, "--help"); err != nil || !strings.Contains(out, "--join-token-file") {
		t.Errorf("%q %v", out, err)
	}
	if out, _, err := run(t, "--version"); err != nil || strings.TrimSpace(out) != "dev" {
		t.Errorf("%q %v", out, err)
	}
}

func TestLoopback(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"127.0.0.1:1": true, "[::1]:1": true, "localhost:1": true, "127.9.9.9:1": true,
		":1": false, "0.0.0.0:1": false, "[::]:1": false, "10.0.0.1:1": false, "example.com:1": false, "127.0.0.1": false, "": false,
	} {
		if got := loopback(address); got != want {
			t.Errorf("%q: %v", address, got)
		}
	}
}

func TestTakenPortNamesItsFlag(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for flag, o := range map[string]Options{
		"--listen":        {Listen: taken.Addr().String(), HealthListen: "127.0.0.1:0"},
		"--health-listen": {Listen: "127.0.0.1:0", HealthListen: taken.Addr().String()},
	} {
		c := &configuration{Options: o}
		if _, err := c.listen(t.Context()); err == nil || !strings.Contains(err.Error(), flag) {
			t.Errorf("%s: %v", flag, err)
		}
	}
}

// A page in somebody's browser can make a name resolve to this address, and must learn nothing by it.
func TestHealthAnswersToItsOwnNameOnly(t *testing.T) {
	t.Parallel()
	h := ownName(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }))
	for host, want := range map[string]int{
		"127.0.0.1:8491": 200, "localhost:8491": 200, "[::1]:8491": 200, "localhost": 200,
		"evil.example:8491": 421, "evil.example": 421, "localhost.evil.example": 421, "": 421,
	} {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil)
		r.Host = host
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%q: got %d", host, w.Code)
		}
	}
}
