package systemtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport-iap/sallyport/cmd/internal/launch"
	"github.com/sallyport-iap/sallyport/cmd/internal/launch/launchtest"
)

// document is dev.json, as a script would read it.
type document struct {
	Tenant       string `json:"tenant"`
	CAFile       string `json:"ca_file"`
	Resolve      string `json:"resolve"`
	ControlPlane struct {
		URL           string `json:"url"`
		SyncURL       string `json:"sync_url"`
		HealthURL     string `json:"health_url"`
		AdminToken    string `json:"admin_token"`
		OperatorToken string `json:"operator_token"`
		PID           int    `json:"pid"`
	} `json:"control_plane"`
	Edges []struct {
		Name      string `json:"name"`
		Region    string `json:"region"`
		Port      int    `json:"port"`
		AuthURL   string `json:"auth_url"`
		HealthURL string `json:"health_url"`
		DataDir   string `json:"data_dir"`
		PID       int    `json:"pid"`
		RedisAddr string `json:"redis_addr"`
		RedisPID  int    `json:"redis_pid"`
	} `json:"edges"`
	Apps []struct {
		Name string `json:"name"`
		URL  string `json:"url"`
	} `json:"apps"`
	People []struct {
		Email    string   `json:"email"`
		Password string   `json:"password"`
		Groups   []string `json:"groups"`
	} `json:"people"`
	ServiceAccounts []struct {
		Name  string `json:"name"`
		Token string `json:"token"`
	} `json:"service_accounts"`
	SecondTenant struct {
		Tenant     string   `json:"tenant"`
		AdminToken string   `json:"admin_token"`
		Hosts      []string `json:"hosts"`
	} `json:"second_tenant"`
	IDPIssuer        string            `json:"idp_issuer"`
	PostgresURL      string            `json:"postgres_url"`
	PostgresOwnerURL string            `json:"postgres_owner_url"`
	PostgresPID      int               `json:"postgres_pid"`
	Upstreams        map[string]string `json:"upstreams"`
}

// place is where a demo lives: its directory and its ports outlive its processes.
type place struct {
	state string
	flags []string
	ports map[string]int // by flag
}

func newPlace(t *testing.T) *place {
	t.Helper()
	p := &place{state: filepath.Join(t.TempDir(), "state"), ports: map[string]int{}}
	for _, flag := range []string{
		"control-plane-port", "control-plane-sync-port", "control-plane-health-port", "edge1-port", "edge1-health-port", "edge2-port",
		"edge2-health-port", "idp-port", "wiki-port", "api-port", "postgres-port", "redis1-port", "redis2-port",
	} {
		port, err := launchtest.Port()
		if err != nil {
			t.Fatal(err)
		}
		p.ports["--"+flag] = port
		p.flags = append(p.flags, fmt.Sprintf("--%s=%d", flag, port))
	}
	return p
}

// demo is a running `sallyport dev`.
type demo struct {
	*place
	child  *launch.Child
	stdout *output
	stderr *output
	begun  time.Time
}

// output is what a program has printed so far.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// begin starts the demo and does not wait for it. It dies with the test program.
func (p *place) begin(t *testing.T) *demo {
	t.Helper()
	d := &demo{place: p, stdout: &output{}, stderr: &output{}, begun: time.Now()}
	cmd := exec.Command(filepath.Join(bin, "sallyport"), append([]string{"dev", "--state-dir", p.state}, p.flags...)...)
	cmd.Stdout, cmd.Stderr = d.stdout, d.stderr
	child, err := launch.Start(cmd, syscall.SIGKILL)
	if err != nil {
		t.Fatal(err)
	}
	d.child = child
	t.Cleanup(func() {
		d.child.Stop(launch.Step{Signal: syscall.SIGTERM, Grace: launchtest.Grace})
		if t.Failed() {
			t.Logf("sallyport dev said:\n%s%s", d.stdout, d.stderr)
			p.showLogs(t)
		}
	})
	return d
}

// start starts the demo and returns when it welcomes people.
func (p *place) start(t *testing.T) *demo {
	t.Helper()
	d := p.begin(t)
	d.eventually(t, "a welcome", time.Minute, func() error {
		select {
		case <-d.child.Done():
			t.Fatalf("sallyport dev ended: %v\n%s", d.child.Wait(), d.stderr)
		default:
		}
		if !strings.Contains(d.stdout.String(), "Ctrl-C stops everything") {
			return errors.New("not yet")
		}
		return nil
	})
	return d
}

// stop ends the demo as Ctrl-C does.
func (d *demo) stop(t *testing.T) {
	t.Helper()
	if err := d.child.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	select {
	case <-d.child.Done():
	case <-time.After(launchtest.Grace):
		t.Fatalf("sallyport dev runs %s after SIGINT", launchtest.Grace)
	}
	if err := d.child.Wait(); err != nil {
		t.Errorf("sallyport dev ended with %v: %s", err, d.stderr)
	}
}

// document reads dev.json.
func (d *demo) document(t *testing.T) *document {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(d.state, "dev.json"))
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	doc := &document{}
	if err := decoder.Decode(doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

// eventually asks again until there is no error.
func (d *demo) eventually(t *testing.T, what string, within time.Duration, check func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("no %s within %s: %v", what, within, err)
		case <-tick.C:
		}
	}
}

// gone fails unless no process of the place is left within launchtest.Grace, and every port is free.
func (p *place) gone(t *testing.T) {
	t.Helper()
	launchtest.AwaitNothingOf(t, p.state)
	for flag, port := range p.ports {
		if _, err := launch.Port(port); err != nil {
			t.Errorf("%s: %v", flag, err)
		}
	}
}

// showLogs prints what may explain a failure: errors and warnings of every program.
func (p *place) showLogs(t *testing.T) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(p.state, "log", "*.log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Logf("%s: %v", file, err)
			continue
		}
		var kept []string
		for line := range strings.Lines(string(content)) {
			if !strings.Contains(line, `"level":"INFO"`) {
				kept = append(kept, line)
			}
		}
		t.Logf("%s:\n%s", filepath.Base(file), strings.Join(kept[max(0, len(kept)-20):], ""))
	}
}
