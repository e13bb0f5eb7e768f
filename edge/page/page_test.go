package page

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
)

const evil = `"><script>alert(1)</script><img src=//evil.test>`

// every page, once plain and once with every text replaced by something hostile.
func pages(text func(string) string) map[string][]byte {
	now := time.Date(2026, 11, 23, 11, 30, 0, 0, time.UTC)
	return map[string][]byte{
		"denied": Denied{
			Status: 403, Title: text("Access denied"), Detail: text("You need the group admins"), Remediation: text("Ask the platform team"),
			Reason: text("deny.no_rule"), DecisionID: text("d_01HZX3V9Q4T8"), TenantName: text("Acme"), AppName: text("Wiki"), Operation: text("admin"),
			Principal: text("bob@acme.test"), SwitchAccount: true, SignOut: true, ReturnPath: text("/admin/?a=1"),
		}.HTML(),
		"sign in first": Denied{Status: 401, Title: text("Please sign in"), SignIn: "/.sallyport/sign-in?return=" + text("/a"), DecisionID: "d_1"}.HTML(),
		"unavailable":   Denied{Status: 503, Title: "Not available", RetryAfter: 5 * time.Second, Reason: "unavailable.session_store", DecisionID: "d_1"}.HTML(),
		"step up":       Denied{Status: 401, Title: text("You signed in too long ago for this."), SignInAgain: "/.sallyport/sign-in?return=" + text("/a"), SignOut: true}.HTML(),
		"not welcome":   Denied{Status: 403, Title: text("Not with this account"), OtherAccount: "/.sallyport/sign-in?start=" + text("x")}.HTML(),
		"start again":   Denied{Status: 400, Title: "Start again", StartAgain: "https://wiki.acme.test/" + text("a")}.HTML(),
		"chooser":       Chooser{TenantName: text("Acme"), AppName: text("Wiki"), Providers: []Provider{{text("Demo"), "/.sallyport/sign-in?idp=" + text("demo")}, {"Other", "/x"}}}.HTML(),
		"sign-out":      SignOut{TenantName: text("Acme"), AppName: text("Wiki"), Principal: text("bob@acme.test")}.HTML(),
		"nobody":        SignOut{TenantName: text("Acme")}.HTML(),
		"here":          SignedOut{TenantName: text("Acme"), Everything: true}.HTML(),
		"everywhere":    SignedOut{TenantName: text("Acme"), Everything: true, Everywhere: true}.HTML(),
		"no session":    SignedOut{TenantName: text("Acme"), Everything: true, Nobody: true}.HTML(),
		"this app":      SignedOut{TenantName: text("Acme"), AppName: text("Wiki")}.HTML(),
		"continue":      SignedOut{TenantName: text("Acme"), Everything: true, Continue: "https://auth.acme.test/.sallyport/sign-in?start=x"}.HTML(),
		"welcome":       Me{TenantName: text("Acme"), SignIn: "/.sallyport/sign-in"}.HTML(),
		"me": Me{
			TenantName: text("Acme"), AppName: text("Wiki"), SignedIn: true, Name: text("Bob"), Email: text("bob@acme.test"), ProviderName: text("Demo"),
			Subject: text("user:abc"), Groups: []string{text("engineering"), text("staff")}, SessionID: text("s_abc"), SignedInAt: now, LastSeenAt: now, ExpireTime: now.Add(time.Hour), Idle: time.Hour,
		}.HTML(),
		"home": Me{TenantName: text("Acme"), SignedIn: true, Email: text("bob@acme.test"), Launcher: true, Apps: []App{{text("Wiki"), "https://wiki.acme.test/", text("wiki.acme.test")}}}.HTML(),
	}
}

func TestEveryPageIsAccessibleAndClosed(t *testing.T) {
	t.Parallel()
	for name, body := range pages(func(s string) string { return s }) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := parse(t, body)
			for tag, want := range map[string]int{"main": 1, "h1": 1, "header": 1, "title": 1, "style": 1, "script": 0, "img": 0, "link": 1, "iframe": 0} {
				if got := len(p[tag]); got != want {
					t.Errorf("%d <%s>, want %d", got, tag, want)
				}
			}
			if attr(p["html"][0], "lang") != "en" {
				t.Error("no language")
			}
			if strings.TrimSpace(text(p["title"][0])) == "" || strings.TrimSpace(text(p["h1"][0])) == "" {
				t.Error("no title or heading")
			}
			for _, tag := range []string{"a", "button"} {
				for _, n := range p[tag] {
					if strings.TrimSpace(text(n)) == "" {
						t.Errorf("<%s> without a name", tag)
					}
				}
			}
			for _, n := range p["input"] {
				if attr(n, "type") != "hidden" {
					t.Error("an input that people see, without a label")
				}
			}
			for _, n := range p["form"] {
				if attr(n, "method") != "post" || attr(n, "action") != "/.sallyport/sign-out" {
					t.Errorf("form %v", n.Attr)
				}
			}
			for _, tag := range []string{"section", "nav"} {
				for _, n := range p[tag] {
					if attr(n, "aria-labelledby") == "" && attr(n, "aria-label") == "" {
						t.Errorf("<%s> without a label", tag)
					}
				}
			}
			if bytes.Contains(body, []byte(" style=")) || bytes.Contains(body, []byte(" on")) && bytes.Contains(body, []byte("onclick")) {
				t.Error("inline style or script")
			}
		})
	}
}

func TestEveryTextIsEscaped(t *testing.T) {
	t.Parallel()
	for name, body := range pages(func(s string) string { return s + evil }) {
		p := parse(t, body)
		if len(p["script"]) > 0 || len(p["img"]) > 0 {
			t.Errorf("%s: markup got through:\n%s", name, body)
		}
	}
}

func TestThePolicyNamesTheStyleSheetAsSent(t *testing.T) {
	t.Parallel()
	h := http.Header{}
	SetHeaders(h)
	for name, body := range pages(func(s string) string { return s }) {
		sheet := text(parse(t, body)["style"][0])
		sum := sha256.Sum256([]byte(sheet))
		if want := "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !strings.Contains(h.Get("Content-Security-Policy"), want) {
			t.Errorf("%s: its style sheet is not the one in the policy", name)
		}
	}
	for _, directive := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"} {
		if !strings.Contains(ContentSecurityPolicy, directive) {
			t.Errorf("no %s", directive)
		}
	}
}

func TestEverywhereIsSaidOnlyWhenItIsSo(t *testing.T) {
	t.Parallel()
	here := string(SignedOut{Everything: true}.HTML())
	if strings.Contains(strings.ToLower(here), "everywhere") || !strings.Contains(here, "Signed out here; elsewhere as soon as it can be reached.") {
		t.Error("promises too much")
	}
	if !strings.Contains(string(SignedOut{Everything: true, Everywhere: true}.HTML()), "Signed out everywhere") {
		t.Error("does not say it")
	}
}

func TestDurationsAreSaidInWords(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "a moment", time.Second: "1 second", 90 * time.Second: "90 seconds", 30 * time.Minute: "30 minutes",
		time.Hour: "1 hour", 90 * time.Minute: "90 minutes", 12 * time.Hour: "12 hours", 72 * time.Hour: "3 days",
	} {
		if got := Plain(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}

func parse(t *testing.T, body []byte) map[string][]*html.Node {
	t.Helper()
	root, err := html.Parse(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]*html.Node{}
	for n := range root.Descendants() {
		if n.Type == html.ElementNode {
			found[n.Data] = append(found[n.Data], n)
		}
	}
	return found
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func text(n *html.Node) string {
	var b strings.Builder
	for c := range n.Descendants() {
		if c.Type == html.TextNode {
			b.WriteString(c.Data)
		}
	}
	return b.String()
}
