package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/sallyport-iap/sallyport/cmd/internal/api"
	"github.com/sallyport-iap/sallyport/cmd/internal/process"
	sallyportv1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
	"github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1/sallyportv1connect"
)

type waitCommand struct {
	Revision string        `arg:"" help:"What a change answered, such as c1042 or u77."`
	Timeout  time.Duration `default:"60s" help:"How long to wait."`
}

// Waiting is embedded by commands that change something.
type Waiting struct {
	Wait    bool          `help:"Wait until every edge enforces the change; exit with 3 if one does not."`
	Timeout time.Duration `default:"60s" help:"How long to wait."`
}

var revisionForm = regexp.MustCompile(`^[cu][0-9]{1,18}$`)

func (w Waiting) check() error {
	if w.Timeout < 0 {
		return usage("--timeout must not be negative")
	}
	return nil
}

func (w *waitCommand) Run(ctx context.Context, s *session) error {
	if !revisionForm.MatchString(w.Revision) {
		return usage(fmt.Sprintf("%q is no revision: want what a change answered, such as c1042 or u77", w.Revision))
	}
	waiting := Waiting{Wait: true, Timeout: w.Timeout}
	if err := waiting.check(); err != nil {
		return err
	}
	client, err := s.resolve()
	if err != nil {
		return err
	}
	return waiting.run(ctx, s, client, s.parent(), w.Revision, nil)
}

// run waits, if that is wanted, and then prints the answer of what was done before, which may be nil, together with how
// the waiting ended: a script gets one value.
func (w Waiting) run(ctx context.Context, s *session, client *api.Client, parent, revision string, done proto.Message) error {
	if !w.Wait || revision == "" {
		return s.printResult(done, nil)
	}
	response, err := await(ctx, s, client, parent, revision, w.Timeout, done != nil)
	if response == nil {
		return errors.Join(s.printResult(done, nil), err)
	}
	if err := s.printResult(done, response); err != nil || s.scripted() && response.GetResult() == sallyportv1.WaitResult_WAIT_RESULT_ENFORCED {
		return err
	}
	if err != nil {
		return err
	}
	s.printf("%s is enforced by every edge%s.\n", revision, after(done, response))
	if closed := response.GetClosedApps(); len(closed) > 0 {
		s.progress("Closed, because an edge does not understand one of their rules: %s. Upgrade the edges.\n", strings.Join(closed, ", "))
	}
	return nil
}

// soon is how long after a commit its enforcement is news: later it is about an edge that came since, not about the change.
const soon = time.Minute

// after says how long a change took, if there was one.
func after(done proto.Message, r *sallyportv1.WaitResponse) string {
	if applied, ok := done.(*sallyportv1.ApplyResponse); ok && len(applied.GetChanges()) == 0 {
		return ""
	}
	if r.GetEnforceTime() == nil || r.GetCommitTime() == nil {
		return ""
	}
	took := max(0, r.GetEnforceTime().AsTime().Sub(r.GetCommitTime().AsTime()))
	if took > soon {
		return ""
	}
	return fmt.Sprintf(", %d ms after the commit", took.Milliseconds())
}

// printResult prints for scripts; what people read was printed as it came.
func (s *session) printResult(done, waited proto.Message) error {
	if !s.scripted() {
		return nil
	}
	switch {
	case done == nil && waited == nil:
		return nil
	case done == nil:
		return s.printValue(waited)
	case waited == nil:
		return s.printValue(done)
	}
	head, err := compact(done)
	if err != nil {
		return err
	}
	tail, err := compact(waited)
	if err != nil {
		return err
	}
	head = bytes.TrimSuffix(head, []byte("}"))
	if len(head) > 1 {
		head = append(head, ',')
	}
	return s.printRaw(fmt.Appendf(head, `"wait":%s}`, tail))
}

const (
	// longPoll is under the API's limit of 60 s for one call, so that a person sees each time who is missing.
	longPoll = 20 * time.Second
	// grace is what the control plane may take for an answer beyond what it was told to wait.
	grace = 10 * time.Second
	// pause is between questions that are answered at once: the control plane is not there, or all edges that are there
	// enforce the revision and it tells of those that are silent, without waiting for them.
	pause = time.Second
)

// await returns the last answer, and an error unless it is that every edge enforces the revision. A control plane that
// answered before (known) may be restarting: then it is asked again.
func await(ctx context.Context, s *session, client *api.Client, parent, revision string, timeout time.Duration, known bool) (*sallyportv1.WaitResponse, error) {
	revisions := sallyportv1connect.NewRevisionServiceClient(client.HTTP, client.URL)
	began, said := time.Now(), ""
	for {
		asked, step := time.Now(), max(0, min(timeout-time.Since(began), longPoll))
		request := &sallyportv1.WaitRequest{Parent: parent, Revision: revision, Timeout: durationpb.New(step)}
		bounded, cancel := context.WithTimeout(ctx, step+grace)
		response, err := revisions.Wait(bounded, request)
		cancel()
		over := time.Since(began) >= timeout
		news := revision + ": the control plane does not answer; trying on\n"
		switch {
		case ctx.Err() != nil:
			return nil, interrupted(ctx, revisions, parent, revision)
		case err != nil && (connect.CodeOf(err) != connect.CodeUnavailable || !known || over):
			return nil, nowhere(err, parent, "")
		case err != nil: // asked again below
		case response.GetResult() == sallyportv1.WaitResult_WAIT_RESULT_ENFORCED:
			return response, nil
		case over:
			return response, &process.Exit{
				Status: statusNotEnforced,
				Err:    fmt.Errorf("%s is not enforced everywhere after %s:\n%s", revision, timeout, missing(response)),
			}
		default:
			known = true
			news = fmt.Sprintf("%s: waiting for\n%s\n", revision, missing(response))
		}
		if news != said {
			s.progress("%s", news)
			said = news
		}
		select {
		case <-ctx.Done():
			return nil, interrupted(ctx, revisions, parent, revision)
		case <-time.After(min(pause-time.Since(asked), timeout-time.Since(began))):
		}
	}
}

// lastWord is how long somebody who interrupts the waiting is kept, to learn whom it was for.
const lastWord = 2 * time.Second

// interrupted names the edges that do not enforce the revision yet, if the control plane says so at once.
func interrupted(ctx context.Context, revisions sallyportv1connect.RevisionServiceClient, parent, revision string) error {
	cause := ctx.Err()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWord)
	defer cancel()
	last, err := revisions.Wait(ctx, &sallyportv1.WaitRequest{Parent: parent, Revision: revision, Timeout: durationpb.New(0)})
	if late := missing(last); err == nil && late != "" {
		return &process.Exit{Status: statusInterrupted, Err: fmt.Errorf("interrupted: %s is not enforced yet by\n%s", revision, late)}
	}
	return cause
}

// missing names the edges that are not there, a line each.
func missing(r *sallyportv1.WaitResponse) string {
	var out []string
	for _, e := range r.GetPending() {
		line := fmt.Sprintf("  %s has %s and %s", e.GetEdge(), orNothing(e.GetConfig()), orNothing(e.GetUrgent()))
		if e.GetRefused() != "" {
			line += ", and refused " + e.GetRefused()
		}
		out = append(out, printable(line))
	}
	for _, e := range r.GetUnreachable() {
		out = append(out, printable(fmt.Sprintf("  %s is silent since %s, and may serve what it has until %s", e.GetEdge(),
			e.GetSeenTime().AsTime().Local().Format(instant), e.GetClosesBy().AsTime().Local().Format(instant))))
	}
	return strings.Join(out, "\n")
}

func orNothing(revision string) string {
	if revision == "" {
		return "nothing"
	}
	return revision
}
