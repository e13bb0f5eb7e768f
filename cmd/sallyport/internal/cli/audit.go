package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"connectrpc.com/connect"

	sallyportv1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
	"github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1/sallyportv1connect"
)

type auditCommand struct {
	Tail auditTailCommand `cmd:"" help:"Print what happens, as it happens."`
	List auditListCommand `cmd:"" help:"Print the newest of what happened."`
}

type auditTailCommand struct {
	Changes bool   `help:"Changes of configuration, instead of access to apps."`
	App     string `placeholder:"ID" help:"Only this app."`
	Outcome string `placeholder:"OUTCOME" help:"Only ALLOW, DENY, AUTHENTICATE, REFUSED or UNAVAILABLE."`
	Limit   int    `help:"Stop after this many."`
}

func (a *auditTailCommand) Run(ctx context.Context, s *session) error {
	client, err := s.resolve()
	if err != nil {
		return err
	}
	audit := sallyportv1connect.NewAuditServiceClient(client.HTTP, client.URL)
	if a.Changes {
		stream, err := audit.TailChanges(ctx, &sallyportv1.TailChangesRequest{Parent: s.parent()})
		if err != nil {
			return err
		}
		return follow(ctx, stream, a.Limit, func(r *sallyportv1.TailChangesResponse) error { return s.printChange(r.GetChange()) })
	}
	stream, err := audit.TailAccessEvents(ctx, &sallyportv1.TailAccessEventsRequest{Parent: s.parent(), App: a.App, Outcome: a.Outcome})
	if err != nil {
		return err
	}
	return follow(ctx, stream, a.Limit, func(r *sallyportv1.TailAccessEventsResponse) error { return s.printEvent(r.GetAccessEvent()) })
}

// follow prints until the limit, the end, or Ctrl-C, which is how people end a tail and no error.
func follow[M any](ctx context.Context, stream *connect.ServerStreamForClient[M], limit int, show func(*M) error) error {
	defer stream.Close()
	for n := 0; (limit == 0 || n < limit) && stream.Receive(); n++ {
		if err := show(stream.Msg()); err != nil {
			return err
		}
	}
	if err := stream.Err(); err != nil && !errors.Is(ctx.Err(), context.Canceled) {
		return err
	}
	return nil
}

type auditListCommand struct {
	Changes  bool   `help:"Changes of configuration, instead of access to apps."`
	Decision string `placeholder:"ID" help:"Only this decision (d_…), as shown to the person who was denied."`
	App      string `placeholder:"ID" help:"Only this app."`
	Outcome  string `placeholder:"OUTCOME" help:"Only ALLOW, DENY, AUTHENTICATE, REFUSED or UNAVAILABLE."`
	Limit    int32  `default:"50" help:"At most this many, 500 at most."`
}

func (a *auditListCommand) Run(ctx context.Context, s *session) error {
	client, err := s.resolve()
	if err != nil {
		return err
	}
	audit := sallyportv1connect.NewAuditServiceClient(client.HTTP, client.URL)
	if a.Changes {
		response, err := audit.ListChanges(ctx, &sallyportv1.ListChangesRequest{Parent: s.parent(), PageSize: a.Limit})
		if err != nil {
			return err
		}
		return each(response.GetChanges(), s.printChange)
	}
	response, err := audit.ListAccessEvents(ctx, &sallyportv1.ListAccessEventsRequest{
		Parent: s.parent(), PageSize: a.Limit, DecisionId: a.Decision, App: a.App, Outcome: a.Outcome,
	})
	if err != nil {
		return err
	}
	return each(response.GetAccessEvents(), s.printEvent)
}

func each[T any](items []T, show func(T) error) error {
	for _, item := range items {
		if err := show(item); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) printEvent(e *sallyportv1.AccessEvent) error {
	if s.json {
		return s.printOne(e.ProtoReflect())
	}
	at := e.GetTime().AsTime().Local().Format(time.TimeOnly)
	if gap := e.GetGap(); gap != nil {
		s.printf("%s  %-6s records %d to %d are missing: %s\n", at, e.GetEdge(), gap.GetFrom(), gap.GetTo(), gap.GetWhy())
		return nil
	}
	who := e.GetPrincipal().GetEmail()
	if who == "" {
		who = e.GetPrincipal().GetSubject()
	}
	if who == "" {
		who = "anonymous"
	}
	s.printf("%s  %-6s %3d %-12s %-24s %s %s%s  %s  d_%s\n", at, e.GetEdge(), e.GetResponse().GetStatus(), e.GetDecision().GetOutcome(), who,
		e.GetRequest().GetMethod(), e.GetRequest().GetHost(), e.GetRequest().GetPath(), e.GetDecision().GetReason(), e.GetId())
	return nil
}

func (s *session) printChange(c *sallyportv1.ConfigChange) error {
	if s.json {
		return s.printOne(c.ProtoReflect())
	}
	var items []string
	for _, item := range c.GetChanges() {
		sign := map[sallyportv1.Change_Action]string{
			sallyportv1.Change_ACTION_CREATE: "+", sallyportv1.Change_ACTION_UPDATE: "~", sallyportv1.Change_ACTION_DELETE: "-",
		}[item.GetAction()]
		items = append(items, strings.TrimSpace(fmt.Sprintf("%s %s", sign, item.GetName())))
	}
	s.printf("%s  %-6s %s  %s  %s\n", c.GetTime().AsTime().Local().Format(time.TimeOnly), c.GetRevision(), c.GetActor(), c.GetMethod(), strings.Join(items, ", "))
	return nil
}
