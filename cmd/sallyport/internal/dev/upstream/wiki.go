package upstream

import (
	"bytes"
	"embed"
	"encoding/json"
	"html/template"
	"maps"
	"net/http"
	"slices"

	"github.com/coder/websocket"
)

//go:embed pages/*.html
var pageFiles embed.FS

//go:embed pages/live.js
var liveScript []byte

var pages = template.Must(template.ParseFS(pageFiles, "pages/*.html"))

type page struct {
	Title, Path string
	Name, Email string
	Groups      []string
	Claims      map[string]any
	Headers     http.Header
	Query       string
	Parameters  []parameter
	Detail      string
}

type parameter struct{ Name, Value string }

// Wiki returns the web app for people.
func Wiki(config Config) http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, next protected) { mux.HandleFunc(pattern, config.protect(refusePage, next)) }
	show := func(name, title string) protected {
		return func(w http.ResponseWriter, r *http.Request, claims map[string]any) {
			render(w, http.StatusOK, name, describe(title, r, claims))
		}
	}
	handle("GET /{$}", show("home.html", "Home"))
	handle("GET /reports", show("reports.html", "Reports"))
	handle("GET /reports/", show("reports.html", "Reports"))
	handle("GET /admin", show("admin.html", "Administration"))
	handle("GET /admin/", show("admin.html", "Administration"))
	handle("GET /live", show("live.html", "Live"))
	handle("GET /live.js", func(w http.ResponseWriter, _ *http.Request, _ map[string]any) {
		w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		_, _ = w.Write(liveScript) // a write that fails has nobody left to tell
	})
	handle("GET /ws", config.echoSocket)
	handle("/", func(w http.ResponseWriter, r *http.Request, claims map[string]any) {
		render(w, http.StatusNotFound, "missing.html", describe("No such page", r, claims))
	})
	return mux
}

func describe(title string, r *http.Request, claims map[string]any) page {
	p := page{Title: title, Path: r.URL.Path, Claims: claims, Headers: identityHeaders(r.Header), Query: r.URL.RawQuery, Name: actor(claims)}
	p.Email, _ = claims["email"].(string)
	if groups, ok := claims["groups"].([]any); ok {
		for _, group := range groups {
			if name, ok := group.(string); ok {
				p.Groups = append(p.Groups, name)
			}
		}
	}
	query := r.URL.Query()
	for _, name := range slices.Sorted(maps.Keys(query)) {
		for _, value := range query[name] {
			p.Parameters = append(p.Parameters, parameter{name, value})
		}
	}
	return p
}

func refusePage(w http.ResponseWriter, status int, reason, detail string) {
	render(w, status, "refused.html", page{Title: "Not through the front door", Detail: reason + ": " + detail})
}

const maxMessage = 32 << 10

// askRequest is the one message that is not echoed: its answer says what the handshake brought.
const askRequest = "/request"

// echoSocket sends every message back until either side goes.
func (c Config) echoSocket(w http.ResponseWriter, r *http.Request, _ map[string]any) {
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		OriginPatterns: []string{c.PublicHost, c.PublicHost + ":*"}, // the Host that we see may be another than the browser's
	})
	if err != nil {
		return // it has answered
	}
	defer func() { _ = conn.CloseNow() }()
	conn.SetReadLimit(maxMessage)
	for {
		kind, message, err := conn.Read(r.Context())
		if err != nil {
			return // closed by the other side, too long, or the demo stops
		}
		if string(message) == askRequest {
			if message, err = json.Marshal(received(r)); err != nil {
				return
			}
		}
		if err := conn.Write(r.Context(), kind, message); err != nil {
			return
		}
	}
}

func render(w http.ResponseWriter, status int, name string, data page) {
	var body bytes.Buffer
	if err := pages.ExecuteTemplate(&body, name, data); err != nil {
		http.Error(w, "The page cannot be shown.", http.StatusInternalServerError)
		return
	}
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; script-src 'self'; connect-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	w.WriteHeader(status)
	// A write that fails has nobody left to tell.
	_, _ = body.WriteTo(w)
}
