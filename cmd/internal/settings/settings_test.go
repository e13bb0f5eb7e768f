package settings

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

type flags struct {
	Config string
	Name   string   `default:"unset"`
	List   []string `name:"list"`
	Both   int
}

func parse(t *testing.T, file string, environment map[string]string, args ...string) (flags, error) {
	t.Helper()
	if file != "" {
		path := filepath.Join(t.TempDir(), "settings.yaml")
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--config="+path)
	}
	var f flags
	s := &Settings{Prefix: "TEST_", Getenv: func(name string) string { return environment[name] }}
	parser, err := kong.New(&f, kong.Resolvers(s))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse(args); err != nil {
		return f, err
	}
	return f, s.Faults()
}

func TestPrecedence(t *testing.T) {
	t.Parallel()
	file := "name: file\nlist: [a, b]\nboth: 1\n"
	environment := map[string]string{"TEST_NAME": "environment", "TEST_BOTH": "2"}
	for _, c := range []struct {
		file        string
		environment map[string]string
		args        []string
		name        string
		both        int
	}{
		{"", nil, nil, "unset", 0},
		{file, nil, nil, "file", 1},
		{file, environment, nil, "environment", 2},
		{file, environment, []string{"--name=flag"}, "flag", 2},
	} {
		f, err := parse(t, c.file, c.environment, c.args...)
		if err != nil || f.Name != c.name || f.Both != c.both || c.file != "" && strings.Join(f.List, " ") != "a b" {
			t.Errorf("got %+v, %v; want %s and %d", f, err, c.name, c.both)
		}
	}
}

func TestFaultsAreToldAtOnce(t *testing.T) {
	t.Parallel()
	_, err := parse(t, "naem: x\nhelp: y\nsecret: hunter2\n", nil)
	for _, want := range []string{`"naem" is no setting`, `"help" is no setting`, `"secret" is no setting`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %s", err, want)
		}
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a value is told: %v", err)
	}
	if _, err := parse(t, "name: [", nil); err == nil || !strings.Contains(err.Error(), "--config") {
		t.Errorf("no YAML: %v", err)
	}
	if _, err := parse(t, "", map[string]string{"TEST_CONFIG": "/nowhere"}); err == nil || !strings.Contains(err.Error(), "/nowhere") {
		t.Errorf("no file: %v", err)
	}
}
