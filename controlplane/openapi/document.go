package openapi

import (
	"regexp"

	"go.yaml.in/yaml/v3"
)

// MaxOperations is as many as an app may have.
const MaxOperations = 1_000

// Document is what an OpenAPI document says of operations, whatever app they are for.
type Document struct {
	Title      string
	Version    string // of the API, not of the specification
	Operations []Operation
	Notes      []Note

	servers []server
}

// Operation is one operation of a document.
type Operation struct {
	ID         string // in the form of an app's
	Name       string // operationId, as it is written; "" for none
	Method     string
	Path       string // as it is written
	Access     string // ACCESS_CLASS_…, or "" where the document does not say
	Deprecated bool
	Public     bool // the document wants no credentials for it
	Line       int

	servers []server // instead of the document's; nil: those
}

// at is how a problem names the operation.
func (o *Operation) at() string { return o.Method + " " + o.Path }

var versions = regexp.MustCompile(`^3\.[01](\.[0-9]+)?$`)

// Parse reads a document, JSON or YAML. The error is a [*Refused].
func Parse(document []byte) (*Document, error) {
	root, err := tree(document)
	if err != nil {
		return nil, err
	}
	r := &reader{root: root, known: map[*yaml.Node]mapping{}}
	read := r.document()
	if len(r.problems) > 0 {
		return nil, &Refused{Problems: r.problems}
	}
	r.name(read.Operations)
	read.Notes = r.notes
	return read, nil
}

func (r *reader) document() *Document {
	top := r.mapping(r.root, "the document")
	if len(r.problems) > 0 || !r.readable(top) {
		return nil
	}
	d := &Document{servers: r.servers(top.get("servers"), "servers")}
	if info := top.get("info"); info != nil {
		about := r.mapping(info, "info")
		d.Title, d.Version = clipped(r.text(about.get("title"), "info.title")), clipped(r.text(about.get("version"), "info.version"))
	}
	if top.get("webhooks") != nil {
		r.note(top.line("webhooks"), "webhooks", "left out: they are requests that the app makes")
	}
	paths := top.get("paths")
	if paths == nil {
		r.problem(0, "", "the document has no paths, so there is nothing to import")
		return nil
	}
	defaults := inherited{security: top.get("security")}
	for _, f := range r.mapping(paths, "paths").fields {
		if len(f.name) > 1 && f.name[:2] == "x-" {
			continue // an extension, not a path
		}
		if !r.step() || len(d.Operations) > MaxOperations {
			break
		}
		d.Operations = append(d.Operations, r.path(f, defaults)...)
	}
	if n := len(d.Operations); n > MaxOperations {
		r.problem(0, "", "the document has more than %d operations, and an app has at most that many", MaxOperations)
	} else if n == 0 && len(r.problems) == 0 {
		r.problem(0, "", "the document has no operations, so there is nothing to import")
	}
	return d
}

// readable reports whether the document is of a version that this package knows.
func (r *reader) readable(top mapping) bool {
	version := r.text(top.get("openapi"), "openapi")
	switch {
	case versions.MatchString(version):
		return true
	case version != "":
		r.problem(top.line("openapi"), "openapi", "the document is OpenAPI %s; 3.0 and 3.1 are read", clipped(version))
	case top.get("swagger") != nil:
		r.problem(top.line("swagger"), "swagger", "the document is Swagger 2.0; convert it to OpenAPI 3 first")
	default:
		r.problem(0, "", "the document does not say that it is OpenAPI: it has no field openapi, such as openapi: 3.1.0")
	}
	return false
}
