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
	engine "github.com/sallyport-iap/sallyport/edge/policy"
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
	if !r.Ruled() && (draft == nil || !r.Unrouted()) {
		answer.note("No rule was asked: the request was answered before, or without, a decision on them.")
		return answer, nil
	}
	if r.Decision.Facts == nil && r.Principal.Kind == "user" {
		answer.note("The edge recorded only part of what it decided on: groups of the provider, and whether the address is verified, are taken as unknown.")
	} else if f := r.Decision.Facts; f != nil && f.Incomplete {
		answer.note("The edge had to cut what it recorded (a path of more than 512 bytes, or many groups), so some facts are taken as unknown.")
	}
	then := policy.NewSite(resources)
	identity := r.Identity(nil)
	if answer.found {
		identity = r.Identity(then.Claims(r.Principal.Provider)) // edges looked for these
	}
	if draft != nil {
		var site *policy.Site
		if site, answer.Revision, err = s.site(ctx, caller, scope, draft); err != nil {
			return nil, err
		}
		answer.under(site, r, identity)
	} else {
		request := r.Ask()
		request.Principal = then.Program.Resolve(identity)
		answer.Explanation = then.Program.Explain(r.App, &request)
	}
	if r.Preflight() {
		answer.note("It was a preflight (CORS) without identity, which the app lets through whatever rules say of strangers (cors_preflight): " +
			"the edge decided ALLOW allow.public. This is what rules say of it by itself.")
	} else if draft == nil && (answer.Outcome.String() != r.Decision.Outcome || string(answer.Reason) != r.Decision.Reason) {
		answer.note(fmt.Sprintf("The edge decided %s %s; what is recorded does not suffice to show why, or the outcome was made after the rules, as by the upstream.",
			r.Decision.Outcome, r.Decision.Reason))
	}
	return answer, nil
}

// under explains what would become of a recorded request by a draft, which can have moved the host to another app, and can
// admit somebody no longer, or know their address no longer.
func (a *Answer) under(site *policy.Site, r *recorded.Record, who engine.Identity) {
	request := r.Ask()
	cut := request.Path == ""
	if !cut {
		request.Path = r.Request.Path
	}
	target := site.Target(request)
	if app, ok := site.Host(request.Host); ok && cut {
		target = policy.Target{App: app.ID, Request: request, Routed: true} // the operation is that of then
	}
	var principal *engine.Principal
	if site.Admits(&who) {
		who.EmailDomainOwned = site.Owns(who.IDP, who.Email)
		principal = site.Program.Resolve(who)
	} else if who.Kind != engine.Anonymous {
		a.note("By the draft nobody is signed in by this credential any more: its identity provider or service account is disabled or gone.")
	}
	d, refused := site.Answer(&target, who.Kind, principal)
	switch {
	case target.Refused == engine.RouteMisdirected:
		a.Before, a.Detail = &d, "No app has the host "+request.Host+"."
	case refused && target.Refused == "":
		a.Before, a.Detail = &d, "Rules allow it, but no route of the app "+target.App+" leads anywhere from this path."
	case refused:
		a.Before, a.Detail = &d, "The app "+target.App+" takes no such path."
	case d.Reason == engine.IdentityDisabled:
		a.Before, a.Detail = &d, "The identity provider or the service account is disabled or gone."
	default:
		a.Explanation = site.Program.Explain(target.App, &target.Request)
	}
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
			a.found = ok
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
