package cli

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-iap/sallyport/cmd/internal/process"
	"github.com/sallyport-iap/sallyport/controlplane/store/storetest"
	"github.com/sallyport-iap/sallyport/controlplane/token"
)

// output is what a program writes while others read.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// run runs a command line with an environment.
func run(ctx context.Context, environment map[string]string, args ...string) (stdout, stderr *output, err error) {
	stdout, stderr = &output{}, &output{}
	err = Run(ctx, process.Env{Args: args, Getenv: func(name string) string { return environment[name] }, Stdin: strings.NewReader(""), Stdout: stdout, Stderr: stderr})
	return stdout, stderr, err
}

func file(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestKeysInit(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "key")
	if _, _, err := run(t.Context(), nil, "keys", "init", "--key-file", path); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = run(t.Context(), map[string]string{"SALLYPORT_KEY_FILE": path}, "keys", "init")
	if err == nil || !strings.Contains(err.Error(), "is not overwritten") {
		t.Errorf("a second time: %v", err)
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
		t.Error("the key is another one")
	}
}

func TestAllFaultsAtOnce(t *testing.T) {
	t.Parallel()
	config := file(t, "config.yaml", "sync-listn: :9\nfeed-url: mysql://root:hunter2@db/x\ndrain-timeout: soon\n")
	_, _, err := run(t.Context(), map[string]string{"SALLYPORT_LOG_LEVEL": "chatty"}, "serve", "--config", config, "--key-file", "/nowhere")
	if err == nil {
		t.Fatal("it runs")
	}
	for _, want := range []string{
		`"sync-listn" is no setting; did you mean "sync-listen"?`,
		"--app-url (or --app-url-file, or SALLYPORT_APP_URL) is required",
		"--feed-url: must be a URL such as",
		`--drain-timeout: "soon"`,
		`unknown log level "chatty"`,
		"--key-file: there is no deployment key",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("it does not say %q:\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("it says a password:\n%v", err)
	}
}

func TestPrecedence(t *testing.T) {
	t.Parallel()
	key := filepath.Join(t.TempDir(), "key")
	if _, _, err := run(t.Context(), nil, "keys", "init", "--key-file", key); err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	config := file(t, "config.yaml", "api-listen: 127.0.0.1:1x\nsync-listen: 127.0.0.1:2x\nhealth-listen: "+taken.Addr().String()+"\n")
	environment := map[string]string{
		"SALLYPORT_APP_URL": "postgres://a:secret@127.0.0.1:1/x", "SALLYPORT_FEED_URL": "postgres://f:secret@127.0.0.1:1/x",
		"SALLYPORT_SYNC_LISTEN": "127.0.0.1:3x", "SALLYPORT_CONFIG": config,
	}
	_, stderr, err := run(t.Context(), environment, "serve", "--api-listen", "127.0.0.1:4x", "--key-file", key)
	if err == nil {
		t.Fatal("it runs")
	}
	for _, want := range []string{"--api-listen: listen tcp: lookup tcp/4x", "--sync-listen: listen tcp: lookup tcp/3x", "--health-listen: listen tcp " + taken.Addr().String(), "address already in use"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("it does not say %q:\n%v", want, err)
		}
	}
	if log := stderr.String(); strings.Contains(log, "secret") || !strings.Contains(log, "postgres://a:xxxxx@127.0.0.1:1/x") {
		t.Errorf("settings are not redacted: %s", log)
	}
}

func TestDatabaseIsNotThere(t *testing.T) {
	t.Parallel()
	key := filepath.Join(t.TempDir(), "key")
	if _, _, err := run(t.Context(), nil, "keys", "init", "--key-file", key); err != nil {
		t.Fatal(err)
	}
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "postgres://sallyport_app:secret@" + gone.Addr().String() + "/x"
	_ = gone.Close()
	_, stderr, err := run(t.Context(), nil, "serve", "--app-url", url, "--feed-url", url, "--key-file", key,
		"--api-listen", "127.0.0.1:0", "--sync-listen", "127.0.0.1:0", "--health-listen", "127.0.0.1:0", "--database-wait", "700ms")
	if err == nil || !strings.Contains(err.Error(), "could not be reached within 700ms") || strings.Contains(err.Error(), "secret") {
		t.Errorf("error: %v", err)
	}
	if !strings.Contains(stderr.String(), "waiting for the database") {
		t.Errorf("it waits without saying so: %s", stderr)
	}
}

func TestServe(t *testing.T) {
	t.Parallel()
	urls := storetest.Database(t)
	key := filepath.Join(t.TempDir(), "key")
	health, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = health.Close()
	environment := map[string]string{
		"SALLYPORT_APP_URL": urls.App, "SALLYPORT_FEED_URL": urls.Feed, "SALLYPORT_OWNER_URL": urls.Owner, "SALLYPORT_KEY_FILE": key,
		"SALLYPORT_API_LISTEN": "127.0.0.1:0", "SALLYPORT_SYNC_LISTEN": "127.0.0.1:0", "SALLYPORT_HEALTH_LISTEN": health.Addr().String(),
	}
	for _, args := range [][]string{{"migrate"}, {"migrate"}, {"keys", "init"}} {
		if _, stderr, err := run(t.Context(), environment, args...); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, stderr)
		}
	}
	stdout, stderr, err := run(t.Context(), environment, "bootstrap")
	if err != nil {
		t.Fatalf("bootstrap: %v\n%s", err, stderr)
	}
	if _, ok := token.Parse(token.Bootstrap, strings.TrimSpace(stdout.String())); !ok {
		t.Errorf("bootstrap prints %q", stdout)
	}

	ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, fmt.Errorf("the test takes too long"))
	defer cancel()
	done := make(chan error, 1)
	log := &output{}
	go func() {
		done <- Run(ctx, process.Env{Args: []string{"serve"}, Getenv: func(name string) string { return environment[name] }, Stdout: log, Stderr: log})
	}()
	for {
		response, err := http.Get("http://" + health.Addr().String() + "/readyz")
		if err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				break
			}
		}
		select {
		case err := <-done:
			t.Fatalf("serve: %v\n%s", err, log)
		case <-time.After(10 * time.Millisecond):
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("serve: %v", err)
	}
	for _, u := range []string{urls.App, urls.Feed} {
		password := regexp.MustCompile(`:([^:@/]+)@`).FindStringSubmatch(u)
		if password != nil && strings.Contains(log.String(), password[1]) {
			t.Errorf("a password is in the log:\n%s", log)
		}
	}
}
