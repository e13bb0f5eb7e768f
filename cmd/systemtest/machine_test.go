package systemtest

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	sallyportv1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
	"github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1/sallyportv1connect"
)

// machinePath is what a program with a token sees, and one without.
func machinePath(t *testing.T, d *demo) {
	doc := d.document(t)
	client := d.browser(t)
	for edge, at := range doc.Edges {
		t.Run(at.Name, func(t *testing.T) {
			t.Run("with a token", func(t *testing.T) {
				whoami(t, send(t, client, request(t, "GET", doc.at(edge, "api", "/v1/whoami"), "", doc.robot()...)), doc, edge)
			})
			t.Run("a write", func(t *testing.T) {
				a := send(t, client, request(t, "POST", doc.at(edge, "api", "/v1/items"), `{"name":"x"}`, doc.robot()...))
				var problem struct{ Type, Title, Detail, Reason, App, Operation, Principal, Remediation, Decision_ID string }
				a.json(t, &problem)
				if a.Status != http.StatusForbidden || a.Header.Get("Content-Type") != "application/problem+json" || a.Header.Get("Cache-Control") != "no-store" {
					t.Errorf("status %d, header %v", a.Status, a.Header)
				}
				if problem.Type != "urn:sallyport:reason:deny.no_rule" || problem.Reason != "deny.no_rule" || problem.App != "api" || problem.Operation != "write" ||
					problem.Principal != "serviceAccount:ci" || problem.Title == "" || problem.Detail == "" || problem.Remediation == "" || !strings.HasPrefix(problem.Decision_ID, "d_") {
					t.Errorf("problem %s", a.Body)
				}
			})
			t.Run("without a token", func(t *testing.T) {
				a := send(t, client, request(t, "GET", doc.at(edge, "api", "/v1/whoami"), ""))
				if a.Status != http.StatusUnauthorized || !strings.HasPrefix(a.Header.Get("WWW-Authenticate"), "Bearer ") || a.Header.Get("Location") != "" {
					t.Errorf("status %d, header %v", a.Status, a.Header)
				}
			})
			t.Run("with a wrong token", func(t *testing.T) {
				wrong := []byte(doc.ServiceAccounts[0].Token)
				slices.Reverse(wrong[20:30])
				a := send(t, client, request(t, "GET", doc.at(edge, "api", "/v1/whoami"), "", "Authorization", "Bearer "+string(wrong)))
				if a.Status != http.StatusUnauthorized {
					t.Errorf("status %d: %s", a.Status, a.Body)
				}
			})
			t.Run("open to anyone", func(t *testing.T) {
				a := send(t, client, request(t, "GET", doc.at(edge, "api", "/v1/status"), ""))
				if a.Status != http.StatusOK || !strings.Contains(a.Body, `"ok"`) {
					t.Errorf("status %d: %s", a.Status, a.Body)
				}
			})
			t.Run("another tenant's host", func(t *testing.T) {
				url := "https://" + doc.SecondTenant.Hosts[0] + strings.TrimPrefix(doc.at(edge, "api", "/"), "https://api.acme.localhost")
				if a := send(t, client, request(t, "GET", url, "", doc.robot()...)); a.Status != http.StatusUnauthorized {
					t.Errorf("status %d: %s", a.Status, a.Body)
				}
			})
		})
	}
	t.Run("around the edge", func(t *testing.T) {
		for name, url := range doc.Upstreams {
			if a := send(t, client, request(t, "GET", url+"/v1/whoami", "", "X-Sallyport-User", "alice@acme.test")); a.Status != http.StatusUnauthorized {
				t.Errorf("%s: status %d: %s", name, a.Status, a.Body)
			}
		}
	})
}

// revokedAccount is a service account whose tokens leaked: those that there are end, and the one that is made then works.
func revokedAccount(t *testing.T, d *demo) {
	doc, p, client, admin := d.document(t), newPolicies(t, d), d.browser(t), d.admin(t)
	accounts := sallyportv1connect.NewServiceAccountServiceClient(admin.HTTP, admin.URL)
	if _, err := accounts.CreateServiceAccount(t.Context(), &sallyportv1.CreateServiceAccountRequest{
		Parent: p.parent, ServiceAccountId: "leaky", ServiceAccount: &sallyportv1.ServiceAccount{},
	}); err != nil {
		t.Fatal(err)
	}
	mint := func() string {
		t.Helper()
		made, err := accounts.CreateServiceAccountToken(t.Context(), &sallyportv1.CreateServiceAccountTokenRequest{Parent: p.parent + "/serviceAccounts/leaky"})
		if err != nil {
			t.Fatal(err)
		}
		p.enforced(t, made.GetRevision())
		return made.GetSecret()
	}
	// No policy lets it in: 403 says that it is known, 401 that it is not.
	answers := func(token string, status int, reason string) {
		t.Helper()
		for edge, at := range doc.Edges {
			a := send(t, client, request(t, "GET", doc.at(edge, "api", "/v1/items"), "", "Authorization", "Bearer "+token))
			if a.Status != status || !strings.Contains(a.Body, reason) {
				t.Errorf("%s: status %d: %s; want %d %s", at.Name, a.Status, a.Body, status, reason)
			}
		}
	}
	leaked := mint()
	answers(leaked, http.StatusForbidden, "deny.no_rule")
	revoked, err := sallyportv1connect.NewRevocationServiceClient(admin.HTTP, admin.URL).CreateRevocation(t.Context(), &sallyportv1.CreateRevocationRequest{
		Parent: p.parent, Revocation: &sallyportv1.Revocation{Subject: "serviceAccount:leaky", Reason: "it leaked"},
	})
	if err != nil {
		t.Fatal(err)
	}
	p.enforced(t, revoked.GetRevision())
	answers(leaked, http.StatusUnauthorized, "identity.")
	answers(mint(), http.StatusForbidden, "deny.no_rule")
	answers(leaked, http.StatusUnauthorized, "identity.")
	if _, err := accounts.DeleteServiceAccount(t.Context(), &sallyportv1.DeleteServiceAccountRequest{Name: p.parent + "/serviceAccounts/leaky"}); err != nil {
		t.Fatal(err)
	}
}

// whoami checks what the API saw of a request with ci's token.
func whoami(t *testing.T, a *answer, doc *document, edge int) {
	t.Helper()
	if a.Status != http.StatusOK {
		t.Fatalf("status %d: %s", a.Status, a.Body)
	}
	var seen struct {
		Assertion       map[string]any `json:"assertion"`
		IdentityHeaders http.Header    `json:"identity_headers"`
	}
	a.json(t, &seen)
	if seen.Assertion["sub"] != "serviceAccount:ci" || seen.Assertion["aud"] != "tenants/acme/apps/api" || seen.Assertion["iss"] != doc.Edges[edge].AuthURL {
		t.Errorf("assertion %v", seen.Assertion)
	}
	if got := seen.IdentityHeaders["X-Sallyport-User"]; len(got) != 1 || got[0] != "serviceAccount:ci" {
		t.Errorf("identity headers %v", seen.IdentityHeaders)
	}
}
