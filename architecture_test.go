// Package sallyport_test holds the laws of the whole repository: who may import whom and why, and how a package, a file
// and a test have to look. It reads source files, and must never run `go list`: the test cache would not see a change.
package sallyport_test

import (
	"bytes"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
)

// A law forbids packages to use something, and says why: the reason is what somebody reads who just broke it.
//
// Packages are directories from the top of the checkout, "x/..." being x and all below, "..." everything. What is
// forbidden are import paths, ours written "./edge/policy", and single names of a package, "os.Getenv".
type law struct {
	in     []string
	except []string // packages that are free of it
	never  []string
	but    []string // what is allowed of never
	why    string
	tests  bool // binds test files as well
}

// The control plane, from the bottom up. Each package is in one list, or TestControlPlaneIsSorted says so.
var (
	// rulebooks say what things must be, each by itself, and touch nothing.
	rulebooks = []string{
		"controlplane/access", "controlplane/address", "controlplane/app", "controlplane/idp", "controlplane/keyring", "controlplane/lint", "controlplane/member",
		"controlplane/openapi", "controlplane/policy", "controlplane/recorded", "controlplane/token",
	}
	// foundations are, with the rulebooks, what services stand on.
	foundations = []string{
		"controlplane/authn", "controlplane/changeset", "controlplane/edgefleet", "controlplane/store", "controlplane/turn",
	}
	// services are the use cases, one for each noun of the API.
	services = []string{
		"controlplane/apitoken", "controlplane/audit", "controlplane/decision", "controlplane/operations", "controlplane/report",
		"controlplane/revision", "controlplane/revocation",
		"controlplane/serviceaccount", "controlplane/session", "controlplane/simulation", "controlplane/tenant",
	}
	// upperFloors carry changes and calls between services and the outside.
	upperFloors = []string{
		"controlplane/edgerpc", "controlplane/feed", "controlplane/job", "controlplane/rpc", "controlplane/server",
		"controlplane/snapshot",
	}
)

var laws = []law{
	// The two planes.
	{
		in:    []string{"edge/..."},
		never: []string{"./controlplane/...", "./migrations/...", "github.com/jackc/pgx/v5/...", "github.com/golang-migrate/migrate/v4/..."},
		why:   "an edge decides alone, from what the stream told it: it knows neither the control plane's code nor a database",
		tests: true,
	},
	{
		in:     []string{"controlplane/..."},
		except: []string{"controlplane/access", "controlplane/policy", "controlplane/changeset", "controlplane/decision", "controlplane/lint", "controlplane/recorded", "controlplane/simulation"},
		never:  []string{"./edge/..."},
		why:    "the planes meet in protos; only compiling a policy before it is stored, and saying what it decides or can hardly mean, needs the edge's evaluator",
	},
	{
		in:    []string{"controlplane/access", "controlplane/policy", "controlplane/changeset", "controlplane/decision", "controlplane/lint", "controlplane/recorded", "controlplane/simulation"},
		never: []string{"./edge/..."},
		but:   []string{"./edge/policy", "./edge/policy/expression", "./edge/policy/window", "./edge/route"},
		why:   "the only arrows between the planes go to the edge's pure leaves",
	},
	{
		in:    []string{"cmd/sallyport/...", "cmd/terraform-provider-sallyport/...", "cmd/internal/..."},
		never: []string{"./controlplane/...", "./edge/...", "./migrations/..."},
		why:   "the CLI and the provider are clients of the public API; `sallyport dev` starts the real binaries",
		tests: true,
	},
	{
		in:    []string{"cmd/sallyport-edge/..."},
		never: []string{"./controlplane/...", "./migrations/..."},
		why:   "the edge's binary holds nothing of the control plane",
	},
	{
		in:    []string{"cmd/sallyport-controlplane/..."},
		never: []string{"./edge/..."},
		why:   "the control plane's binary handles no request of an app",
	},
	{
		in:     []string{"..."},
		except: []string{"cmd/..."},
		never:  []string{"./cmd/..."},
		why:    "mains wire the planes; nothing knows its main",
		tests:  true,
	},

	// Inside of the planes.
	{
		in:    []string{"controlplane"},
		never: []string{"./..."},
		why:   "the vocabulary imports nothing of ours, so that everybody may speak it",
		tests: true,
	},
	{
		in:    []string{"edge/route", "edge/facts", "edge/header", "edge/policy/country", "edge/policy/incremental", "edge/policy/problem", "edge/policy/truth", "edge/policy/zone"},
		never: []string{"./..."},
		why:   "the pure leaves of the pipeline import nothing of ours",
		tests: true,
	},
	{
		in:    []string{"edge/policy"},
		never: []string{"./..."},
		but:   []string{"./edge/policy/clause", "./edge/policy/incremental", "./edge/policy/problem", "./edge/policy/truth", "./edge/policy/who"},
		why:   "rules are made of who and clauses, and these know nothing of rules",
	},
	{
		in:    []string{"edge/policy/clause"},
		never: []string{"./..."},
		but: []string{
			"./edge/policy/country", "./edge/policy/expression", "./edge/policy/problem", "./edge/policy/truth", "./edge/policy/who", "./edge/policy/window",
		},
		why:   "a clause knows nothing of the rule that it is part of, and is true or not wherever it stands",
		tests: true,
	},
	{
		in:    []string{"edge/policy/who"},
		never: []string{"./..."},
		but:   []string{"./edge/policy/incremental", "./edge/policy/problem", "./edge/policy/truth"},
		why:   "who somebody is does not depend on what they want",
		tests: true,
	},
	{
		in:    []string{"edge/policy/expression", "edge/policy/window"},
		never: []string{"./..."},
		but:   []string{"./edge/policy/country", "./edge/policy/truth", "./edge/policy/zone"},
		why:   "the two languages that conditions are written in; both read the same time zones",
		tests: true,
	},
	{
		in:    []string{"edge/policy/policytest"},
		never: []string{"./..."},
		why:   "cases are data; what reads them must not know who passes them",
	},
	{
		in:    []string{"edge/policy/reference"},
		never: []string{"./..."},
		but:   []string{"./edge/policy/policytest"},
		why:   "what shares code with the evaluator shares its faults",
	},
	{
		in: []string{
			"edge/route", "edge/policy", "edge/policy/clause", "edge/policy/country", "edge/policy/expression", "edge/policy/incremental", "edge/policy/problem",
			"edge/policy/truth", "edge/policy/who", "edge/policy/window", "edge/policy/zone",
		},
		never: []string{"net", "net/http/...", "os/...", "database/...", "log/slog", "time.Now", "time.LoadLocation", "time.Local"},
		why:   "the same question has the same answer at the edge, in the control plane and in a test: no I/O, no clock, no zone files of a machine",
	},
	{
		in:     []string{"edge/..."},
		except: []string{"edge", "edge/listener", "edge/upstream", "edge/egress", "edge/login", "edge/edgetest"},
		never:  []string{"net/http.Request", "net/http.ResponseWriter"},
		why:    "a stage sees plain values, so that another front may stand before it; only both ends, and calls of our own, are net/http's",
	},
	{
		in:    []string{"controlplane/rpc/..."},
		never: []string{"./controlplane/store/..."},
		why:   "rpc calls services, which authorise the caller; the store does not",
	},
	{
		in:    slices.Concat(rulebooks, foundations, services),
		never: []string{"./controlplane/rpc/...", "./controlplane/edgerpc/...", "./proto/gen/..."},
		why:   "services speak the vocabulary; protos end at rpc",
	},
	{
		in:    services,
		never: []string{"./controlplane/..."},
		but:   ours("controlplane", rulebooks, foundations),
		why:   "a service that calls services hides an order of authorisation; what spans nouns is a change set or one store transaction",
	},
	{
		in:    rulebooks,
		never: []string{"./controlplane/...", "./migrations/...", "net/http/...", "log/slog", "time.Now"},
		but:   ours("controlplane", rulebooks),
		why:   "what is allowed does not depend on what is stored, nor on when it is asked",
	},
	{
		in:    []string{"controlplane/store/..."},
		never: []string{"./controlplane/...", "./proto/gen/..."},
		but:   []string{"./controlplane", "./controlplane/keyring", "./controlplane/store/..."},
		why:   "the store is the bottom: it knows the vocabulary, SQL, and how to seal a secret",
	},

	// Libraries, each behind one door.
	{
		in:     []string{"..."},
		except: []string{"controlplane/store/..."},
		never:  []string{"github.com/jackc/pgx/v5/..."},
		why:    "SQL lives in the store, where a tenant is part of the type; elsewhere a query has no wall",
	},
	{
		in:     []string{"..."},
		except: []string{"controlplane/store/...", "migrations"},
		never:  []string{"github.com/golang-migrate/migrate/v4/..."},
		why:    "one place changes the schema",
	},
	{
		in:     []string{"..."},
		except: []string{"edge/session", "edge/login", "edge/edgetest"},
		never:  []string{"github.com/redis/go-redis/v9/..."},
		why:    "Redis holds sessions and one-time codes, and is on the path of no other thing",
	},
	{
		in:     []string{"..."},
		except: []string{"edge/facts"},
		never:  []string{"github.com/oschwald/maxminddb-golang/v2/..."},
		why:    "one place says in which country an address is, and checks a database before it does",
	},
	{
		in:     []string{"..."},
		except: []string{"edge/login", "edge/identity", "controlplane/authn"},
		never:  []string{"github.com/coreos/go-oidc/v3/..."},
		why:    "tokens of identity providers are verified in three places, all reviewed for it",
	},
	{
		in:     []string{"..."},
		except: []string{"cmd/...", "edge/edgetest"},
		never:  []string{"github.com/zitadel/oidc/v3/...", "github.com/alicebob/miniredis/v2/..."},
		why:    "the demo's identity provider and stand-in for Redis are no part of the product",
	},
	{
		in:     []string{"..."},
		except: []string{"cmd/...", "edge/edgetest"},
		never:  []string{"github.com/lestrrat-go/jwx/v3/..."},
		why:    "it verifies what we minted with another library: minting with it too would hide a shared fault",
	},
	{
		in:     []string{"..."},
		except: []string{"cmd/...", "controlplane/openapi"},
		never:  []string{"go.yaml.in/yaml/...", "github.com/getkin/kin-openapi/...", "github.com/pb33f/libopenapi/..."},
		why:    "documents that people write are read by mains, and by the one package that bounds what a stranger's may cost; never by an edge",
	},
	{
		in:    []string{"controlplane/openapi"},
		never: []string{"net", "net/http/...", "os/...", "io/fs", "path/filepath", "embed"},
		why:   "whatever a document refers to, nothing is fetched: who sends it would choose what the control plane reads and whom it calls",
	},
	{
		in:     []string{"..."},
		except: []string{"cmd/..."},
		never:  []string{"github.com/alecthomas/kong/...", "flag"},
		why:    "planes are given a Config; only mains read flags",
	},
	{
		in:    []string{"..."},
		never: []string{"connectrpc.com/connect/v2/...", "github.com/google/cel-go/..."},
		why:   "another major version or the old path of a library that we have: two copies in one binary",
		tests: true,
	},
	{
		in:    []string{"..."},
		never: []string{"unsafe", "C", "log", "math/rand"},
		why:   "no unsafe code, no C, logs are slog's, chance is crypto/rand's (math/rand/v2 may spread load)",
	},
	{
		in:    []string{"..."},
		never: []string{"github.com/stretchr/testify/...", "github.com/golang/mock/...", "go.uber.org/mock/..."},
		why:   "tests use testing and go-cmp, and real parts instead of generated mocks",
		tests: true,
	},

	// What belongs to the process.
	{
		in:     []string{"..."},
		except: []string{"cmd/...", "proto/third_party/print"},
		never:  []string{"os.Args", "os.Exit", "os/signal/..."},
		why:    "a library returns; only a main knows its arguments, its signals and its end",
	},
	{
		in:     []string{"..."},
		except: []string{"cmd/...", "controlplane/store/storetest", "edge/edgetest"},
		never:  []string{"os.Getenv", "os.LookupEnv", "os.Environ"},
		why:    "configuration comes in through a Config struct; test packages may ask where their servers are",
	},
	{
		in:    []string{"..."},
		never: []string{"net/http.DefaultClient", "net/http.Get", "net/http.Head", "net/http.Post", "net/http.PostForm"},
		why:   "the default client waits for ever and dials any address: SSRF",
	},
	{
		in:    []string{"..."},
		never: []string{"net/http.ListenAndServe", "net/http.ListenAndServeTLS", "net/http.Serve", "net/http.Handle", "net/http.HandleFunc"},
		why:   "the default server has no time limits, the default mux serves what any import registered",
	},
}

func TestLaws(t *testing.T) {
	t.Parallel()
	for _, broken := range breaches(parse(t, "."), laws) {
		t.Error(broken)
	}
}

// TestLawsBind plants every forbidden thing in every package that a law binds, and wants the reason; and in each that is
// free of it, and wants silence. A law with a typing mistake would bind nobody, and be obeyed for ever.
func TestLawsBind(t *testing.T) {
	t.Parallel()
	for _, l := range laws {
		for _, what := range l.never {
			for _, dir := range l.in {
				got := breaches(planted(t, dir, what), []law{l})
				if len(got) != 1 || !strings.Contains(got[0], "planted.go:3: ") || !strings.Contains(got[0], l.why) {
					t.Errorf("%s in %s: want one breach that says where, and %q; got %q", what, dir, l.why, got)
				}
			}
			for _, dir := range l.except {
				if got := breaches(planted(t, dir, what), []law{l}); len(got) != 0 {
					t.Errorf("%s in %s is allowed; got %q", what, dir, got)
				}
			}
		}
		for _, what := range l.but {
			if got := breaches(planted(t, l.in[0], what), []law{l}); len(got) != 0 {
				t.Errorf("%s in %s is allowed; got %q", what, l.in[0], got)
			}
		}
	}
}

// TestControlPlaneIsSorted makes whoever adds a package say what it is, or hardly a law would bind it.
func TestControlPlaneIsSorted(t *testing.T) {
	t.Parallel()
	known := slices.Concat([]string{"controlplane"}, rulebooks, foundations, services, upperFloors)
	for _, f := range parse(t, ".") {
		plane, below, _ := strings.Cut(f.dir, "/")
		noun, _, _ := strings.Cut(below, "/")
		if dir := path.Join(plane, noun); plane == "controlplane" && !slices.Contains(known, dir) {
			t.Errorf("%s: a rulebook, a foundation, a service or an upper floor? Say so in architecture_test.go", dir)
			known = append(known, dir)
		}
	}
}

func TestPackages(t *testing.T) {
	t.Parallel()
	vague := []string{"util", "utils", "common", "helper", "helpers", "models", "types", "base", "manager", "misc", "shared", "lib"}
	comments, lines := map[string][]string{}, map[string]int{}
	for _, f := range parse(t, ".") {
		if name := path.Base(f.dir); slices.Contains(vague, name) || slices.Contains(vague, f.ast.Name.Name) {
			t.Errorf("%s: a package is named after the idea that it holds; %q holds anything", f.path, name)
		}
		if f.lines > 800 {
			t.Errorf("%s: %d lines, and 800 is the end: split it by step of the flow", f.path, f.lines)
		}
		if f.test {
			continue
		}
		lines[f.dir] += f.lines
		if f.ast.Doc != nil {
			comments[f.dir] = append(comments[f.dir], f.path)
		}
	}
	for dir, n := range lines {
		if n > 4000 {
			t.Errorf("%s: %d lines, and 4000 is the end: it holds more than one idea", dir, n)
		}
		if len(comments[dir]) != 1 {
			t.Errorf("%s: want one package comment, what it is for and what it must never do; found in %q", dir, comments[dir])
		}
	}
}

func TestTests(t *testing.T) {
	t.Parallel()
	for _, f := range parse(t, ".") {
		if !f.test {
			continue
		}
		for _, u := range f.uses {
			// In a bubble of synctest, sleeping takes no time and races with nothing.
			if u.what == "time.Sleep" && !f.imports("testing/synctest") {
				t.Errorf("%s:%d: a test that sleeps is slow or flaky, or both: wait for the event, or use testing/synctest", f.path, u.line)
			}
			if u.what == "testing.Short" {
				t.Errorf("%s:%d: all tests run every time", f.path, u.line)
			}
		}
		for _, line := range skips(f) {
			t.Errorf("%s:%d: a skipped test shows nothing: `make test` installs what a test needs", f.path, line)
		}
	}
}

// TestTexts reads every file, whatever it is, for names that mean nothing on another machine.
func TestTexts(t *testing.T) {
	t.Parallel()
	// In pieces, or they would be found here.
	foreign := []string{"/wo" + "rk/", "/Use" + "rs/", "registry.npm" + "js.org", "proxy.gol" + "ang.org"}
	err := walk(".", func(at string) error {
		text, err := os.ReadFile(at)
		if err != nil {
			return err
		}
		for _, word := range foreign {
			if bytes.Contains(text, []byte(word)) {
				t.Errorf("%s: %q means nothing on another machine", at, word)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
