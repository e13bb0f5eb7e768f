package page

import "time"

// Chooser asks with which provider to sign in.
type Chooser struct {
	// TenantName is whose sign-in page this is. AppName is where the person is going; empty for the auth host itself.
	TenantName, AppName string
	// Providers in the order to show them.
	Providers []Provider
}

// Provider is a way to sign in.
type Provider struct {
	// Name is for people. URL stays on this host.
	Name, URL string
}

// HTML is the complete document.
func (c Chooser) HTML() []byte { return render("chooser", c) }

// SignOut asks before it does: no GET changes anything.
type SignOut struct {
	TenantName string
	// AppName is the app of this host; empty on the auth host, where only everything can be ended.
	AppName string
	// Principal is who is signed in; empty if nobody is.
	Principal string
}

// HTML is the complete document.
func (s SignOut) HTML() []byte { return render("sign-out", s) }

// SignedOut says what has ended, and where.
type SignedOut struct {
	TenantName, AppName string
	// Everything: of all apps, not of this one only.
	Everything bool
	// Everywhere: the control plane answered that no edge lets the session in any more. Never set it on a hope.
	Everywhere bool
	// Nobody was signed in: there was nothing to end.
	Nobody bool
	// Continue is where to sign in with another account; empty if nobody asked for that.
	Continue string
}

// HTML is the complete document.
func (s SignedOut) HTML() []byte { return render("signed-out", s) }

// Me is who somebody is to us: on an app's host, and with Apps as the start page of the auth host.
type Me struct {
	TenantName, AppName string
	// SignedIn is false for the auth host's start page before signing in; SignIn then links to it.
	SignedIn bool
	SignIn   string
	// What the provider said.
	Name, Email   string
	EmailVerified bool
	ProviderName  string
	// Subject is the stable and opaque `user:…`.
	Subject string
	// Groups are ids of the tenant's own groups.
	Groups []string
	// SessionID is of this session, and of no other.
	SessionID                          string
	SignedInAt, LastSeenAt, ExpireTime time.Time
	Idle                               time.Duration
	// Launcher shows Apps: those that this person may open.
	Launcher bool
	Apps     []App
}

// App is one that may be opened.
type App struct{ Name, URL, Host string }

// HTML is the complete document.
func (m Me) HTML() []byte { return render("me", m) }
