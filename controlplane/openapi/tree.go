package openapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Bounds of a document.
const (
	MaxBytes  = 4 << 20
	MaxValues = 1_000_000 // scalars, mappings and sequences; in YAML they are counted by the marks between them
	MaxDepth  = 10_000    // the YAML library has the same
)

// tree reads a document into nodes. JSON is nearly YAML, but the YAML library takes none of its surrogate pairs, so it is
// read as what it is; what only begins like JSON is YAML after all.
func tree(document []byte) (*yaml.Node, error) {
	switch {
	case len(document) > MaxBytes:
		return nil, refusal("the document has %d bytes, and %d are the limit", len(document), MaxBytes)
	case !utf8.Valid(document):
		return nil, refusal("the document is not UTF-8")
	}
	document = bytes.TrimPrefix(document, []byte("\xef\xbb\xbf"))
	if len(bytes.TrimSpace(document)) == 0 {
		return nil, refusal("the document is empty")
	}
	if bytes.TrimLeft(document, " \t\r\n")[0] != '{' {
		return yamlTree(document)
	}
	root, err := jsonTree(document)
	if _, limit := errors.AsType[*Refused](err); err == nil || limit {
		return root, err
	}
	if root, yamlErr := yamlTree(document); yamlErr == nil {
		return root, nil
	}
	return nil, refusal("%s", clipped("the document is not JSON: "+err.Error()))
}

func yamlTree(document []byte) (*yaml.Node, error) {
	if marks(document) > MaxValues {
		return nil, tooMany()
	}
	decoder := yaml.NewDecoder(bytes.NewReader(document))
	var root yaml.Node
	if err := decoder.Decode(&root); errors.Is(err, io.EOF) {
		return nil, refusal("the document is empty")
	} else if err != nil {
		return nil, refusal("%s", clipped("the document is not YAML: "+strings.TrimPrefix(err.Error(), "yaml: ")))
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, refusal("there is more than one document; give one")
	}
	return root.Content[0], nil
}

func tooMany() error { return refusal("the document has more than %d values", MaxValues) }

// marks counts what stands between values, or before one: no document has more values than that and one. It is asked
// before anything is read, because the library builds the whole tree before it lets anybody look.
func marks(document []byte) int {
	n := 0
	for i, c := range document {
		switch c {
		case ',', '[', '{':
			n++
		case '-', '?':
			if ends(document, i+1) {
				n++
			}
		case ':':
			// A key, and a value that may be nothing at all.
			if ends(document, i+1) || i > 0 && strings.IndexByte(`"'`, document[i-1]) >= 0 {
				n += 2
			}
		}
	}
	return n
}

func ends(document []byte, i int) bool {
	return i == len(document) || strings.IndexByte(" \t\r\n,]}", document[i]) >= 0
}

// jsonTree reads JSON into the same nodes. Keys that are there twice are kept twice: whether that matters is for who reads.
func jsonTree(document []byte) (*yaml.Node, error) {
	b := &builder{document: document, decoder: json.NewDecoder(bytes.NewReader(document)), line: 1}
	b.decoder.UseNumber()
	root, err := b.value(0)
	if err != nil {
		return nil, err
	}
	if _, err := b.decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is something behind its end")
	}
	return root, nil
}

type builder struct {
	document []byte
	decoder  *json.Decoder
	values   int
	counted  int64 // bytes whose lines are counted
	line     int
}

func (b *builder) value(depth int) (*yaml.Node, error) {
	token, err := b.decoder.Token()
	if err != nil {
		return nil, err
	}
	offset := b.decoder.InputOffset()
	b.line += bytes.Count(b.document[b.counted:offset], []byte("\n"))
	b.counted = offset
	if b.values++; b.values > MaxValues {
		return nil, tooMany()
	}
	if depth > MaxDepth {
		return nil, refusal("the document is nested more than %d deep", MaxDepth)
	}
	node := &yaml.Node{Kind: yaml.ScalarNode, Line: b.line}
	switch token := token.(type) {
	case json.Delim:
		node.Kind = yaml.MappingNode
		if token == '[' {
			node.Kind = yaml.SequenceNode
		}
		for b.decoder.More() {
			child, err := b.value(depth + 1)
			if err != nil {
				return nil, err
			}
			node.Content = append(node.Content, child)
		}
		_, err = b.decoder.Token() // its end
		return node, err
	case string:
		node.Tag, node.Value = "!!str", token
	case json.Number:
		node.Tag, node.Value = "!!float", token.String()
	case bool:
		node.Tag, node.Value = "!!bool", fmt.Sprint(token)
	default:
		node.Tag, node.Value = "!!null", "null"
	}
	return node, nil
}

// clipped keeps a message that quotes a document readable.
func clipped(text string) string {
	const most = 200
	if len(text) <= most {
		return strings.ToValidUTF8(text, "�")
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}
