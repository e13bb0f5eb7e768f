package simulation

import (
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/policy"
	engine "github.com/sallyport-iap/sallyport/edge/policy"
	"github.com/sallyport-iap/sallyport/edge/policy/expression"
	"github.com/sallyport-iap/sallyport/edge/route"
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
	leads  map[string]leads // by app: made when it is asked for
}

// leads says, by provider and value of its claim, which groups that bear on an app the value leads to.
type leads map[string]map[string]string

func newSide(site *policy.Site) *side {
	s := &side{
		Site: site, byName: map[string][]*engine.Policy{}, grants: map[string][]*engine.Grant{}, groups: map[string]*engine.Group{},
		leads: map[string]leads{},
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

// asked is a request in the form in which it is decided by either side, but for who makes it.
type asked struct {
	Host, Method, Path string
	SourceIP           netip.Addr
	Country            string
	Time               time.Time
}

// target is an app and an operation of it, as a side finds them; or why there are none.
type target struct {
	app     string
	request engine.Request
	routed  bool
	refusal Outcome
}

func (s *side) find(q *asked) target {
	app, ok := s.Host(q.Host)
	if !ok {
		return target{refusal: Outcome{Outcome: refused, Reason: string(engine.RouteMisdirected)}}
	}
	operation, path, routed, err := app.Operation(q.Host, q.Method, q.Path)
	if err != nil {
		reason := string(engine.RequestMalformedTarget)
		if refusal, ok := errors.AsType[*route.Refusal](err); ok {
			reason = refusal.Reason
		}
		return target{app: app.ID, refusal: Outcome{Outcome: refused, Reason: reason}}
	}
	return target{app: app.ID, routed: routed, request: engine.Request{
		Operation: operation, Method: q.Method, Host: q.Host, Path: path, SourceIP: q.SourceIP, Country: q.Country, Now: q.Time,
	}}
}

// decide answers as an edge does. Who is nil is a stranger.
func (s *side) decide(t *target, who *engine.Principal) Outcome {
	if t.refusal.Outcome != "" {
		return t.refusal
	}
	t.request.Principal = who
	d := s.Program.Decide(t.app, &t.request)
	if d.Outcome == engine.Allow && !t.routed {
		return Outcome{Outcome: refused, Reason: string(engine.RouteNone)}
	}
	return Outcome{d.Outcome.String(), string(d.Reason), d.Policy, d.Rule, d.Grant}
}

// admits says whether somebody's credential is good: of a provider or service account that is there and not disabled.
func (s *side) admits(id *engine.Identity) bool {
	switch id.Kind {
	case engine.Person:
		provider, ok := s.Provider(id.IDP)
		return ok && !provider.Disabled
	case engine.Machine:
		r := s.Resource(controlplane.KindServiceAccount, id.ServiceAccount)
		return r != nil && !r.Spec.(*controlplane.ServiceAccount).Disabled
	default:
		return false
	}
}

// leading returns where the values of claims lead for an app.
func (s *side) leading(app string) leads {
	if found, ok := s.leads[app]; ok {
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
	s.leads[app] = found
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
