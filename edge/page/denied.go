package page

import (
	"strings"
	"time"
)

// Denied is an answer that refuses: 400, 401, 403, 404, 502, 503 and their kin.
type Denied struct {
	// Status is the HTTP status; it is also said on the page, small.
	Status int
	// Title is a few words; Detail and Remediation are sentences: what was missing, and what to do about it.
	Title, Detail, Remediation string
	// Reason is the stable code. DecisionID is what support looks the request up by.
	Reason, DecisionID string
	// TenantName and AppName are display names; a stranger is told the tenant's only.
	TenantName, AppName string
	// Operation is what was asked for; empty for a stranger.
	Operation string
	// Principal is the e-mail address or name of who is signed in; empty for a stranger.
	Principal string
	// SignIn is a link that begins to sign in; empty for none.
	SignIn string
	// SignInAgain is a link that signs in again, for somebody who is signed in and has to do it another way; empty for none.
	SignInAgain string
	// OtherAccount is a link that signs in with another account, for somebody who is not signed in; empty for none.
	OtherAccount string
	// SwitchAccount and SignOut offer the forms of /.sallyport/sign-out.
	SwitchAccount, SignOut bool
	// ReturnPath is where another account comes back to: path and query of this request.
	ReturnPath string
	// StartAgain is a link to where this began; empty for none.
	StartAgain string
	// RetryAfter is said in words; zero says nothing.
	RetryAfter time.Duration
}

// HTML is the complete document.
func (d Denied) HTML() []byte {
	d.Title = strings.TrimSuffix(d.Title, ".") // a heading, although reasons are sentences
	d.Detail, d.Remediation = sentence(d.Detail), sentence(d.Remediation)
	return render("denied", d)
}
