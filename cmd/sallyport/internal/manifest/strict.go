package manifest

import (
	"fmt"

	"go.yaml.in/yaml/v3"
)

// plain reports whether a document is plain YAML: each thing once, where it stands, as it looks. It says what is not.
func (d *decoder) plain(n *yaml.Node, prefix, path string) bool {
	switch {
	case n.Kind == yaml.AliasNode:
		d.fail(n, prefix+path, "", "aliases are not read: write out what *%s stands for", n.Value)
		return false
	case n.Anchor != "":
		d.fail(n, prefix+path, "", "anchors are not read: leave out &%s, and write out what it stands for where it is wanted", n.Anchor)
		return false
	case n.Style&yaml.TaggedStyle != 0:
		d.fail(n, prefix+path, "", "tags are not read: leave out %s", n.Tag)
		return false
	}
	ok := true
	switch n.Kind {
	case yaml.SequenceNode:
		for i, item := range n.Content {
			ok = d.plain(item, prefix, fmt.Sprintf("%s[%d]", path, i)) && ok
		}
	case yaml.MappingNode:
		lines := map[string]int{}
		for i := 0; i < len(n.Content); i += 2 {
			key, value := n.Content[i], n.Content[i+1]
			at := join(path, key.Value)
			line, twice := lines[key.Value]
			switch {
			case key.Tag == "!!merge":
				d.fail(key, prefix+path, "", "merge keys are not read: write the fields out")
				ok = false
			case key.Kind != yaml.ScalarNode:
				d.fail(key, prefix+path, "", "a key must be a word")
				ok = false
			case !d.plain(key, prefix, at):
				ok = false
			case twice:
				d.fail(key, prefix+at, "", "stands already in line %d", line)
				ok = false
			default:
				lines[key.Value] = key.Line
				ok = d.plain(value, prefix, at) && ok
			}
		}
	}
	return ok
}
