package edge

import (
	"fmt"
	"net/http"

	"github.com/sallyport-iap/sallyport/edge/exchange"
	"github.com/sallyport-iap/sallyport/edge/page"
	"github.com/sallyport-iap/sallyport/edge/policy"
)

func title(d *exchange.Denial) string {
	if info, ok := d.Reason.Info(); ok {
		return info.Title
	}
	return http.StatusText(d.StatusCode())
}

// detail is a sentence for who is known: what they asked for, and that they may not.
func (x *transaction) detail(d *exchange.Denial) string {
	switch {
	case d.Detail != "":
		return d.Detail
	case d.Outcome == exchange.StepsUp && x.App != nil:
		return fmt.Sprintf("%s has to sign in again to use the operation %q of the app %q.", x.who(), x.operation, x.App.ID)
	case d.Outcome != exchange.Denied || x.App == nil:
		return ""
	case x.operation == "":
		return fmt.Sprintf("%s asked for something that is no operation of the app %q.", x.who(), x.App.ID)
	default:
		return fmt.Sprintf("%s may not use the operation %q of the app %q.", x.who(), x.operation, x.App.ID)
	}
}

// lead is detail on a page, whose reader knows who they are, and whose title says the rest.
func (x *transaction) lead(d *exchange.Denial) string {
	switch {
	case d.Detail != "" || x.App == nil:
		return d.Detail
	case d.Reason == policy.DenyNoOperation:
		return name(x.App.DisplayName, x.App.ID) + " offers this to nobody, so it is not about your account."
	case d.Reason == policy.DenyRule:
		return fmt.Sprintf("The operation %q of %s is forbidden to your account, even where another rule allows it.", x.operation, name(x.App.DisplayName, x.App.ID))
	case d.Reason == policy.DenyNoRule:
		return fmt.Sprintf("It needs the permission %q on %s, which your account does not have.", x.operation, name(x.App.DisplayName, x.App.ID))
	default:
		return x.seen(d.Reason)
	}
}

// seen says what a condition saw of a person who does not meet it: what is theirs anyway, and never what would be accepted.
func (x *transaction) seen(reason policy.Reason) string {
	switch reason {
	case policy.RequireNetwork:
		if x.ClientIP.IsValid() {
			return "You come from the address " + x.ClientIP.String() + "."
		}
		return "The address that you come from is unknown."
	case policy.RequireCountry:
		if x.Country != "" {
			return "The address that you come from, " + x.ClientIP.String() + ", is in " + x.Country + "."
		}
		return "In which country you are is unknown."
	case policy.RequireTime:
		return "It is " + x.Now.UTC().Format("15:04 UTC on Monday, 2 January 2006") + "."
	case policy.RequireIDP:
		return "You signed in with " + x.provider() + "."
	case policy.StepUpAuthAge:
		if at := x.caller.Identity.AuthTime; !at.IsZero() {
			return "You signed in " + page.Plain(x.Now.Sub(at)) + " ago."
		}
		return "When you signed in is unknown."
	case policy.StepUpUnsatisfied:
		if x.caller.Credential == exchange.CredentialSession {
			return "For this, " + x.provider() + " was asked to sign you in again, or in a stronger way, and did not."
		}
	}
	return ""
}

// provider is the one that the caller signed in with.
func (x *transaction) provider() string {
	if p := x.Site.Provider(x.caller.IDPUID); p != nil {
		return name(p.DisplayName, p.ID)
	}
	return "an identity provider that is not there any more"
}

func (x *transaction) who() string {
	c := x.caller
	switch {
	case c.Credential == exchange.CredentialServiceToken:
		return "The service account " + c.Identity.ServiceAccount
	case c.Email != "":
		return c.Email
	default:
		return name(c.Name, c.Subject)
	}
}

// remediation is what to do about it: what the rule's author wrote, else what follows from the reason. A permission helps
// nobody whom a rule forbids.
func (x *transaction) remediation(d *exchange.Denial) string {
	if d.Remediation != "" {
		return d.Remediation
	}
	if d.Reason == policy.DenyNoRule && x.caller != nil && x.Site != nil && x.App != nil && x.operation != "" {
		return fmt.Sprintf("Ask an administrator of %s for the permission %q on the app %q.", x.Site.TenantID, x.operation, x.App.ID)
	}
	info, _ := d.Reason.Info()
	return info.Remediation
}

func name(display, id string) string {
	if display != "" {
		return display
	}
	return id
}
