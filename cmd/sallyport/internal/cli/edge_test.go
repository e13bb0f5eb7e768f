package cli_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/sallyport-iap/sallyport/cmd/internal/launch"
	"github.com/sallyport-iap/sallyport/cmd/internal/launch/launchtest"
	"github.com/sallyport-iap/sallyport/cmd/sallyport/internal/dev/ca"
	sallyportv1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
	"github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1/sallyportv1connect"
)

// edge is the one that a script may have: the real program, in the pool of the script's name.
type edge struct {
	child *launch.Child
	addr  string
}

// edgeCommand is
//
//	edge start                      with the id e1, until the script ends
//	edge freeze, edge thaw          it says nothing, and does
//	edge ask STATUS METHOD URL      a request to it, which must be answered so
func (d *deployment) edgeCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: edge start|freeze|thaw|ask …")
	}
	e := ts.Value("edge").(*edge)
	switch args[0] {
	case "start":
		ts.Check(d.startEdge(ts, e))
	case "freeze":
		ts.Check(e.child.Signal(syscall.SIGSTOP))
	case "thaw":
		ts.Check(e.child.Signal(syscall.SIGCONT))
	case "ask":
		want, err := strconv.Atoi(args[1])
		ts.Check(err)
		got, err := e.ask(args[2], args[3])
		ts.Check(err)
		if got != want {
			ts.Fatalf("%s %s is answered %d, not %d", args[2], args[3], got, want)
		}
	}
}

func (d *deployment) startEdge(ts *testscript.TestScript, e *edge) error {
	tenant, dir := ts.Getenv("SALLYPORT_TENANT"), filepath.Join(ts.Getenv("WORK"), ".edge")
	made, err := sallyportv1connect.NewEdgeServiceClient(d.operator.HTTP, d.operator.URL).CreateJoinToken(context.Background(),
		&sallyportv1.CreateJoinTokenRequest{Parent: "edgePools/" + tenant, EdgeId: "e1"})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	joinFile := filepath.Join(dir, "join")
	if err := os.WriteFile(joinFile, []byte(made.GetSecret()), 0o600); err != nil {
		return err
	}
	authority, err := ca.Open(dir)
	if err != nil {
		return err
	}
	pair, err := authority.Server("edge", "*."+tenant+".localhost")
	if err != nil {
		return err
	}
	var addresses []string
	for range 2 {
		port, err := launchtest.Port()
		if err != nil {
			return err
		}
		addresses = append(addresses, launch.Loopback(port))
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return err
	}
	cmd := exec.Command(filepath.Join(d.bin, "sallyport-edge"), "--name", "e1", "--data-dir", dir, "--sync-url", d.sync, "--join-token-file", joinFile,
		"--listen", addresses[0], "--health-listen", addresses[1], "--tls-cert", pair.CertFile, "--tls-key", pair.KeyFile, "--drain-timeout", "100ms")
	cmd.Stdout, cmd.Stderr = log, log
	if e.child, err = launch.Start(cmd, syscall.SIGKILL); err != nil {
		return err
	}
	e.addr = addresses[0]
	ts.Defer(func() { e.child.Stop() })
	if err := answers("http://"+addresses[1]+"/readyz", e.child); err != nil {
		text, _ := os.ReadFile(log.Name())
		ts.Logf("%s", text)
		return err
	}
	return nil
}

func (e *edge) ask(method, url string) (int, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return 0, err
	}
	if strings.HasSuffix(request.URL.Path, ".html") {
		request.Header.Set("Accept", "text/html")
	}
	client := &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, e.addr)
			},
		},
	}
	defer client.CloseIdleConnections()
	response, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	return response.StatusCode, response.Body.Close()
}
