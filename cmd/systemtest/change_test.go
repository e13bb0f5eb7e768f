package systemtest

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	sallyportv1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
	"github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1/sallyportv1connect"
)

const rounds = 500

// policies changes who may read the API.
type policies struct {
	parent    string
	policies  sallyportv1connect.PolicyServiceClient
	revisions sallyportv1connect.RevisionServiceClient
}

func newPolicies(t *testing.T, d *demo) *policies {
	client := d.admin(t)
	return &policies{
		parent:    "tenants/" + d.document(t).Tenant,
		policies:  sallyportv1connect.NewPolicyServiceClient(client.HTTP, client.URL),
		revisions: sallyportv1connect.NewRevisionServiceClient(client.HTTP, client.URL),
	}
}

// write says whether ci may read, and returns the revision.
func (p *policies) write(ctx context.Context, may bool) (string, error) {
	policy, err := p.policies.GetPolicy(ctx, &sallyportv1.GetPolicyRequest{Name: p.parent + "/policies/api"})
	if err != nil {
		return "", err
	}
	for _, rule := range policy.GetRules() {
		if rule.GetId() != "readers" {
			continue
		}
		rule.Principals = slices.DeleteFunc(rule.GetPrincipals(), func(who string) bool { return who == "serviceAccount:ci" })
		if may {
			rule.Principals = append(rule.Principals, "serviceAccount:ci")
		}
	}
	written, err := p.policies.UpdatePolicy(ctx, &sallyportv1.UpdatePolicyRequest{
		Policy: policy, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"rules"}},
	})
	return written.GetRevision(), err
}

func (p *policies) letRobotRead(t *testing.T, may bool) string {
	t.Helper()
	revision, err := p.write(t.Context(), may)
	if err != nil {
		t.Fatal(err)
	}
	return revision
}

func (p *policies) wait(ctx context.Context, revision string, timeout time.Duration) (*sallyportv1.WaitResponse, error) {
	return p.revisions.Wait(ctx, &sallyportv1.WaitRequest{Parent: p.parent, Revision: revision, Timeout: durationpb.New(timeout)})
}

// enforced fails unless Wait says that everybody enforces the revision.
func (p *policies) enforced(t *testing.T, revision string) *sallyportv1.WaitResponse {
	t.Helper()
	answer, err := p.wait(t.Context(), revision, 20*time.Second)
	if err != nil || answer.GetResult() != sallyportv1.WaitResult_WAIT_RESULT_ENFORCED {
		t.Fatalf("%s: %v, %v", revision, answer, err)
	}
	return answer
}

// way is a connection to an edge on which a round's first request is sent.
type way struct {
	name   string
	edge   int
	client *http.Client
	fresh  bool // a new connection each time
}

func ways(t *testing.T, d *demo, doc *document) []way {
	var all []way
	for edge, at := range doc.Edges {
		all = append(all,
			way{at.Name + ", HTTP/1.1, open", edge, http1(d.browser(t)), false},
			way{at.Name + ", HTTP/2, open", edge, d.browser(t), false},
			way{at.Name + ", new", edge, d.browser(t), true})
	}
	return all
}

// changes alternates between allow and deny. The first request after Wait has returned must be decided by the new policy,
// on every way.
func changes(t *testing.T, d *demo) {
	doc, p := d.document(t), newPolicies(t, d)
	all := ways(t, d, doc)
	url := func(w way) string { return doc.at(w.edge, "api", "/v1/items") }
	for _, w := range all {
		send(t, w.client, request(t, "GET", url(w), "", doc.robot()...)) // opens the connection
	}
	var acked, waited []time.Duration
	wrong := 0
	for round := range rounds {
		may := round%2 == 1
		want := http.StatusForbidden
		if may {
			want = http.StatusOK
		}
		revision := p.letRobotRead(t, may)
		begun := time.Now()
		answer := p.enforced(t, revision)
		waited = append(waited, time.Since(begun))
		acked = append(acked, answer.GetEnforceTime().AsTime().Sub(answer.GetCommitTime().AsTime()))
		for _, w := range all {
			if w.fresh {
				w.client.CloseIdleConnections()
			}
			a := send(t, w.client, request(t, "GET", url(w), "", doc.robot()...))
			if a.Status != want || a.Reused == w.fresh {
				t.Errorf("round %d, %s, %s: status %d, want %d; on an open connection: %t", round, revision, w.name, a.Status, want, a.Reused)
				wrong++
			}
		}
		if wrong > 10 {
			t.Fatal("and so on")
		}
	}
	t.Logf("commit to acknowledged by both edges: %s", distribution(acked))
	t.Logf("Wait, seen by its caller: %s", distribution(waited))
}

// stoppedEdge: an edge that cannot answer is never said to enforce anything.
func stoppedEdge(t *testing.T, d *demo) {
	doc, p := d.document(t), newPolicies(t, d)
	silent := doc.Edges[1]
	if err := syscall.Kill(silent.PID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	awake := func() { _ = syscall.Kill(silent.PID, syscall.SIGCONT) }
	defer awake()
	revision := p.letRobotRead(t, false)
	answer, err := p.wait(t.Context(), revision, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if answer.GetResult() == sallyportv1.WaitResult_WAIT_RESULT_ENFORCED {
		t.Errorf("enforced by an edge that is stopped: %v", answer)
	}
	late := append(answer.GetPending(), answer.GetUnreachable()...)
	if len(late) != 1 || late[0].GetEdge() != "edgePools/dev/edges/"+silent.Name {
		t.Errorf("Wait names %v, not %s", late, silent.Name)
	}
	client := d.browser(t)
	if a := send(t, client, request(t, "GET", doc.at(0, "api", "/v1/items"), "", doc.robot()...)); a.Status != http.StatusForbidden {
		t.Errorf("the other edge: status %d", a.Status)
	}
	awake()
	p.enforced(t, revision)
	if a := send(t, client, request(t, "GET", doc.at(1, "api", "/v1/items"), "", doc.robot()...)); a.Status != http.StatusForbidden {
		t.Errorf("%s, awake: status %d", silent.Name, a.Status)
	}
	p.enforced(t, p.letRobotRead(t, true))
}

// distribution says what there is to say of a sample.
func distribution(sample []time.Duration) string {
	slices.Sort(sample)
	at := func(share float64) time.Duration {
		return sample[min(len(sample)-1, int(share*float64(len(sample))))].Round(10 * time.Microsecond)
	}
	return fmt.Sprintf("n %d, p50 %s, p95 %s, max %s", len(sample), at(0.5), at(0.95), at(1))
}
