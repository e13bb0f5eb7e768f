package changeset

import (
	"encoding/json"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/lint"
	"github.com/sallyport-iap/sallyport/controlplane/policy"
	"github.com/sallyport-iap/sallyport/controlplane/store"
)

// Action is what an item wants.
type Action int

const (
	Create  Action = iota + 1 // refused if it is there
	Update                    // refused if it is not there, unless AllowMissing
	Replace                   // makes it so, there or not
	Delete                    // refused if it is not there, unless AllowMissing
)

// Set is what one request wants, all of it or nothing.
type Set struct {
	Scope        controlplane.Scope
	Items        []Item
	ValidateOnly bool

	// A request id makes a retry return the first answer, for a day. Digest is a hash of the request, so that another
	// request under the same id is told apart; Remember turns the result into the answer that is kept.
	RequestID string
	Digest    []byte
	Remember  func(*Result) ([]byte, error)

	// ManagedBy, if set, is stamped on every resource of the set; with Prune, what else carries it is deleted.
	ManagedBy string
	Prune     bool

	// Check, if set, looks at what the set leaves, in the same transaction, also if that is only validated.
	Check func(*store.TenantTx) error

	// ForceReason, if set, is why the set is written although policy tests fail.
	ForceReason string

	// Also runs in the same transaction, after everything is written and checked.
	Also func(*store.TenantTx, *Result) error
}

// Item is one resource of a set.
type Item struct {
	Kind         controlplane.Kind
	ID           string
	At           string // where the resource is in the request, such as `app` or `resources[3]`: begins its violations' paths
	Action       Action
	Etag         string // if set, must be the current one
	AllowMissing bool
	// Write returns what the resource should become; current is nil if it is not there. Not called for Delete. It may be
	// called several times, and must not change current.
	Write func(current *controlplane.Resource) (Desired, error)
}

// Desired is what a resource should become. A secret that is empty is kept, unless its field is among the erased.
type Desired struct {
	*controlplane.Resource
	Erased []string
}

// Result is what became of a set.
type Result struct {
	Changes   []Change                 // ordered by name; none if nothing differs
	Resources []*controlplane.Resource // one for each item, as it is now; nil for what is gone
	Revision  controlplane.Revision    // the new one, or the current one if nothing differs
	Replayed  []byte                   // the answer that was remembered; all else is empty then
	// Tests are all policy tests, on the result, in order of ids; none if nothing changed that they could depend on.
	Tests []policy.TestResult
	Lost  []policy.ReachLoss // where guard-rails reach less than before
	// Warnings are, of a set that is only validated, what it brings that can hardly be meant. They refuse nothing.
	Warnings []lint.Finding
}

// Change is one resource that differs.
type Change struct {
	Name   string
	Action store.Action
	Fields []string // paths of what differs, for an update
	Before json.RawMessage
	After  json.RawMessage
}
