package upstream

import (
	"encoding/json"
	"io"
	"net/http"
	"path"
	"strings"

	"github.com/sallyport-iap/sallyport/cmd/sallyport/internal/dev/upstream/assertion"
)

// API returns the JSON API. Only GET /v1/status is for anyone.
//
//	/v1/status        for anyone: that it is there, and what arrived
//	/v1/whoami        the identity headers as received, and the verified claims
//	/v1/items[/{id}]  a small list to read and change
//	anything else     what arrived: method, target, headers, size of the body
func API(config Config) http.Handler {
	items := newItems()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/status", func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, http.StatusOK, map[string]any{"service": "api", "status": "ok", "request": received(r)})
	})
	handle := func(pattern string, next protected) { mux.HandleFunc(pattern, config.protect(refuseJSON, next)) }
	handle("GET /v1/whoami", whoami)
	handle("GET /v1/items", items.list)
	handle("POST /v1/items", items.create)
	handle("GET /v1/items/{id}", items.get)
	handle("PUT /v1/items/{id}", items.put)
	handle("PATCH /v1/items/{id}", items.put)
	handle("DELETE /v1/items/{id}", items.delete)
	handle("/", echo)
	return literalPaths(mux, config.protect(refuseJSON, echo))
}

func refuseJSON(w http.ResponseWriter, status int, reason, detail string) {
	writeJSON(w, status, map[string]any{"error": strings.ToLower(http.StatusText(status)), "reason": reason, "detail": detail})
}

// literalPaths keeps ServeMux from redirecting to the path that it would have liked better: what arrived is what we say.
func literalPaths(mux *http.ServeMux, other http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked := r.URL.Path
		if clean := path.Clean(asked); asked != clean && asked != clean+"/" || strings.Contains(asked, "//") {
			other.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// received describes a request as it arrived. The assertion itself is a credential and is left out.
func received(r *http.Request) map[string]any {
	header := r.Header.Clone()
	header.Del(assertion.Header)
	return map[string]any{
		"method": r.Method, "target": r.RequestURI, "host": r.Host, "protocol": r.Proto, "headers": header,
		"remote_addr": r.RemoteAddr,
	}
}

func whoami(w http.ResponseWriter, r *http.Request, claims map[string]any) {
	writeJSON(w, http.StatusOK, map[string]any{
		"service": "api", "identity_headers": identityHeaders(r.Header), "assertion": claims, "request": received(r),
	})
}

const maxBody = 1 << 20

func echo(w http.ResponseWriter, r *http.Request, claims map[string]any) {
	size, err := io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		refuseJSON(w, http.StatusRequestEntityTooLarge, "too_large", "The body cannot be read, or is larger than 1 MiB.")
		return
	}
	request := received(r)
	request["body_bytes"], request["trailers"] = size, r.Trailer
	writeJSON(w, http.StatusOK, map[string]any{"service": "api", "subject": claims["sub"], "request": request})
}

// decode reads a JSON body into v, or answers.
func decode(w http.ResponseWriter, r *http.Request, v any) bool {
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(v); err != nil {
		refuseJSON(w, http.StatusBadRequest, "bad_body", `Want a JSON object such as {"name": "milk"}.`)
		return false
	}
	return true
}
