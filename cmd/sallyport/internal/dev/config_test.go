package dev

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-iap/sallyport/deploy/demo"
)

// allPorts sets every port to another one.
func allPorts() Config {
	var c Config
	ports := reflect.ValueOf(&c.Ports).Elem()
	for i := range ports.NumField() {
		ports.Field(i).SetInt(int64(20001 + i))
	}
	return c
}

func TestEveryPortIsCheckedUnderItsFlag(t *testing.T) {
	t.Parallel()
	c := allPorts()
	uses := map[string]int{}
	for _, use := range c.uses() {
		uses[use.Flag] = use.Port
	}
	fields := reflect.TypeFor[Ports]()
	for i := range fields.NumField() {
		flag := "--" + fields.Field(i).Tag.Get("name")
		if uses[flag] != 20001+i {
			t.Errorf("%s is checked as port %d, not %d", flag, uses[flag], 20001+i)
		}
	}
	if len(uses) != fields.NumField() {
		t.Errorf("%d ports are checked, %d can be set", len(uses), fields.NumField())
	}
}

// The files of the demo are written with the defaults. With other settings, none of those may be left in them.
func TestLocalise(t *testing.T) {
	t.Parallel()
	c := allPorts()
	c.StateDir = filepath.Join(t.TempDir(), `a "place": {of} its own`)
	if err := os.MkdirAll(c.StateDir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := writeFile(c.clientSecretFile(), []byte("client secret")); err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, file := range []string{"platform.yaml", "acme.yaml", "globex.yaml"} {
		text, err := demo.Files.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		local := c.localise(string(text))
		for _, standard := range []string{"localhost:5556", "127.0.0.1:9001", "127.0.0.1:9002", "file: .sallyport"} {
			if strings.Contains(local, standard) {
				t.Errorf("%s still says %s", file, standard)
			}
			found[standard] = found[standard] || strings.Contains(string(text), standard)
		}
		resources, err := read(file, local)
		if err != nil {
			t.Errorf("%s: %v", file, err)
		}
		if len(resources) == 0 {
			t.Errorf("%s holds nothing", file)
		}
	}
	for standard, ok := range found {
		if !ok {
			t.Errorf("no file says %s: is it still the default?", standard)
		}
	}
}

func TestEveryTenantHasItsFile(t *testing.T) {
	t.Parallel()
	entries, err := demo.Files.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var have []string
	for _, entry := range entries {
		have = append(have, entry.Name())
	}
	want := []string{"platform.yaml"}
	for _, tenant := range tenants() {
		want = append(want, tenant.id+".yaml")
	}
	slices.Sort(want)
	if !slices.Equal(have, want) {
		t.Errorf("deploy/demo holds %q, tenants are %q", have, want)
	}
}
