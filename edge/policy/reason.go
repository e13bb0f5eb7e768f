package policy

import "slices"

// Reason is a stable code for why a request was answered as it was, whichever
// stage answered. The list is closed and part of the API: adding a code is a
// minor change, renaming or reusing one never happens.
type Reason string

// Info says a reason in words.
type Info struct {
	Status      int    // HTTP; 0 where the answer is the upstream's
	Title       string // a sentence for anybody, strangers included
	Remediation string // what to do about it
}

// The list, by the stage that answers.
const (
	AllowRule   Reason = "allow.rule"
	AllowPublic Reason = "allow.public"
	AllowGrant  Reason = "allow.grant"

	DenyRule        Reason = "deny.rule"
	DenyNoRule      Reason = "deny.no_rule"
	DenyNoOperation Reason = "deny.no_operation"
	DenyNoPolicy    Reason = "deny.no_policy"
	DenyAppDisabled Reason = "deny.app_disabled"
	DenyAppClosed   Reason = "deny.app_closed"

	RequireNetwork    Reason = "require.network"
	RequireCountry    Reason = "require.country"
	RequireTime       Reason = "require.time"
	RequireDevice     Reason = "require.device"
	RequireIDP        Reason = "require.idp"
	RequireGroup      Reason = "require.group"
	RequireExpression Reason = "require.expression"
	RequireUnknown    Reason = "require.unknown"

	StepUpAuthAge     Reason = "step_up.auth_age"
	StepUpACR         Reason = "step_up.acr"
	StepUpAMR         Reason = "step_up.amr"
	StepUpUnsatisfied Reason = "step_up.unsatisfied"

	IdentityNone             Reason = "identity.none"
	IdentityExpired          Reason = "identity.expired"
	IdentityRevoked          Reason = "identity.revoked"
	IdentityBadToken         Reason = "identity.bad_token"
	IdentityWrongAudience    Reason = "identity.wrong_audience"
	IdentityDisabled         Reason = "identity.disabled"
	IdentityDomainNotAllowed Reason = "identity.domain_not_allowed"
	IdentityEmailUnverified  Reason = "identity.email_unverified"

	RequestMalformedTarget     Reason = "request.malformed.target"
	RequestMalformedHeader     Reason = "request.malformed.header"
	RequestMalformedConnection Reason = "request.malformed.connection"
	RequestMalformedFraming    Reason = "request.malformed.framing"
	RequestMalformedVersion    Reason = "request.malformed.version"
	RequestAmbiguousPath       Reason = "request.ambiguous_path"
	RequestBadHost             Reason = "request.bad_host"
	RequestTwoCredentials      Reason = "request.two_credentials"
	RequestTooLarge            Reason = "request.too_large"
	RequestMethod              Reason = "request.method"
	RequestUpgrade             Reason = "request.upgrade"

	RouteMisdirected Reason = "route.misdirected"
	RouteNone        Reason = "route.none"

	UnavailablePolicyTooOld  Reason = "unavailable.policy_too_old"
	UnavailableNoPolicy      Reason = "unavailable.no_policy"
	UnavailableSessionStore  Reason = "unavailable.session_store"
	UnavailableIDP           Reason = "unavailable.idp"
	UnavailableAuditFull     Reason = "unavailable.audit_full"
	UnavailableKey           Reason = "unavailable.key"
	UnavailableOverload      Reason = "unavailable.overload"
	UnavailableInternal      Reason = "unavailable.internal"
	UpstreamUnreachable      Reason = "upstream.unreachable"
	UpstreamTimeout          Reason = "upstream.timeout"
	UpstreamBadResponse      Reason = "upstream.bad_response"
	UpstreamTLS              Reason = "upstream.tls"
	UpstreamForbiddenAddress Reason = "upstream.forbidden_address"

	CutRevoked Reason = "cut.revoked"
	CutExpired Reason = "cut.expired"
	CutPolicy  Reason = "cut.policy"
	CutDrain   Reason = "cut.drain"
)

// Info returns what is said about a reason, and whether there is such a reason.
func (r Reason) Info() (Info, bool) {
	i := slices.IndexFunc(reasons[:], func(e entry) bool { return e.Reason == r })
	if i < 0 {
		return Info{}, false
	}
	return reasons[i].Info, true
}

// Reasons returns the closed list, in its documented order.
func Reasons() []Reason {
	list := make([]Reason, len(reasons))
	for i, e := range reasons {
		list[i] = e.Reason
	}
	return list
}

type entry struct {
	Reason
	Info
}

const (
	ask         = "Ask an administrator for access, and tell them the decision id."
	signInAgain = "Sign in again. A program needs a new token."
	report      = "Tell whoever makes the program that sent this, and give them the decision id."
	tryLater    = "Try again in a moment. If it lasts, tell an administrator the decision id."
	owner       = "Tell the owner of the app, and give them the decision id."
	nothing     = "Nothing needs to be done."
)

var reasons = [...]entry{
	{AllowRule, Info{0, "A rule allows this.", nothing}},
	{AllowPublic, Info{0, "This is open to anyone.", nothing}},
	{AllowGrant, Info{0, "A grant allows this, for a limited time.", nothing}},

	{DenyRule, Info{403, "A rule forbids this.", ask}},
	{DenyNoRule, Info{403, "You may not do this here.", ask}},
	{DenyNoOperation, Info{403, "This app has no such page or action.", "Check the address. In a program, check the method as well."}},
	{DenyNoPolicy, Info{403, "Nobody has been given access to this app yet.", "Ask the owner of the app for access."}},
	{DenyAppDisabled, Info{403, "This app is switched off.", "Ask the owner of the app when it will be back."}},
	{DenyAppClosed, Info{403, "This app is closed until its access rules are put right.", owner}},

	{RequireNetwork, Info{403, "This is not allowed from your network.", "Use a network that is allowed, such as the office or the VPN."}},
	{RequireCountry, Info{403, "This is not allowed from the country you are in.", ask}},
	{RequireTime, Info{403, "This is not allowed at this time.", "Try again when it is, or ask an administrator for access."}},
	{RequireDevice, Info{403, "This is not allowed from this device.", "Use a device that your organisation manages, or bring this one up to date."}},
	{RequireIDP, Info{403, "This is not allowed with the way you signed in.", "Sign out, and sign in another way: with the account of your organisation, for example."}},
	{RequireGroup, Info{403, "This is only for members of a group that you are not in.", "Ask an administrator to add you, and tell them the decision id."}},
	{RequireExpression, Info{403, "A condition of this app is not met.", ask}},
	{RequireUnknown, Info{403, "Something that this depends on could not be checked.", "Sign out and in again, or come from another network. If that does not help, tell an administrator the decision id."}},

	{StepUpAuthAge, Info{401, "You signed in too long ago for this.", signInAgain}},
	{StepUpACR, Info{401, "This needs a stronger way of signing in.", "Sign in again, with a second factor such as a security key."}},
	{StepUpAMR, Info{401, "This needs another way of signing in.", "Sign in again, the way you are asked to."}},
	{StepUpUnsatisfied, Info{403, "You signed in again, but not the way this needs.", "Sign in the way you are asked to. If you cannot, tell an administrator the decision id."}},

	{IdentityNone, Info{401, "You need to sign in.", "Sign in, or send a token."}},
	{IdentityExpired, Info{401, "Your session or token has expired.", signInAgain}},
	{IdentityRevoked, Info{401, "You were signed out, or your token was revoked.", signInAgain}},
	{IdentityBadToken, Info{401, "The token is not valid.", "Check that all of it was sent, or get a new one."}},
	{IdentityWrongAudience, Info{401, "The token is for another app.", "Get a token for this app."}},
	{IdentityDisabled, Info{401, "Your account is disabled.", "Ask an administrator to enable it."}},
	{IdentityDomainNotAllowed, Info{403, "Accounts of this e-mail domain may not sign in here.", "Sign in with another account."}},
	{IdentityEmailUnverified, Info{403, "The identity provider has not verified your e-mail address.", "Verify it there, and sign in again."}},

	{RequestMalformedTarget, Info{400, "The address of the request is malformed.", report}},
	{RequestMalformedHeader, Info{400, "A header of the request is malformed.", report}},
	{RequestMalformedConnection, Info{400, "The Connection header of the request names what it may not.", report}},
	{RequestMalformedFraming, Info{400, "It cannot be told for sure where the request ends.", report}},
	{RequestMalformedVersion, Info{505, "Only HTTP/1.1 and HTTP/2 are spoken here.", "Use HTTP/1.1 or HTTP/2."}},
	{RequestAmbiguousPath, Info{400, "The address can be read in more than one way.", "Correct the address: it may have no //, no /./ or /../, no ; and no encoded slash (%2F)."}},
	{RequestBadHost, Info{400, "The host name of the request is malformed.", "Check the address."}},
	{RequestTwoCredentials, Info{400, "The request has more than one credential.", "Send one. In a browser, delete the cookies of this site and sign in again."}},
	{RequestTooLarge, Info{413, "The request is too large.", "Send less. In a browser, deleting the cookies of this site may help."}},
	{RequestMethod, Info{405, "This method is not allowed.", "Use GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS."}},
	{RequestUpgrade, Info{400, "This change of protocol is not allowed here.", "Use HTTP, or a WebSocket where the app allows it."}},

	{RouteMisdirected, Info{421, "This host is not served on this connection.", "Open a new connection for this host."}},
	{RouteNone, Info{404, "There is nothing at this address.", "Check the address."}},

	{UnavailablePolicyTooOld, Info{503, "The access rules here are too old to be relied on.", tryLater}},
	{UnavailableNoPolicy, Info{503, "The access rules have not arrived here yet.", tryLater}},
	{UnavailableSessionStore, Info{503, "Sessions cannot be looked up right now. You are still signed in.", tryLater}},
	{UnavailableIDP, Info{503, "The identity provider cannot be reached.", tryLater}},
	{UnavailableAuditFull, Info{503, "Requests cannot be recorded right now, and this app must have each one recorded.", tryLater}},
	{UnavailableKey, Info{503, "A key that is needed has not arrived here yet.", tryLater}},
	{UnavailableOverload, Info{503, "This server has too much to do right now.", tryLater}},
	{UnavailableInternal, Info{503, "Something went wrong on this server.", tryLater}},

	{UpstreamUnreachable, Info{502, "The app cannot be reached.", tryLater}},
	{UpstreamTimeout, Info{504, "The app did not answer in time.", tryLater}},
	{UpstreamBadResponse, Info{502, "The app gave an answer that makes no sense.", owner}},
	{UpstreamTLS, Info{502, "The app could not be reached securely.", owner}},
	{UpstreamForbiddenAddress, Info{502, "The app is at an address that is not allowed.", owner}},

	{CutRevoked, Info{401, "The connection was closed, because you were signed out or the token was revoked.", signInAgain}},
	{CutExpired, Info{401, "The connection was closed, because the session or token expired.", signInAgain}},
	{CutPolicy, Info{403, "The connection was closed, because the access rules no longer allow it.", ask}},
	{CutDrain, Info{503, "The connection was closed, because this server is going away.", "Connect again."}},
}
