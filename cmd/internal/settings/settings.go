// Package settings answers for flags that are not on the command line: from the environment, and then from a YAML file.
//
// It is strict: a key of the file that is no flag is a fault, and all faults are told at once. It must never print a
// value: some are secret.
package settings

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"

	"github.com/sallyport-iap/sallyport/cmd/internal/spelling"
)

// maxFile bounds a file of settings, or of one secret.
const maxFile = 1 << 20

// Settings is a resolver of kong's. The flag --config names the file.
type Settings struct {
	// Prefix is what variables begin with, such as "SALLYPORT_".
	Prefix string
	Getenv func(string) string

	file   map[string]any // nil until read
	faults []error
}

// Validate is called before anything is resolved, when nothing is known yet.
func (s *Settings) Validate(*kong.Application) error { return nil }

// Resolve returns a flag's value, or nil.
func (s *Settings) Resolve(ctx *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	if flag.Name == "help" || flag.Name == "version" {
		return nil, nil
	}
	if flag.Name != "config" && s.file == nil {
		s.read(ctx)
	}
	if value := s.Getenv(s.Variable(flag.Name)); value != "" {
		return value, nil
	}
	if value, ok := s.file[flag.Name]; ok && flag.Name != "config" {
		return text(value), nil
	}
	return nil, nil
}

// Variable is the name of a flag's environment variable.
func (s *Settings) Variable(flag string) string {
	return s.Prefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// text is a value as one would write it after a flag.
func text(value any) string {
	if list, ok := value.([]any); ok {
		parts := make([]string, len(list))
		for i, v := range list {
			parts[i] = fmt.Sprint(v)
		}
		return strings.Join(parts, ",")
	}
	return fmt.Sprint(value)
}

// read reads the file, and finds fault with every key that is no flag.
func (s *Settings) read(ctx *kong.Context) {
	s.file = map[string]any{}
	path := s.Getenv(s.Variable("config"))
	for _, flag := range ctx.Flags() {
		if given, ok := ctx.FlagValue(flag).(string); flag.Name == "config" && ok && given != "" {
			path = given
		}
	}
	if path == "" {
		return
	}
	fault := func(format string, args ...any) {
		s.faults = append(s.faults, fmt.Errorf("--config: "+format, args...))
	}
	content, err := ReadFile(path)
	if err != nil {
		fault("%w", err)
		return
	}
	var document yaml.Node
	if err := yaml.Unmarshal(content, &document); err != nil {
		fault("%s: %s", path, strings.TrimPrefix(err.Error(), "yaml: "))
		return
	}
	if document.Decode(&s.file) != nil {
		// What the library says of a value of the wrong form has the value in it, which may be a secret.
		fault("%s: want one key and value a line, each key once", path)
		return
	}
	known := flagNames(ctx.Model.Node)
	for _, key := range slices.Sorted(maps.Keys(s.file)) {
		if slices.Contains(known, key) {
			continue
		}
		if near := spelling.Nearest(key, known); near != "" {
			fault("%s: %q is no setting; did you mean %q?", path, key, near)
		} else {
			fault("%s: %q is no setting; --help lists them", path, key)
		}
	}
}

// flagNames are the flags of every command: one file may serve several.
func flagNames(node *kong.Node) []string {
	var names []string
	for _, flag := range node.Flags {
		if flag.Name != "help" && flag.Name != "version" && flag.Name != "config" {
			names = append(names, flag.Name)
		}
	}
	for _, child := range node.Children {
		names = append(names, flagNames(child)...)
	}
	return names
}

// Faults returns all that is wrong as one error: with the file, and what the program found in the values.
func (s *Settings) Faults(found ...error) error {
	return errors.Join(append(slices.Clone(s.faults), found...)...)
}

// ReadFile reads a file of settings, or of one secret.
func ReadFile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err == nil && len(content) > maxFile {
		err = fmt.Errorf("%s is larger than 1 MiB", path)
	}
	return content, err
}
