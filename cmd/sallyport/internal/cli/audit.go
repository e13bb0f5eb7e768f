package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"connectrpc.com/connect"

	"github.com/sallyport-iap/sallyport/cmd/internal/api"
	sallyportv1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
	"github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1/sallyportv1connect"
)

type auditCommand struct {
	Tail auditTailCommand `cmd:"" help:"Print what happens, as it happens."`
	List auditListCommand `cmd:"" help:"Print the newest of what happened."`
}

// filter is what both have.
type filter struct {
	Changes bool   `help:"Changes of configuration, instead of access to apps."`
	App     string `placeholder:"ID" help:"Only this app."`
	Outcome string `placeholder:"OUTCOME" help:"Only ALLOW, DENY, AUTHENTICATE, STEP_UP, REFUSED or UNAVAILABLE."`
}

// outcomes are what AccessEvent.decision.outcome can be.
var outcomes = []string{"", "ALLOW", "DENY", "AUTHENTICATE", "STEP_UP", "REFUSED", "UNAVAILABLE"}

func (f *filter) check(others ...string) error {
	if f.Changes && strings.Join(append(others, f.App, f.Outcome), "") != "" {
		return usage("changes are not of apps or people: --changes goes with no other filter")
	}
	if f.Outcome = strings.ToUpper(f.Outcome); !slices.Contains(outcomes, f.Outcome) {
		return usage("--outcome must be one of " + strings.Join(outcomes[1:], ", "))
	}
	return nil
}

// whose refuses to look for access where there are no apps.
func (f *filter) whose(s *session) error {
	if f.Changes || s.target.Tenant != "" {
		return nil
	}
	return usage("whose access? Give --tenant, or set SALLYPORT_TENANT; the platform itself has --changes only")
}

type auditTailCommand struct {
	filter
	Limit int `help:"Stop after this many."`
}

// Help is what `--help` says beyond the flags.
func (*auditTailCommand) Help() string {
	return `With -o json it is a line for each, with -o yaml a document.

    sallyport audit tail --outcome DENY
    sallyport audit tail --changes -o json | jq .revision`
}

func (a *auditTailCommand) Run(ctx context.Context, s *session) error {
	if err := a.check(); err != nil {
		return err
	}
	client, err := s.resolve()
	if err != nil {
		return err
	}
	if err := a.whose(s); err != nil {
		return err
	}
	audit := sallyportv1connect.NewAuditServiceClient(client.HTTP, client.URL)
	// A refusal of a stream comes late. This one comes before we say that we follow.
	if err := a.allowed(ctx, s, audit); err != nil {
		return nowhere(err, s.parent(), "")
	}
	if a.Changes {
		stream, err := audit.TailChanges(ctx, &sallyportv1.TailChangesRequest{Parent: s.parent()})
		if err != nil {
			return nowhere(err, s.parent(), "")
		}
		return follow(ctx, s, stream, a.Limit, func(r *sallyportv1.TailChangesResponse) error { return s.printConfigChange(r.GetChange()) })
	}
	stream, err := audit.TailAccessEvents(ctx, &sallyportv1.TailAccessEventsRequest{
		Parent: s.parent(), App: a.App, Outcome: a.Outcome,
	})
	if err != nil {
		return nowhere(err, s.parent(), "")
	}
	return follow(ctx, s, stream, a.Limit, func(r *sallyportv1.TailAccessEventsResponse) error {
		return s.printEvent(r.GetAccessEvent(), time.TimeOnly)
	})
}

func (a *auditTailCommand) allowed(ctx context.Context, s *session, audit sallyportv1connect.AuditServiceClient) error {
	var err error
	if a.Changes {
		_, err = audit.ListChanges(ctx, &sallyportv1.ListChangesRequest{Parent: s.parent(), PageSize: 1})
	} else {
		_, err = audit.ListAccessEvents(ctx, &sallyportv1.ListAccessEventsRequest{Parent: s.parent(), PageSize: 1})
	}
	return err
}

// follow prints until the limit, the end, or Ctrl-C, which is how people end a tail and no error.
func follow[M any](ctx context.Context, s *session, stream *connect.ServerStreamForClient[M], limit int, show func(*M) error) error {
	defer stream.Close()
	stream.ResponseHeader() // comes once nothing is missed any more
	s.progress("From now on, in %s. Ctrl-C ends it.\n", s.parent())
	for n := 0; (limit <= 0 || n < limit) && stream.Receive(); n++ {
		if err := show(stream.Msg()); err != nil {
			return err
		}
	}
	if err := stream.Err(); err != nil && !errors.Is(ctx.Err(), context.Canceled) {
		return nowhere(err, s.parent(), "")
	}
	return nil
}

type auditListCommand struct {
	filter
	Decision  string `placeholder:"ID" help:"Only this decision (d_…), as shown to who was denied."`
	Principal string `placeholder:"WHO" help:"Only this person's (e-mail, or user:…) or service account's (serviceAccount:…)."`
	Limit     int    `default:"50" help:"At most this many, newest first."`
}

// Help is what `--help` says beyond the flags.
func (*auditListCommand) Help() string {
	return `With -o json it is a line for each, with -o yaml a document.

    sallyport audit list --decision d_01M849GJJYF75RD8T7VPB6TN3R      why was that denied?
    sallyport audit list --principal bob@acme.test --outcome DENY`
}

func (a *auditListCommand) Run(ctx context.Context, s *session) error {
	if err := a.check(a.Decision, a.Principal); err != nil {
		return err
	}
	if a.Limit < 1 {
		return usage("--limit must be at least 1")
	}
	client, err := s.resolve()
	if err != nil {
		return err
	}
	if err := a.whose(s); err != nil {
		return err
	}
	if a.Changes {
		err = a.changes(ctx, s, client)
	} else {
		err = a.events(ctx, s, client)
	}
	return nowhere(err, s.parent(), "")
}

// suchAs tells that there is a filter, for whom it hides everything.
func (a *auditListCommand) suchAs() string {
	if a.App+a.Outcome+a.Decision+a.Principal == "" {
		return ""
	}
	return " like that"
}

// page is the most that one call returns.
const page = 500

func (a *auditListCommand) events(ctx context.Context, s *session, client *api.Client) error {
	audit := sallyportv1connect.NewAuditServiceClient(client.HTTP, client.URL)
	request := &sallyportv1.ListAccessEventsRequest{
		Parent: s.parent(), DecisionId: a.Decision, App: a.App,
		Principal: a.Principal, Outcome: a.Outcome,
	}
	for left := a.Limit; left > 0; {
		request.PageSize = int32(min(left, page))
		response, err := audit.ListAccessEvents(ctx, request)
		if err != nil {
			return err
		}
		for _, e := range response.GetAccessEvents() {
			if err := s.printEvent(e, instant); err != nil {
				return err
			}
		}
		if len(response.GetAccessEvents()) == 0 && left == a.Limit && !s.scripted() {
			s.progress("There are no access events in %s%s.\n", s.parent(), a.suchAs())
		}
		left -= len(response.GetAccessEvents())
		if request.PageToken = response.GetNextPageToken(); request.GetPageToken() == "" {
			break
		}
	}
	return nil
}

func (a *auditListCommand) changes(ctx context.Context, s *session, client *api.Client) error {
	audit := sallyportv1connect.NewAuditServiceClient(client.HTTP, client.URL)
	request := &sallyportv1.ListChangesRequest{Parent: s.parent()}
	for left := a.Limit; left > 0; {
		request.PageSize = int32(min(left, page))
		response, err := audit.ListChanges(ctx, request)
		if err != nil {
			return err
		}
		for _, c := range response.GetChanges() {
			if err := s.printConfigChange(c); err != nil {
				return err
			}
		}
		left -= len(response.GetChanges())
		if request.PageToken = response.GetNextPageToken(); request.GetPageToken() == "" {
			break
		}
	}
	return nil
}

// printEvent prints a line: when, where, what came out, who, what was asked, why, and the decision to ask about.
func (s *session) printEvent(e *sallyportv1.AccessEvent, clock string) error {
	if s.scripted() {
		return s.printLine(e)
	}
	at, edge := e.GetTime().AsTime().Local().Format(clock), printable(e.GetEdge()[strings.LastIndex(e.GetEdge(), "/")+1:])
	if gap := e.GetGap(); gap != nil {
		s.printf("%s  %-5s  records %d to %d are missing: %s\n", at, edge, gap.GetFrom(), gap.GetTo(), printable(gap.GetWhy()))
		return nil
	}
	status := "  -"
	if code := e.GetResponse().GetStatus(); code != 0 {
		status = fmt.Sprintf("%3d", code)
	}
	request := e.GetRequest()
	what := strings.TrimSpace(fmt.Sprintf("%-4s %s%s", request.GetMethod(), request.GetHost(), request.GetPath()))
	if stream := e.GetStream(); stream.GetKind() != "" {
		what += " (" + strings.TrimSpace(stream.GetKind()+" "+stream.GetPhase()+" "+stream.GetCut()) + ")"
	}
	s.printf("%s  %-5s  %s %-12s  %-20s  %-36s  %-14s  d_%s\n", at, edge, status, printable(e.GetDecision().GetOutcome()), printable(whoever(e.GetPrincipal())),
		printable(what), printable(e.GetDecision().GetReason()), printable(e.GetId()))
	return nil
}

// printConfigChange prints who did what, and below it what became of each resource.
func (s *session) printConfigChange(c *sallyportv1.ConfigChange) error {
	if s.scripted() {
		return s.printLine(c)
	}
	method := c.GetMethod()[strings.LastIndex(c.GetMethod(), "/")+1:]
	s.printf("%s  %-5s  %s\n", c.GetTime().AsTime().Local().Format(instant), c.GetRevision(),
		printable(strings.TrimRight(strings.TrimPrefix(c.GetActor(), s.parent()+"/")+"  "+method, " ")))
	for _, item := range c.GetChanges() {
		writeChange(s.Stdout, "    ", s.parent(), item)
	}
	for _, l := range c.GetLostReach() {
		s.printf("    ! %s\n", lost(s.parent(), l))
	}
	if f := c.GetForced(); f != nil {
		var tests []string
		for _, name := range f.GetFailedTests() {
			tests = append(tests, printable(strings.TrimPrefix(name, s.parent()+"/")))
		}
		s.printf("    ! forced, although %s failed: %s\n", strings.Join(tests, ", "), printable(f.GetReason()))
	}
	return nil
}
