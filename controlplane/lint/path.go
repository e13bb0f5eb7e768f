package lint

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/policy"
)

// maxOperations bounds how many operations of an app are compared with one another.
const maxOperations = 200

// paths finds operations that no request is, and what of an app no request can reach. Each pattern is tried with one path
// of its own, with names in it that nobody gives to anything.
func (l *linter) paths(id string) {
	app, _ := l.site.App(id)
	if app == nil || len(app.Spec.Operations) == 0 || len(app.Spec.Operations) > maxOperations {
		return
	}
	for i, route := range app.Spec.Routes {
		if !slices.ContainsFunc(app.Spec.Hosts, func(host string) bool { return under(app, host, route.Path) }) {
			l.add(Finding{
				Warning, "route-unreachable", controlplane.KindApp, id, fmt.Sprintf("routes[%d]", i),
				fmt.Sprintf("the route %q is no operation's, so what is below is denied", route.Path), "Add an operation for it.",
			})
		}
	}
	for i := range app.Spec.Operations {
		l.operation(app, i)
	}
}

// under reports whether some request below a route is an operation: of the route's own path, or of an operation's that the
// route has.
func under(app *policy.App, host, route string) bool {
	for _, op := range app.Spec.Operations {
		for _, pattern := range append([]string{route}, op.Paths...) {
			for _, method := range methods(op.Methods) {
				path := example(pattern)
				found, _, routed, err := app.Operation(host, method, path)
				if err == nil && routed && found != "" && (pattern == route || within(route, path)) {
					return true
				}
			}
		}
	}
	return false
}

// within reports whether a path begins as a pattern does, up to what the pattern leaves open.
func within(pattern, path string) bool {
	if i := strings.IndexAny(pattern, "*{"); i >= 0 {
		return strings.HasPrefix(path, strings.TrimSuffix(pattern[:i], "/"))
	}
	return pattern == path
}

// operation looks at one operation beside the app's others.
func (l *linter) operation(app *policy.App, i int) {
	op := app.Spec.Operations[i]
	hosts := op.Hosts
	if len(hosts) == 0 {
		hosts = app.Spec.Hosts
	}
	own, routed := false, false
	taken := map[string]bool{}
	for _, host := range hosts {
		for _, pattern := range op.Paths {
			for _, method := range methods(op.Methods) {
				found, _, leads, err := app.Operation(host, method, example(pattern))
				if err != nil {
					return
				}
				own, routed = own || found == op.ID, routed || leads
				if found != op.ID {
					taken[found] = true
				}
			}
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
