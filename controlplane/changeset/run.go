package changeset

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/policy"
	"github.com/sallyport-iap/sallyport/controlplane/store"
)

// run is one set in one transaction.
type run struct {
	tx        *store.TenantTx
	caller    *controlplane.Caller
	set       *Set
	trusted   bool // on behalf of the system: no role is asked for
	outside   outside
	sites     *sites
	checkPool func(*controlplane.EdgePool, func(string) (bool, error)) ([]controlplane.Violation, error)

	current    map[key]*controlplane.Resource
	ids        map[controlplane.Kind][]string // of what was misspelt, see nearest
	changes    []*change                      // in the set's order, then what is pruned
	resources  []*controlplane.Resource
	violations []controlplane.Violation
	before     *policy.Site // nil if the set does not bear on policy
	after      *policy.Site // what it becomes; nil until it is judged
	tests      []policy.TestResult
	lost       []policy.ReachLoss
}

type key struct {
	kind controlplane.Kind
	id   string
}

// change is one resource that will differ. before or after is nil where there is none.
type change struct {
	at            string
	kind          controlplane.Kind
	id            string
	before, after *controlplane.Resource
	beforeDoc     map[string]any
	afterDoc      map[string]any
	secrets       map[string][]byte // to be written; nil bytes: to be removed
}

func (r *run) all() (*Result, error) {
	if r.set.RequestID != "" {
		answer, seen, err := r.tx.SeenRequest(r.caller, r.set.RequestID, r.set.Digest)
		if err != nil || seen {
			return &Result{Replayed: answer}, err
		}
	}
	if r.set.ValidateOnly {
		r.tx.DryRun()
	}
	for _, step := range []func() error{r.load, r.plan, r.prune, r.authorize, r.checkEach, r.remember, r.write, r.checkAll, r.record} {
		if err := step(); err != nil {
			return nil, err
		}
		if len(r.violations) > 0 {
			return nil, controlplane.InvalidFields(r.violations...)
		}
	}
	return r.finish()
}

// few is how many resources are read one by one; beyond, all of their kinds are read at once.
const few = 8

func (r *run) load() error {
	if len(r.set.Items) > few {
		var kinds []controlplane.Kind
		for _, i := range r.set.Items {
			if !slices.Contains(kinds, i.Kind) {
				kinds = append(kinds, i.Kind)
			}
		}
		all, err := r.tx.AllResources(kinds...)
		for _, found := range all {
			r.current[key{found.Kind, found.ID}] = found
		}
		return err
	}
	for _, i := range r.set.Items {
		found, err := r.tx.Resource(i.Kind, i.ID)
		switch {
		case err == nil:
			r.current[key{i.Kind, i.ID}] = found
		case controlplane.KindOf(err) != controlplane.NotFound:
			return err
		}
	}
	return nil
}

func (r *run) plan() error {
	seen := map[key]bool{}
	for _, i := range r.set.Items {
		k := key{i.Kind, i.ID}
		if seen[k] {
			r.refuse(join(i.At, "name"), controlplane.ReasonFieldInvalid, "is in the request twice")
			r.resources = append(r.resources, nil)
			continue
		}
		seen[k] = true
		resource, err := r.planItem(i, r.current[k])
		// Violations of all items are told together; anything else ends it.
		if invalid, ok := errors.AsType[*controlplane.Error](err); ok && len(invalid.Violations) > 0 && invalid.Kind == controlplane.Invalid {
			r.violations = append(r.violations, invalid.Violations...)
		} else if err != nil {
			return err
		}
		r.resources = append(r.resources, resource)
	}
	return nil
}

// planItem returns the resource as it will be, and plans the change if there is one.
func (r *run) planItem(i Item, current *controlplane.Resource) (*controlplane.Resource, error) {
	if i.Etag != "" && (current == nil && i.Action == Replace || current != nil && i.Etag != current.Etag) {
		return nil, Stale(current)
	}
	switch {
	case i.Action == Create && current != nil:
		return nil, &controlplane.Error{
			Kind: controlplane.Exists, Reason: controlplane.ReasonIDTaken,
			Message: fmt.Sprintf("%s exists already", r.name(i.Kind, i.ID)),
		}
	case current == nil && (i.Action == Update || i.Action == Delete) && !i.AllowMissing:
		return nil, controlplane.NotFoundError()
	case i.Action == Delete:
		if current != nil {
			return nil, r.plans(i.At, current, Desired{})
		}
		return nil, nil
	}
	if current == nil && !controlplane.ValidID(i.Kind, i.ID) {
		return nil, controlplane.InvalidFields(controlplane.Violation{
			Field: join(i.At, "name"), Reason: controlplane.ReasonFieldInvalid,
			Description: "ids have 1 to 63 of a-z, 0-9 and -, begin with a letter and do not end with -",
		})
	}
	desired, err := i.Write(current)
	if err != nil {
		return nil, err
	}
	desired.Kind, desired.ID = i.Kind, i.ID
	if r.set.ManagedBy != "" {
		desired.ManagedBy = r.set.ManagedBy
	}
	if current != nil {
		desired.UID, desired.CreateTime = current.UID, current.CreateTime
	}
	planned := len(r.changes)
	if err := r.plans(i.At, current, desired); err != nil {
		return nil, err
	}
	if len(r.changes) == planned {
		return current, nil
	}
	return desired.Resource, nil
}

// plans adds a change, if there is a difference.
func (r *run) plans(at string, before *controlplane.Resource, desired Desired) error {
	c := &change{at: at, before: before, after: desired.Resource}
	subject := cmp.Or(desired.Resource, before)
	c.kind, c.id = subject.Kind, subject.ID
	had, err := r.heldSecrets(before)
	if err != nil {
		return err
	}
	c.secrets = changedSecrets(had, desired)
	if c.beforeDoc, err = document(r.set.Scope, before, had, nil); err != nil {
		return err
	}
	if c.afterDoc, err = document(r.set.Scope, desired.Resource, had, c.secrets); err != nil {
		return err
	}
	if before != nil && desired.Resource != nil && len(differences(c.beforeDoc, c.afterDoc)) == 0 {
		return nil
	}
	r.changes = append(r.changes, c)
	return nil
}

func (r *run) prune() error {
	if !r.set.Prune {
		return nil
	}
	if r.set.ManagedBy == "" {
		r.refuse("managed_by", controlplane.ReasonFieldRequired, "prune removes what carries it, so it must be given")
		return nil
	}
	given := map[key]bool{}
	for _, i := range r.set.Items {
		given[key{i.Kind, i.ID}] = true
	}
	all, err := r.tx.AllResources(Applicable(r.set.Scope)...)
	if err != nil {
		return err
	}
	for _, found := range all {
		// A tenant is not its own resource to remove.
		if found.ManagedBy != r.set.ManagedBy || given[key{found.Kind, found.ID}] || found.Kind == controlplane.KindTenant {
			continue
		}
		if err := r.plans(r.name(found.Kind, found.ID), found, Desired{}); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) write() error {
	for _, c := range r.changes {
		if c.after == nil {
			continue
		}
		if err := r.tx.Put(c.after); err != nil {
			return fmt.Errorf("put %s: %w", r.name(c.kind, c.id), err)
		}
		for field, value := range c.secrets {
			if _, err := r.tx.PutSecret(c.after, field, value); err != nil {
				return fmt.Errorf("put %s of %s: %w", field, r.name(c.kind, c.id), err)
			}
		}
	}
	for _, c := range r.changes {
		if c.after != nil {
			continue
		}
		if err := r.tx.Delete(c.kind, c.id); err != nil {
			return fmt.Errorf("delete %s: %w", r.name(c.kind, c.id), err)
		}
	}
	return nil
}

// record writes the change row. What differs is its content; who and why come from the caller.
func (r *run) record() error {
	if len(r.changes) == 0 {
		return nil
	}
	recorded := store.Change{Lane: controlplane.Config, Caller: r.caller}
	for _, c := range r.changes {
		told, err := r.tell(c)
		if err != nil {
			return err
		}
		recorded.Items = append(recorded.Items, store.ChangeItem{Name: told.Name, Action: told.Action, Before: told.Before, After: told.After})
	}
	slices.SortFunc(recorded.Items, func(a, b store.ChangeItem) int { return strings.Compare(a.Name, b.Name) })
	var err error
	if recorded.Notes, err = r.notes(); err != nil {
		return err
	}
	return r.tx.Record(recorded)
}

func (r *run) tell(c *change) (Change, error) {
	told := Change{Name: r.name(c.kind, c.id), Action: store.Updated}
	switch {
	case c.before == nil:
		told.Action = store.Created
	case c.after == nil:
		told.Action = store.Deleted
	default:
		told.Fields = differences(c.beforeDoc, c.afterDoc)
	}
	if c.after != nil {
		c.afterDoc["uid"] = string(c.after.UID) // known once it is written
	}
	var err error
	if told.Before, err = raw(c.beforeDoc); err != nil {
		return told, err
	}
	told.After, err = raw(c.afterDoc)
	return told, err
}

func (r *run) finish() (*Result, error) {
	result := &Result{Resources: r.resources, Revision: r.tx.Committed(controlplane.Config), Tests: r.tests, Lost: r.lost}
	for _, c := range r.changes {
		told, err := r.tell(c)
		if err != nil {
			return nil, err
		}
		result.Changes = append(result.Changes, told)
	}
	slices.SortFunc(result.Changes, func(a, b Change) int { return strings.Compare(a.Name, b.Name) })
	if r.set.ValidateOnly {
		r.unpromise(result)
		return result, nil
	}
	if r.set.Also != nil {
		if err := r.set.Also(r.tx, result); err != nil {
			return nil, err
		}
	}
	if r.set.RequestID != "" && r.set.Remember != nil {
		answer, err := r.set.Remember(result)
		if err != nil {
			return nil, err
		}
		return result, r.tx.RememberRequest(r.caller, r.set.RequestID, r.set.Digest, answer)
	}
	return result, nil
}

// unpromise takes back the revision that a dry run will not have: somebody would wait for it.
func (r *run) unpromise(result *Result) {
	head := r.tx.Head()
	result.Revision = head.Revision(controlplane.Config)
	for _, c := range r.changes {
		if c.after != nil {
			c.after.Revision = 0
			if c.before != nil {
				c.after.Revision = c.before.Revision
			}
		}
	}
}

func (r *run) name(kind controlplane.Kind, id string) string { return r.set.Scope.Name(kind, id) }

func (r *run) refuse(field, reason, description string) {
	r.violations = append(r.violations, controlplane.Violation{Field: field, Reason: reason, Description: description})
}

// Stale refuses an etag that is not the current one, and says which is.
func Stale(current *controlplane.Resource) error {
	e := &controlplane.Error{
		Kind: controlplane.Conflict, Reason: controlplane.ReasonEtagStale,
		Message: "the etag is not the current one: read again, then retry",
	}
	if current != nil {
		e.Metadata = map[string]string{"etag": current.Etag}
	}
	return e
}
