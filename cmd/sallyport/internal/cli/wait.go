package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/sallyport-iap/sallyport/cmd/internal/api"
	"github.com/sallyport-iap/sallyport/cmd/internal/process"
	sallyportv1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
	"github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1/sallyportv1connect"
)

type waitCommand struct {
	Revision string        `arg:"" help:"What a write answered, such as c1042 or u77."`
	Timeout  time.Duration `default:"60s" help:"How long to wait."`
}

// Waiting is embedded by commands that change something.
type Waiting struct {
	Wait    bool          `help:"Wait until every edge enforces the change; exit with 3 if one does not."`
	Timeout time.Duration `default:"60s" help:"How long to wait."`
}

func (w *waitCommand) Run(ctx context.Context, s *session) error {
	client, err := s.resolve()
	if err != nil {
		return err
	}
	return wait(ctx, s, client, s.parent(), w.Revision, w.Timeout)
}

func (w Waiting) run(ctx context.Context, s *session, client *api.Client, parent, revision string) error {
	if !w.Wait || revision == "" {
		return nil
	}
	return wait(ctx, s, client, parent, revision, w.Timeout)
}

// longPoll is under the API's limit of 60 s for one call.
const longPoll = 20 * time.Second

func wait(ctx context.Context, s *session, client *api.Client, parent, revision string, timeout time.Duration) error {
	revisions := sallyportv1connect.NewRevisionServiceClient(client.HTTP, client.URL)
	began := time.Now()
	for {
		left := timeout - time.Since(began)
		response, err := revisions.Wait(ctx, &sallyportv1.WaitRequest{
			Parent: parent, Revision: revision, Timeout: durationpb.New(max(0, min(left, longPoll))),
		})
		if err != nil {
			return err
		}
		if response.GetResult() == sallyportv1.WaitResult_WAIT_RESULT_ENFORCED {
			return s.printEnforced(response, revision, began)
		}
		if time.Since(began) >= timeout {
			return notEnforced(response, revision, timeout)
		}
		s.progress("%s: %s\n", revision, missing(response))
	}
}

func (s *session) printEnforced(r *sallyportv1.WaitResponse, revision string, began time.Time) error {
	if s.json {
		return s.printOne(r.ProtoReflect())
	}
	took := time.Since(began)
	if r.GetEnforceTime() != nil && r.GetCommitTime() != nil {
		took = r.GetEnforceTime().AsTime().Sub(r.GetCommitTime().AsTime())
	}
	s.printf("%s is enforced by every edge, %d ms after the commit.\n", revision, max(0, took.Milliseconds()))
	if closed := r.GetClosedApps(); len(closed) > 0 {
		s.progress("Closed, because an edge does not understand one of their rules: %s. Upgrade the edges.\n", strings.Join(closed, ", "))
	}
	return nil
}

func notEnforced(r *sallyportv1.WaitResponse, revision string, timeout time.Duration) error {
	return &process.Exit{Status: statusNotEnforced, Err: fmt.Errorf("%s is not enforced everywhere after %s: %s", revision, timeout, missing(r))}
}

// missing names the edges that are not there.
func missing(r *sallyportv1.WaitResponse) string {
	var out []string
	for _, e := range r.GetPending() {
		line := fmt.Sprintf("%s is at %s/%s", e.GetEdge(), e.GetConfig(), e.GetUrgent())
		if e.GetRefused() != "" {
			line += " and refused: " + e.GetRefused()
		}
		out = append(out, line)
	}
	for _, e := range r.GetUnreachable() {
		out = append(out, fmt.Sprintf("%s is silent since %s and may serve the old state until %s", e.GetEdge(),
			e.GetSeenTime().AsTime().Format(time.RFC3339), e.GetClosesBy().AsTime().Format(time.RFC3339)))
	}
	return strings.Join(out, "; ")
}

func usage(problem string) error { return &process.Exit{Status: statusUsage, Err: errors.New(problem)} }
