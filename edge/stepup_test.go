package edge_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/sallyport-iap/sallyport/edge/edgetest"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
	sallyportv1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
)

// bank is acme's wiki with rules about how people signed in, a provider that a test bends, and a clock that it moves.
type bank struct {
	*edgetest.Edge
	t    *testing.T
	up   *edgetest.Upstream
	idp  *edgetest.Provider
	past atomic.Int64 // how far the clock is ahead
}

func (b *bank) now() time.Time      { return time.Now().Add(time.Duration(b.past.Load())) }
func (b *bank) add(d time.Duration) { b.past.Add(int64(d)) }

func openBank(t *testing.T, with ...func(*edgetest.Config)) *bank {
	t.Helper()
	up := edgetest.NewUpstream(t)
	b := &bank{t: t, up: up}
	b.idp = edgetest.NewProvider(t, b.obedient("bob"))
	config := edgetest.Demo(up.URL(), up.URL())
	config.Now = b.now
	for _, change := range with {
		change(&config)
	}
	b.Edge = edgetest.Start(t, config)
	wikiApp := edgetest.App("wiki", up.URL(), "wiki.acme.localhost")
	wikiApp.Operations = []*edgev1.Operation{
		{Id: "use", Methods: []string{"*"}, Paths: []string{"/**"}, Access: edgev1.Access_ACCESS_WRITE},
		{Id: "recent", Methods: []string{"GET"}, Paths: []string{"/recent/**"}, Access: edgev1.Access_ACCESS_READ},
		{Id: "transfer", Methods: []string{"POST"}, Paths: []string{"/transfer"}, Access: edgev1.Access_ACCESS_WRITE},
		{Id: "gold", Methods: []string{"GET"}, Paths: []string{"/gold"}, Access: edgev1.Access_ACCESS_READ},
		{Id: "key", Methods: []string{"GET"}, Paths: []string{"/key"}, Access: edgev1.Access_ACCESS_READ},
		{Id: "all", Methods: []string{"GET"}, Paths: []string{"/all"}, Access: edgev1.Access_ACCESS_READ},
		{Id: "live", Methods: []string{"WEBSOCKET"}, Paths: []string{"/live"}, Access: edgev1.Access_ACCESS_WRITE},
	}
	require := func(id string, c *edgev1.Conditions, operations ...string) *edgev1.Rule {
		return &edgev1.Rule{Id: id, Effect: edgev1.Effect_EFFECT_REQUIRE, Principals: []string{"authenticated"}, Operations: operations, Conditions: c}
	}
	recent := &edgev1.Conditions{MaxAuthAge: durationpb.New(5 * time.Minute)}
	b.Put(t, edgetest.Acme, b.idp.Resource(b.Edge), wikiApp,
		&edgev1.Policy{Id: "wiki", Uid: "policy-wiki", Apps: []string{"wiki"}, Rules: []*edgev1.Rule{
			{Id: "everybody", Effect: edgev1.Effect_EFFECT_ALLOW, Principals: []string{"authenticated"}, Operations: []string{"*"}},
			require("recent", recent, "recent", "transfer", "live"),
			require("gold", &edgev1.Conditions{RequiredAcr: []string{"gold", "platinum"}}, "gold"),
			require("key", &edgev1.Conditions{RequiredAmr: []string{"hwk"}}, "key"),
			require("all-1", recent, "all"),
			require("all-2", &edgev1.Conditions{RequiredAcr: []string{"gold", "platinum"}}, "all"),
			require("all-3", &edgev1.Conditions{RequiredAmr: []string{"hwk"}}, "all"),
		}},
		&edgev1.Policy{Id: "api", Uid: "policy-api", Apps: []string{"api"}, Rules: []*edgev1.Rule{
			{Id: "everybody", Effect: edgev1.Effect_EFFECT_ALLOW, Principals: []string{"authenticated"}, Operations: []string{"status", "read", "live"}},
			require("recent", recent, "read"),
		}},
	)
	return b
}

// obedient is a provider that does what it is asked for, for somebody.
func (b *bank) obedient(name string) func(url.Values) map[string]any {
	signedIn := b.now()
	return func(asked url.Values) map[string]any {
		if asked.Has("max_age") || asked.Get("prompt") == "login" {
			signedIn = b.now()
		}
		claims := map[string]any{"sub": name, "email": name + "@acme.test", "email_verified": true, "auth_time": signedIn.Unix(), "amr": []string{"pwd"}, "groups": []string{}}
		if classes := strings.Fields(asked.Get("acr_values")); len(classes) > 0 {
			claims["acr"] = classes[0]
		}
		if asked.Get("prompt") == "login" {
			claims["amr"] = []string{"pwd", "hwk"}
		}
		return claims
	}
}

// deaf is one that hears nothing of what it is asked for: it says when bob signed in, if it says anything.
func (b *bank) deaf(authTime bool) func(url.Values) map[string]any {
	signedIn := b.now()
	return func(url.Values) map[string]any {
		claims := map[string]any{"sub": "bob", "email": "bob@acme.test"}
		if authTime {
			claims["auth_time"] = signedIn.Unix()
		}
		return claims
	}
}

// opens wants a page of the app.
func (b *bank) opens(br *edgetest.Browser, target string) {
	b.t.Helper()
	if res := br.Open(target); res.StatusCode != http.StatusOK || !strings.HasPrefix(res.Text, "GET /") {
		b.t.Fatalf("%s: %d %s\n%q", target, res.StatusCode, res.Text, br.Visited)
	}
}

var (
	decisionID = regexp.MustCompile(`d_[0-9A-HJKMNP-TV-Z]{26}`)
	againLink  = regexp.MustCompile(`<a class="button primary" href="([^"]*)">Sign in again</a>`)
)

// denied wants a page that says why, and returns the decision's record.
func (b *bank) denied(res edgetest.Response, status int, reason string) *sallyportv1.AccessEvent {
	b.t.Helper()
	if res.StatusCode != status || !strings.Contains(res.Text, reason) {
		b.t.Fatalf("want %d %s, got %d %s", status, reason, res.StatusCode, res.Text)
	}
	e := b.Record(b.t, edgetest.Acme, decisionID.FindString(res.Text))
	if e.GetDecision().GetReason() != reason {
		b.t.Fatalf("the record says %s", e.GetDecision())
	}
	return e
}

func again(t *testing.T, host string, res edgetest.Response) string {
	t.Helper()
	found := againLink.FindStringSubmatch(res.Text)
	if found == nil {
		t.Fatalf("there is no link to sign in again:\n%s", res.Text)
	}
	return host + strings.ReplaceAll(found[1], "&amp;", "&")
}

func (b *bank) lastAsked() url.Values {
	list := b.idp.Asked()
	return list[len(list)-1]
}

func (b *bank) trips() int { return len(b.idp.Asked()) }

// A provider that does as it is asked is asked once; the Session goes on, and other apps with it.
func TestStepUp(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]url.Values{
		"/recent": {"max_age": {"300"}},
		"/gold":   {"acr_values": {"gold platinum"}},
		"/key":    {"prompt": {"login"}},
		"/all":    {"max_age": {"300"}, "acr_values": {"gold platinum"}, "prompt": {"login"}},
	} {
		t.Run(path[1:], func(t *testing.T) {
			t.Parallel()
			b := openBank(t)
			br := b.Browser(t)
			b.opens(br, api+"/v1/whoami")
			b.opens(br, wiki+"/")
			b.add(20 * time.Minute)
			before := b.trips()

			b.opens(br, wiki+path+"?q=1")
			if b.trips() != before+1 {
				t.Fatalf("the provider was asked %d times: %q", b.trips()-before, br.Visited)
			}
			asked := b.lastAsked()
			for _, name := range []string{"max_age", "acr_values", "prompt"} {
				if got := asked.Get(name); got != want.Get(name) {
					t.Errorf("%s=%q, want %q", name, got, want.Get(name))
				}
			}
			if wanted := []string{wiki + path, "https://auth.acme.localhost/.sallyport/sign-in", b.idp.Issuer + "/authorize", "https://auth.acme.localhost/.sallyport/oidc/callback", wiki + "/.sallyport/callback", wiki + path}; !slices.Equal(br.Visited, wanted) {
				t.Errorf("it went by %q", br.Visited)
			}
			b.opens(br, wiki+path)
			if len(br.Visited) != 1 {
				t.Errorf("the second time it went by %q", br.Visited)
			}
			if res := br.Fetch("GET", api+"/v1/status", nil); res.StatusCode != http.StatusOK {
				t.Errorf("the other app's session is gone: %d %s", res.StatusCode, res.Text)
			}
			sessions := map[string]bool{}
			for _, e := range b.Records(t, edgetest.Acme, 8) {
				if s := e.GetSession(); s != "" {
					sessions[s] = true
				}
			}
			if len(sessions) != 1 {
				t.Errorf("one sign-in is the Sessions %v", sessions)
			}
			b.Oracles(t, b.up)
		})
	}
}

// A provider that does not do what it is asked for is asked once, whatever it says, and then nobody is sent to it any more.
func TestStepUpInVain(t *testing.T) {
	t.Parallel()
	for _, authTime := range []bool{true, false} {
		for path, trips := range map[string]int{"/recent": 1, "/gold": 1, "/key": 1, "/all": 1} {
			b := openBank(t)
			b.idp.Says(b.deaf(authTime))
			br := b.Browser(t)
			b.opens(br, wiki+"/")
			b.opens(br, api+"/v1/status")
			b.add(20 * time.Minute)
			before := b.trips()

			res := br.Open(wiki + path)
			e := b.denied(res, http.StatusForbidden, "step_up.unsatisfied")
			if b.trips()-before != trips {
				t.Errorf("%s: the provider was asked %d times: %q", path, b.trips()-before, br.Visited)
			}
			if a := e.GetDecision().GetFacts().GetAsked(); !a.GetTime().IsValid() || e.GetDecision().GetRule() == "" {
				t.Errorf("%s: the record does not say what was asked: %s", path, e.GetDecision())
			}
			for range 3 {
				b.add(time.Minute) // the browser's count of rounds is forgotten
				b.denied(br.Open(wiki+path), http.StatusForbidden, "step_up.unsatisfied")
				if len(br.Visited) != 1 {
					t.Errorf("%s: it went by %q", path, br.Visited)
				}
			}
			if path != "/recent" {
				continue
			}
			// What one app was told, another believes: no second trip for the same question.
			b.denied(br.Open(api+"/v1/whoami"), http.StatusForbidden, "step_up.unsatisfied")
			if b.trips()-before != trips {
				t.Errorf("the other app asked again: %q", br.Visited)
			}
			b.opens(br, wiki+"/")
		}
	}
}

// Whoever wants to can make another attempt, and gets in if it is not in vain.
func TestStepUpAgain(t *testing.T) {
	t.Parallel()
	for path, param := range map[string]string{"/recent": "max_age", "/gold": "acr_values", "/key": "prompt"} {
		b := openBank(t)
		b.idp.Says(b.deaf(true))
		br := b.Browser(t)
		b.opens(br, wiki+"/")
		b.add(20 * time.Minute)
		res := br.Open(wiki + path)
		before := b.trips()
		b.denied(br.Open(again(t, wiki, res)), http.StatusForbidden, "step_up.unsatisfied")
		if asked := b.lastAsked(); b.trips() != before+1 || !asked.Has(param) || asked.Get("prompt") != "login" {
			t.Errorf("%s: asked %d times, for %q", path, b.trips()-before, asked)
		}
		b.idp.Says(b.obedient("bob"))
		if res := br.Open(again(t, wiki, res)); res.StatusCode != http.StatusOK {
			t.Errorf("%s: %d %s", path, res.StatusCode, res.Text)
		}
		b.opens(br, wiki+path)
		if b.trips() != before+2 {
			t.Errorf("%s: asked %d times", path, b.trips()-before)
		}
	}
}

// Two questions that are both in vain are not asked in turn for ever.
func TestStepUpInVainTwice(t *testing.T) {
	t.Parallel()
	b := openBank(t)
	b.idp.Says(b.deaf(true))
	br := b.Browser(t)
	b.opens(br, wiki+"/")
	b.add(20 * time.Minute)
	before := b.trips()
	for range 3 {
		for _, path := range []string{"/recent", "/gold", "/key", "/all"} {
			b.add(time.Minute)
			b.denied(br.Open(wiki+path), http.StatusForbidden, "step_up.unsatisfied")
		}
	}
	if got := b.trips() - before; got != 3 {
		t.Errorf("the provider was asked %d times", got)
	}
}

// Who signed in strongly for one app did for all.
func TestStepUpCounts(t *testing.T) {
	t.Parallel()
	b := openBank(t)
	br := b.Browser(t)
	b.opens(br, wiki+"/")
	b.opens(br, api+"/v1/status")
	b.add(20 * time.Minute)
	b.opens(br, wiki+"/recent")
	before := b.trips()
	b.opens(br, api+"/v1/whoami")
	if b.trips() != before || len(br.Visited) != 4 {
		t.Errorf("it went by %q", br.Visited)
	}
	b.add(6 * time.Minute)
	b.opens(br, api+"/v1/whoami")
	if b.trips() != before+1 {
		t.Errorf("after that is too long ago, the provider was asked %d times", b.trips()-before)
	}
}

// Somebody else who comes back is somebody else, with nothing of who went.
func TestStepUpAsSomebodyElse(t *testing.T) {
	t.Parallel()
	for name, says := range map[string]func(*bank) func(url.Values) map[string]any{
		"strong": func(b *bank) func(url.Values) map[string]any { return b.obedient("alice") },
		"weak": func(b *bank) func(url.Values) map[string]any {
			return func(url.Values) map[string]any { return map[string]any{"sub": "alice", "email": "alice@acme.test"} }
		},
	} {
		b := openBank(t)
		br := b.Browser(t)
		b.opens(br, api+"/v1/status")
		b.opens(br, wiki+"/gold") // bob's is a Session that was asked for something
		old := br.Cookies(api)
		bobs := b.me(br)["session"]
		b.add(20 * time.Minute)
		b.idp.Says(says(b))
		res := br.Open(wiki + "/recent")
		var e *sallyportv1.AccessEvent
		if name == "weak" {
			e = b.denied(res, http.StatusForbidden, "step_up.unsatisfied")
		} else {
			received := b.up.Received()
			e = b.Record(t, edgetest.Acme, "d_"+strings.TrimPrefix(received[len(received)-1].Get("X-Request-Id"), "r_"))
		}
		if me := b.me(br); me["email"] != "alice@acme.test" || me["session"] == bobs || e.GetSession() != me["session"] || e.GetPrincipal().GetEmail() != "alice@acme.test" {
			t.Errorf("%s: it is %v, recorded as %s; bob's Session was %s", name, me, e, bobs)
		}
		if f := e.GetDecision().GetFacts(); f.GetAcr() != "" || len(f.GetAsked().GetAcr()) > 0 || f.GetAsked().GetMaxAge().AsDuration() != 5*time.Minute {
			t.Errorf("%s: alice has what was bob's, or not what is hers: %s", name, f)
		}
		// What was bob's is over: his browser is hers now.
		header := http.Header{}
		for _, c := range old {
			header.Add("Cookie", c.Name+"="+c.Value)
		}
		if res := b.Get(t, api+"/v1/items", header); res.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: bob's cookie gets %d", name, res.StatusCode)
		}
		b.Oracles(t, b.up)
	}
}

func (b *bank) me(br *edgetest.Browser) map[string]any {
	b.t.Helper()
	res := br.Fetch("GET", wiki+"/.sallyport/me", nil)
	var me map[string]any
	if err := json.Unmarshal([]byte(res.Text), &me); err != nil || res.StatusCode != http.StatusOK {
		b.t.Fatalf("%d %s", res.StatusCode, res.Text)
	}
	return me
}

// A program is told what the sign-in has to be like (RFC 9470), and where a browser gets that.
func TestStepUpOfPrograms(t *testing.T) {
	t.Parallel()
	b := openBank(t)
	br := b.Browser(t)
	b.opens(br, wiki+"/")
	b.add(20 * time.Minute)
	before := b.trips()
	for path, want := range map[string]string{
		"/recent": `Bearer realm="acme", error="insufficient_user_authentication", max_age="300", resource_metadata="https://wiki.acme.localhost/.sallyport/oauth-protected-resource"`,
		"/gold":   `Bearer realm="acme", error="insufficient_user_authentication", acr_values="gold platinum", resource_metadata="https://wiki.acme.localhost/.sallyport/oauth-protected-resource"`,
		"/key":    `Bearer realm="acme", error="insufficient_user_authentication", resource_metadata="https://wiki.acme.localhost/.sallyport/oauth-protected-resource"`,
		"/all":    `Bearer realm="acme", error="insufficient_user_authentication", max_age="300", acr_values="gold platinum", resource_metadata="https://wiki.acme.localhost/.sallyport/oauth-protected-resource"`,
	} {
		res := br.Fetch("GET", wiki+path, nil)
		if got := res.Header.Get("WWW-Authenticate"); res.StatusCode != http.StatusUnauthorized || got != want {
			t.Errorf("%s: %d %s, want %s", path, res.StatusCode, got, want)
		}
		e := b.Record(t, edgetest.Acme, problemOf(t, res)["decision_id"].(string))
		if e.GetDecision().GetOutcome() != "STEP_UP" || e.GetPrincipal().GetEmail() != "bob@acme.test" {
			t.Errorf("%s: %s", path, e)
		}
	}
	if res := br.Fetch("POST", wiki+"/transfer", http.Header{"Content-Type": {"application/grpc"}}); res.Header.Get("Grpc-Status") != "16" {
		t.Errorf("gRPC gets %v", res.Header)
	}
	header := http.Header{"Upgrade": {"websocket"}, "Connection": {"Upgrade"}, "Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}, "Origin": {wiki}}
	for _, c := range br.Cookies(wiki) {
		header.Add("Cookie", c.Name+"="+c.Value)
	}
	if res := b.Get(t, wiki+"/live", header); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("a WebSocket gets %d", res.StatusCode)
	}

	// A script posts, is refused, and sends its page to sign in again. There is no page behind /transfer that wants that.
	res := br.Fetch("POST", wiki+"/transfer", nil)
	p := problemOf(t, res)
	if p["reason"] != "step_up.auth_age" || p["principal"] == nil || b.trips() != before {
		t.Fatalf("%v", p)
	}
	b.opens(br, p["sign_in"].(string)+"&return=/after")
	if res := br.Fetch("POST", wiki+"/transfer", nil); res.StatusCode != http.StatusOK || b.trips() != before+1 {
		t.Errorf("after signing in again: %d %s", res.StatusCode, res.Text)
	}

	// A form of a page.
	b.add(20 * time.Minute)
	res = br.Submit(wiki+"/transfer", url.Values{"amount": {"1"}})
	b.denied(res, http.StatusUnauthorized, "step_up.auth_age")
	if !strings.Contains(res.Text, "Nothing that you sent was kept") || !strings.Contains(res.Text, "You signed in 20 minutes ago.") {
		t.Errorf("the page does not tell what happened:\n%s", res.Text)
	}
	b.opens(br, again(t, wiki, res))
	if res := br.Submit(wiki+"/transfer", url.Values{"amount": {"1"}}); res.StatusCode != http.StatusOK {
		t.Errorf("after signing in again: %d %s", res.StatusCode, res.Text)
	}

	// Machines do not sign in.
	machine := b.Get(t, wiki+"/recent", edgetest.CI.Bearer())
	if p := problemOf(t, machine); machine.StatusCode != http.StatusForbidden || p["reason"] != "step_up.unsatisfied" || p["sign_in"] != nil {
		t.Errorf("a machine gets %d %v", machine.StatusCode, p)
	}
	b.Oracles(t, b.up)
}

// A link to sign in again is for whom it was made, for a while, and for nothing but that.
func TestStepUpLinks(t *testing.T) {
	t.Parallel()
	b := openBank(t)
	br := b.Browser(t)
	b.opens(br, wiki+"/")
	b.add(20 * time.Minute)
	link := problemOf(t, br.Fetch("POST", wiki+"/transfer", nil))["sign_in"].(string) + "&return=/after"
	before := b.trips()
	goesNowhere := func(name, target string) {
		t.Helper()
		if b.opens(br, target); b.trips() != before {
			t.Errorf("%s: the provider was asked", name)
		}
	}
	u, _ := url.Parse(link)
	need := u.Query().Get("need")
	with := func(need string) string {
		return wiki + "/.sallyport/sign-in?return=/after&need=" + url.QueryEscape(need)
	}
	goesNowhere("cut", with(need[:len(need)-2]))
	goesNowhere("changed", with(need[:20]+"A"+need[21:]))
	goesNowhere("twice", with(need)+"&need="+need)
	start, err := url.Parse(b.Get(t, wiki+"/", http.Header{"Accept": {"text/html"}}).Header.Get("Location"))
	if err != nil || !start.Query().Has("start") {
		t.Fatalf("a stranger is sent to %v: %v", start, err)
	}
	goesNowhere("another step's", with(start.Query().Get("start")))
	goesNowhere("an open redirect", wiki+"/.sallyport/sign-in?return=https://evil.example/")
	b.add(11 * time.Minute)
	goesNowhere("too old", link)

	other := b.Browser(t)
	b.idp.Says(b.obedient("alice"))
	b.opens(other, wiki+"/")
	fresh := problemOf(t, br.Fetch("POST", wiki+"/transfer", nil))["sign_in"].(string)
	before = b.trips()
	br = other
	goesNowhere("somebody else's", fresh)
}

// A provider that refuses is believed: nobody is sent back and forth, and who was signed in still is.
func TestStepUpRefused(t *testing.T) {
	t.Parallel()
	b := openBank(t)
	br := b.Browser(t)
	b.opens(br, wiki+"/")
	for code, want := range map[string]string{
		"access_denied":                     "was cancelled",
		"unmet_authentication_requirements": "cannot sign you in the way that this needs",
	} {
		b.idp.Says(func(url.Values) map[string]any { return map[string]any{"error": code} })
		before := b.trips()
		res := br.Open(wiki + "/gold")
		b.denied(res, http.StatusForbidden, "step_up.acr") // who is signed in is not told that they are nobody
		for _, say := range []string{"You have not signed in again", want, "sign in the way you are asked to", "decision id"} {
			if !strings.Contains(res.Text, say) || b.trips() != before+1 {
				t.Errorf("%s: %q is not said: %s", code, say, res.Text)
			}
		}
		b.opens(br, wiki+"/")
	}
}
