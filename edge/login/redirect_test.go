package login_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/sallyport-iap/sallyport/edge/login"
)

// targets are what people try in a return parameter (RD-01 … RD-16).
var targets = []string{
	"/", "/a", "/a?b=c", "/a%20b?x=%2F", "/.sallyport/me", "//evil.test", "/\\evil.test", "/%5cevil.test", "\\\\evil.test", "/\\/evil.test", "///evil.test",
	"////evil.test/%2e%2e", "/////evil.test", "/%09/evil.test", "/%0a/evil.test", "/%0d/evil.test", "/%0b\\evil.test", "/ /evil.test", "/%09%09\\%09/evil.test",
	"/\t/evil.test", "/\n/evil.test", "/\r\nSet-Cookie: a=b", "/a?b=\r\nX: y", "/a?b=c d", "/a?b=\\", "/a?b=\xff", "/a?b=#c", "/a#b",
	"https://wiki.acme.localhost:8443@evil.test/", "https://evil.test\\@wiki.acme.localhost", "https://:@evil.test\\@wiki.acme.localhost", "https://evil.test",
	"http:/evil.test", "https:evil.test", "javascript:alert(1)", "java%0d%0ascript%0d%0a:alert(0)", "data:text/html,x", "%19Javascript:", "wiki.acme.localhost",
	"https://wiki.globex.localhost:8443/", "https://wiki.acme.localhost.evil.test/", "?x", "", "a", "/../evil", "/..//evil.test", "/.//evil.test", "/;//evil.test",
	"/\"><script>", "/%2f%2fevil.test", "/.evil.test", "/@evil.test", "/:80", "/.sallyport/sign-out", "/.sallyport/callback?code=x", "/.sallyport", "/" + strings.Repeat("a", 3000),
}

// FuzzABrowserIsOnlyEverSentHome holds that whatever is asked for, and wherever it can be asked, every address that a
// browser is sent to is a host of the tenant, and in the end the one where it began.
func FuzzABrowserIsOnlyEverSentHome(f *testing.F) {
	for _, t := range targets {
		f.Add(t)
	}
	f.Fuzz(func(t *testing.T, target string) {
		link := login.SignInPath(target)
		u, err := url.Parse(wikiURL + link)
		if err != nil || u.Host != "wiki.acme.localhost:8443" || u.Path != "/.sallyport/sign-in" {
			t.Fatalf("%q makes the link %q", target, link)
		}
		back := u.Query().Get("return")
		to, err := url.Parse(wikiURL + back)
		if err != nil || to.Scheme+"://"+to.Host != wikiURL || to.User != nil || to.Fragment != "" || !strings.HasPrefix(back, "/") ||
			strings.HasPrefix(back, "//") || strings.ContainsAny(back, "\\\r\n\t ") {
			t.Fatalf("%q leads back to %q", target, back)
		}
		if again := login.SignInPath(back); again != link {
			t.Fatalf("%q is read once as %q, and again as %q", target, link, again)
		}
	})
}

// TestReturnTargets goes the whole way with each of them; the world checks every redirect on it.
func TestReturnTargets(t *testing.T) {
	t.Parallel()
	w := setup(t)
	for _, target := range targets {
		b := w.browser()
		a := b.open(wikiURL + "/.sallyport/sign-in?return=" + url.QueryEscape(target))
		if a.status != http.StatusOK || !strings.HasPrefix(a.url, wikiURL+"/") {
			t.Errorf("%q ended at %s with %d\n%s", target, a.url, a.status, a.body)
		}
		// Again, signed in already.
		a = b.open(wikiURL + "/.sallyport/sign-in?return=" + url.QueryEscape(target))
		if a.status != http.StatusOK || !strings.HasPrefix(a.url, wikiURL+"/") {
			t.Errorf("%q ended at %s with %d", target, a.url, a.status)
		}
		// And as a path that was asked for.
		if strings.HasPrefix(target, "/") {
			if u, err := url.Parse(wikiURL + target); err == nil && u.Host == "wiki.acme.localhost:8443" && u.Fragment == "" {
				w.browser().follow(wikiURL + target)
			}
		}
	}
}

// follow goes as far as it leads.
func (b *browser) follow(target string) {
	b.w.t.Helper()
	if a := b.open(target); a.status >= 500 {
		b.w.t.Errorf("%s: %d", target, a.status)
	}
}
