package login

import (
	"context"
	"net/http"
	"time"

	"github.com/sallyport-iap/sallyport/edge/exchange"
	"github.com/sallyport-iap/sallyport/edge/page"
	"github.com/sallyport-iap/sallyport/edge/policy"
	"github.com/sallyport-iap/sallyport/edge/session"
)

// Me is /.sallyport/me for programs: who the session's person is, and nothing that could be used to be them.
type Me struct {
	Tenant           string    `json:"tenant"`
	App              string    `json:"app,omitempty"`
	Subject          string    `json:"subject"`
	Email            string    `json:"email,omitempty"`
	EmailVerified    bool      `json:"email_verified"`
	Name             string    `json:"name,omitempty"`
	IdentityProvider string    `json:"identity_provider"`
	Groups           []string  `json:"groups"`
	Session          string    `json:"session"`
	BeginTime        time.Time `json:"begin_time"`
	SeenTime         time.Time `json:"seen_time"`
	ExpireTime       time.Time `json:"expire_time"`
	IdleTimeout      string    `json:"idle_timeout"`
}

// me says to people and their programs who they are here.
func (l *Login) me(ctx context.Context, req *exchange.Request) (*exchange.Reply, *exchange.Denial) {
	now, denial := l.who(ctx, req)
	if denial != nil {
		if denial.Outcome == exchange.Authenticates && req.Client == exchange.Navigation {
			return l.begin(req, denial.Reason, pathMe, nil)
		}
		return nil, denial
	}
	t := now.Times(req.Site, req.App)
	var reply *exchange.Reply
	if req.Client == exchange.Navigation {
		reply = html(http.StatusOK, l.whoPage(req, now, t).HTML())
	} else {
		m := Me{
			Tenant: req.Site.TenantID, Subject: now.Caller.Subject, Email: now.Caller.Email, EmailVerified: now.Caller.Identity.EmailVerified,
			Name: now.Caller.Name, IdentityProvider: now.Caller.Identity.IDP, Groups: groupsOf(req, now), Session: now.Caller.SessionID,
			BeginTime: t.Began, SeenTime: t.Seen, ExpireTime: t.Expire, IdleTimeout: t.Idle.String(),
		}
		if req.App != nil {
			m.App = req.App.ID
		}
		reply = exchange.JSON(http.StatusOK, m)
	}
	return signed(reply, now), nil
}

// who wants somebody.
func (l *Login) who(ctx context.Context, req *exchange.Request) (session.Result, *exchange.Denial) {
	now, denial := l.session(ctx, req)
	if denial != nil {
		return now, denial
	}
	switch now.State {
	case session.Live:
		return now, nil
	case session.Unavailable:
		return now, exchange.Unavailable(now.Reason, failurePause, now.Err)
	}
	return now, exchange.Authenticate(now.Reason)
}

// signed adds what an answer to somebody carries.
func signed(reply *exchange.Reply, now session.Result) *exchange.Reply {
	if now.SetCookie != nil {
		reply.Cookies = append(reply.Cookies, now.SetCookie)
	}
	reply.Caller = now.Caller
	return reply
}

func groupsOf(req *exchange.Request, now session.Result) []string {
	groups := now.Caller.Principal(req.Site).Groups()
	if groups == nil {
		return []string{} // an empty list in JSON, not null
	}
	return groups
}

func (l *Login) whoPage(req *exchange.Request, now session.Result, t session.Times) page.Me {
	m := page.Me{
		TenantName: req.Site.DisplayName, AppName: appName(req), SignedIn: true,
		Name: now.Caller.Name, Email: now.Caller.Email, EmailVerified: now.Caller.Identity.EmailVerified,
		Subject: now.Caller.Subject, Groups: groupsOf(req, now), SessionID: now.Caller.SessionID,
		SignedInAt: t.Began, LastSeenAt: t.Seen, ExpireTime: t.Expire, Idle: t.Idle,
	}
	if p := req.Site.Provider(now.Caller.IDPUID); p != nil {
		m.ProviderName = p.DisplayName
		if m.ProviderName == "" {
			m.ProviderName = p.ID
		}
	}
	return m
}

// home is the auth host's front page: who I am, and the apps that I may open.
func (l *Login) home(ctx context.Context, req *exchange.Request) (*exchange.Reply, *exchange.Denial) {
	now, denial := l.who(ctx, req)
	if denial != nil {
		if denial.Outcome != exchange.Authenticates {
			return nil, denial
		}
		if closed := l.canSignIn(req.Site, policy.IdentityNone); closed != nil {
			return nil, closed
		}
		return html(http.StatusOK, page.Me{TenantName: req.Site.DisplayName, SignIn: pathSignIn}.HTML()), nil
	}
	m := l.whoPage(req, now, now.Times(req.Site, nil))
	m.Launcher, m.Apps = true, l.launcher(req, now.Caller)
	return signed(html(http.StatusOK, m.HTML()), now), nil
}

// launcher lists the apps whose front page the person may open, or may once signed in again: the same evaluator as for the
// request that follows.
func (l *Login) launcher(req *exchange.Request, who *exchange.Caller) (apps []page.App) {
	for _, app := range req.Site.Apps {
		if app.Disabled || app.Closed || app.Table == nil || len(app.Hosts) == 0 {
			continue
		}
		host := app.Hosts[0]
		operation, ok := app.Table.Operation(host, http.MethodGet, front)
		if !ok {
			continue
		}
		d := req.Site.Program.Decide(app.ID, &policy.Request{
			Operation: operation, Principal: who.Principal(req.Site), Method: http.MethodGet, Host: host, Path: front.Match,
			SourceIP: req.ClientIP, Country: req.Country, Now: req.Now,
		})
		if d.Outcome != policy.Allow && d.Outcome != policy.StepUp {
			continue
		}
		name := app.DisplayName
		if name == "" {
			name = app.ID
		}
		apps = append(apps, page.App{Name: name, URL: exchange.Origin(host, req.PublicPort) + "/", Host: host})
	}
	return apps
}

// denied is a page to send somebody to whom an app itself refuses: who they are, and how to be somebody else.
func (l *Login) denied(ctx context.Context, req *exchange.Request) (*exchange.Reply, *exchange.Denial) {
	now, denial := l.who(ctx, req)
	if denial != nil && denial.Outcome != exchange.Authenticates {
		return nil, denial
	}
	d := page.Denied{
		Title: "Access denied", Detail: appName(req) + " does not let you do this.",
		Remediation: "Ask whoever runs the app for access, or use another account.", ReturnPath: "/", SignIn: SignInPath("/"),
	}
	if denial == nil {
		d.Principal, d.SignIn, d.SwitchAccount, d.SignOut = displayName(now), "", true, true
	}
	reply := l.problem(req, http.StatusForbidden, policy.DenyNoRule, d)
	reply.Header.Set("Referrer-Policy", "same-origin") // its forms have to say their origin
	return signed(reply, now), nil
}
