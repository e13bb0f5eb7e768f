package openapi

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/policy"
)

// Names of options, as problems with them have.
const (
	BasePath    = "base_path"
	StripPrefix = "strip_prefix"
)

// Options say how a document is meant for an app.
type Options struct {
	// BasePath goes in front of every path, instead of what the document's servers say: `/v1`, or `/` for nothing.
	BasePath string
	// StripPrefix is taken off every path, behind BasePath or the servers have been put in front.
	StripPrefix string
	// Prune removes the app's operations that the document does not have.
	Prune bool
}

// Plan is what an import makes of an app.
type Plan struct {
	Operations []controlplane.Operation // all of the app's, in their order as it was; new ones last, in the document's
	Changes    []Change
	Unchanged  int // operations of the document that the app has as they are
	Notes      []Note
}

// Action is what becomes of one operation.
type Action int

// The actions.
const (
	Added   Action = iota + 1
	Changed        // methods, paths or access; the id is the same
	Renamed        // the same methods and paths under another id
	Removed        // it is not in the document
	Kept           // it is not in the document, and stays
)

// Change is one operation that will be otherwise, or that the document does not have.
type Change struct {
	Action        Action
	ID            string // what it is called afterwards; before, if it is removed
	Before, After *controlplane.Operation
	Source        *Operation // nil if it is not in the document
}

// Plan says what the document makes of an app. The error is a [*Refused].
func (d *Document) Plan(app *controlplane.App, o Options) (*Plan, error) {
	p := &planner{app: app, options: o, plan: &Plan{Notes: slices.Clone(d.Notes)}}
	wanted := p.wanted(d)
	if len(p.problems) == 0 {
		p.merge(wanted)
		p.check()
	}
	if len(p.problems) > 0 {
		return nil, &Refused{Problems: p.problems[:min(len(p.problems), maxProblems)]}
	}
	return p.plan, nil
}

type planner struct {
	app      *controlplane.App
	options  Options
	plan     *Plan
	sources  []*Operation // of each of the plan's operations; nil if the document does not have it
	problems []Problem
}

// want is an operation of the document as the app is to have it.
type want struct {
	source *Operation
	controlplane.Operation
}

func (p *planner) note(source *Operation, format string, args ...any) {
	n := Note{Message: fmt.Sprintf(format, args...)}
	if source != nil {
		n.Line, n.At = source.Line, source.at()
	}
	p.plan.Notes = append(p.plan.Notes, n)
}

// wanted puts together what goes in front of each path, and leaves out what is served elsewhere.
func (p *planner) wanted(d *Document) []want {
	base, strip := "", ""
	if p.options.BasePath != "" {
		base = p.prefix(BasePath, p.options.BasePath)
	}
	if p.options.StripPrefix != "" {
		strip = p.prefix(StripPrefix, p.options.StripPrefix)
	}
	told := map[string]bool{} // what is wrong with servers is wrong for many operations
	var all []want
	for i := range d.Operations {
		source := &d.Operations[i]
		prefix := base
		if p.options.BasePath == "" {
			servers := source.servers
			if servers == nil {
				servers = d.servers
			} else if here(d.servers, p.app.Hosts) && !here(servers, p.app.Hosts) {
				p.note(source, "left out: its own servers are none of the app's hosts")
				continue
			}
			var problem *Problem
			if prefix, problem = prefixOf(servers, p.app.Hosts); problem != nil {
				if !told[problem.String()] {
					told[problem.String()] = true
					p.problems = append(p.problems, *problem)
				}
				continue
			}
		}
		path, err := joined(prefix, strip, source.Path)
		if err != nil {
			p.problems = append(p.problems, Problem{Line: source.Line, At: source.at(), Message: err.Error()})
			continue
		}
		if greedy(source.Path) {
			p.note(source, "its parameter is one segment, as OpenAPI has it; if it means several, change it by hand to %q", "**")
		}
		all = append(all, want{source: source, Operation: controlplane.Operation{
			ID: source.ID, Methods: []string{source.Method}, Paths: []string{path}, Access: source.Access,
		}})
	}
	return all
}

// prefix reads an option: a template without its last "/".
func (p *planner) prefix(option, text string) string {
	turned, err := pattern(text)
	if err != nil {
		p.problems = append(p.problems, Problem{At: option, Message: err.Error()})
	}
	return strings.TrimRight(turned, "/")
}

// joined is the pattern of a template behind a prefix, without what is to be taken off.
func joined(prefix, strip, template string) (string, error) {
	path, err := pattern(template)
	if err != nil {
		return "", err
	}
	path = prefix + path
	if strip == "" {
		return path, nil
	}
	rest, ok := strings.CutPrefix(path, strip)
	switch {
	case ok && rest == "":
		return "/", nil
	case !ok || rest[0] != '/':
		return "", fmt.Errorf("strip_prefix: %s does not begin with %s", quote(path), quote(strip+"/"))
	}
	return rest, nil
}

// merge goes through what the app has, and then what it gets.
func (p *planner) merge(wanted []want) {
	byID, byClaim := map[string]*want{}, map[string]*want{}
	for i := range wanted {
		byID[wanted[i].ID] = &wanted[i]
		byClaim[claim(&wanted[i].Operation)] = &wanted[i]
	}
	had := map[string]bool{}
	for i := range p.app.Operations {
		had[p.app.Operations[i].ID] = true
	}
	done := map[string]bool{}
	for i := range p.app.Operations {
		before := &p.app.Operations[i]
		w, same := byID[before.ID]
		if !same {
			// Under another id, which the app does not have yet. What is of some hosts only is not all that it is called.
			if w = byClaim[claim(before)]; w != nil && (had[w.ID] || done[w.ID] || len(before.Hosts) > 0) {
				w = nil
			}
		}
		if w == nil {
			p.gone(before)
			continue
		}
		done[w.ID] = true
		p.becomes(before, w)
	}
	for i := range wanted {
		if w := &wanted[i]; !done[w.ID] {
			p.add(w)
		}
	}
	if len(p.app.Operations) == 0 {
		p.note(nil, `the app had no operations, so everything was "read" or "write"; from now on a request that is none of these operations is denied`)
	}
}

// claim is what requests an operation is, whatever it is called.
func claim(o *controlplane.Operation) string {
	parts := slices.Clone(o.Methods)
	for _, path := range o.Paths {
		parts = append(parts, shape(path))
	}
	slices.Sort(parts)
	return strings.Join(parts, "\n")
}

func (p *planner) put(o controlplane.Operation, source *Operation) *controlplane.Operation {
	p.plan.Operations = append(p.plan.Operations, o)
	p.sources = append(p.sources, source)
	return &o
}

func (p *planner) gone(before *controlplane.Operation) {
	if p.options.Prune {
		p.plan.Changes = append(p.plan.Changes, Change{Action: Removed, ID: before.ID, Before: before})
		return
	}
	kept := p.put(*before, nil)
	p.plan.Changes = append(p.plan.Changes, Change{Action: Kept, ID: before.ID, Before: before, After: kept})
}

func (p *planner) add(w *want) {
	after := p.put(w.Operation, w.source)
	p.plan.Changes = append(p.plan.Changes, Change{Action: Added, ID: w.ID, After: after, Source: w.source})
}

// becomes keeps what somebody said of the operation and the document says nothing of. An import that forgot that deleting
// is for admins would open it to every role that may write.
func (p *planner) becomes(before *controlplane.Operation, w *want) {
	after := w.Operation
	after.Hosts = before.Hosts
	if after.Access == "" {
		after.Access = before.Access
	}
	action := Changed
	switch {
	case before.ID != after.ID:
		action = Renamed
	case sameSet(before.Methods, after.Methods) && sameSet(before.Paths, after.Paths) && before.Access == after.Access:
		p.put(*before, w.source)
		p.plan.Unchanged++
		return
	}
	p.plan.Changes = append(p.plan.Changes, Change{Action: action, ID: after.ID, Before: before, After: p.put(after, w.source), Source: w.source})
}

func sameSet(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// check compiles the result as edges do, and says what is wrong by where the document has it.
func (p *planner) check() {
	if n := len(p.plan.Operations); n > MaxOperations {
		p.problems = append(p.problems, Problem{Message: fmt.Sprintf("the app would have %d operations, and has at most %d", n, MaxOperations)})
		return
	}
	// Those of the document last: of two that tie it is the later that is told.
	after := *p.app
	after.Operations = nil
	var sources []*Operation
	for _, fromDocument := range []bool{false, true} {
		for i, source := range p.sources {
			if (source != nil) == fromDocument {
				after.Operations, sources = append(after.Operations, p.plan.Operations[i]), append(sources, source)
			}
		}
	}
	for _, v := range policy.CheckApp(&after) {
		var i int
		if _, err := fmt.Sscanf(v.Field, "operations[%d]", &i); err != nil || i >= len(sources) {
			continue // of the app as it was, which is not for an import to judge
		}
		problem := Problem{Message: v.Description}
		if source := sources[i]; source != nil {
			problem.Line, problem.At = source.Line, source.at()
		}
		if strings.Contains(v.Description, "equally specific") && slices.Contains(p.sources, nil) {
			problem.Message += "; an operation that is not in the document has to be changed first, or removed with prune"
		}
		p.problems = append(p.problems, problem)
	}
}

// Vanished are the ids that the app's requests had and will not have; renamed ones with what they are called then.
func (p *Plan) Vanished(app *controlplane.App) map[string]string {
	gone := map[string]string{}
	if len(app.Operations) == 0 {
		gone["read"], gone["write"] = "", "" // what an app without operations has
	}
	for _, c := range p.Changes {
		switch c.Action {
		case Removed:
			gone[c.ID] = ""
		case Renamed:
			gone[c.Before.ID] = c.ID
		}
	}
	for _, o := range p.Operations {
		delete(gone, o.ID)
	}
	return gone
}
