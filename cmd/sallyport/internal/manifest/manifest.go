package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/sallyport-iap/sallyport/cmd/internal/spelling"
)

// maxFileBytes is far above any real manifest, and no less than what the API takes.
const maxFileBytes = 16 << 20

// Resource is one document of a manifest.
type Resource struct {
	Message proto.Message // such as *sallyportv1.App, with its name set
	Kind    string
	ID      string

	file string
	node *yaml.Node
}

// Manifest is everything that was read.
type Manifest struct {
	Tenant    string // "" if nobody says
	Resources []Resource
}

// In says whose the resources are, where no file did.
func (m *Manifest) In(tenant string) {
	m.Tenant = tenant
	for _, r := range m.Resources {
		setName(r.Message, tenant, r.ID)
	}
}

// Error is something wrong at a place of a file.
type Error struct {
	File         string
	Line, Column int    // from 1; 0 if it is not known
	Path         string // `App wiki: routes[0].paht`
	Problem      string
	Suggestion   string
}

func (e *Error) Error() string {
	s := e.place() + ": "
	if e.Path != "" {
		s += e.Path + ": "
	}
	s += e.Problem
	if e.Suggestion != "" {
		s += fmt.Sprintf("; did you mean %q?", e.Suggestion)
	}
	return s
}

func (e *Error) place() string {
	switch {
	case e.Line == 0:
		return e.File
	case e.Column == 0:
		return fmt.Sprintf("%s:%d", e.File, e.Line)
	default:
		return fmt.Sprintf("%s:%d:%d", e.File, e.Line, e.Column)
	}
}

// Decode reads what is open already; file names it in errors. tenant is whose the resources are if the file does not say;
// a file that says otherwise is refused, so that a manifest of one tenant is never applied to another by a forgotten flag.
// All faults are reported, joined, not only the first.
func Decode(file string, r io.Reader, tenant string) (*Manifest, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxFileBytes+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxFileBytes {
		return nil, &Error{File: file, Problem: fmt.Sprintf("larger than %d MiB", maxFileBytes>>20)}
	}
	if err := checkEncoding(file, data); err != nil {
		return nil, err
	}
	d := &decoder{file: file, manifest: &Manifest{Tenant: tenant}, seen: map[string]int{}}
	stream := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var doc yaml.Node
		err := stream.Decode(&doc)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, errors.Join(append(d.errs, d.syntax(err, data))...)
		}
		d.document(doc.Content[0])
	}
	if d.documents == 0 && len(d.errs) == 0 {
		d.errs = append(d.errs, &Error{File: file, Problem: "is empty: want documents with kind and id"})
	}
	if len(d.errs) > 0 {
		return nil, errors.Join(d.errs...)
	}
	return d.manifest, nil
}

// checkEncoding refuses what is not UTF-8, among it UTF-16, which YAML would take: nobody's review tool shows it as we
// would read it.
func checkEncoding(file string, data []byte) error {
	line, column := 1, 1
	for rest := data; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		if r == utf8.RuneError && size == 1 {
			return &Error{File: file, Line: line, Column: column, Problem: "not UTF-8 text"}
		}
		if r == '\n' {
			line, column = line+1, 0
		}
		column++
		rest = rest[size:]
	}
	return nil
}

type decoder struct {
	file      string
	manifest  *Manifest
	documents int            // that say something
	seen      map[string]int // `App wiki` to its line
	errs      []error
}

var yamlLine = regexp.MustCompile(`^yaml: line (\d+): `)

func (d *decoder) syntax(err error, data []byte) error {
	text, line := strings.TrimPrefix(err.Error(), "yaml: "), 1
	if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
		text = err.Error()[len(m[0]):]
		line, _ = strconv.Atoi(m[1])
		// The library counts lines from 0 where it has this to say (fail in its decode.go).
		if strings.HasPrefix(text, "did not find expected") {
			line++
		}
	}
	if tabbed(data, line) {
		text = "indent with spaces: YAML takes no tabs"
	}
	return &Error{File: d.file, Line: line, Problem: "not YAML: " + text}
}

// tabbed reports whether a tab indents a line.
func tabbed(data []byte, line int) bool {
	lines := bytes.SplitN(data, []byte("\n"), line+1)
	if line > len(lines) {
		return false
	}
	text := lines[line-1]
	indent := text[:len(text)-len(bytes.TrimLeft(text, " \t"))]
	return bytes.ContainsRune(indent, '\t')
}

func (d *decoder) fail(n *yaml.Node, path, suggestion, format string, args ...any) {
	path = strings.TrimSuffix(path, ": ") // of a resource as a whole
	d.errs = append(d.errs, &Error{File: d.file, Line: n.Line, Column: n.Column, Path: path, Problem: fmt.Sprintf(format, args...), Suggestion: suggestion})
}

func (d *decoder) document(n *yaml.Node) {
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return // nothing between two separators
	}
	d.documents++
	if n.Kind != yaml.MappingNode {
		d.fail(n, "", "", "want a mapping with kind and id")
		return
	}
	keys := map[string]*yaml.Node{}
	for i := 0; i < len(n.Content); i += 2 {
		keys[n.Content[i].Value] = n.Content[i+1]
	}
	kind, id := keys["kind"], keys["id"]
	at := ""
	if kind != nil && id != nil && kind.Value != "" && id.Value != "" {
		at = kind.Value + " " + id.Value + ": "
	}
	if !d.plain(n, at, "") {
		return
	}
	if kind == nil {
		d.header(n, keys)
		return
	}
	d.resource(n, kind, id)
}

func (d *decoder) resource(n, kind, id *yaml.Node) {
	message, suggestion := newMessage(kind.Value)
	switch {
	case message == nil:
		d.fail(kind, "kind", suggestion, "unknown kind %q", kind.Value)
		return
	case id == nil || id.Kind != yaml.ScalarNode || id.Value == "":
		d.fail(n, kind.Value, "", "no id")
		return
	}
	at := kind.Value + " " + id.Value
	if line, twice := d.seen[at]; twice {
		d.fail(id, at, "", "stands already in line %d", line)
		return
	}
	d.seen[at] = id.Line

	before := len(d.errs)
	object := d.message(n, message.ProtoReflect().Descriptor(), at+": ", "", "kind", "id")
	if len(d.errs) > before {
		return
	}
	if err := protojson.Unmarshal(object, message); err != nil {
		// Every value was checked where it stands; this is a rule of the message's that only it knows, such as a oneof's.
		d.fail(n, at, "", "%s", strings.TrimLeft(strings.TrimPrefix(err.Error(), "proto:"), " \u00a0"))
		return
	}
	setName(message, d.manifest.Tenant, id.Value)
	d.manifest.Resources = append(d.manifest.Resources, Resource{Message: message, Kind: kind.Value, ID: id.Value, file: d.file, node: n})
}

// header reads the document that names the tenant.
func (d *decoder) header(n *yaml.Node, keys map[string]*yaml.Node) {
	tenant := keys["tenant"]
	switch {
	case tenant == nil:
		d.fail(n, "", nearestKey(keys, []string{"kind", "tenant"}), "no kind")
	case len(keys) != 1:
		d.fail(n, "", "", "a document with tenant says nothing else")
	case d.documents > 1:
		d.fail(n, "", "", "tenant goes first")
	case tenant.Kind != yaml.ScalarNode || tenant.Tag == "!!null" || tenant.Value == "":
		d.fail(tenant, "tenant", "", "want the tenant's id")
	case d.manifest.Tenant != "" && d.manifest.Tenant != tenant.Value:
		d.fail(tenant, "tenant", "", "the file is for tenant %q, you asked for %q", tenant.Value, d.manifest.Tenant)
	default:
		d.manifest.Tenant = tenant.Value
	}
}

func nearestKey(keys map[string]*yaml.Node, known []string) string {
	best := ""
	for key := range keys {
		if s := spelling.Nearest(key, known); s != "" && (best == "" || s < best) {
			best = s
		}
	}
	return best
}
