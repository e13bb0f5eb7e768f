package systemtest

import (
	"html"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// person is somebody at a browser without scripts.
type person struct {
	client   *http.Client
	username string
	password string
	logins   int    // times that the directory's form was filled in
	provider string // id of the one to choose where there are several
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
	chooserLink   = regexp.MustCompile(`href="(/\.sallyport/sign-in\?[^"]*idp=[^"]*)"`)
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
		case p.provider != "" && chooserLink.MatchString(a.Body):
			for _, link := range chooserLink.FindAllStringSubmatch(a.Body, -1) {
				next, err := r.URL.Parse(html.UnescapeString(link[1]))
				if err != nil {
					t.Fatal(err)
				}
				if next.Query().Get("idp") == p.provider {
					r = request(t, "GET", next.String(), "", navigation...)
				}
			}
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
