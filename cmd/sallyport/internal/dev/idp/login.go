package idp

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
	"time"
)

//go:embed pages/*.html
var pageFiles embed.FS

var pages = template.Must(template.ParseFS(pageFiles, "pages/*.html"))

type loginForm struct {
	Request, Username, Fault string
}

const maxForm = 16 << 10

func (p *Provider) loginPage(w http.ResponseWriter, r *http.Request) {
	request, err := p.storage.request(r.Context(), r.URL.Query().Get("request"))
	if err != nil {
		p.startAgain(w)
		return
	}
	if request.Done() {
		http.Redirect(w, r, callbackPath(request), http.StatusSeeOther) //nolint:gosec // the id is ours, not the form's
		return
	}
	render(w, http.StatusOK, "login.html", loginForm{Request: request.id, Username: request.LoginHint})
}

func callbackPath(request *authRequest) string { return "/authorize/callback?id=" + request.id }

func (p *Provider) login(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		http.Error(w, "The form cannot be read.", http.StatusBadRequest)
		return
	}
	request, err := p.storage.request(r.Context(), r.PostForm.Get("request"))
	if err != nil {
		p.startAgain(w)
		return
	}
	username := r.PostForm.Get("username")
	person, ok := p.storage.authenticate(username, r.PostForm.Get("password"))
	if !ok {
		render(w, http.StatusUnauthorized, "login.html", loginForm{
			Request: request.id, Username: username,
			Fault: "That name and password do not belong together. You are not signed in.",
		})
		return
	}
	if before := browserOf(r.Context()).session; before != nil {
		p.storage.sessions.take(before.id)
	}
	now := &session{id: randomID(), subject: person.Subject, at: time.Now()}
	p.storage.sessions.put(now.id, now)
	p.storage.signedIn(request, now)
	setCookie(w, sessionCookie, now.id)
	http.Redirect(w, r, callbackPath(request), http.StatusSeeOther) //nolint:gosec // the id is ours, not the form's
}

func (p *Provider) startAgain(w http.ResponseWriter) {
	render(w, http.StatusBadRequest, "notice.html", notice{
		Title: "This sign-in cannot go on",
		Text:  "It is too old, was finished already, or began in another browser. Go back to the app and open it again.",
	})
}

type notice struct {
	Title, Text string
	SignedIn    string // whose name; "" shows no sign-out button
}

func (p *Provider) homePage(w http.ResponseWriter, r *http.Request) {
	page := notice{Title: "Demo directory", Text: "The identity provider of this machine's Sallyport demo. Nobody is signed in here in this browser."}
	if session := browserOf(r.Context()).session; session != nil {
		if person, ok := p.storage.person(session.subject); ok {
			page.SignedIn, page.Text = person.Name, "Signed in here as "+person.Name+" ("+person.Email+")."
		}
	}
	render(w, http.StatusOK, "notice.html", page)
}

func (p *Provider) signOut(w http.ResponseWriter, r *http.Request) {
	if session := browserOf(r.Context()).session; session != nil {
		p.storage.sessions.take(session.id)
	}
	http.Redirect(w, r, signedOutPath, http.StatusSeeOther)
}

func (p *Provider) signedOutPage(w http.ResponseWriter, _ *http.Request) {
	render(w, http.StatusOK, "notice.html", notice{Title: "Signed out", Text: "You are signed out of the demo directory in this browser. Apps that you opened end their own sessions."})
}

func render(w http.ResponseWriter, status int, name string, data any) {
	var page bytes.Buffer
	if err := pages.ExecuteTemplate(&page, name, data); err != nil {
		http.Error(w, "The page cannot be shown.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	// A write that fails has nobody left to tell.
	_, _ = page.WriteTo(w)
}
