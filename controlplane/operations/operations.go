// Package operations makes the operations of an app those of an OpenAPI document: one change set, judged by what package
// openapi reads of the document and by who refers to what would go.
//
// It must never take an operation away from under a rule: a rule that names what is not there any more denies nobody.
package operations

import (
	"context"
	"errors"
	"slices"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/changeset"
	"github.com/sallyport-iap/sallyport/controlplane/openapi"
	"github.com/sallyport-iap/sallyport/controlplane/store"
	"github.com/sallyport-iap/sallyport/controlplane/turn"
)

// Config is what [New] needs.
type Config struct {
	Changes *changeset.Service
}

// maxParses is how many documents are read at a time: the worst takes some hundred MiB.
const maxParses = 1

// Service imports operations.
type Service struct {
	changes *changeset.Service
	turns   *turn.Turns
}

// New makes a Service.
func New(config Config) *Service {
	return &Service{changes: config.Changes, turns: turn.New(turn.Config{What: "imports", All: maxParses, Each: maxParses})}
}

// Request is a document for an app, and how it is meant.
type Request struct {
	App          string
	Document     []byte
	Options      openapi.Options
	Etag         string // if set, must be the app's current one
	ValidateOnly bool

	// As in a [changeset.Set].
	RequestID string
	Digest    []byte
	Remember  func(*Result) ([]byte, error)
}

// Result is what became of an app.
type Result struct {
	App            *controlplane.Resource
	Title, Version string // of the document
	Plan           *openapi.Plan
	Notes          []openapi.Note
	Revision       controlplane.Revision
	Replayed       []byte // the answer that was remembered; all else is empty then
}

// Import brings a document's operations about, if the caller may.
func (s *Service) Import(ctx context.Context, caller *controlplane.Caller, scope controlplane.Scope, request *Request) (*Result, error) {
	// Before anything is read for somebody who may not.
	if err := caller.Enter(scope.UID); err != nil {
		return nil, err
	}
	if err := caller.Require(controlplane.WriteApps); err != nil {
		return nil, err
	}
	document, err := s.parse(ctx, scope, request.Document)
	if err != nil {
		return nil, refusal(err)
	}
	result := &Result{Title: document.Title, Version: document.Version}
	var before *controlplane.App
	set := &changeset.Set{
		Scope: scope, ValidateOnly: request.ValidateOnly, RequestID: request.RequestID, Digest: request.Digest,
		Items: []changeset.Item{{
			Kind: controlplane.KindApp, ID: request.App, At: "app", Action: changeset.Update, Etag: request.Etag,
			Write: func(current *controlplane.Resource) (changeset.Desired, error) {
				spec, ok := current.Spec.(*controlplane.App)
				if !ok {
					return changeset.Desired{}, errors.New("an app that is none")
				}
				plan, err := document.Plan(spec, request.Options)
				if err != nil {
					return changeset.Desired{}, refusal(err)
				}
				before, result.Plan = spec, plan
				after, changed := *current, *spec
				changed.Operations = plan.Operations
				after.Spec = &changed
				return changeset.Desired{Resource: &after}, nil
			},
		}},
		Check: func(tx *store.TenantTx) error {
			warnings, err := referrers(tx, scope, request.App, result.Plan, before)
			result.Notes = slices.Concat(result.Plan.Notes, warnings)
			return err
		},
	}
	finish := func(done *changeset.Result) { result.App, result.Revision = done.Resources[0], done.Revision }
	if request.Remember != nil {
		set.Remember = func(done *changeset.Result) ([]byte, error) {
			finish(done)
			return request.Remember(result)
		}
	}
	done, err := s.changes.Apply(ctx, caller, set)
	switch {
	case err != nil:
		return nil, err
	case done.Replayed != nil:
		return &Result{Replayed: done.Replayed}, nil
	}
	finish(done)
	return result, nil
}

// parse reads a document when it is the tenant's turn: those of one tenant wait for each other before they wait with others.
func (s *Service) parse(ctx context.Context, scope controlplane.Scope, document []byte) (*openapi.Document, error) {
	give, err := s.turns.Take(ctx, scope.UID)
	if err != nil {
		return nil, err
	}
	defer give()
	return openapi.Parse(document)
}

// refusal says of each problem where in the document it is; of an option, which.
func refusal(err error) error {
	refused, ok := errors.AsType[*openapi.Refused](err)
	if !ok {
		return err
	}
	var violations []controlplane.Violation
	for _, p := range refused.Problems {
		v := controlplane.Violation{Field: "document", Description: p.String(), Reason: controlplane.ReasonFieldInvalid}
		if p.At == openapi.BasePath || p.At == openapi.StripPrefix {
			v.Field, v.Description = p.At, p.Message
		}
		violations = append(violations, v)
	}
	return controlplane.InvalidFields(violations...)
}
