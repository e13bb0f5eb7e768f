// Package page is the one place that writes HTML for people: the sign-in chooser, the answers that refuse, signing out,
// and "who am I".
//
// Every page is one document without scripts or anything fetched from elsewhere; its one style sheet is inside it and
// named by hash in the policy that SetHeaders sends along. Its icon is inside it as well: browsers ask for /favicon.ico
// otherwise, and somebody who was denied once would be denied twice. A page must never hold a token, a cookie, another
// session's id, or a byte that html/template has not escaped.
package page

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"strings"
)

//go:embed style.css
var style string

//go:embed page.html
var source string

// The style sheet is in the page, because a page that says why nothing works must not need a second request.
var templates = template.Must(template.New("page").Funcs(template.FuncMap{
	"style": func() template.CSS { return template.CSS(style) }, //nolint:gosec // ours, from style.css
	"head":  func(title, tenant string) heading { return heading{title, tenant} },
	"clock": clock,
	"plain": Plain,
}).Parse(source))

type heading struct{ Title, Tenant string }

// ContentSecurityPolicy is for every page of ours. Nobody may frame them (CO-05), and a form goes to its own origin only.
var ContentSecurityPolicy = "default-src 'none'; style-src 'sha256-" + styleHash() + "'; img-src data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

func styleHash() string {
	sum := sha256.Sum256([]byte(style))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// SetHeaders sets what every page of ours is sent with. COOP keeps whoever opened the sign-in page in a popup from
// steering it afterwards (CO-04).
func SetHeaders(h http.Header) {
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", ContentSecurityPolicy)
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	// Not no-referrer: with that, browsers send "Origin: null" with our own forms. A page whose address holds a code
	// has no forms, and sets no-referrer itself.
	h.Set("Referrer-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
}

func render(name string, data any) []byte {
	var b bytes.Buffer
	// The templates are fixed and their data plain structs: what can fail, fails in this package's tests.
	if err := templates.ExecuteTemplate(&b, name, data); err != nil {
		panic("page: " + err.Error())
	}
	return b.Bytes()
}

// sentence makes the fragments that reasons are written in read as sentences.
func sentence(s string) string {
	s = strings.TrimSpace(s)
	if s == "" || strings.HasSuffix(s, ".") || strings.HasSuffix(s, "!") || strings.HasSuffix(s, "?") {
		return s
	}
	return s + "."
}
