// Package upstream is the demo's two apps behind the edge: a wiki with pages for people, and a JSON API that says which
// identity it sees. They show what an app has to do to be protected (nothing) and what it may do beside it: verify the
// assertion that every request carries.
//
// It must never answer a protected page without a verified assertion, so that the demo also shows what happens to
// somebody who finds a way around the edge.
package upstream

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"

	"github.com/sallyport-iap/sallyport/cmd/sallyport/internal/dev/upstream/assertion"
)

// Config says who the app is.
type Config struct {
	Verifier   *assertion.Verifier
	PublicHost string // such as wiki.acme.localhost, without a port
	Log        *slog.Logger
}

// identityHeaders returns what looks like one of Sallyport's headers, in any spelling. A name that a stranger invented
// and the edge let through would show here.
func identityHeaders(header http.Header) http.Header {
	fold := strings.NewReplacer("_", "-", ".", "-")
	found := http.Header{}
	for name, values := range header {
		folded := strings.ToLower(fold.Replace(name))
		if strings.HasPrefix(folded, "x-sallyport-") && folded != assertionHeader {
			found[name] = values
		}
	}
	return found
}

const assertionHeader = "x-sallyport-assertion"

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	// A write that fails has nobody left to tell.
	_ = encoder.Encode(body)
}
