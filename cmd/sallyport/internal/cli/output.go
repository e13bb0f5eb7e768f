package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/sallyport-iap/sallyport/cmd/sallyport/internal/manifest"
)

// compact is a message as JSON in the API's field names. protojson varies its spaces on purpose; people and scripts want
// the same bytes twice.
func compact(m proto.Message) ([]byte, error) {
	data, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode the answer: %w", err)
	}
	var out bytes.Buffer
	if err := json.Compact(&out, data); err != nil {
		return nil, fmt.Errorf("encode the answer: %w", err)
	}
	return out.Bytes(), nil
}

// printValue prints one value, for scripts.
func (s *session) printValue(m proto.Message) error {
	data, err := compact(m)
	if err != nil {
		return err
	}
	return s.printRaw(data)
}

// printRaw prints JSON, as it was asked for.
func (s *session) printRaw(data []byte) error {
	if s.output == "yaml" {
		return manifest.WriteJSON(s.Stdout, data)
	}
	var out bytes.Buffer
	if err := json.Indent(&out, data, "", "  "); err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	s.printf("%s\n", out.Bytes())
	return nil
}

// printArray prints a collection as one value, also if there is nothing in it.
func (s *session) printArray(items []resource) error {
	all := make([][]byte, 0, len(items))
	for _, m := range items {
		data, err := compact(m.Interface())
		if err != nil {
			return err
		}
		all = append(all, data)
	}
	return s.printRaw(slices.Concat([]byte("["), bytes.Join(all, []byte(",")), []byte("]")))
}

// printLine prints one value of many that come one by one.
func (s *session) printLine(m proto.Message) error {
	data, err := compact(m)
	if err != nil {
		return err
	}
	if s.output == "yaml" {
		s.printf("---\n")
		return s.printRaw(data)
	}
	s.printf("%s\n", data)
	return nil
}

// printable is a text on one line, without what a terminal would obey: strangers choose paths and names.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case !unicode.IsPrint(r):
			return unicode.ReplacementChar
		default:
			return r
		}
	}, s)
}

func sorted(words []string) []string {
	slices.Sort(words)
	return words
}
