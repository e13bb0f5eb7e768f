package openapi

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// accessExtension says an operation's access class. On a path it is for all operations of the path.
const accessExtension = "x-sallyport-access"

// methods are the fields of a path that are operations, in the order in which they are told.
var methods = []string{"get", "head", "post", "put", "patch", "delete", "options", "trace"}

// inherited is what an operation has of its path, and of the document, unless it says otherwise.
type inherited struct {
	security   *yaml.Node
	servers    []server
	access     string
	parameters *yaml.Node
}

// path reads the operations of one path.
func (r *reader) path(f field, has inherited) []Operation {
	if null(f.value) {
		return nil // a path that a document only announces
	}
	if len(f.name) > maxText {
		r.problem(f.line, clipped(f.name), "the path is longer than %d bytes", maxText)
		return nil
	}
	if _, err := pattern(f.name); err != nil {
		r.problem(f.line, f.name, "%v", err)
		return nil
	}
	item, _, ok := r.reference(f.value, f.name, true)
	if !ok {
		return nil
	}
	has.access = r.access(item.get(accessExtension), f.name, "")
	has.parameters = item.get("parameters")
	has.servers = r.servers(item.get("servers"), f.name)
	var found []Operation
	for _, method := range methods {
		if _, ok := item.places[method]; !ok || !r.step() {
			continue
		}
		o := Operation{Method: strings.ToUpper(method), Path: f.name, Line: item.line(method)}
		switch {
		case method == "trace":
			r.warn(o.Line, o.at(), "left out: no request of the method TRACE gets through an edge")
		case method == "head" && item.get("get") != nil:
			r.note(o.Line, o.at(), "is part of GET, which includes HEAD")
		case item.get(method) == nil:
			r.problem(o.Line, o.at(), "is empty: an operation is an object")
		default:
			r.operation(&o, item.get(method), has)
			found = append(found, o)
		}
	}
	return found
}

func (r *reader) operation(o *Operation, n *yaml.Node, has inherited) {
	at := o.at()
	m := r.mapping(n, at)
	if o.Name = r.text(m.get("operationId"), at); len(o.Name) > maxText {
		r.problem(m.line("operationId"), at, "operationId is longer than %d bytes", maxText)
	}
	o.Access = r.access(m.get(accessExtension), at, has.access)
	if deprecated := follow(m.get("deprecated")); deprecated != nil {
		o.Deprecated = deprecated.ShortTag() == "!!bool" && strings.EqualFold(deprecated.Value, "true")
	}
	o.servers = r.servers(m.get("servers"), at)
	if o.servers == nil {
		o.servers = has.servers
	}
	if m.get("callbacks") != nil {
		r.note(m.line("callbacks"), at, "its callbacks are left out: they are requests that the app makes")
	}
	security := m.get("security")
	if security == nil {
		security = has.security
	}
	r.security(o, security)
	r.parameters(o, has.parameters, m.get("parameters"))
}

// security tells of what the document leaves open. It is a hint: who may do what is for policies to say.
func (r *reader) security(o *Operation, n *yaml.Node) {
	if n == nil {
		return // it does not say
	}
	wanted := r.sequence(n, o.at())
	if follow(n).Kind == yaml.SequenceNode && len(wanted) == 0 {
		o.Public = true
		r.note(o.Line, o.at(), `the document wants no credentials for it (security: []); it stays as closed as the rest until a rule allows "anyone"`)
		return
	}
	for _, one := range wanted {
		if !r.step() {
			return
		}
		if len(r.mapping(one, o.at()).fields) == 0 {
			o.Public = true
			r.note(o.Line, o.at(), `the document takes it without credentials as well; it stays as closed as the rest until a rule allows "anyone"`)
			return
		}
	}
}

// parameters refuses path parameters that are written otherwise than as a whole segment or a part of one. Those of the
// operation stand for those of the path that have their name.
func (r *reader) parameters(o *Operation, ofPath, own *yaml.Node) {
	at, styles := o.at(), map[string]field{} // of path parameters, by name
	for _, list := range []*yaml.Node{ofPath, own} {
		for _, n := range r.sequence(list, at) {
			if !r.step() {
				return
			}
			if null(n) {
				continue
			}
			m, line, ok := r.reference(n, at, false)
			if !ok || r.text(m.get("in"), at) != "path" {
				continue
			}
			name := r.text(m.get("name"), at)
			styles[name] = field{name: r.text(m.get("style"), at), line: line}
		}
	}
	for _, name := range sortedKeys(styles) {
		style := styles[name]
		switch style.name {
		case "", "simple":
		case "matrix", "label":
			r.problem(style.line, at, "the path parameter %s has the style %s, which edges do not read: they refuse \";\" in a path, and know no \".\" in front of a value; only simple is read", quote(name), style.name)
		default:
			r.problem(style.line, at, "the path parameter %s has the style %s, which is for other parameters", quote(name), quote(style.name))
		}
	}
}

// access reads an access class; fallback if there is none.
func (r *reader) access(n *yaml.Node, at, fallback string) string {
	switch text := r.text(n, at); text {
	case "":
		return fallback
	case "READ", "WRITE", "ADMIN":
		return "ACCESS_CLASS_" + text
	default:
		r.problem(follow(n).Line, at, "%s is READ, WRITE or ADMIN, not %s", accessExtension, quote(text))
		return fallback
	}
}
