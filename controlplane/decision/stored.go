package decision

import (
	"context"
	"fmt"
	"strings"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/changeset"
	"github.com/sallyport-iap/sallyport/controlplane/policy"
	"github.com/sallyport-iap/sallyport/controlplane/recorded"
	"github.com/sallyport-iap/sallyport/controlplane/store"
)

// ExplainStored explains a decision of an edge, from the facts that it recorded and the policy as it was at that revision;
// with a draft, what would be decided on these facts once that were applied.
func (s *Service) ExplainStored(ctx context.Context, caller *controlplane.Caller, scope controlplane.Scope, draft *changeset.Set, id string) (*Answer, error) {
	if err := caller.Enter(scope.UID); err != nil {
		return nil, err
	}
	if err := caller.Require(controlplane.ReadActivity); err != nil {
		return nil, err
	}
	give, err := s.explains.Take(ctx, scope.UID)
	if err != nil {
		return nil, err
	}
	defer give()
	answer := &Answer{}
	var r *recorded.Record
	var resources []*controlplane.Resource
	err = s.DB.Read(ctx, scope.UID, func(tx *store.TenantTx) error {
		*answer = Answer{}
		events, err := tx.AccessEvents(store.AccessEventQuery{ID: strings.TrimPrefix(id, "d_"), Limit: 1})
		if err != nil {
			return err
		}
		if len(events) == 0 {
			return controlplane.NotFoundError()
		}
		answer.Event = &events[0]
		if r, err = recorded.Read(events[0].Event); err != nil {
			return err
		}
		resources, err = answer.then(tx, r)
		return err
	})
	if err != nil {
		return nil, err
	}
	if !r.Ruled() {
		answer.note("No rule was asked: the request was answered before, or without, a decision on them.")
		return answer, nil
	}
	then := policy.NewSite(resources)
	site, request := then, r.Ask()
	if draft != nil {
		if site, answer.Revision, err = s.site(ctx, caller, scope, draft); err != nil {
			return nil, err
		}
		if app, ok := site.App(r.App); ok && request.Path != "" {
			request.Operation, _, _, _ = app.Operation(request.Host, request.Method, r.Request.Path) // what is refused is no operation
		}
	}
	if r.Decision.Facts == nil && r.Principal.Kind == "user" {
		answer.note("The edge recorded only part of what it decided on: groups of the provider, and whether the address is verified, are taken as unknown.")
	} else if f := r.Decision.Facts; f != nil && f.Incomplete {
		answer.note("The edge had to cut what it recorded (a path of more than 512 bytes, or many groups), so some facts are taken as unknown.")
	}
	request.Principal = site.Program.Resolve(r.Identity(then.Claims(r.Principal.Provider)))
	answer.Explanation = site.Program.Explain(r.App, &request)
	if r.Preflight() {
		answer.note("It was a preflight (CORS) without identity, which the app lets through whatever rules say of strangers (cors_preflight): " +
			"the edge decided ALLOW allow.public. This is what rules say of it by itself.")
	} else if now := answer.Outcome.String(); draft == nil && (now != r.Decision.Outcome || string(answer.Reason) != r.Decision.Reason) {
		answer.note(fmt.Sprintf("The edge decided %s %s; what is recorded does not suffice to show why, or the outcome was made after the rules, as by the upstream.",
			r.Decision.Outcome, r.Decision.Reason))
	}
	return answer, nil
}

// then finds the policy of a recorded decision, or says why it is not that.
func (a *Answer) then(tx *store.TenantTx, r *recorded.Record) ([]*controlplane.Resource, error) {
	head := tx.Head()
	config := r.Decision.Config
	var lost string
	switch {
	case config == 0 || config > head.Config || r.Decision.Lineage != "" && r.Decision.Lineage != head.Lineage:
		lost = "The history that this was decided in is not here: the database is another, or was restored."
	default:
		resources, ok, err := past(tx, config)
		if err != nil || ok {
			a.Revision = controlplane.Revision{Lane: controlplane.Config, Number: config}
			return resources, err
		}
		lost = fmt.Sprintf("There were more than %d changes since.", changesInAll)
	}
	a.note(lost + " This is by the policy of today.")
	a.Revision = head.Revision(controlplane.Config)
	return tx.AllResources(policy.Kinds...)
}

func (a *Answer) note(text string) { a.Notes = append(a.Notes, text) }
