package simulation

import (
	"slices"
	"strconv"
	"strings"

	"github.com/sallyport-iap/sallyport/controlplane/policy"
	engine "github.com/sallyport-iap/sallyport/edge/policy"
	"github.com/sallyport-iap/sallyport/edge/policy/expression"
)

// Outcome is what is decided, and by what.
type Outcome struct {
	Outcome, Reason, Policy, Rule, Grant string
}

const (
	allow   = "ALLOW"
	refused = "REFUSED"
)

// side is a policy to decide by.
type side struct {
	*policy.Site
	byName map[string][]*engine.Policy // by app
	rails  []*engine.Policy
	grants map[string][]*engine.Grant
	groups map[string]*engine.Group
	leads  memory[leads] // by app: made when it is asked for
}

// leads says, by provider and value of its claim, which groups that bear on an app the value leads to.
type leads map[string]map[string]string

func newSide(site *policy.Site) *side {
	s := &side{
		Site: site, byName: map[string][]*engine.Policy{}, grants: map[string][]*engine.Grant{}, groups: map[string]*engine.Group{},
		leads: memory[leads]{limit: maxLeads},
	}
	for _, p := range site.Source.Policies {
		if p.Selector != nil {
			s.rails = append(s.rails, p)
		}
		for _, app := range p.Apps {
			s.byName[app] = append(s.byName[app], p)
		}
	}
	for _, g := range site.Source.Grants {
		s.grants[g.App] = append(s.grants[g.App], g)
	}
	for _, g := range site.Source.Groups {
		s.groups[g.ID] = g
	}
	return s
}

// answer is what becomes of a request that somebody makes; who is nil if the side does not admit them.
func (s *side) answer(t *policy.Target, p *person, who *engine.Principal) Outcome {
	d, isRefused := s.Answer(t, p.identity.Kind, who)
	if isRefused {
		return Outcome{Outcome: refused, Reason: string(d.Reason)}
	}
	return Outcome{d.Outcome.String(), string(d.Reason), d.Policy, d.Rule, d.Grant}
}

// leading returns where the values of claims lead for an app.
func (s *side) leading(app string) leads {
	if found, ok := s.leads.find([]byte(app)); ok {
		return found
	}
	named := s.named(app)
	found := leads{}
	for i, id := range named {
		mark := strconv.Itoa(i) + " "
		for _, m := range s.within(id, map[string]bool{}) {
			if found[m.IDP] == nil {
				found[m.IDP] = map[string]string{}
			}
			if already := found[m.IDP][m.Name]; !strings.HasSuffix(" "+already, " "+mark) {
				found[m.IDP][m.Name] = already + mark
			}
		}
	}
	size := 0
	for _, values := range found {
		for value, marks := range values {
			size += entry + len(value) + len(marks)
		}
	}
	s.leads.add([]byte(app), found, size)
	return found
}

// named are the groups that policies and grants which reach an app name, in order.
func (s *side) named(app string) []string {
	groups := map[string]bool{}
	principals := func(list []string) {
		for _, p := range list {
			if id, ok := strings.CutPrefix(p, "group:"); ok {
				groups[id] = true
			}
		}
	}
	policies := slices.Clone(s.byName[app])
	if spec := s.source(app); spec != nil {
		for _, rail := range s.rails {
			if rail.Reaches(spec) {
				policies = append(policies, rail)
			}
		}
	}
	for _, p := range policies {
		if p.Mode == engine.Shadow {
			continue
		}
		for _, e := range p.Exemptions {
			principals(e.Principals)
		}
		for i := range p.Rules {
			r := &p.Rules[i]
			principals(r.Principals)
			for _, id := range r.Conditions.MembersOf {
				groups[id] = true
			}
			if strings.Contains(r.Expression, "groups") {
				if compiled, issues := expression.Compile(r.Expression); len(issues) == 0 {
					for _, id := range compiled.Groups() {
						groups[id] = true
					}
				}
			}
		}
	}
	for _, g := range s.grants[app] {
		principals(g.Principals)
	}
	list := make([]string, 0, len(groups))
	for id := range groups {
		list = append(list, id)
	}
	slices.Sort(list)
	return list
}

func (s *side) source(app string) *engine.App {
	apps := s.Source.Apps
	if at, ok := slices.BinarySearchFunc(apps, app, func(a *engine.App, id string) int { return strings.Compare(a.ID, id) }); ok {
		return apps[at]
	}
	return nil
}

// within are the claim values that make somebody a member of a group.
func (s *side) within(id string, seen map[string]bool) []engine.IDPGroup {
	g := s.groups[id]
	if g == nil || seen[id] {
		return nil
	}
	seen[id] = true
	var values []engine.IDPGroup
	for _, m := range g.Members {
		switch {
		case m.IDPGroup.Name != "":
			values = append(values, m.IDPGroup)
		case m.Group != "":
			values = append(values, s.within(m.Group, seen)...)
		}
	}
	return values
}
