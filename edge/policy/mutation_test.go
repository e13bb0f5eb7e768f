package policy

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-iap/sallyport/edge/policy/policytest"
	"github.com/sallyport-iap/sallyport/edge/policy/reference"
)

// A mutant is an engine that gets one thing wrong. Some row of the tables must
// tell it from the real one, or nobody would notice the mistake. An engine that
// ignores a field is one that decides a world in which the field is not set.
type mutant struct {
	name string
	// change changes a world that is the mutant's own, and says whether there was
	// anything to change.
	change func(*policytest.World) bool
}

// Each field of what a world is made of has a mutant: one that ignores it, or
// what stands here. Conditions and expressions have one for each effect.
var specialMutants = map[string]func(*policytest.World) bool{
	"Operation.Access":      each(func(o *policytest.Operation) { o.Access = "ADMIN" }),
	"Member.User":           withoutMembers(func(m policytest.Member) bool { return m.User != "" }),
	"Member.ServiceAccount": withoutMembers(func(m policytest.Member) bool { return m.ServiceAccount != "" }),
	"Member.Group":          withoutMembers(func(m policytest.Member) bool { return m.Group != "" }),
	"Member.IDPGroup":       withoutMembers(func(m policytest.Member) bool { return m.IDPGroup.Name != "" }),
	"IDPGroup.IDP":          claimsOfAnyProvider,
	"IDPGroup.Name": each(func(g *policytest.IDPGroup) {
		if g.Name != "" {
			g.Name = "nothing"
		}
	}),
	"Role.Operations": each(func(r *policytest.Role) {
		if r.Operations != nil {
			r.Operations = []string{"nothing"}
		}
	}),
	"Role.Access": each(func(r *policytest.Role) {
		if r.Access != nil {
			r.Access, r.Operations = nil, append([]string{"nothing"}, r.Operations...)
		}
	}),
	"Membership.User": each(func(m *policytest.Membership) { m.User = "not-" + m.User }),
	"Membership.Groups": func(w *policytest.World) bool {
		had := len(w.Memberships) > 0
		w.Memberships = nil
		return had
	},
	"Policy.Mode": each(func(p *policytest.Policy) {
		p.Mode = map[string]string{"ENFORCED": "SHADOW", "SHADOW": "ENFORCED"}[p.Mode]
	}),
	"Policy.Apps":             attachedEverywhere,
	"Policy.Selector":         withoutPolicies(func(p *policytest.Policy) bool { return p.Selector != nil }),
	"Policy.Rules":            withoutPolicies(func(*policytest.Policy) bool { return true }),
	"LabelRequirement.Values": each(func(l *policytest.LabelRequirement) { l.Values = []string{"prod", "test", "eu", "us"} }),
	"LabelRequirement.Unset": each(func(l *policytest.LabelRequirement) {
		l.Unset = map[string]string{"MATCH": "NO_MATCH", "NO_MATCH": "MATCH"}[l.Unset]
	}),
	"Exemption.Principals": each(func(e *policytest.Exemption) { e.Principals = []string{"anyone"} }),
	"Rule.Principals":      each(func(r *policytest.Rule) { r.Principals = []string{"anyone"} }),
	"Rule.Roles": each(func(r *policytest.Rule) {
		r.Roles, r.Operations = everyOperation(r.Roles, r.Operations, r.Roles != nil)
	}),
	"Rule.Operations": each(func(r *policytest.Rule) {
		r.Roles, r.Operations = everyOperation(r.Roles, r.Operations, r.Operations != nil)
	}),
	"Grant.App":        each(func(g *policytest.Grant) { g.App = map[string]string{"api": "wiki", "wiki": "api"}[g.App] }),
	"Grant.Principals": each(func(g *policytest.Grant) { g.Principals = []string{"anyone"} }),
	"Grant.Roles": each(func(g *policytest.Grant) {
		g.Roles, g.Operations = everyOperation(g.Roles, g.Operations, g.Roles != nil)
	}),
	"Grant.Operations": each(func(g *policytest.Grant) {
		g.Roles, g.Operations = everyOperation(g.Roles, g.Operations, g.Operations != nil)
	}),
	"Grant.NotAfter": each(func(g *policytest.Grant) { g.NotAfter = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC) }),
	"Window.Start":   each(func(w *policytest.Window) { w.Start = "00:00" }),
	"Window.End":     each(func(w *policytest.Window) { w.End = "24:00" }),
	"Window.Zone":    each(func(w *policytest.Window) { w.Zone = "UTC" }),
}

// noMutant are fields that decide nothing, or without which there is no world.
var noMutant = map[string]string{
	"App.ID": "a name", "Operation.ID": "a name", "Role.ID": "a name", "Group.ID": "a name", "Policy.ID": "a name", "Exemption.ID": "a name",
	"Rule.ID": "a name", "Grant.ID": "a name", "LabelRequirement.Key": "a name",
	"Rule.Description": "never decides", "Rule.Conditions": "has fields of its own", "Rule.Effect": "taken for each of the others below",
}

func mutants() (all []mutant) {
	for _, t := range partsOf(reflect.TypeFor[policytest.World](), nil) {
		for i := range t.NumField() {
			field := t.Name() + "." + t.Field(i).Name
			change := specialMutants[field]
			if change == nil {
				change = func(w *policytest.World) bool { return zero(reflect.ValueOf(w).Elem(), t, i) }
			}
			switch {
			case t == reflect.TypeFor[policytest.World]() || noMutant[field] != "":
			case !slices.Contains([]string{"Rule", "Conditions", "DeviceCondition", "Window"}, t.Name()):
				all = append(all, mutant{field, change})
			default:
				for _, effect := range effects {
					all = append(all, mutant{effect + " " + field, onlyOf(effect, change)})
				}
			}
		}
	}
	for _, effect := range effects {
		for _, other := range slices.Concat(effects, []string{""}) {
			if other != effect {
				all = append(all, mutant{effect + " taken for " + other, onlyOf(effect, each(func(r *policytest.Rule) { r.Effect = other }))})
			}
		}
		for _, kind := range []string{"user:", "group:", "domain:", "serviceAccount:", "idp:", "people", "serviceAccounts", "authenticated", "anyone"} {
			for _, instead := range []string{"anyone", "serviceAccounts"} {
				if kind != instead {
					all = append(all, mutant{effect + " takes " + instead + " for " + kind, onlyOf(effect, replaced(kind, instead))})
				}
			}
		}
	}
	return all
}

func TestEveryMutantIsCaught(t *testing.T) {
	t.Parallel()
	cases := tableCases(t)
	all, fields := mutants(), map[string]bool{}
	for _, part := range partsOf(reflect.TypeFor[policytest.World](), nil) {
		for f := range part.Fields() {
			fields[part.Name()+"."+f.Name] = true
		}
	}
	for field := range specialMutants {
		if !fields[field] || noMutant[field] != "" {
			t.Errorf("what is %s?", field)
		}
	}
	for field := range noMutant {
		if !fields[field] {
			t.Errorf("what is %s?", field)
		}
	}
	for _, m := range all {
		if !slices.ContainsFunc(cases, func(c policytest.Case) bool { return catches(t, c, m) }) {
			t.Errorf("no row notices an engine with the mutation: %s", m.name)
		}
	}
	t.Logf("%d mutants", len(all))
}

func catches(t *testing.T, c policytest.Case, m mutant) bool {
	t.Helper()
	w := copied(reflect.ValueOf(c.World)).Interface().(*policytest.World)
	if !m.change(w) {
		return false
	}
	tidy(w)
	program, problems := Compile(sources{}.of(t, w))
	if len(problems) > 0 {
		return false // a world that is refused catches nothing
	}
	r := requestOf(&c.Request)
	r.Principal = program.Resolve(identityOf(&c.Request.Who))
	return decisionOf(program.Decide(c.Request.App, &r)) != c.Want || !cmp.Equal(shadowOf(program, c.Request.App, &r), c.Shadow)
}

// copied is a copy that shares nothing which can be changed.
func copied(v reflect.Value) reflect.Value {
	c := reflect.New(v.Type()).Elem()
	c.Set(v)
	switch {
	case v.Kind() == reflect.Pointer && !v.IsNil():
		c.Set(reflect.New(v.Type().Elem()))
		c.Elem().Set(copied(v.Elem()))
	case v.Kind() == reflect.Slice && !v.IsNil():
		c.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
		for i := range v.Len() {
			c.Index(i).Set(copied(v.Index(i)))
		}
	case v.Kind() == reflect.Struct && v.Type().PkgPath() != "time":
		for i := range v.NumField() {
			c.Field(i).Set(copied(v.Field(i)))
		}
	}
	return c
}

// tidy takes away what has no meaning any more once a part of it is gone: what
// requires nothing is met, and whose scope is nobody binds nobody.
func tidy(w *policytest.World) {
	for _, p := range w.Policies {
		for i, r := range p.Rules {
			if d := r.Conditions.Device; d != nil && reflect.ValueOf(*d).IsZero() {
				p.Rules[i].Conditions.Device = nil
			}
		}
		p.Rules = slices.DeleteFunc(p.Rules, func(r policytest.Rule) bool {
			return r.Effect == "" || r.Principals == nil || r.Effect == "REQUIRE" && r.Expression == "" && reflect.ValueOf(r.Conditions).IsZero()
		})
	}
	w.Policies = slices.DeleteFunc(w.Policies, func(p *policytest.Policy) bool { return len(p.Rules) == 0 })
}

// partsOf are the structs of ours that a type is made of.
func partsOf(t reflect.Type, seen []reflect.Type) []reflect.Type {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice:
		return partsOf(t.Elem(), seen)
	case reflect.Struct:
		if t.PkgPath() == "time" || slices.Contains(seen, t) {
			return seen
		}
		seen = append(seen, t)
		for f := range t.Fields() {
			seen = partsOf(f.Type, seen)
		}
	}
	return seen
}

// visit calls do for every struct of a type within a value.
func visit(v reflect.Value, t reflect.Type, do func(reflect.Value)) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			visit(v.Elem(), t, do)
		}
	case reflect.Slice:
		for i := range v.Len() {
			visit(v.Index(i), t, do)
		}
	case reflect.Struct:
		if v.Type() == t {
			do(v)
		}
		if v.Type().PkgPath() != "time" {
			for _, f := range v.Fields() {
				visit(f, t, do)
			}
		}
	}
}

func zero(v reflect.Value, t reflect.Type, field int) (changed bool) {
	visit(v, t, func(part reflect.Value) {
		f := part.Field(field)
		changed = changed || !f.IsZero()
		f.SetZero()
	})
	return changed
}

// each changes every part of a type.
func each[T any](change func(*T)) func(*policytest.World) bool {
	return func(w *policytest.World) (changed bool) {
		visit(reflect.ValueOf(w).Elem(), reflect.TypeFor[T](), func(part reflect.Value) {
			before := reflect.New(part.Type()).Elem()
			before.Set(part)
			change(part.Addr().Interface().(*T))
			changed = changed || !reflect.DeepEqual(before.Interface(), part.Interface())
		})
		return changed
	}
}

// onlyOf makes a change to the rules of one effect.
func onlyOf(effect string, change func(*policytest.World) bool) func(*policytest.World) bool {
	return func(w *policytest.World) (changed bool) {
		for _, p := range w.Policies {
			for i := range p.Rules {
				if p.Rules[i].Effect == effect {
					alone := &policytest.World{Policies: []*policytest.Policy{{Rules: p.Rules[i : i+1]}}}
					changed = change(alone) || changed
				}
			}
		}
		return changed
	}
}

func withoutMembers(is func(policytest.Member) bool) func(*policytest.World) bool {
	return each(func(g *policytest.Group) { g.Members = slices.DeleteFunc(slices.Clone(g.Members), is) })
}

func withoutPolicies(is func(*policytest.Policy) bool) func(*policytest.World) bool {
	return func(w *policytest.World) bool {
		before := len(w.Policies)
		w.Policies = slices.DeleteFunc(w.Policies, is)
		return len(w.Policies) < before
	}
}

func claimsOfAnyProvider(w *policytest.World) (changed bool) {
	for _, g := range w.Groups {
		for _, m := range slices.Clone(g.Members) {
			for _, idp := range w.Providers {
				if m.IDPGroup.Name != "" && idp != m.IDPGroup.IDP {
					g.Members = append(g.Members, policytest.Member{IDPGroup: policytest.IDPGroup{IDP: idp, Name: m.IDPGroup.Name}})
					changed = true
				}
			}
		}
	}
	return changed
}

func attachedEverywhere(w *policytest.World) (changed bool) {
	for _, p := range w.Policies {
		for _, a := range w.Apps {
			if p.Apps != nil && !slices.Contains(p.Apps, a.ID) {
				p.Apps, changed = append(p.Apps, a.ID), true
			}
		}
	}
	return changed
}

func everyOperation(roles, operations []string, really bool) ([]string, []string) {
	if really {
		return nil, []string{"*"}
	}
	return roles, operations
}

// replaced takes one principal for another.
func replaced(kind, instead string) func(*policytest.World) bool {
	return each(func(r *policytest.Rule) {
		r.Principals = slices.Clone(r.Principals)
		for i, p := range r.Principals {
			if p == kind || strings.HasSuffix(kind, ":") && strings.HasPrefix(p, kind) {
				r.Principals[i] = instead
			}
		}
		slices.Sort(r.Principals)
		r.Principals = slices.Compact(r.Principals)
	})
}

// Mutants of the reference take one verdict of one condition for another. Those
// that are left out change nothing: an ALLOW that is unknown is like one that is
// false, a DENY that is unknown like one that is true, and a step-up is asked
// for whether a sign-in is too weak or nobody knows how strong it was.
func TestEveryBentVerdictIsCaught(t *testing.T) {
	t.Parallel()
	cases, referee := tableCases(t), newReferee(t)
	count := 0
	for _, field := range conditionFields() {
		for _, effect := range effects {
			for from, to := range bends(effect) {
				count++
				if !slices.ContainsFunc(cases, func(c policytest.Case) bool { return bentDiffers(referee, c, effect, field, from, to) }) {
					t.Errorf("no row notices that %s %s is taken for %s instead of %s", effect, field, verdictNames[to], verdictNames[from])
				}
			}
		}
	}
	t.Logf("%d bent verdicts", count)
}

func bends(effect string) map[reference.Verdict]reference.Verdict {
	const no, unknown, yes = reference.No, reference.Unknown, reference.Yes
	switch effect {
	case "ALLOW":
		return map[reference.Verdict]reference.Verdict{no: yes, unknown: yes, yes: no}
	case "DENY":
		return map[reference.Verdict]reference.Verdict{no: yes, unknown: no, yes: no}
	}
	return map[reference.Verdict]reference.Verdict{no: yes, unknown: yes, yes: no}
}

func bentDiffers(referee *reference.Referee, c policytest.Case, effect, field string, from, to reference.Verdict) bool {
	bent := false
	referee.Bend = func(e, f string, v reference.Verdict) reference.Verdict {
		if e == effect && f == field && v == from {
			bent = true
			return to
		}
		return v
	}
	d := referee.Decide(c.World, &c.Request)
	want := c.Want
	want.ValidUntil = time.Time{}
	return bent && d != want
}
