package policy

import (
	"cmp"
	"maps"
	"slices"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/edge/policy"
)

// ReachLoss is less of a guard-rail than before: pairs of it and an app that it bound, and binds no more or less.
// Everything is told by id. Its JSON form is recorded with the change.
type ReachLoss struct {
	Policy     string   `json:"policy"`
	Cause      string   `json:"cause"`
	Apps       []string `json:"apps,omitempty"` // in order; the first of them
	AppCount   int      `json:"app_count,omitempty"`
	Exemptions []string `json:"exemptions,omitempty"`
	Rules      []string `json:"rules,omitempty"`
	Example    string   `json:"example,omitempty"` // a request, or a host
}

// Causes of a [ReachLoss], as the API spells them.
const (
	LostByDeletion  = "CAUSE_DELETED"
	LostByShadow    = "CAUSE_SHADOW"
	LostBySelector  = "CAUSE_SELECTOR"
	LostByLabels    = "CAUSE_LABELS"
	LostByExemption = "CAUSE_EXEMPTION"
	LostByRules     = "CAUSE_RULES"
	LostByOperation = "CAUSE_OPERATIONS"
	LostByHost      = "CAUSE_HOSTS"
)

// toldApps is how many apps one loss names.
const toldApps = 100

// Lost says where guard-rails reach less in s than before, and where requests are other operations that rules do not deny.
// Apps that are gone are not among it. The keys are what changed; nothing else is looked at, so that a change costs what it
// changes.
func (s *Site) Lost(before *Site, changed []Key) []ReachLoss {
	var lost losses
	policies, roles := map[string]bool{}, map[string]bool{}
	for _, key := range changed {
		switch key.Kind {
		case controlplane.KindPolicy:
			policies[key.ID] = true
		case controlplane.KindRole:
			roles[key.ID] = true
		}
	}
	for _, p := range before.Source.Policies {
		if len(p.Selector) > 0 && len(roles) > 0 && slices.ContainsFunc(p.Rules, func(r policy.Rule) bool {
			return slices.ContainsFunc(r.Roles, func(id string) bool { return roles[id] })
		}) {
			policies[p.ID] = true
		}
	}
	for _, id := range slices.Sorted(maps.Keys(policies)) {
		lost.ofPolicy(before, s, id)
	}
	for _, key := range changed {
		was, is := before.thing(controlplane.KindApp, key.ID), s.thing(controlplane.KindApp, key.ID)
		if key.Kind != controlplane.KindApp || was == nil {
			continue
		}
		if is != nil && !maps.Equal(was.Labels, is.Labels) {
			for _, p := range before.of[controlplane.KindPolicy] {
				if !policies[p.ID] && binds(p, was) && !binds(p, is) {
					lost.add(p.ID, LostByLabels, is.ID)
				}
			}
		}
		lost.ofApp(before, s, was, policies)
	}
	return lost.told()
}

// binds reports whether a thing is a guard-rail that decides and reaches the app.
func binds(p, app *thing) bool {
	if p == nil {
		return false
	}
	form := p.form.(*policy.Policy)
	return len(form.Selector) > 0 && form.Mode != policy.Shadow && form.Reaches(app.form.(*policy.App))
}

// losses are collected by policy and cause.
type losses []*ReachLoss

func (l *losses) of(policy, cause string) *ReachLoss {
	for _, loss := range *l {
		if loss.Policy == policy && loss.Cause == cause {
			return loss
		}
	}
	*l = append(*l, &ReachLoss{Policy: policy, Cause: cause})
	return (*l)[len(*l)-1]
}

func (l *losses) add(policy, cause, app string) {
	loss := l.of(policy, cause)
	loss.Apps = append(loss.Apps, app)
}

func (l *losses) ofPolicy(before, after *Site, id string) {
	old, next := before.thing(controlplane.KindPolicy, id), after.thing(controlplane.KindPolicy, id)
	var bound []*thing // apps that it goes on to bind
	for _, was := range before.of[controlplane.KindApp] {
		is := after.thing(controlplane.KindApp, was.ID)
		if is == nil || !binds(old, was) {
			continue
		}
		switch {
		case next == nil:
			l.add(id, LostByDeletion, was.ID)
		case next.form.(*policy.Policy).Mode == policy.Shadow:
			l.add(id, LostByShadow, was.ID)
		case next.form.(*policy.Policy).Reaches(is.form.(*policy.App)):
			bound = append(bound, is)
		case next.form.(*policy.Policy).Reaches(was.form.(*policy.App)):
			l.add(id, LostByLabels, was.ID)
		default:
			l.add(id, LostBySelector, was.ID)
		}
	}
	if len(bound) == 0 {
		return
	}
	was, is := old.Spec.(*controlplane.Policy), next.Spec.(*controlplane.Policy)
	for _, e := range is.Exemptions {
		at := slices.IndexFunc(was.Exemptions, func(o controlplane.Exemption) bool { return o.ID == e.ID })
		if at >= 0 && !sparesMore(was.Exemptions[at], e) {
			continue
		}
		loss := l.of(id, LostByExemption)
		loss.Exemptions = append(loss.Exemptions, e.ID)
		for _, app := range bound {
			if (len(e.Apps) == 0 || slices.Contains(e.Apps, app.ID)) && !slices.Contains(loss.Apps, app.ID) {
				loss.Apps = append(loss.Apps, app.ID)
			}
		}
	}
	for i := range old.form.(*policy.Policy).Rules {
		r := &old.form.(*policy.Policy).Rules[i]
		if n := ruleOf(next, r.ID); n == nil || !asWide(before, r, after, n) {
			loss := l.of(id, LostByRules)
			loss.Rules = append(loss.Rules, r.ID)
			loss.Apps = ids(bound)
		}
	}
}

// sparesMore reports whether an exemption spares somebody, somewhere or for a time that it did not.
func sparesMore(was, is controlplane.Exemption) bool {
	for _, p := range is.Principals {
		if !slices.Contains(was.Principals, p) {
			return true
		}
	}
	if len(was.Apps) > 0 {
		for _, app := range is.Apps {
			if !slices.Contains(was.Apps, app) {
				return true
			}
		}
		if len(is.Apps) == 0 {
			return true
		}
	}
	return was.NotAfter != nil && (is.NotAfter == nil || is.NotAfter.After(*was.NotAfter))
}

func (l *losses) told() []ReachLoss {
	var told []ReachLoss
	for _, loss := range *l {
		for _, list := range []*[]string{&loss.Apps, &loss.Exemptions, &loss.Rules} {
			slices.Sort(*list)
			*list = slices.Compact(*list)
		}
		loss.AppCount = len(loss.Apps)
		loss.Apps = loss.Apps[:min(toldApps, loss.AppCount)]
		told = append(told, *loss)
	}
	slices.SortFunc(told, func(a, b ReachLoss) int {
		return cmp.Or(cmp.Compare(a.Policy, b.Policy), cmp.Compare(a.Cause, b.Cause))
	})
	return told
}
