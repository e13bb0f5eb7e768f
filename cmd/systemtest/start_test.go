package systemtest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-iap/sallyport/cmd/internal/launch"
	sallyportv1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
	"github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1/sallyportv1connect"
)

// secondStartLimit is what the second start may take on a machine that does nothing else.
const secondStartLimit = 15 * time.Second

// TestSecondStart: what people did is still there, and so is everything that they wrote down.
func TestSecondStart(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	d := p.start(t)
	first := d.document(t)
	admin := newPolicies(t, d)
	revision := admin.letRobotRead(t, false) // not what the demo's file says
	d.stop(t)
	d.gone(t)
	if _, err := os.Stat(filepath.Join(p.state, "dev.json")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("dev.json is there although nothing runs: %v", err)
	}

	begun := time.Now()
	d = p.start(t)
	took := time.Since(begun)
	t.Logf("the second start took %d ms", took.Milliseconds())
	if took > secondStartLimit {
		t.Errorf("the second start took %s", took)
	}
	second := d.document(t)
	if diff := cmp.Diff(withoutProcesses(first), withoutProcesses(second)); diff != "" {
		t.Errorf("dev.json (-first +second):\n%s", diff)
	}
	client := d.browser(t)
	if a := send(t, client, request(t, "GET", second.at(0, "api", "/v1/items"), "", second.robot()...)); a.Status != http.StatusForbidden {
		t.Errorf("the change before the restart is lost: status %d", a.Status)
	}
	if now := newPolicies(t, d).letRobotRead(t, false); now != revision {
		t.Errorf("the policy is at %s, not at %s: something was written again", now, revision)
	}
	d.stop(t)

	// Lost credentials are made again, and the old ones are good for nothing.
	if err := os.Remove(filepath.Join(p.state, "credentials.json")); err != nil {
		t.Fatal(err)
	}
	d = p.start(t)
	third := d.document(t)
	for role, tokens := range map[string][2]string{
		"operator":     {second.ControlPlane.OperatorToken, third.ControlPlane.OperatorToken},
		"admin":        {second.ControlPlane.AdminToken, third.ControlPlane.AdminToken},
		"second admin": {second.SecondTenant.AdminToken, third.SecondTenant.AdminToken},
	} {
		if listMembers(t, third, tokens[0], role) == nil {
			t.Errorf("the lost token of the %s still works", role)
		}
		if err := listMembers(t, third, tokens[1], role); err != nil {
			t.Errorf("the new token of the %s: %v", role, err)
		}
	}
	if third.ServiceAccounts[0].Token == second.ServiceAccounts[0].Token {
		t.Error("the service account's token was lost, and is the same")
	}
	d.stop(t)
	d.gone(t)
}

func listMembers(t *testing.T, doc *document, token, role string) error {
	t.Helper()
	parent := map[string]string{"operator": "platform", "admin": "tenants/" + doc.Tenant, "second admin": "tenants/" + doc.SecondTenant.Tenant}[role]
	client := apiClient(t, doc, token)
	_, err := sallyportv1connect.NewMemberServiceClient(client.HTTP, client.URL).ListMembers(t.Context(), &sallyportv1.ListMembersRequest{Parent: parent})
	return err
}

func withoutProcesses(doc *document) document {
	d := *doc
	d.ControlPlane.PID, d.PostgresPID = 0, 0
	d.Edges = nil
	for _, edge := range doc.Edges {
		edge.PID, edge.RedisPID = 0, 0
		d.Edges = append(d.Edges, edge)
	}
	return d
}

// TestTakenPort: every port that cannot be had is named, with the flag that changes it, and nothing is started.
func TestTakenPort(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	flags := []string{"--edge2-port", "--postgres-port"}
	for _, flag := range flags {
		listener, err := net.Listen("tcp4", launch.Loopback(p.ports[flag]))
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
	}
	d := p.begin(t)
	select {
	case <-d.child.Done():
	case <-time.After(10 * time.Second):
		t.Fatal("it runs")
	}
	if d.child.Wait() == nil {
		t.Error("exit status 0")
	}
	said := d.stderr.String()
	for _, flag := range flags {
		if !strings.Contains(said, flag) || !strings.Contains(said, fmt.Sprint(p.ports[flag])) {
			t.Errorf("stderr does not name %s and its port:\n%s", flag, said)
		}
	}
	if lines := strings.Count(said, "\n"); lines != len(flags) {
		t.Errorf("%d lines:\n%s", lines, said)
	}
	if strings.Contains(d.stdout.String(), "postgres") {
		t.Errorf("something was started:\n%s", d.stdout)
	}
}

// TestTwoInOnePlace: the second one says who is in its way.
func TestTwoInOnePlace(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.start(t)
	second := p.begin(t)
	<-second.child.Done()
	if said := second.stderr.String(); !strings.Contains(said, "runs already in "+p.state) || strings.Count(said, "\n") != 1 {
		t.Errorf("stderr:\n%s", said)
	}
}

const kills = 20

// TestNothingIsLeft: whatever ends it, at whatever moment of its life, 3 s later no process is left and all ports are
// free; and what it leaves on disk is good for another start.
func TestNothingIsLeft(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	p := newPlace(t)
	longest := 4 * time.Second // a first start, and a bit of life; the later ones are quicker
	for i := range kills {
		signal := []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL}[i%3]
		after := time.Duration(random.Int64N(int64(longest)))
		d := p.begin(t)
		select {
		case <-d.child.Done():
			t.Fatalf("round %d: it ended by itself: %v\n%s", i, d.child.Wait(), d.stderr)
		case <-time.After(after):
		}
		killed := time.Now()
		if err := d.child.Signal(signal); err != nil {
			t.Fatal(err)
		}
		select {
		case <-d.child.Done():
		case <-time.After(3 * time.Second):
			t.Fatalf("round %d: still there 3 s after %v at %s", i, signal, after)
		}
		d.gone(t)
		took := time.Since(killed)
		t.Logf("%v after %s: gone in %d ms", signal, after.Round(time.Millisecond), took.Milliseconds())
		if took > 3*time.Second {
			t.Errorf("round %d: gone only %s after %v at %s", i, took, signal, after)
		}
		if strings.Contains(d.stdout.String(), "is running") {
			longest = 2 * time.Second
		}
		if i%5 == 4 { // from nothing again
			p = newPlace(t)
			longest = 4 * time.Second
		}
	}
	d := p.start(t)
	doc := d.document(t)
	whoami(t, send(t, d.browser(t), request(t, "GET", doc.at(0, "api", "/v1/whoami"), "", doc.robot()...)), doc, 0)
}
