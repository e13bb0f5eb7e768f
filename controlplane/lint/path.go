package lint

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/policy"
)

// maxOperations bounds how many operations of an app are compared with one another.
const maxOperations = 200

// try is a path that stands for a pattern, asked for at a host by a method, and what that is.
type try struct {
	host, path string
	operation  int    // whose pattern it is
	found      string // the operation that it is; "" for none
	routed     bool
	err        error
}

// paths finds operations that no request is, and what of an app no request can reach. Each pattern is tried with one path
// of its own, with names in it that nobody gives to anything.
func (l *linter) paths(id string) {
	app, _ := l.site.App(id)
	if app == nil || len(app.Spec.Operations) == 0 || len(app.Spec.Operations) > maxOperations {
		return
	}
	var tries []try
	all := map[string]bool{}
	for i, op := range app.Spec.Operations {
		for _, method := range methods(op.Methods) {
			all[method] = true
		}
		for _, host := range app.Spec.Hosts {
			for _, pattern := range op.Paths {
				for _, method := range methods(op.Methods) {
					if !l.spend(tryPath) {
						return
					}
					t := try{host: host, path: example(pattern), operation: i}
					t.found, _, t.routed, t.err = app.Operation(host, method, t.path)
					tries = append(tries, t)
				}
			}
		}
	}
	for i, route := range app.Spec.Routes {
		reached := l.under(app, route.Path, slices.Sorted(maps.Keys(all)), tries)
		if l.over {
			return
		}
		if !reached {
			l.add(Finding{
				Warning, "route-unreachable", controlplane.KindApp, id, fmt.Sprintf("routes[%d]", i),
				fmt.Sprintf("the route %q is no operation's, so what is below is denied", route.Path), "Add an operation for it.",
			})
		}
	}
	for len(tries) > 0 {
		of := tries[0].operation
		end := slices.IndexFunc(tries, func(t try) bool { return t.operation != of })
		if end < 0 {
			end = len(tries)
		}
		l.operation(app, of, tries[:end])
		tries = tries[end:]
	}
}

// under reports whether some request below a route is an operation: of the route's own path, or of an operation's that the
// route has.
func (l *linter) under(app *policy.App, route string, methods []string, tries []try) bool {
	path := example(route)
	for _, host := range app.Spec.Hosts {
		for _, method := range methods {
			if !l.spend(tryPath) {
				return false
			}
			if found, _, routed, err := app.Operation(host, method, path); err == nil && routed && found != "" {
				return true
			}
		}
	}
	return l.spend(len(tries)) && slices.ContainsFunc(tries, func(t try) bool {
		return t.err == nil && t.routed && t.found != "" && within(route, t.path)
	})
}

// within reports whether a path begins as a pattern does, up to what the pattern leaves open.
func within(pattern, path string) bool {
	if i := strings.IndexAny(pattern, "*{"); i >= 0 {
		return strings.HasPrefix(path, strings.TrimSuffix(pattern[:i], "/"))
	}
	return pattern == path
}

// operation looks at one operation beside the app's others.
func (l *linter) operation(app *policy.App, i int, tries []try) {
	op := app.Spec.Operations[i]
	own, routed := false, false
	taken := map[string]bool{}
	for _, t := range tries {
		if len(op.Hosts) > 0 && !slices.Contains(op.Hosts, t.host) {
			continue
		}
		if t.err != nil {
			return
		}
		own, routed = own || t.found == op.ID, routed || t.routed
		if t.found != op.ID {
			taken[t.found] = true
		}
	}
	finding := Finding{Severity: Warning, Kind: controlplane.KindApp, ID: app.ID, Field: fmt.Sprintf("operations[%d]", i)}
	switch {
	case !own:
		finding.Code, finding.Advice = "operation-unreachable", "Correct its paths, or remove it."
		finding.Message = fmt.Sprintf("no request is the operation %q: %s is more specific everywhere", op.ID, quoted(taken))
	case !routed:
		finding.Code, finding.Advice = "operation-unrouted", "Add a route for it, or remove it."
		finding.Message = fmt.Sprintf("no route leads anywhere from the paths of the operation %q", op.ID)
	case len(taken) > 0:
		finding.Severity, finding.Code, finding.Advice = Note, "operations-overlap", "If that is not meant, name other methods or paths."
		finding.Message = fmt.Sprintf("part of what the operation %q names is %s, which is more specific", op.ID, quoted(taken))
	default:
		return
	}
	l.add(finding)
}

func quoted(names map[string]bool) string {
	var list []string
	for name := range names {
		list = append(list, fmt.Sprintf("%q", name))
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

func methods(of []string) []string {
	if len(of) == 0 || slices.Contains(of, "*") {
		return []string{"GET", "POST", "PUT", "PATCH", "DELETE"}
	}
	return of
}

// example is a path that a pattern matches.
func example(pattern string) string {
	const odd = "zq7x0"
	var segments []string
	for s := range strings.SplitSeq(pattern, "/") {
		switch {
		case s == "**" || strings.HasPrefix(s, "{"):
			s = odd
		default:
			s = strings.ReplaceAll(s, "*", odd)
		}
		segments = append(segments, s)
	}
	return strings.Join(segments, "/")
}
