package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/goccy/go-yaml"

	"github.com/sallyport-iap/sallyport/cmd/internal/process"
	"github.com/sallyport-iap/sallyport/controlplane"
)

// maxFile bounds a file of settings, or of one secret.
const maxFile = 1 << 20

// settings answers for flags that are not on the command line, from the environment and then from the file.
type settings struct {
	getenv func(string) string
	model  *kong.Application
	file   map[string]any // nil until read
	faults []error        // of the file: said together with those of the values
}

// Validate is called before anything is resolved, when nothing is known yet.
func (s *settings) Validate(*kong.Application) error { return nil }

// Resolve returns a flag's value, or nil.
func (s *settings) Resolve(ctx *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	if flag.Name == "help" || flag.Name == "config" {
		return s.fromEnvironment(flag), nil
	}
	if s.file == nil {
		s.readFile(ctx)
	}
	if value := s.fromEnvironment(flag); value != nil {
		return value, nil
	}
	if value, ok := s.file[flag.Name]; ok {
		return fmt.Sprint(value), nil
	}
	return nil, nil
}

func (s *settings) fromEnvironment(flag *kong.Flag) any {
	if value := s.getenv(variable(flag.Name)); value != "" && flag.Name != "help" {
		return value
	}
	return nil
}

func variable(flag string) string {
	return "SALLYPORT_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// readFile reads the file named by --config, and finds fault with every key that is no flag of any command.
func (s *settings) readFile(ctx *kong.Context) {
	s.file = map[string]any{}
	path := s.getenv(variable("config"))
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
	text, err := readLimited(path)
	if err != nil {
		fault("%w", err)
		return
	}
	if err := yaml.NewDecoder(bytes.NewReader(text)).Decode(&s.file); err != nil && !errors.Is(err, io.EOF) {
		// The first line says what and where; the rest would print the file, secrets and all.
		message, _, _ := strings.Cut(yaml.FormatError(err, false, false), "\n")
		fault("%s: %s", path, message)
		return
	}
	known := flagNames(s.model.Node)
	for _, key := range slices.Sorted(maps.Keys(s.file)) {
		if slices.Contains(known, key) {
			continue
		}
		if near := controlplane.Nearest(key, known); near != "" {
			fault("%s: %q is no setting; did you mean %q?", path, key, near)
		} else {
			fault("%s: %q is no setting", path, key)
		}
	}
}

// check returns all faults as one error: those of the file, and those that a command found in its values.
func (s *settings) check(faults ...error) error {
	all := errors.Join(append(slices.Clone(s.faults), faults...)...)
	if all == nil {
		return nil
	}
	return &process.Exit{Status: 2, Err: all}
}

func flagNames(node *kong.Node) []string {
	var names []string
	for _, flag := range node.Flags {
		if flag.Name != "help" && flag.Name != "config" {
			names = append(names, flag.Name)
		}
	}
	for _, child := range node.Children {
		names = append(names, flagNames(child)...)
	}
	return names
}

func readLimited(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("%s is larger than 1 MiB", path)
	}
	return text, err
}
