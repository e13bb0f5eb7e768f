package openapi

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// MaxSteps bounds how many values are looked at, those that aliases, merge keys and references lead to counted each time.
const MaxSteps = 500_000

// maxText is as long as a path, an id or a reference may be.
const maxText = 1 << 10

// maxMerges and maxReferences bound how often one thing stands for another in a row.
const (
	maxMerges     = 16
	maxReferences = 16
)

// maxNotes is far more than a document of [MaxOperations] has, unless it is made to have them.
const maxNotes = 4 * MaxOperations

// reader walks a document.
type reader struct {
	root     *yaml.Node
	steps    int
	known    map[*yaml.Node]mapping
	problems []Problem
	notes    []Note
}

// mapping is a mapping's fields in the order of the document, merged ones last.
type mapping struct {
	fields []field
	places map[string]int
}

type field struct {
	name  string
	line  int
	value *yaml.Node
}

// get returns the value of a field; nil if there is none, or it is null.
func (m mapping) get(name string) *yaml.Node {
	i, ok := m.places[name]
	if !ok || null(m.fields[i].value) {
		return nil
	}
	return m.fields[i].value
}

// line is where a field is named.
func (m mapping) line(name string) int {
	if i, ok := m.places[name]; ok {
		return m.fields[i].line
	}
	return 0
}

func (r *reader) problem(line int, at, format string, args ...any) {
	if len(r.problems) < maxProblems {
		r.problems = append(r.problems, Problem{Line: line, At: at, Message: fmt.Sprintf(format, args...)})
	}
}

func (r *reader) note(line int, at, message string) {
	r.tell(Note{Line: line, At: at, Message: message})
}

func (r *reader) warn(line int, at, message string) {
	r.tell(Note{Line: line, At: at, Message: message, Warning: true})
}

// tell keeps a note, and of those that are too many that there are more.
func (r *reader) tell(n Note) {
	switch len(r.notes) {
	case maxNotes:
	case maxNotes - 1:
		r.notes = append(r.notes, Note{Message: "there is more like this, which is not told"})
	default:
		r.notes = append(r.notes, n)
	}
}

// step counts a value that is looked at, and reports whether any more may be.
func (r *reader) step() bool {
	r.steps++
	if r.steps == MaxSteps+1 {
		r.problem(0, "", "aliases and references make more than %d values of the document", MaxSteps)
	}
	return r.steps <= MaxSteps
}

// follow is the node that an alias stands for. The library lets none be an alias of an alias.
func follow(n *yaml.Node) *yaml.Node {
	if n != nil && n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

func null(n *yaml.Node) bool {
	n = follow(n)
	return n == nil || n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null"
}

// mapping reads a mapping; at says where it is, if it is none.
func (r *reader) mapping(n *yaml.Node, at string) mapping {
	n = follow(n)
	if n.Kind != yaml.MappingNode {
		r.problem(n.Line, at, "is not an object")
		return mapping{}
	}
	if m, ok := r.known[n]; ok {
		return m
	}
	m := mapping{places: map[string]int{}}
	r.collect(&m, n, at, 0)
	r.known[n] = m
	return m
}

func (r *reader) collect(m *mapping, n *yaml.Node, at string, merges int) {
	own := map[string]bool{}
	var merged []*yaml.Node
	for i := 0; i+1 < len(n.Content) && r.step(); i += 2 {
		key, value := follow(n.Content[i]), n.Content[i+1]
		switch {
		case key.Kind != yaml.ScalarNode:
			r.problem(key.Line, at, "has a key that is no text")
		case key.ShortTag() == "!!merge":
			merged = append(merged, value)
		case own[key.Value]:
			r.problem(key.Line, at, "has %s twice", quote(key.Value))
		default:
			own[key.Value] = true
			if _, had := m.places[key.Value]; !had {
				m.places[key.Value] = len(m.fields)
				m.fields = append(m.fields, field{name: key.Value, line: key.Line, value: value})
			}
		}
	}
	for _, value := range merged {
		r.merge(m, value, at, merges)
	}
}

// merge adds what a merge key names: a mapping or several, of which the first that has a field gives it.
func (r *reader) merge(m *mapping, value *yaml.Node, at string, merges int) {
	value = follow(value)
	if merges == maxMerges {
		r.problem(value.Line, at, "merges more than %d objects into each other", maxMerges)
		return
	}
	from := []*yaml.Node{value}
	if value.Kind == yaml.SequenceNode {
		from = value.Content
	}
	for _, n := range from {
		if !r.step() {
			return
		}
		if n = follow(n); n.Kind != yaml.MappingNode {
			r.problem(n.Line, at, "merges what is not an object")
			continue
		}
		r.collect(m, n, at, merges+1)
	}
}

// sequence returns the elements of a list; none if there is no list.
func (r *reader) sequence(n *yaml.Node, at string) []*yaml.Node {
	if null(n) {
		return nil
	}
	n = follow(n)
	if n.Kind != yaml.SequenceNode {
		r.problem(n.Line, at, "is not a list")
		return nil
	}
	return n.Content
}

// text returns a scalar as it is written, or "".
func (r *reader) text(n *yaml.Node, at string) string {
	if null(n) {
		return ""
	}
	n = follow(n)
	if n.Kind != yaml.ScalarNode {
		r.problem(n.Line, at, "is not a text")
		return ""
	}
	return n.Value
}

// reference follows `$ref`, if an object has one, to the object that is meant; ok is false if there is none to be had. Where
// the specification does not say what fields beside it mean, there may be none (alone).
func (r *reader) reference(n *yaml.Node, at string, alone bool) (_ mapping, line int, ok bool) {
	n = follow(n)
	for range maxReferences {
		if !r.step() {
			return mapping{}, 0, false
		}
		problems := len(r.problems)
		m := r.mapping(n, at)
		if len(r.problems) > problems {
			return mapping{}, 0, false
		}
		ref := m.get("$ref")
		if ref == nil {
			return m, n.Line, true
		}
		target := r.text(ref, at)
		if !strings.HasPrefix(target, "#") {
			r.problem(follow(ref).Line, at, "refers to %s, which is not in the document and is not fetched: bundle everything into one document", quote(target))
			return mapping{}, 0, false
		}
		if alone && m.meansMore() {
			r.problem(follow(ref).Line, at, "has fields beside $ref, which tools read in different ways: write all of it in one place")
			return mapping{}, 0, false
		}
		next := r.find(target)
		if next == nil {
			r.problem(follow(ref).Line, at, "refers to %s, which is not in the document", quote(target))
			return mapping{}, 0, false
		}
		n = next
	}
	r.problem(n.Line, at, "refers to what refers, and so on, more than %d times", maxReferences)
	return mapping{}, 0, false
}

// meansMore reports whether there is more beside a reference than what is written for people.
func (m mapping) meansMore() bool {
	for _, f := range m.fields {
		forPeople := f.name == "$ref" || f.name == "summary" || f.name == "description" || strings.HasPrefix(f.name, "x-")
		if !forPeople || f.name == accessExtension {
			return true
		}
	}
	return false
}

// find returns what a reference within the document points at (RFC 6901, in its form for a fragment), or nil.
func (r *reader) find(reference string) *yaml.Node {
	if len(reference) > maxText {
		return nil
	}
	pointer, err := url.PathUnescape(strings.TrimPrefix(reference, "#"))
	if err != nil || pointer != "" && pointer[0] != '/' {
		return nil
	}
	n := r.root
	for _, token := range strings.Split(pointer, "/")[1:] {
		token = strings.NewReplacer("~1", "/", "~0", "~").Replace(token)
		if n = follow(n); null(n) || !r.step() {
			return nil
		}
		switch n.Kind {
		case yaml.MappingNode:
			n = r.mapping(n, reference).get(token)
		case yaml.SequenceNode:
			i, err := strconv.ParseUint(token, 10, 31)
			if err != nil || int(i) >= len(n.Content) {
				return nil
			}
			n = n.Content[i]
		default:
			return nil
		}
	}
	if null(n) {
		return nil
	}
	return follow(n)
}
