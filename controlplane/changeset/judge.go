package changeset

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/policy"
)

// remember reads what the tenant's policy is before the set, if the set bears on it. It comes before anything is written.
func (r *run) remember() error {
	if !slices.ContainsFunc(r.changes, bearsOnPolicy) {
		return nil
	}
	var err error
	r.before, err = r.sites.at(r.tx)
	return err
}

func bearsOnPolicy(c *change) bool { return slices.Contains(policy.Kinds, c.kind) }

// judge compiles what the tenant's policy has become as edges do, runs its tests, and finds where guard-rails reach less.
func (r *run) judge() error {
	if r.before == nil {
		return nil
	}
	places := map[policy.Key]string{}
	var put []*controlplane.Resource
	var gone, changed []policy.Key
	for _, c := range r.changes {
		key := policy.Key{Kind: c.kind, ID: c.id}
		places[key] = c.at
		changed = append(changed, key)
		if c.after != nil {
			put = append(put, c.after)
		} else {
			gone = append(gone, key)
		}
	}
	after := r.before.With(put, gone)
	for _, f := range after.Findings() {
		at, inSet := places[policy.Key{Kind: f.Kind, ID: f.ID}]
		if !inSet && f.Kind != "" {
			at = r.name(f.Kind, f.ID)
		}
		r.add(at, f.Violation)
	}
	r.tooManyTests(after)
	if len(r.violations) > 0 {
		return nil
	}
	r.after = after
	r.lost = after.Lost(r.before, changed)
	if err := r.mayLose(); err != nil {
		return err
	}
	r.tests = after.Run()
	for i, t := range r.tests {
		// One that the set writes must pass, whatever it was before.
		if _, written := places[policy.Key{Kind: controlplane.KindPolicyTest, ID: t.Test}]; !written && !t.Passed {
			r.tests[i].FailedBefore = r.before.Fails(t.Test)
		}
	}
	return r.heed()
}

// tooManyTests refuses one more than there may be: each costs every write some time.
func (r *run) tooManyTests(after *policy.Site) {
	have := after.Count(controlplane.KindPolicyTest)
	if have <= max(policy.MaxTests, r.before.Count(controlplane.KindPolicyTest)) {
		return
	}
	at := slices.IndexFunc(r.changes, func(c *change) bool { return c.kind == controlplane.KindPolicyTest && c.before == nil })
	r.add(r.changes[at].at, controlplane.Violation{
		Reason:      controlplane.ReasonFieldInvalid,
		Description: fmt.Sprintf("a tenant has at most %d policy tests, and this would make %d: delete some first", policy.MaxTests, have),
	})
}

// heed refuses the set if a policy test fails by it, unless it is forced. One that failed before, which somebody forced,
// stops nobody else.
func (r *run) heed() error {
	failed := failures(r.tests)
	if len(failed) == 0 || r.set.ForceReason != "" {
		return nil
	}
	e := &controlplane.Error{
		Kind: controlplane.Precondition, Reason: controlplane.ReasonPolicyTestFailed,
		Message: fmt.Sprintf("%s fails: %s", r.name(controlplane.KindPolicyTest, failed[0].Test), failed[0].Explanation),
	}
	if more := len(failed) - 1; more > 0 {
		e.Message += fmt.Sprintf(" (and %d more)", more)
	}
	for _, t := range failed[:min(told, len(failed))] {
		e.Violations = append(e.Violations, controlplane.Violation{
			Field: r.name(controlplane.KindPolicyTest, t.Test), Reason: e.Reason, Description: t.Explanation,
		})
	}
	return e
}

// failures are the tests that fail by the set.
func failures(tests []policy.TestResult) []policy.TestResult {
	return slices.DeleteFunc(slices.Clone(tests), func(t policy.TestResult) bool { return t.Passed || t.FailedBefore })
}

// Notes are what a change row says beside its items.
type Notes struct {
	LostReach []policy.ReachLoss `json:"lost_reach,omitempty"`
	Forced    *Forced            `json:"forced,omitempty"`
}

// Forced is why a change was written although policy tests failed, and which: their ids.
type Forced struct {
	Reason string   `json:"reason"`
	Tests  []string `json:"tests"`
}

// ReadNotes reads the notes of a recorded change.
func ReadNotes(notes json.RawMessage) (Notes, error) {
	var n Notes
	if len(notes) == 0 {
		return n, nil
	}
	if err := json.Unmarshal(notes, &n); err != nil {
		return n, fmt.Errorf("read the notes of a change: %w", err)
	}
	return n, nil
}

func (r *run) notes() (json.RawMessage, error) {
	n := Notes{LostReach: r.lost}
	if failed := failures(r.tests); len(failed) > 0 {
		n.Forced = &Forced{Reason: r.set.ForceReason}
		for _, t := range failed {
			n.Forced.Tests = append(n.Forced.Tests, t.Test)
		}
	}
	if n.Forced == nil && n.LostReach == nil {
		return nil, nil
	}
	return json.Marshal(n)
}
