package dev

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/sallyport-iap/sallyport/cmd/sallyport/internal/dev/idp"
)

// welcome says where to go, who to be, and what to try.
func (e *engine) welcome(people []idp.Person, took time.Duration) {
	first, edges := tenants()[0], e.config.edges()
	say := func(format string, args ...any) { fmt.Fprintf(e.out, format+"\n", args...) }
	say("")
	say("Sallyport is running, after %.1f s.", took.Seconds())
	say("")
	say("  Wiki         %s", edges[0].url(first.host("wiki")))
	say("  API          %s/v1/whoami", edges[0].url(first.host("api")))
	say("               The other region's edge has port %d; a session is good on both.", edges[1].port)
	say("               Your browser will warn, unless it trusts %s (good for localhost only).", e.config.path("ca.pem"))
	say("")
	say("  Sign in as   password            groups")
	for _, person := range people {
		groups := strings.Join(person.Groups, ", ")
		if groups == "" {
			groups = "none: is told why not"
		}
		say("    %-10s %-19s %s", person.Username, person.Password, groups)
	}
	say("")
	if e.keep.Service != "" {
		say("  As the build robot:")
		say("    curl --cacert %s -H 'Authorization: Bearer %s' %s/v1/whoami", e.config.path("ca.pem"), e.keep.Service, edges[0].url(first.host("api")))
		say("")
	}
	say("  Look further:")
	self := "sallyport"
	if strings.Contains(os.Args[0], "/") { // started by a path, so it is not to be found without
		self = os.Args[0]
	}
	for _, line := range [][2]string{
		{self + " audit tail", "every request, and why it was allowed or not"},
		{self + " get policies", "what decides"},
		{self + " apply -f deploy/demo/acme.yaml --wait", "after a change of that file: enforced by both edges"},
		{e.file.path, "addresses and tokens, for scripts"},
		{e.logs.dir + "/", "what the programs say"},
	} {
		say("    %-52s  %s", line[0], line[1])
	}
	say("")
	say("Ctrl-C stops everything. The data stays, for the next time.")
}
