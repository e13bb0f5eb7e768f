package systemtest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"syscall"
	"testing"
	"time"

	sallyportv1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
)

// killedPrograms: each program is killed in turn. It is started again, dev.json tells its new pid, a change of policy
// reaches both edges, and they answer.
func killedPrograms(t *testing.T, d *demo) {
	for _, program := range []struct {
		name string
		pid  func(*document) int
	}{
		{"edge", func(doc *document) int { return doc.Edges[0].PID }},
		{"control plane", func(doc *document) int { return doc.ControlPlane.PID }},
		{"redis", func(doc *document) int { return doc.Edges[1].RedisPID }},
		{"postgres", func(doc *document) int { return doc.PostgresPID }},
	} {
		t.Run(program.name, func(t *testing.T) {
			doc := d.document(t)
			before := program.pid(doc)
			if err := syscall.Kill(before, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			d.eventually(t, "new process", 10*time.Second, func() error {
				if program.pid(d.document(t)) == before {
					return errStill
				}
				return nil
			})
			may := false
			d.eventually(t, "order", 20*time.Second, func() error {
				may = !may
				return works(t, d, may)
			})
		})
	}
}

// works changes the policy, and reports whether both edges have it.
func works(t *testing.T, d *demo, may bool) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	doc, p := d.document(t), newPolicies(t, d)
	for _, at := range doc.Edges {
		// One that has just started may have no policy yet. It enforces everything, in a way: it serves nobody.
		a, err := try(d.browser(t), request(t, "GET", at.HealthURL+"/readyz", ""))
		if err != nil {
			return err
		}
		if a.Status != http.StatusOK {
			return fmt.Errorf("%s is not ready: %s", at.Name, a.Body)
		}
	}
	revision, err := p.write(ctx, may)
	if err != nil {
		return err
	}
	answer, err := p.wait(ctx, revision, 4*time.Second)
	if err != nil {
		return err
	}
	if answer.GetResult() != sallyportv1.WaitResult_WAIT_RESULT_ENFORCED {
		return fmt.Errorf("%s: %v", revision, answer)
	}
	want := map[bool]int{true: http.StatusOK, false: http.StatusForbidden}[may]
	for edge, at := range doc.Edges {
		a, err := try(d.browser(t), request(t, "GET", doc.at(edge, "api", "/v1/items"), "", doc.robot()...))
		if err != nil {
			return err
		}
		if a.Status != want {
			t.Errorf("%s, %s, enforced: status %d, want %d: %s", at.Name, revision, a.Status, want, a.Body)
		}
	}
	return nil
}

var errStill = errors.New("the old process, or one that does not serve yet")
