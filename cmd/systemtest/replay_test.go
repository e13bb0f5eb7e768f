package systemtest

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// cookiesOfOthers: a cookie is good for its own host and tenant, whole, and alone.
func cookiesOfOthers(t *testing.T, d *demo, _ *crowd) {
	doc, client := d.document(t), d.browser(t)
	_, alice := d.member(t, "alice", 0)
	_, bob := d.member(t, "bob", 1)
	globexWiki := "https://" + doc.SecondTenant.Hosts[0]
	bobAtGlobex := d.person(t, "bob")
	bobAtGlobex.sees(t, globexWiki+":"+strconv.Itoa(doc.Edges[0].Port)+"/", http.StatusOK, "bob@acme.test")
	globex := bobAtGlobex.session(t, globexWiki)

	half := func(cookie string) (id, ticket string) {
		id, ticket, _ = strings.Cut(cookie, ".")
		return id, ticket
	}
	aliceID, aliceTicket := half(alice["wiki"])
	bobID, bobTicket := half(bob["wiki"])
	apiID, apiTicket := half(alice["api"])
	const cookie = sessionCookie + "="
	for edge, at := range doc.Edges {
		other := globexWiki + ":" + strconv.Itoa(at.Port)
		for _, tc := range []struct {
			name, url, cookie string
			status            int
		}{
			{"her own", doc.at(edge, "wiki", "/"), cookie + alice["wiki"], http.StatusOK},
			{"at globex, bob's own", other + "/", cookie + globex, http.StatusOK},
			{"the API's at the wiki", doc.at(edge, "wiki", "/"), cookie + alice["api"], http.StatusUnauthorized},
			{"the wiki's at the API", doc.at(edge, "api", "/v1/whoami"), cookie + alice["wiki"], http.StatusUnauthorized},
			{"the auth host's at the wiki", doc.at(edge, "wiki", "/"), cookie + alice["auth"], http.StatusUnauthorized},
			{"the wiki's at the auth host", doc.at(edge, "auth", "/.sallyport/me"), cookie + alice["wiki"], http.StatusUnauthorized},
			{"globex's at acme", doc.at(edge, "wiki", "/"), cookie + globex, http.StatusUnauthorized},
			{"acme's at globex", other + "/", cookie + bob["wiki"], http.StatusUnauthorized},
			{"her id, bob's ticket", doc.at(edge, "wiki", "/"), cookie + aliceID + "." + bobTicket, http.StatusUnauthorized},
			{"bob's id, her ticket", doc.at(edge, "wiki", "/"), cookie + bobID + "." + aliceTicket, http.StatusUnauthorized},
			{"her id, the API's ticket", doc.at(edge, "wiki", "/"), cookie + aliceID + "." + apiTicket, http.StatusUnauthorized},
			{"the API's id, her ticket", doc.at(edge, "wiki", "/"), cookie + apiID + "." + aliceTicket, http.StatusUnauthorized},
			{"no ticket", doc.at(edge, "wiki", "/"), cookie + aliceID, http.StatusUnauthorized},
			{"cut off", doc.at(edge, "wiki", "/"), cookie + alice["wiki"][:len(alice["wiki"])-8], http.StatusUnauthorized},
			{"a tail", doc.at(edge, "wiki", "/"), cookie + alice["wiki"] + "AAAA", http.StatusUnauthorized},
			// A sibling host or a man in the middle of plain http can toss cookies at this one, under names that look alike.
			{"hers and bob's", doc.at(edge, "wiki", "/"), cookie + alice["wiki"] + "; " + cookie + bob["wiki"], http.StatusBadRequest},
			{"hers twice", doc.at(edge, "wiki", "/"), cookie + alice["wiki"] + "; " + cookie + alice["wiki"], http.StatusBadRequest},
			{"hers, and an empty one", doc.at(edge, "wiki", "/"), cookie + alice["wiki"] + "; " + cookie, http.StatusBadRequest},
			{"another spelling", doc.at(edge, "wiki", "/"), "__host-sp=" + alice["wiki"], http.StatusUnauthorized},
			{"without a name", doc.at(edge, "wiki", "/"), "=" + cookie + alice["wiki"], http.StatusUnauthorized},
			{"in quotes", doc.at(edge, "wiki", "/"), cookie + `"` + alice["wiki"] + `"`, http.StatusUnauthorized},
		} {
			a := send(t, client, request(t, "GET", tc.url, "", "Accept", "application/json", "Cookie", tc.cookie))
			if a.Status != tc.status || tc.status != http.StatusOK && strings.Contains(a.Body, "@acme.test") {
				t.Errorf("%s, %s: %d, want %d: %s", at.Name, tc.name, a.Status, tc.status, a.Body)
			}
			if a.Header.Get("Location") != "" {
				t.Errorf("%s, %s: a program is sent to %s", at.Name, tc.name, a.Header.Get("Location"))
			}
		}
	}
	handedOver(t, d)
}

// handedOver: the link that ends a sign-in is worth nothing in a browser that did not begin it.
func handedOver(t *testing.T, d *demo) {
	t.Helper()
	doc := d.document(t)
	attacker, victim := d.person(t, "bob"), d.person(t, "alice")
	attacker.open(t, doc.at(0, "auth", "/.sallyport/me"))
	// His next sign-in at the wiki needs no password; he stops where the link is handed to the browser.
	link := doc.at(0, "wiki", "/")
	for !strings.Contains(link, "/.sallyport/callback?code=") {
		a := send(t, attacker.client, request(t, "GET", link, "", navigation...))
		if link = a.Header.Get("Location"); link == "" {
			t.Fatalf("no link: %d %s", a.Status, a.Body)
		}
	}
	for edge, port := range []int{doc.Edges[0].Port, doc.Edges[1].Port} {
		there := strings.Replace(link, ":"+strconv.Itoa(doc.Edges[0].Port), ":"+strconv.Itoa(port), 1)
		a := send(t, victim.client, request(t, "GET", there, "", navigation...))
		if a.Status != http.StatusBadRequest || !strings.Contains(a.Body, "Please start again") || strings.Contains(strings.Join(a.Header["Set-Cookie"], "\n"), sessionCookie+"=") {
			t.Errorf("edge %d: somebody else's link: %d %v", edge, a.Status, a.Header)
		}
	}
	attacker.sees(t, doc.at(0, "wiki", "/"), http.StatusOK, "bob@acme.test")
}
