package openapi

import (
	"net/url"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// server is where operations are, as a document says. What matters of it is the path; the host tells whether it is the
// app's.
type server struct {
	host    string
	prefix  string // a pattern without the last "/": `/v1`, or ""
	problem string // why it cannot be used; told only if it would be
	line    int
}

// servers reads a list of servers; nil if there is none.
func (r *reader) servers(n *yaml.Node, at string) []server {
	var all []server
	for _, one := range r.sequence(n, at) {
		if !r.step() || len(all) == maxProblems {
			break
		}
		m := r.mapping(one, at)
		text := r.text(m.get("url"), at)
		all = append(all, serverAt(follow(one).Line, text, r.fill(text, m.get("variables"), at)))
	}
	return all
}

// maxURL is far above any server's. Variables could make much of little.
const maxURL = 2 << 10

// fill puts the defaults of a server's variables where their names are.
func (r *reader) fill(text string, variables *yaml.Node, at string) string {
	var out strings.Builder
	for {
		before, after, braced := strings.Cut(text, "{")
		out.WriteString(before)
		name, rest, closed := strings.Cut(after, "}")
		if !braced || !closed || out.Len() > maxURL {
			return out.String() + text[len(before):]
		}
		out.WriteString(r.variable(variables, name, at))
		text = rest
	}
}

// variable is the default of a server's variable.
func (r *reader) variable(variables *yaml.Node, name, at string) string {
	if variables == nil {
		return "{" + name + "}"
	}
	if one := r.mapping(variables, at).get(name); one != nil {
		return r.text(r.mapping(one, at).get("default"), at)
	}
	return "{" + name + "}"
}

// names are what stands in braces, each once.
func names(text string) []string {
	var found []string
	for _, part := range strings.Split(text, "{")[1:] {
		if name, _, ok := strings.Cut(part, "}"); ok && !slices.Contains(found, name) {
			found = append(found, name)
		}
	}
	return found
}

func serverAt(line int, text, filled string) server {
	s := server{line: line}
	u, err := url.Parse(filled)
	switch {
	case len(text) > maxURL || len(filled) > maxURL:
		s.problem = "is too long"
	case strings.ContainsAny(filled, "{}"):
		s.problem = "has a variable without a default"
	case err != nil || u.Opaque != "":
		s.problem = "is no URL"
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		s.problem = "has a query or a fragment"
	case u.Host == "" && !strings.HasPrefix(u.Path, "/") && filled != "":
		s.problem = "is relative to where the document is, which is not known here"
	default:
		turned, err := pattern(strings.TrimRight(u.EscapedPath(), "/") + "/")
		if err == nil {
			s.host, s.prefix = strings.ToLower(u.Hostname()), strings.TrimRight(turned, "/")
			return s
		}
		s.problem = err.Error()
	}
	s.problem = clipped("the server " + quote(text) + " " + s.problem)
	return s
}

// here reports whether some of the servers is of the hosts.
func here(servers []server, hosts []string) bool {
	return slices.ContainsFunc(servers, func(s server) bool { return slices.Contains(hosts, s.host) })
}

// prefixOf chooses among servers the path that goes in front: that of the app's hosts if some server has one of those, for
// the others are then for development or testing; else of all. Problems are told by their line.
func prefixOf(servers []server, hosts []string) (string, *Problem) {
	local := here(servers, hosts)
	var chosen []server
	for _, s := range servers {
		if !local || slices.Contains(hosts, s.host) {
			chosen = append(chosen, s)
		}
	}
	for _, s := range chosen {
		switch {
		case s.problem != "":
			return "", &Problem{Line: s.line, Message: s.problem + ": " + sayBasePath}
		case s.prefix != chosen[0].prefix:
			return "", &Problem{Line: s.line, Message: "the servers have different paths, " + quote(chosen[0].prefix+"/") + " and " + quote(s.prefix+"/") + ": " + sayBasePath}
		}
	}
	if len(chosen) == 0 {
		return "", nil
	}
	return chosen[0].prefix, nil
}

const sayBasePath = "say with base_path what goes in front of paths, / for nothing"
