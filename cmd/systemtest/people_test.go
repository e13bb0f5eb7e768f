package systemtest

import (
	"html"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// person is somebody at a browser without scripts.
type person struct {
	client   *http.Client
	username string
	password string
	logins   int // times that the directory's form was filled in
}

func (d *demo) person(t *testing.T, username string) *person {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	p := &person{client: d.browser(t), username: username}
	p.client.Jar = jar
	for _, known := range d.document(t).People {
		if name, _, _ := strings.Cut(known.Email, "@"); name == username {
			p.password = known.Password
		}
	}
	return p
}

var (
	loginForm     = regexp.MustCompile(`<form method="post" action="/login">`)
	loginRequest  = regexp.MustCompile(`name="request" value="([^"]*)"`)
	maxRedirects  = 12
	navigation    = []string{"Accept", "text/html,*/*;q=0.8", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Sec-Fetch-Site", "none", "User-Agent", "Mozilla/5.0 test"}
	decisionShown = regexp.MustCompile(`d_[0-9A-HJKMNP-TV-Z]{26}`)
)

// open goes to a page as a person does: along redirects, and through the login form of the directory.
func (p *person) open(t *testing.T, at string) (*answer, string) {
	t.Helper()
	r := request(t, "GET", at, "", navigation...)
	for range maxRedirects {
		a := send(t, p.client, r)
		switch {
		case a.Status >= 300 && a.Status < 400:
			next, err := r.URL.Parse(a.Header.Get("Location"))
			if err != nil {
				t.Fatal(err)
			}
			r = request(t, "GET", next.String(), "", navigation...)
		case loginForm.MatchString(a.Body):
			p.logins++
			field := loginRequest.FindStringSubmatch(a.Body)
			form := url.Values{"request": {html.UnescapeString(field[1])}, "username": {p.username}, "password": {p.password}}
			r = request(t, "POST", r.URL.Scheme+"://"+r.URL.Host+"/login", form.Encode(), append(navigation,
				"Content-Type", "application/x-www-form-urlencoded", "Origin", r.URL.Scheme+"://"+r.URL.Host)...)
		default:
			return a, r.URL.String()
		}
	}
	t.Fatalf("%s: more than %d redirects", at, maxRedirects)
	return nil, ""
}

// sees opens a page and checks where that ends, and how.
func (p *person) sees(t *testing.T, at string, status int, texts ...string) {
	t.Helper()
	a, end := p.open(t, at)
	if a.Status != status || end != at {
		t.Errorf("%s opens %s: status %d, want %d; ends at %s\n%s", p.username, at, a.Status, status, end, a.Body)
	}
	for _, text := range texts {
		if !strings.Contains(html.UnescapeString(a.Body), text) {
			t.Errorf("%s at %s does not see %q:\n%s", p.username, at, text, a.Body)
		}
	}
	if status == http.StatusForbidden && !decisionShown.MatchString(a.Body) {
		t.Errorf("%s at %s sees no decision id:\n%s", p.username, at, a.Body)
	}
}

func people(t *testing.T, d *demo) {
	doc := d.document(t)
	t.Run("alice", func(t *testing.T) {
		alice := d.person(t, "alice")
		alice.sees(t, doc.at(0, "wiki", "/reports?quarter=3&region=north%20east"), http.StatusOK, "alice@acme.test")
		alice.sees(t, doc.at(0, "wiki", "/admin/"), http.StatusOK, "Administration")
		alice.sees(t, doc.at(0, "api", "/v1/whoami"), http.StatusOK, "alice@acme.test")
		alice.sees(t, doc.at(1, "wiki", "/"), http.StatusOK, "alice@acme.test")
		if alice.logins != 1 {
			t.Errorf("alice had to sign in %d times", alice.logins)
		}
		signOut(t, d, alice)
	})
	t.Run("bob", func(t *testing.T) {
		bob := d.person(t, "bob")
		bob.sees(t, doc.at(0, "wiki", "/"), http.StatusOK, "bob@acme.test")
		bob.sees(t, doc.at(0, "wiki", "/admin/"), http.StatusForbidden, `The wiki's administration is for the group "admins".`)
		bob.sees(t, doc.at(1, "api", "/v1/whoami"), http.StatusOK, "bob@acme.test")
	})
	t.Run("carol", func(t *testing.T) {
		carol := d.person(t, "carol")
		carol.sees(t, doc.at(0, "wiki", "/"), http.StatusForbidden, `The wiki is for the group "engineering".`)
		carol.sees(t, doc.at(0, "api", "/v1/whoami"), http.StatusForbidden)
		carol.sees(t, doc.at(0, "api", "/v1/status"), http.StatusOK)
		if carol.logins != 1 {
			t.Errorf("carol had to sign in %d times", carol.logins)
		}
	})
	t.Run("the other tenant", func(t *testing.T) {
		bob := d.person(t, "bob")
		bob.sees(t, "https://"+doc.SecondTenant.Hosts[0]+":"+strconv.Itoa(doc.Edges[0].Port)+"/", http.StatusOK, "bob@acme.test")
	})
}

// signOut signs out of everything. What the browser had is dead, wherever and however it is tried again.
func signOut(t *testing.T, d *demo, who *person) {
	doc := d.document(t)
	hosts := []string{"wiki", "api", "auth"}
	stolen := map[string][]*http.Cookie{}
	for _, host := range hosts {
		at, err := url.Parse(doc.at(0, host, "/"))
		if err != nil {
			t.Fatal(err)
		}
		if stolen[host] = who.client.Jar.Cookies(at); len(stolen[host]) == 0 {
			t.Fatalf("no cookie of %s", host)
		}
	}
	// me asks who the cookies are, at every host and edge; the last word is whether that should still be known.
	me := func(when string, known bool) {
		t.Helper()
		for edge, at := range doc.Edges {
			for _, host := range hosts {
				r := request(t, "GET", doc.at(edge, host, "/.sallyport/me"), "", "Accept", "application/json")
				for _, cookie := range stolen[host] {
					r.AddCookie(cookie)
				}
				a := send(t, d.browser(t), r)
				if got := a.Status == http.StatusOK && strings.Contains(a.Body, "alice"); got != known || !known && strings.Contains(a.Body, "alice") {
					t.Errorf("%s, cookie of %s, at %s: %d %s", when, host, at.Name, a.Status, a.Body)
				}
			}
		}
	}
	me("before", true) // and both edges are warm
	form := url.Values{"scope": {"everything"}}.Encode()
	origin := strings.TrimSuffix(doc.at(0, "wiki", "/"), "/")
	a := send(t, who.client, request(t, "POST", origin+"/.sallyport/sign-out", form,
		"Content-Type", "application/x-www-form-urlencoded", "Origin", origin, "Sec-Fetch-Site", "same-origin", "Accept", "text/html"))
	if a.Status != http.StatusOK && a.Status != http.StatusSeeOther {
		t.Fatalf("sign out: status %d: %s", a.Status, a.Body)
	}
	me("warm", false)
	for _, at := range doc.Edges {
		flush(t, at.RedisAddr)
	}
	me("after FLUSHALL", false)
	for _, at := range doc.Edges {
		if err := syscall.Kill(at.PID, syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
	}
	d.eventually(t, "edges again", 20*time.Second, func() error {
		for edge, at := range d.document(t).Edges {
			if at.PID == doc.Edges[edge].PID {
				return errStill
			}
			a, err := try(d.browser(t), request(t, "GET", doc.at(edge, "api", "/v1/status"), ""))
			if err != nil {
				return err
			}
			if a.Status != http.StatusOK {
				return errStill
			}
		}
		return nil
	})
	me("after restarts", false)
}

func flush(t *testing.T, redis string) {
	t.Helper()
	conn, err := net.Dial("tcp", redis)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("FLUSHALL\r\n")); err != nil {
		t.Fatal(err)
	}
	said := make([]byte, 16)
	if n, err := conn.Read(said); err != nil || string(said[:n]) != "+OK\r\n" {
		t.Fatalf("FLUSHALL: %q, %v", said[:n], err)
	}
}
