package systemtest

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

// TestSessions is about when a session is over, and when it must not be. It runs on one demo and kills parts of it.
func TestSessions(t *testing.T) { //nolint:paralleltest // measures times, beside TestProduct it would measure that
	d := newPlace(t).start(t)
	c := newCrowd(t, d, 12)
	for _, test := range []struct {
		name string
		run  func(*testing.T, *demo, *crowd)
	}{
		{"cookies of others", cookiesOfOthers},
		{"spoofed headers", spoofedHeaders},
		{"sign-out of everything", signOutOfEverything},
		{"sign-out of one app", signOutOfOneApp},
		{"revoked sessions", revokedSessions},
		{"revoked users", revokedUsers},
		{"sockets", sockets},
		{"stores that are gone", storesGone},
		{"control plane that is gone", controlPlaneGone},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.run(t, d, c)
			c.signedIn(t, d, "at the end")
		})
	}
	d.stop(t)
	d.gone(t)
}

// hosts are those of the first tenant that have sessions of their own.
var hosts = []string{"wiki", "api", "auth"}

// cookies are the session cookies of one browser by host, as somebody could have copied them.
type cookies map[string]string

const sessionCookie = "__Host-sp"

// member signs a person in at one edge, on every host, and returns what their browser then has.
func (d *demo) member(t *testing.T, username string, edge int) (*person, cookies) {
	t.Helper()
	doc, p := d.document(t), d.person(t, username)
	for _, host := range hosts {
		if a, at := p.open(t, doc.at(edge, host, "/.sallyport/me")); a.Status != http.StatusOK {
			t.Fatalf("%s signs in for %s: %d at %s: %s", username, host, a.Status, at, a.Body)
		}
	}
	if p.logins != 1 {
		t.Errorf("%s had to sign in %d times", username, p.logins)
	}
	return p, p.copied(t, doc)
}

func (p *person) copied(t *testing.T, doc *document) cookies {
	t.Helper()
	copied := cookies{}
	for _, host := range hosts {
		copied[host] = p.session(t, doc.at(0, host, "/"))
	}
	return copied
}

// session is the value of the session cookie that the browser has for a host.
func (p *person) session(t *testing.T, at string) string {
	t.Helper()
	host, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	for _, cookie := range p.client.Jar.Cookies(host) {
		if cookie.Name == sessionCookie {
			return cookie.Value
		}
	}
	t.Fatalf("%s has no session at %s", p.username, at)
	return ""
}

// ask sends a cookie as a program would: 200 is a session, 401 is none, anything else is a fault.
func ask(t *testing.T, client *http.Client, doc *document, edge int, host, cookie string) (*answer, error) {
	t.Helper()
	return try(client, request(t, "GET", doc.at(edge, host, "/.sallyport/me"), "", "Accept", "application/json", "Cookie", sessionCookie+"="+cookie))
}

// dead fails if any of the cookies still says anything about anybody, at any edge.
func (c cookies) dead(t *testing.T, d *demo, when string) {
	t.Helper()
	doc, client := d.document(t), d.browser(t)
	for edge, at := range doc.Edges {
		for host, cookie := range c {
			if err := isDead(t, client, doc, edge, host, cookie); err != nil {
				t.Errorf("%s, %s: %v", when, at.Name, err)
			}
		}
	}
}

// isDead asks for our own page and, on an app's host, for one of the app.
func isDead(t *testing.T, client *http.Client, doc *document, edge int, host, cookie string) error {
	t.Helper()
	paths := map[string][]string{"wiki": {"/.sallyport/me", "/"}, "api": {"/.sallyport/me", "/v1/whoami"}, "auth": {"/.sallyport/me"}}[host]
	for _, path := range paths {
		a, err := try(client, request(t, "GET", doc.at(edge, host, path), "", "Accept", "application/json", "Cookie", sessionCookie+"="+cookie))
		if err != nil {
			return err
		}
		if a.Status != http.StatusUnauthorized || strings.Contains(a.Body, "@acme.test") || strings.Contains(a.Body, "user:") {
			return fmt.Errorf("the cookie of %s still works: %d %s", host, a.Status, a.Body)
		}
	}
	return nil
}

// alive fails unless every cookie is a session at both edges.
func (c cookies) alive(t *testing.T, d *demo, when string) {
	t.Helper()
	doc, client := d.document(t), d.browser(t)
	for edge, at := range doc.Edges {
		for host, cookie := range c {
			if a, err := ask(t, client, doc, edge, host, cookie); err != nil || a.Status != http.StatusOK {
				t.Errorf("%s, %s: the cookie of %s: %v, %v", when, at.Name, host, a, err)
			}
		}
	}
}

// crowd are people who are signed in the whole time, whatever happens to others and to the parts of the product.
type crowd struct{ members []cookies }

func newCrowd(t *testing.T, d *demo, size int) *crowd {
	t.Helper()
	c := &crowd{}
	began := time.Now()
	for i := range size {
		_, copied := d.member(t, []string{"bob", "carol"}[i%2], i%len(d.document(t).Edges))
		c.members = append(c.members, copied)
	}
	t.Logf("%d people signed in on %d hosts each in %s", size, len(hosts), time.Since(began).Round(time.Millisecond))
	return c
}

// signedIn fails if anybody of the crowd was signed out anywhere. It returns the slowest answer.
func (c *crowd) signedIn(t *testing.T, d *demo, when string) (slowest time.Duration) {
	t.Helper()
	doc, client := d.document(t), d.browser(t)
	var mu sync.Mutex
	asked, out := 0, 0
	var group errgroup.Group
	group.SetLimit(4)
	for _, member := range c.members {
		group.Go(func() error {
			for edge := range doc.Edges {
				for host, cookie := range member {
					began := time.Now()
					a, err := ask(t, client, doc, edge, host, cookie)
					took := time.Since(began)
					if err != nil {
						return fmt.Errorf("%s at %s: %w", host, doc.Edges[edge].Name, err)
					}
					mu.Lock()
					asked++
					slowest = max(slowest, took)
					if a.Status != http.StatusOK {
						out++
						t.Errorf("%s: %s at %s: %d %s", when, host, doc.Edges[edge].Name, a.Status, a.Body)
					}
					mu.Unlock()
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Errorf("%s: %v", when, err)
	}
	t.Logf("%s: %d of %d answers were for nobody, slowest after %s", when, out, asked, slowest.Round(time.Millisecond))
	return slowest
}
