package cli_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/sallyport-iap/sallyport/cmd/internal/api"
	"github.com/sallyport-iap/sallyport/cmd/internal/launch"
	"github.com/sallyport-iap/sallyport/cmd/internal/launch/launchtest"
	"github.com/sallyport-iap/sallyport/cmd/internal/launch/postgres"
	"github.com/sallyport-iap/sallyport/cmd/internal/process"
	"github.com/sallyport-iap/sallyport/cmd/sallyport/internal/cli"
	sallyportv1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
	"github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1/sallyportv1connect"
)

func TestMain(m *testing.M) {
	testscript.Main(suite{m}, map[string]func(){
		"sallyport": func() { process.Main(guarded) },
		"call":      func() { process.Main(call) },
	})
}

// suite deletes the programs after the tests that they were built for.
type suite struct{ *testing.M }

func (s suite) Run() int {
	var err error
	if built.dir, err = os.MkdirTemp("", "sallyport-cli-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(built.dir)
	return s.M.Run()
}

// built is where the programs are that a deployment is made of.
var built struct {
	dir  string
	once sync.Once
	err  error
}

func programs(t *testing.T) string {
	t.Helper()
	built.once.Do(func() {
		build := exec.Command("go", "build", "-ldflags=-w", "-o", built.dir+string(filepath.Separator), "../../../sallyport-controlplane", "../../../sallyport-edge")
		build.Env = append(os.Environ(), "CGO_ENABLED=0") // as `make build` does, but without what only a debugger reads
		if out, err := build.CombinedOutput(); err != nil {
			built.err = fmt.Errorf("build the control plane and the edge: %w\n%s", err, out)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.dir
}

// secrets is the form of every token, and the client secrets of the scripts.
var secrets = regexp.MustCompile(`sp[ajo]?_[a-z2-7]{10}_[A-Za-z0-9_-]{43}_|hunter2`)

// guarded is the program, and fails if it says a secret.
func guarded(ctx context.Context, env process.Env) error {
	var said bytes.Buffer
	env.Stdout, env.Stderr = io.MultiWriter(env.Stdout, &said), io.MultiWriter(env.Stderr, &said)
	err := cli.Run(ctx, env)
	if err != nil {
		said.WriteString(err.Error())
	}
	if secrets.Match(said.Bytes()) {
		return &process.Exit{Status: 99, Err: errors.New("a secret was said")}
	}
	return err
}

// call makes a call of the API in JSON: call AppService/UpdateApp '{"app": …}'.
func call(ctx context.Context, env process.Env) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, env.Getenv("SALLYPORT_SERVER")+"/sallyport.v1."+env.Args[0], strings.NewReader(env.Args[1]))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+env.Getenv("SALLYPORT_TOKEN"))
	response, err := (&http.Client{}).Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(env.Stdout, response.Body); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return errors.New(response.Status)
	}
	return nil
}

// deployment is a control plane with a database of its own, for one test.
type deployment struct {
	bin, sync string
	operator  *api.Client
	token     string // the operator's
	elsewhere string // a web server that is no control plane
}

func deploy(t *testing.T) *deployment {
	t.Helper()
	elsewhere := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(elsewhere.Close)
	d := &deployment{bin: programs(t), elsewhere: elsewhere.URL}
	d.start(t, makeDatabase(t))
	return d
}

// makeDatabase does what a deployer does, as psql: this program has no client. Roles are of the whole server, so theirs is
// the password that all tests give them, and only one program at a time makes them.
func makeDatabase(t *testing.T) *url.URL {
	t.Helper()
	super := os.Getenv("SALLYPORT_TEST_POSTGRES_URL")
	if super == "" {
		t.Fatal("SALLYPORT_TEST_POSTGRES_URL is not set: run `make test`, or `go run ./cmd/internal/testservices -- go test ./...`")
	}
	made, err := url.Parse(super)
	if err != nil {
		t.Fatal(err)
	}
	password, _ := made.User.Password()
	name := "sallyport_cli_" + strings.ToLower(rand.Text()[:16])
	var script strings.Builder
	script.WriteString("\\set ON_ERROR_STOP 1\nSELECT pg_advisory_lock(hashtext('sallyport_storetest'));\n")
	for _, role := range []string{"sallyport_owner", "sallyport_app", "sallyport_feed"} {
		fmt.Fprintf(&script, "SELECT 'CREATE ROLE %[1]s' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '%[1]s') \\gexec\n", role)
		fmt.Fprintf(&script, "ALTER ROLE %s LOGIN PASSWORD '%s';\n", role, strings.ReplaceAll(password, "'", "''"))
	}
	fmt.Fprintf(&script, "CREATE DATABASE %s OWNER sallyport_owner;\n", name)
	psql(t, super, script.String())
	t.Cleanup(func() { psql(t, super, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE);\n") })
	made.Path = "/" + name
	return made
}

func psql(t *testing.T, server, script string) {
	t.Helper()
	binaries, err := postgres.FindBinaries(os.Getenv("SALLYPORT_PG_BIN"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(binaries, "psql"), "--no-psqlrc", "--quiet", "--no-password", "--file=-", server)
	cmd.Stdin = strings.NewReader(script)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("psql: %v\n%s", err, out)
	}
}

// start runs a control plane, and makes its first operator as on any deployment.
func (d *deployment) start(t *testing.T, database *url.URL) {
	t.Helper()
	as := func(role string) string {
		password, _ := database.User.Password()
		at := *database
		at.User = url.UserPassword(role, password)
		return at.String()
	}
	addresses, dir := freeAddresses(t, 3), t.TempDir()
	environment := append(os.Environ(),
		"SALLYPORT_OWNER_URL="+as("sallyport_owner"), "SALLYPORT_APP_URL="+as("sallyport_app"), "SALLYPORT_FEED_URL="+as("sallyport_feed"),
		"SALLYPORT_KEY_FILE="+filepath.Join(dir, "key"),
		"SALLYPORT_API_LISTEN="+addresses[0], "SALLYPORT_SYNC_LISTEN="+addresses[1], "SALLYPORT_HEALTH_LISTEN="+addresses[2])
	program := filepath.Join(d.bin, "sallyport-controlplane")
	var bootstrap []byte
	for _, args := range [][]string{{"migrate"}, {"keys", "init"}, {"bootstrap"}} {
		var stderr bytes.Buffer
		cmd := exec.Command(program, args...)
		cmd.Env, cmd.Stderr = environment, &stderr
		var err error
		if bootstrap, err = cmd.Output(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, stderr.Bytes())
		}
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	serve := exec.Command(program, "serve", "--drain-timeout", "1s")
	serve.Env, serve.Stdout, serve.Stderr = environment, log, log
	child, err := launch.Start(serve, syscall.SIGKILL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { child.Stop(launch.Step{Signal: syscall.SIGTERM, Grace: 10 * time.Second}) })
	if err := answers("http://"+addresses[2]+"/readyz", child); err != nil {
		text, _ := os.ReadFile(log.Name())
		t.Fatalf("the control plane: %v\n%s", err, text)
	}
	first, err := api.New("http://"+addresses[0], string(bootstrap))
	if err != nil {
		t.Fatal(err)
	}
	d.sync = "https://" + addresses[1]
	if d.token, err = owner(first, "platform"); err != nil {
		t.Fatalf("make the operator: %v", err)
	}
	if !secrets.MatchString(d.token) {
		t.Fatal("tokens have another form by now, and nobody would notice one that is said")
	}
	if d.operator, err = api.New(first.URL, d.token); err != nil {
		t.Fatal(err)
	}
}

func freeAddresses(t *testing.T, n int) []string {
	t.Helper()
	var addresses []string
	for range n {
		port, err := launchtest.Port()
		if err != nil {
			t.Fatal(err)
		}
		addresses = append(addresses, launch.Loopback(port))
	}
	return addresses
}

// answers waits until a URL answers 200, as long as the child lives.
func answers(at string, child *launch.Child) error {
	deadline, tick := time.After(time.Minute), time.NewTicker(20*time.Millisecond)
	defer tick.Stop()
	client := &http.Client{Timeout: 5 * time.Second}
	for {
		if response, err := client.Get(at); err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-child.Done():
			return fmt.Errorf("it ended: %w", child.Wait())
		case <-deadline:
			return errors.New("it is not ready after a minute")
		case <-tick.C:
		}
	}
}

// owner makes a member who may do everything below parent, and returns a token.
func owner(client *api.Client, parent string) (string, error) {
	return member(client, parent, "owner", sallyportv1.AdminRole_ADMIN_ROLE_OWNER)
}

func member(client *api.Client, parent, id string, role sallyportv1.AdminRole) (string, error) {
	ctx := context.Background()
	made, err := sallyportv1connect.NewMemberServiceClient(client.HTTP, client.URL).CreateMember(ctx,
		&sallyportv1.CreateMemberRequest{Parent: parent, MemberId: id, Member: &sallyportv1.Member{Role: role}})
	if err != nil {
		return "", err
	}
	token, err := sallyportv1connect.NewApiTokenServiceClient(client.HTTP, client.URL).CreateApiToken(ctx,
		&sallyportv1.CreateApiTokenRequest{Parent: parent, ApiTokenId: id, ApiToken: &sallyportv1.ApiToken{Member: made.GetName(), Role: role}})
	return token.GetSecret(), err
}

// tenant makes a tenant and returns its owner's token.
func (d *deployment) tenant(id, authHost string) (string, error) {
	_, err := sallyportv1connect.NewTenantServiceClient(d.operator.HTTP, d.operator.URL).CreateTenant(context.Background(),
		&sallyportv1.CreateTenantRequest{TenantId: id, Tenant: &sallyportv1.Tenant{AuthHost: authHost}})
	if err != nil {
		return "", err
	}
	return owner(d.operator, "tenants/"+id)
}

// pool makes a pool of edges for tenants, with upstreams on this machine.
func (d *deployment) pool(id string, tenants ...string) error {
	_, err := sallyportv1connect.NewEdgePoolServiceClient(d.operator.HTTP, d.operator.URL).CreateEdgePool(context.Background(),
		&sallyportv1.CreateEdgePoolRequest{EdgePoolId: id, EdgePool: &sallyportv1.EdgePool{
			Tenants: tenants, Login: true, AllowedUpstreamCidrs: []string{"127.0.0.0/8", "::1/128"},
		}})
	return err
}

// keysOf waits until a tenant that a pool began to serve has its keys. That is a change which the control plane makes by
// itself, and if there is a client secret by then, it has to be sealed again, which is another.
func (d *deployment) keysOf(tenant string) error {
	revisions := sallyportv1connect.NewRevisionServiceClient(d.operator.HTTP, d.operator.URL)
	deadline, tick := time.After(time.Minute), time.NewTicker(20*time.Millisecond)
	defer tick.Stop()
	for {
		r, err := revisions.GetRevision(context.Background(), &sallyportv1.GetRevisionRequest{Parent: "tenants/" + tenant})
		if err != nil || r.GetUrgent() != "" {
			return err
		}
		select {
		case <-deadline:
			return fmt.Errorf("%s has no keys after a minute", tenant)
		case <-tick.C:
		}
	}
}
