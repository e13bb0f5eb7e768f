package cli

import (
	"context"
	"time"

	sallyportv1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
	"github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1/sallyportv1connect"
)

type shadowCommand struct {
	Policy string `arg:"" help:"Id of a policy that is, or was, in SHADOW mode."`
	window
}

// Help is what `--help` says beyond the flags.
func (*shadowCommand) Help() string {
	return `Edges judge policies in SHADOW mode beside those that are enforced, and record what they would have changed.

    sallyport shadow office-only --since 7d`
}

func (c *shadowCommand) Run(ctx context.Context, s *session) error {
	since, until, err := c.times(time.Now())
	if err != nil {
		return err
	}
	client, err := s.resolve()
	if err != nil {
		return err
	}
	if s.target.Tenant == "" {
		return usage("whose policy? Give --tenant, or set SALLYPORT_TENANT")
	}
	stream, err := sallyportv1connect.NewDecisionServiceClient(client.HTTP, client.URL).SummarizeShadow(ctx, &sallyportv1.SummarizeShadowRequest{
		Parent: s.parent(), Policy: c.Policy, Since: since, Until: until, App: c.App, MaxEvents: c.Max, Examples: c.Examples,
	})
	var summary *sallyportv1.ShadowSummary
	if err == nil {
		summary, err = last(s, stream, (*sallyportv1.SummarizeShadowResponse).GetProgress, (*sallyportv1.SummarizeShadowResponse).GetSummary)
	}
	if err != nil {
		return nowhere(err, s.parent()+"/policies/"+c.Policy, "")
	}
	if s.scripted() {
		return s.printValue(summary)
	}
	c.print(s, summary)
	return nil
}

func (c *shadowCommand) print(s *session, r *sallyportv1.ShadowSummary) {
	c.span(s, printable(c.Policy)+" in SHADOW mode", r.GetEvents(), r.GetSince(), r.GetUntil(), r.GetOldest(), r.GetTruncated())
	s.printf("It was judged in %s of them: nothing would have changed in %s.\n", thousands(r.GetSeen()), thousands(r.GetUnchanged()))
	c.moves(s, "LOSSES", "would not have been let in", r.GetLosses())
	c.moves(s, "GAINS", "would have been let in", r.GetGains())
	c.changes(s, "Not let in either way, but answered differently", r.GetChanges())
	for _, note := range r.GetNotes() {
		s.printf("\nNote: %s\n", printable(note))
	}
}
