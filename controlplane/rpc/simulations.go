package rpc

import (
	"context"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/recorded"
	"github.com/sallyport-iap/sallyport/controlplane/simulation"
	v1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
)

func (s decisions) Simulate(ctx context.Context, r *v1.SimulateRequest, stream *connect.ServerStream[v1.SimulateResponse]) error {
	scope, err := s.parent(ctx, r.GetParent(), false)
	if err != nil {
		return err
	}
	q := simulation.Query{
		Scope: scope, Since: instant(r.GetSince()), Until: instant(r.GetUntil()), App: r.GetApp(),
		MaxEvents: int(r.GetMaxEvents()), Examples: int(r.GetExamples()),
	}
	if q.Draft, err = s.draft(scope, r.GetDraft()); err != nil {
		return err
	}
	summary, err := s.Simulations.Run(ctx, callerOf(ctx), q, watched(ctx, scope, func(p *v1.SimulationProgress) error {
		return stream.Send(&v1.SimulateResponse{Says: &v1.SimulateResponse_Progress{Progress: p}})
	}))
	if err != nil {
		return err
	}
	return stream.Send(&v1.SimulateResponse{Says: &v1.SimulateResponse_Summary{Summary: &v1.SimulationSummary{
		Revision: summary.Revision.String(), Since: timestamp(summary.Since), Until: timestamp(summary.Until),
		Events: summary.Events, Oldest: timestamp(summary.Oldest), Truncated: summary.Truncated,
		Decided: summary.Decided, Unchanged: summary.Unchanged,
		Gains: movesMessage(&summary.Gains), Losses: movesMessage(&summary.Losses), Changes: changeMessages(summary.Changes),
		Undecidable: countMessages(summary.Undecidable), Skipped: countMessages(summary.Skipped),
		Drift: summary.Drift, Drifts: changeMessages(summary.Drifts), Notes: summary.Notes,
	}}})
}

func (s decisions) SummarizeShadow(ctx context.Context, r *v1.SummarizeShadowRequest, stream *connect.ServerStream[v1.SummarizeShadowResponse]) error {
	scope, err := s.parent(ctx, r.GetParent(), false)
	if err != nil {
		return err
	}
	q := simulation.Query{
		Scope: scope, Since: instant(r.GetSince()), Until: instant(r.GetUntil()), App: r.GetApp(),
		MaxEvents: int(r.GetMaxEvents()), Examples: int(r.GetExamples()),
	}
	summary, err := s.Simulations.Shadow(ctx, callerOf(ctx), q, r.GetPolicy(), watched(ctx, scope, func(p *v1.SimulationProgress) error {
		return stream.Send(&v1.SummarizeShadowResponse{Says: &v1.SummarizeShadowResponse_Progress{Progress: p}})
	}))
	if err != nil {
		return err
	}
	return stream.Send(&v1.SummarizeShadowResponse{Says: &v1.SummarizeShadowResponse_Summary{Summary: &v1.ShadowSummary{
		Since: timestamp(summary.Since), Until: timestamp(summary.Until), Events: summary.Events, Oldest: timestamp(summary.Oldest),
		Truncated: summary.Truncated, Seen: summary.Seen, Unchanged: summary.Unchanged,
		Gains: movesMessage(&summary.Gains), Losses: movesMessage(&summary.Losses), Changes: changeMessages(summary.Changes),
		Notes: summary.Notes,
	}}})
}

// entitled is how long a simulation outlives the right to it.
const entitled = 5 * time.Second

// watched sends progress, and asks now and then whether who asked still may.
func watched(ctx context.Context, scope controlplane.Scope, send func(*v1.SimulationProgress) error) func(simulation.Progress) error {
	may, asked := asker(ctx, scope, nil), time.Now()
	return func(p simulation.Progress) error {
		if time.Since(asked) > entitled {
			asked = time.Now()
			if err := may.Again(ctx); err != nil {
				return err
			}
		}
		return send(&v1.SimulationProgress{Events: p.Events, MaxEvents: p.MaxEvents, Reached: timestamp(p.Reached)})
	}
}

// instant is the zero time if there is none.
func instant(at *timestamppb.Timestamp) time.Time {
	if at == nil {
		return time.Time{}
	}
	return at.AsTime()
}

func movesMessage(m *simulation.Moves) *v1.SimulationMoves {
	return &v1.SimulationMoves{
		Events: m.Events, People: listMessage(&m.People), Operations: listMessage(&m.Operations), Rules: listMessage(&m.Rules),
	}
}

func listMessage(l *simulation.List) *v1.SimulationList {
	list := &v1.SimulationList{More: l.More, MoreEvents: l.MoreEvents}
	for _, line := range l.Lines {
		entry := &v1.SimulationEntry{
			App: line.App, Operation: line.Operation, Policy: line.Policy, Rule: line.Rule, Grant: line.Grant, Reason: line.Reason,
			Events: line.Events, Examples: exampleMessages(line.Examples),
		}
		if line.Who.Kind != "" {
			entry.Principal = principalMessage(&line.Who)
		}
		list.Entries = append(list.Entries, entry)
	}
	return list
}

func changeMessages(changes []*simulation.Change) (list []*v1.SimulationChange) {
	for _, c := range changes {
		list = append(list, &v1.SimulationChange{From: c.From, To: c.To, Events: c.Events, Examples: exampleMessages(c.Examples)})
	}
	return list
}

func countMessages(counts []*simulation.Count) (list []*v1.SimulationCount) {
	for _, c := range counts {
		list = append(list, &v1.SimulationCount{Why: c.Why, Title: c.Title, Events: c.Events, Examples: exampleMessages(c.Examples)})
	}
	return list
}

func exampleMessages(examples []*simulation.Example) (list []*v1.SimulationExample) {
	for _, e := range examples {
		list = append(list, &v1.SimulationExample{
			DecisionId: e.ID, Time: timestamp(e.Time), Principal: principalMessage(&e.Who), App: e.App, Operation: e.Operation,
			Method: e.Method, Host: e.Host, Path: e.Path,
			Recorded: outcomeMessage(&e.Recorded), Before: outcomeMessage(e.Before), After: outcomeMessage(e.After),
		})
	}
	return list
}

func principalMessage(p *recorded.Principal) *v1.EventPrincipal {
	return &v1.EventPrincipal{Kind: p.Kind, Subject: p.Subject, Email: p.Email, IdentityProvider: p.Provider}
}

func outcomeMessage(o *simulation.Outcome) *v1.SimulationOutcome {
	if o == nil {
		return nil
	}
	return &v1.SimulationOutcome{Outcome: o.Outcome, Reason: o.Reason, Policy: o.Policy, Rule: o.Rule, Grant: o.Grant}
}
