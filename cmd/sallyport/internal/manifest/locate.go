package manifest

import (
	"regexp"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// pathStep is a field (`rules`, `.id`), an element (`[2]`) or an entry of a map (`["team"]`).
var pathStep = regexp.MustCompile(`([A-Za-z0-9_]+)|\[(\d+)\]|\["((?:[^"\\]|\\.)*)"\]`)

// At turns a problem that the server found at a field of the resource, such as `rules[2].principals[0]`, into one at a
// line of the file. The place is as near as the file has it.
func (r *Resource) At(field, problem, suggestion string) *Error {
	n := r.node
	for _, step := range pathStep.FindAllStringSubmatch(field, -1) {
		key := step[1] + step[3]
		if field == "name" {
			key = "id" // which is how a file says it
		}
		next := child(n, key, step[2])
		if next == nil {
			break
		}
		n = next
	}
	path := r.Kind + " " + r.ID
	if field != "" {
		path += ": " + field
	}
	return &Error{File: r.file, Line: n.Line, Column: n.Column, Path: path, Problem: problem, Suggestion: suggestion}
}

func child(n *yaml.Node, key, index string) *yaml.Node {
	switch {
	case index != "" && n.Kind == yaml.SequenceNode:
		i, err := strconv.Atoi(index)
		if err == nil && i < len(n.Content) {
			return n.Content[i]
		}
	case key != "" && n.Kind == yaml.MappingNode:
		for i := 0; i < len(n.Content); i += 2 {
			if n.Content[i].Value == key {
				return n.Content[i+1]
			}
		}
	}
	return nil
}
