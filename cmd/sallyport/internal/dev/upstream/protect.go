package upstream

import (
	"errors"
	"net/http"

	"github.com/sallyport-iap/sallyport/cmd/sallyport/internal/dev/upstream/assertion"
)

// protected is a handler that knows who asks.
type protected func(w http.ResponseWriter, r *http.Request, claims map[string]any)

// refusal is what a request without a good assertion gets, said by the app in its own form.
type refusal func(w http.ResponseWriter, status int, reason, detail string)

// protect lets a request pass with verified claims only. Not denied but unknown is a 503: the keys cannot be had.
func (c Config) protect(refuse refusal, next protected) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		claims, err := c.Verifier.Verify(r.Context(), r.Header.Values(assertion.Header))
		if refused := (*assertion.Refused)(nil); errors.As(err, &refused) {
			refuse(w, http.StatusUnauthorized, string(refused.Reason), refused.Detail)
			return
		}
		if err != nil {
			c.Log.WarnContext(r.Context(), "assertion cannot be verified", "error", err)
			w.Header().Set("Retry-After", "1")
			refuse(w, http.StatusServiceUnavailable, "unavailable", "The edge's keys cannot be fetched.")
			return
		}
		next(w, r, claims)
	}
}
