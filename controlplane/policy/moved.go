package policy

import (
	"reflect"
	"slices"
	"strings"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/edge/policy"
	"github.com/sallyport-iap/sallyport/edge/route"
)

// ofApp adds what an app's requests are lost to: to apps that have its hosts now, and to other operations.
func (l *losses) ofApp(before, after *Site, was *thing, changed map[string]bool) {
	heirs := map[string][]string{} // by app: hosts
	is := after.thing(controlplane.KindApp, was.ID)
	for _, host := range was.app.Spec.Hosts {
		if is != nil && slices.Contains(is.app.Spec.Hosts, host) {
			heirs[was.ID] = append(heirs[was.ID], host)
		} else if heir, ok := after.Host(host); ok { // whoever has all hosts is not looked for without need
			heirs[heir.ID] = append(heirs[heir.ID], host)
		}
	}
	for id, hosts := range heirs {
		is := after.thing(controlplane.KindApp, id)
		if id != was.ID {
			l.ofHosts(before, after, was, is, hosts)
		}
		if id != was.ID || !slices.EqualFunc(Operations(was.app.Spec), Operations(is.app.Spec), sameOperation) {
			l.ofOperations(before, after, was, is, changed)
		}
	}
}

func sameOperation(a, b controlplane.Operation) bool { return reflect.DeepEqual(a, b) }

// ofHosts adds guard-rails that bound an app and do not, or less, bind the one that has its hosts now.
func (l *losses) ofHosts(before, after *Site, was, is *thing, hosts []string) {
	for _, old := range before.of[controlplane.KindPolicy] {
		if !binds(old, was) {
			continue
		}
		next := after.thing(controlplane.KindPolicy, old.ID)
		if !binds(next, is) {
			l.add(old.ID, LostByHost, is.ID)
			l.of(old.ID, LostByHost).Example = hosts[0]
			continue
		}
		for _, e := range next.form.(*policy.Policy).Exemptions {
			spared := func(o policy.Exemption) bool { return o.ID == e.ID && exempts(&o, was.ID) }
			if exempts(&e, is.ID) && !slices.ContainsFunc(old.form.(*policy.Policy).Exemptions, spared) {
				l.add(old.ID, LostByHost, is.ID)
				loss := l.of(old.ID, LostByHost)
				loss.Example, loss.Exemptions = hosts[0], append(loss.Exemptions, e.ID)
			}
		}
	}
}

func exempts(e *policy.Exemption, app string) bool {
	return len(e.Apps) == 0 || slices.Contains(e.Apps, app)
}

// bond is a rule that refuses or requires, before and after.
type bond struct {
	policy   string
	was, is  *policy.Rule
	asksName bool // its expression asks what the operation is called
}

// ofOperations adds rules from under which requests go, because they are other operations now, or other kinds of them.
// Policies for apps by name are among it, unless they are written as well: who may write the app may not write all of them.
func (l *losses) ofOperations(before, after *Site, was, is *thing, changed map[string]bool) {
	var bonds []bond
	for _, old := range before.of[controlplane.KindPolicy] {
		form, next := old.form.(*policy.Policy), after.thing(controlplane.KindPolicy, old.ID)
		rail := len(form.Selector) > 0
		if form.Mode == policy.Shadow || !form.Reaches(was.form.(*policy.App)) || next == nil || !rail && changed[old.ID] ||
			next.form.(*policy.Policy).Mode == policy.Shadow || !next.form.(*policy.Policy).Reaches(is.form.(*policy.App)) {
			continue
		}
		for i := range form.Rules {
			r := &form.Rules[i]
			if n := ruleOf(next, r.ID); n != nil && r.Effect != policy.AllowEffect {
				// Reading it is not worth compiling it: what merely has the word is taken to ask.
				bonds = append(bonds, bond{old.ID, r, n, strings.Contains(r.Expression, "operation")})
			}
		}
	}
	if len(bonds) == 0 {
		return
	}
	from, to := was.form.(*policy.App).Operations, is.form.(*policy.App).Operations
	out := func(b *bond, i, j int) bool {
		if !before.Program.Picks(b.was, from[i]) {
			return false
		}
		return !after.Program.Picks(b.is, to[j]) || b.asksName && from[i].ID != to[j].ID
	}
	known := map[[2]int]bool{}
	matters := func(i, j int) bool {
		pair := [2]int{i, j}
		if _, ok := known[pair]; !ok {
			known[pair] = slices.ContainsFunc(bonds, func(b bond) bool { return out(&b, i, j) })
		}
		return known[pair]
	}
	moves, whole := route.Moves(operationsOf(was), operationsOf(is), matters)
	if !whole { // all that could be is taken to be so
		moves = nil
		for pair, lost := range known {
			if lost {
				moves = append(moves, route.Move{From: pair[0], To: pair[1]})
			}
		}
	}
	for _, m := range moves {
		for i := range bonds {
			if b := &bonds[i]; out(b, m.From, m.To) {
				l.add(b.policy, LostByOperation, is.ID)
				loss := l.of(b.policy, LostByOperation)
				loss.Rules = append(loss.Rules, b.was.ID)
				if example := m.Method + " " + m.Host + m.Path; whole && (loss.Example == "" || example < loss.Example) {
					loss.Example = example
				}
			}
		}
	}
}

// operationsOf is how requests to an app become operations.
func operationsOf(app *thing) route.Spec {
	filled := *app.app.Spec
	filled.Operations = Operations(app.app.Spec)
	return routes(&filled)
}

func ruleOf(p *thing, id string) *policy.Rule {
	rules := p.form.(*policy.Policy).Rules
	if i := slices.IndexFunc(rules, func(r policy.Rule) bool { return r.ID == id }); i >= 0 {
		return &rules[i]
	}
	return nil
}
