package idp

import (
	"context"
	"net/http"
	"net/url"
	"strings"
)

// browser is what a request's cookies say: which browser it is, and who is signed in there.
type browser struct {
	id      string   // "" for a program without cookies, which can begin but not finish
	session *session // nil: nobody
}

const (
	browserCookie = "sallyport-demo-idp-browser"
	sessionCookie = "sallyport-demo-idp-session"
)

type browserKey struct{}

func browserOf(ctx context.Context) browser {
	who, _ := ctx.Value(browserKey{}).(browser)
	return who
}

// rememberBrowser puts the browser into the context, the only way through the library to its storage, and marks one that
// begins a sign-in.
func (p *Provider) rememberBrowser(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var who browser
		if cookie, err := r.Cookie(browserCookie); err == nil && len(cookie.Value) == len(randomID()) {
			who.id = cookie.Value
		} else if strings.HasPrefix(r.URL.Path, "/authorize") {
			who.id = randomID()
			setCookie(w, browserCookie, who.id)
		}
		if cookie, err := r.Cookie(sessionCookie); err == nil {
			who.session, _ = p.storage.sessions.get(cookie.Value)
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), browserKey{}, who)))
	})
}

// setCookie sets a cookie until the browser closes. Not Secure: the provider speaks plain HTTP, on loopback.
func setCookie(w http.ResponseWriter, name, value string) {
	//nolint:gosec // Secure would keep it from ever being sent.
	http.SetCookie(w, &http.Cookie{Name: name, Value: value, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

// stampIssuer adds iss to every redirect to the client, codes and errors alike (RFC 9207 section 2); the library does
// not.
func (p *Provider) stampIssuer(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(&stamping{ResponseWriter: w, provider: p}, r)
	})
}

type stamping struct {
	http.ResponseWriter
	provider *Provider
	stamped  bool
}

func (w *stamping) WriteHeader(status int) {
	for _, redirect := range w.provider.config.RedirectURIs {
		location := w.Header().Get("Location")
		if !strings.HasPrefix(location, redirect+"?") {
			continue
		}
		w.Header().Set("Location", location+"&iss="+url.QueryEscape(w.provider.config.Issuer))
		w.Header().Del("Content-Type")
		w.stamped = true
		break
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write drops the body of a stamped redirect, which repeats the address without the issuer.
func (w *stamping) Write(b []byte) (int, error) {
	if w.stamped {
		return len(b), nil
	}
	return w.ResponseWriter.Write(b)
}
