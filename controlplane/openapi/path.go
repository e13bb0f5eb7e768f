package openapi

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// pattern turns a path template (OpenAPI 3.1 section 4.8.8.2) into a pattern of ours. What the pattern may hold besides,
// the edge's own compiler says.
func pattern(template string) (string, error) {
	if !strings.HasPrefix(template, "/") {
		return "", errors.New(`a path begins with "/"`)
	}
	if strings.ContainsAny(template, "?#") {
		return "", errors.New("a path has no query and no fragment: operations are told apart by method and path")
	}
	segments := strings.Split(template, "/")
	for i, segment := range segments {
		var err error
		if segments[i], err = patternOf(segment); err != nil {
			return "", err
		}
	}
	return strings.Join(segments, "/"), nil
}

// escaper writes what means something in our patterns, and not in a template, so that it means itself.
var escaper = strings.NewReplacer("*", "%2A", " ", "%20")

// patternOf turns one segment. `{a}` is one segment that is not empty, `*` any part of one.
func patternOf(segment string) (string, error) {
	var out strings.Builder
	var parameters []string
	literal := false
	for rest := segment; rest != ""; {
		text, after, braced := strings.Cut(rest, "{")
		if strings.Contains(text, "}") {
			return "", fmt.Errorf(`%s has a "}" without "{"`, quote(segment))
		}
		if text != "" {
			out.WriteString(escaper.Replace(text))
			literal = true
		}
		if !braced {
			break
		}
		name, tail, closed := strings.Cut(after, "}")
		if !closed || name == "" || strings.Contains(name, "{") {
			return "", fmt.Errorf("%s is no template: a parameter is {name}", quote(segment))
		}
		if !strings.HasSuffix(out.String(), "*") { // what two parameters in a row hold, one does
			out.WriteByte('*')
		}
		parameters = append(parameters, name)
		rest = tail
	}
	if len(parameters) > 0 && !literal {
		return "{" + parameterName(strings.Join(parameters, "_")) + "}", nil
	}
	return out.String(), nil
}

// parameterName is a name as our patterns take them. It is for people; nothing goes by it.
func parameterName(name string) string {
	return strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' {
			return c
		}
		return '_'
	}, name)
}

// shape is a pattern without the names of its parameters: two of one shape match the same paths.
func shape(pattern string) string {
	segments := strings.Split(pattern, "/")
	for i, s := range segments {
		if strings.HasPrefix(s, "{") {
			segments[i] = "{}"
		}
	}
	return strings.Join(segments, "/")
}

// greedy reports whether the template has a parameter that some tools read as several segments.
func greedy(template string) bool {
	for _, name := range names(template) {
		if strings.HasSuffix(name, "+") || strings.HasSuffix(name, "*") || strings.HasPrefix(name, "+") {
			return true
		}
	}
	return false
}

func quote(text string) string { return strconv.Quote(clipped(text)) }

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
