package cli_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"connectrpc.com/connect"

	"github.com/sallyport-iap/sallyport/cmd/internal/process"
	"github.com/sallyport-iap/sallyport/cmd/sallyport/internal/cli"
	sallyportv1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
	"github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1/sallyportv1connect"
)

// slow is a control plane that takes its time: real ones cannot be told when to be down.
type slow struct {
	sallyportv1connect.UnimplementedRevisionServiceHandler
	sallyportv1connect.UnimplementedAuditServiceHandler
	answer func(ctx context.Context, call int32) (*sallyportv1.WaitResponse, error)
	calls  atomic.Int32
}

func (s *slow) Wait(ctx context.Context, _ *sallyportv1.WaitRequest) (*sallyportv1.WaitResponse, error) {
	return s.answer(ctx, s.calls.Add(1))
}

func (s *slow) ListChanges(context.Context, *sallyportv1.ListChangesRequest) (*sallyportv1.ListChangesResponse, error) {
	return &sallyportv1.ListChangesResponse{}, nil
}

func (s *slow) TailChanges(ctx context.Context, _ *sallyportv1.TailChangesRequest, stream *connect.ServerStream[sallyportv1.TailChangesResponse]) error {
	if err := stream.Send(nil); err != nil {
		return err
	}
	<-ctx.Done()
	return ctx.Err()
}

func (s *slow) start(t *testing.T) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle(sallyportv1connect.NewRevisionServiceHandler(s))
	mux.Handle(sallyportv1connect.NewAuditServiceHandler(s))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

// heard calls back at the first thing that is written to it.
type heard struct {
	bytes.Buffer
	then func()
}

func (h *heard) Write(p []byte) (int, error) {
	if h.then != nil {
		h.then()
	}
	return h.Buffer.Write(p)
}

func runAgainst(ctx context.Context, url string, stderr *heard, args ...string) (stdout string, err error) {
	var out bytes.Buffer
	err = cli.Run(ctx, process.Env{Args: append([]string{"--server", url, "--tenant", "t"}, args...), Getenv: func(name string) string {
		return map[string]string{"SALLYPORT_TOKEN": "spa_x"}[name]
	}, Stdin: strings.NewReader(""), Stdout: &out, Stderr: stderr})
	return out.String(), err
}

func status(err error) int {
	exit := (*process.Exit)(nil)
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.Status
	default:
		return 1
	}
}

// An interrupted wait is no success: what comes after it in a script must not run.
func TestInterruptedWait(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	s := &slow{answer: func(ctx context.Context, _ int32) (*sallyportv1.WaitResponse, error) {
		cancel()
		<-ctx.Done()
		return nil, ctx.Err()
	}}
	_, err := runAgainst(ctx, s.start(t), &heard{}, "wait", "c1")
	if status(err) != 130 || errors.Is(err, context.Canceled) {
		t.Errorf("got status %d, %v", status(err), err)
	}
}

// Whoever interrupts it wants to know whom it was waiting for.
func TestInterruptedWaitNamesWhoLags(t *testing.T) {
	t.Parallel()
	for name, last := range map[string]sallyportv1.WaitResult{"pending": sallyportv1.WaitResult_WAIT_RESULT_PENDING, "enforced meanwhile": sallyportv1.WaitResult_WAIT_RESULT_ENFORCED} {
		ctx, cancel := context.WithCancel(t.Context())
		s := &slow{answer: func(ctx context.Context, call int32) (*sallyportv1.WaitResponse, error) {
			if call == 1 {
				cancel()
				<-ctx.Done()
				return nil, ctx.Err()
			}
			r := &sallyportv1.WaitResponse{Result: last}
			if last == sallyportv1.WaitResult_WAIT_RESULT_PENDING {
				r.Pending = []*sallyportv1.EdgeRevision{{Edge: "edgePools/dev/edges/e1", Config: "c1", Urgent: "u1"}}
			}
			return r, nil
		}}
		_, err := runAgainst(ctx, s.start(t), &heard{}, "wait", "c2")
		want := "interrupted: c2 is not enforced yet by\n  edgePools/dev/edges/e1 has c1 and u1"
		if name != "pending" {
			want = "interrupted"
		}
		if status(err) != 130 || err.Error() != want {
			t.Errorf("%s: status %d, %v", name, status(err), err)
		}
	}
}

// An interrupted tail is how people end it.
func TestInterruptedTail(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	s := &slow{}
	stderr := &heard{then: cancel}
	if _, err := runAgainst(ctx, s.start(t), stderr, "audit", "tail", "--changes"); err != nil {
		t.Error(err)
	}
	if want := "From now on, in tenants/t. Ctrl-C ends it.\n"; stderr.String() != want {
		t.Errorf("said %q", stderr.String())
	}
}

// A control plane that is restarted while somebody waits does not end the waiting; one that never answered does.
func TestWaitOutlastsAnOutage(t *testing.T) {
	t.Parallel()
	s := &slow{answer: func(_ context.Context, call int32) (*sallyportv1.WaitResponse, error) {
		switch call {
		case 1:
			return &sallyportv1.WaitResponse{Result: sallyportv1.WaitResult_WAIT_RESULT_PENDING, Pending: []*sallyportv1.EdgeRevision{{Edge: "e1"}}}, nil
		case 2:
			return nil, connect.NewError(connect.CodeUnavailable, errors.New("shutting down"))
		default:
			return &sallyportv1.WaitResponse{Result: sallyportv1.WaitResult_WAIT_RESULT_ENFORCED}, nil
		}
	}}
	stderr := &heard{}
	out, err := runAgainst(t.Context(), s.start(t), stderr, "wait", "c1")
	const said = "c1: waiting for\n  e1 has nothing and nothing\nc1: the control plane does not answer; trying on\n"
	if err != nil || !strings.HasPrefix(out, "c1 is enforced by every edge") || stderr.String() != said {
		t.Errorf("%v\n%s%s", err, out, stderr.String())
	}
}

func TestWaitForNobody(t *testing.T) {
	t.Parallel()
	s := &slow{answer: func(context.Context, int32) (*sallyportv1.WaitResponse, error) {
		return nil, connect.NewError(connect.CodeUnavailable, errors.New("shutting down"))
	}}
	_, err := runAgainst(t.Context(), s.start(t), &heard{}, "wait", "c1")
	if status(err) != 1 || !strings.Contains(err.Error(), "shutting down") || s.calls.Load() != 1 {
		t.Errorf("after %d calls: status %d, %v", s.calls.Load(), status(err), err)
	}
}

// Of edges that are silent the control plane tells at once. It is not asked without pause, nor is it told without news.
func TestWaitForTheSilent(t *testing.T) {
	t.Parallel()
	s := &slow{answer: func(context.Context, int32) (*sallyportv1.WaitResponse, error) {
		return &sallyportv1.WaitResponse{Result: sallyportv1.WaitResult_WAIT_RESULT_ENFORCED_EXCEPT, Unreachable: []*sallyportv1.EdgeRevision{{Edge: "e1"}}}, nil
	}}
	stderr := &heard{}
	_, err := runAgainst(t.Context(), s.start(t), stderr, "wait", "c1", "--timeout", "1500ms")
	if status(err) != 3 || s.calls.Load() > 3 {
		t.Errorf("after %d calls: status %d, %v", s.calls.Load(), status(err), err)
	}
	if n := strings.Count(stderr.String(), "e1 is silent"); n != 1 {
		t.Errorf("told %d times:\n%s", n, stderr.String())
	}
}
