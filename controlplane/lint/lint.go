// Package lint finds what a policy says that its author can hardly mean: rules that do nothing, operations that nobody may
// do, groups that nobody is in. What it finds is valid and is enforced as written; it is advice and must never refuse
// anything. It is pure: the same resources at the same time have the same findings, in the same order.
package lint

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/policy"
	engine "github.com/sallyport-iap/sallyport/edge/policy"
)

// Severity says how likely it is that something is wrong.
type Severity string

// The severities.
const (
	Warning Severity = "WARNING" // it does nothing, or not what it seems to
	Note    Severity = "NOTE"    // worth knowing
)

// Finding is one thing that was found.
type Finding struct {
	Severity Severity
	Code     string // stable
	Kind     controlplane.Kind
	ID       string
	Field    string // of the resource
	Message  string
	Advice   string
}

// Check looks at a tenant as it is at an instant. Findings are ordered by severity, warnings first, then by kind, id and
// field. The error is the context's.
func Check(ctx context.Context, site *policy.Site, now time.Time) ([]Finding, error) {
	l := &linter{
		budget: budget{ctx: ctx, left: maxTries, next: maxTries},
		site:   site, source: site.Source, now: now, named: map[string][]*engine.Policy{}, granted: map[string]bool{}, roles: map[string]int{},
	}
	for _, r := range l.source.Roles {
		l.roles[r.ID] = len(r.Operations)
	}
	for _, g := range l.source.Grants {
		l.granted[g.App] = l.granted[g.App] || g.NotAfter.After(now)
	}
	for _, p := range l.source.Policies {
		l.at = Finding{Kind: controlplane.KindPolicy, ID: p.ID}
		if len(p.Selector) > 0 {
			l.rails = append(l.rails, p)
		}
		for _, app := range p.Apps {
			l.named[app] = append(l.named[app], p)
		}
		l.policy(p)
	}
	for _, app := range l.source.Apps {
		if !l.over {
			l.at = Finding{Kind: controlplane.KindApp, ID: app.ID}
		}
		l.app(app)
	}
	l.groups()
	for _, g := range l.source.Grants {
		if !g.NotAfter.After(now) {
			l.add(Finding{Note, "grant-expired", "Grant", g.ID, "not_after", "has ended", "Delete it."})
		}
	}
	if l.over {
		l.found = append(l.found, l.incomplete())
	}
	slices.SortStableFunc(l.found, func(a, b Finding) int {
		return cmp.Or(-cmp.Compare(a.Severity, b.Severity), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Field, b.Field), cmp.Compare(a.Code, b.Code))
	})
	return l.found, l.err
}

// New is what is found after a change and was not before it. What only moved within its resource is not new.
func New(ctx context.Context, before, after *policy.Site, now time.Time) ([]Finding, error) {
	type same struct {
		kind              controlplane.Kind
		id, code, message string
	}
	old := map[same]bool{}
	had, err := Check(ctx, before, now)
	if err != nil {
		return nil, err
	}
	for _, f := range had {
		old[same{f.Kind, f.ID, f.Code, f.Message}] = true
	}
	has, err := Check(ctx, after, now)
	return slices.DeleteFunc(has, func(f Finding) bool { return old[same{f.Kind, f.ID, f.Code, f.Message}] }), err
}

type linter struct {
	budget
	site    *policy.Site
	source  engine.Source
	now     time.Time
	named   map[string][]*engine.Policy // by app
	granted map[string]bool             // by app: whether a grant is still to end
	roles   map[string]int              // how many operations each names
	rails   []*engine.Policy
	found   []Finding
}

func (l *linter) add(f Finding) {
	if l.spend(tell) {
		l.found = append(l.found, f)
	}
}

// policy looks at a policy and its rules, each by itself.
func (l *linter) policy(p *engine.Policy) {
	var reached []*engine.App
	if len(p.Selector) > 0 {
		if !l.spend(len(l.source.Apps) * len(p.Selector)) {
			return
		}
		for _, a := range l.source.Apps {
			if p.Reaches(a) {
				reached = append(reached, a)
			}
		}
	}
	if len(p.Selector) > 0 && len(reached) == 0 {
		l.add(Finding{
			Warning, "guard-rail-without-app", controlplane.KindPolicy, p.ID, "selector",
			"no app has such labels, so it guards nothing", "Correct the selector, or label the apps that are meant.",
		})
	}
	for i := range p.Rules {
		r := &p.Rules[i]
		at := fmt.Sprintf("rules[%d]", i)
		if why, field := never(r, l.now); why != "" {
			l.add(Finding{Warning, "never-holds", controlplane.KindPolicy, p.ID, at + "." + field, fmt.Sprintf("rule %q: %s", r.ID, why), "Correct the condition, or delete the rule."})
		}
		if len(p.Selector) == 0 {
			continue // the names of a policy for apps by name are checked when it is written
		}
		for n, name := range r.Operations {
			one := &engine.Rule{Operations: []string{name}}
			if len(reached) > 0 && !slices.ContainsFunc(reached, func(a *engine.App) bool { return l.picksAny(one, a) }) {
				l.add(Finding{
					Warning, "operation-of-no-app", controlplane.KindPolicy, p.ID, fmt.Sprintf("%s.operations[%d]", at, n),
					fmt.Sprintf("rule %q: none of the %d apps that it reaches has an operation %q", r.ID, len(reached), name), "Correct the name.",
				})
			}
		}
	}
}

// groups finds those that nobody can be in.
func (l *linter) groups() {
	inhabited := map[string]bool{}
	for _, m := range l.source.Memberships {
		for _, g := range m.Groups {
			inhabited[g] = true
		}
	}
	for grown := true; grown; {
		grown = false
		for _, g := range l.source.Groups {
			if inhabited[g.ID] {
				continue
			}
			if !l.spend(1 + len(g.Members)) {
				return
			}
			inhabited[g.ID] = slices.ContainsFunc(g.Members, func(m engine.Member) bool { return m.Group == "" || inhabited[m.Group] })
			grown = grown || inhabited[g.ID]
		}
	}
	for _, g := range l.source.Groups {
		if !inhabited[g.ID] {
			l.add(Finding{
				Warning, "group-without-members", controlplane.KindGroup, g.ID, "members",
				"nobody can be in it", "Add members, or delete it and what names it.",
			})
		}
	}
}
