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
	ask         = "Ask an administrator for access, and give the decision id."
	signInAgain = "Sign in again."
	report      = "Report the request id to whoever makes the program that sent this."
	tryLater    = "Try again in a moment. If it lasts, tell an administrator the decision id."
	owner       = "Tell the owner of the app, and give the decision id."
	nothing     = "Nothing needs to be done."
)

var reasons = [...]entry{
	{AllowRule, Info{0, "A rule allows this.", nothing}},
	{AllowPublic, Info{0, "This is open to anyone.", nothing}},
	{AllowGrant, Info{0, "A grant, for a limited time, allows this.", nothing}},

	{DenyRule, Info{403, "A rule refuses this.", ask}},
	{DenyNoRule, Info{403, "You may not do this here.", ask}},
	{DenyNoOperation, Info{403, "The app has nothing that is done this way at this address.", "Check the address and the method."}},
	{DenyNoPolicy, Info{403, "Nobody has been given access to this app yet.", owner}},
	{DenyAppDisabled, Info{403, "This app is switched off.", owner}},
	{DenyAppClosed, Info{403, "This app is closed, because a rule of it is not understood here.", owner}},

	{RequireNetwork, Info{403, "This is not allowed from your network.", "Use a network that is allowed, such as the office or the VPN."}},
	{RequireCountry, Info{403, "This is not allowed from where you are.", ask}},
	{RequireTime, Info{403, "This is not allowed at this time.", "Come back when it is allowed, or ask an administrator."}},
	{RequireDevice, Info{403, "This is not allowed from this device.", "Use a device that your organisation manages, or bring this one up to date."}},
	{RequireIDP, Info{403, "This is not allowed with the account that you signed in with.", "Sign out, and sign in with another identity provider."}},
	{RequireGroup, Info{403, "This is only for members of a group that you are not in.", "Ask an administrator to be added, and give the decision id."}},
	{RequireExpression, Info{403, "A condition of this app is not met.", ask}},
	{RequireUnknown, Info{403, "Something that must be known to allow this could not be told.", "Sign out and in again. If that does not help, tell an administrator the decision id."}},

	{StepUpAuthAge, Info{401, "You signed in too long ago for this.", signInAgain}},
	{StepUpACR, Info{401, "This needs a stronger way of signing in.", "Sign in again, with the stronger way."}},
	{StepUpAMR, Info{401, "This needs another way of signing in.", "Sign in again, with the other way."}},
	{StepUpUnsatisfied, Info{403, "You signed in again, but not in the way that this needs.", ask}},

	{IdentityNone, Info{401, "You need to sign in.", "Sign in, or send a token."}},
	{IdentityExpired, Info{401, "Your session or token has expired.", signInAgain}},
	{IdentityRevoked, Info{401, "Your session or token was ended.", signInAgain}},
	{IdentityBadToken, Info{401, "The token is not valid.", "Send a valid token."}},
	{IdentityWrongAudience, Info{401, "The token is for another app.", "Get a token for this app."}},
	{IdentityDisabled, Info{401, "The account is disabled.", "Ask an administrator to enable it."}},
	{IdentityDomainNotAllowed, Info{403, "Accounts of this e-mail domain may not sign in here.", "Sign in with another account."}},
	{IdentityEmailUnverified, Info{403, "The identity provider has not verified your e-mail address.", "Verify it there, and sign in again."}},

	{RequestMalformedTarget, Info{400, "The request target is malformed.", report}},
	{RequestMalformedHeader, Info{400, "A header of the request is malformed.", report}},
	{RequestMalformedConnection, Info{400, "The Connection header names what it may not.", report}},
	{RequestMalformedFraming, Info{400, "The length of the request cannot be told for sure.", report}},
	{RequestMalformedVersion, Info{505, "Only HTTP/1.1 and HTTP/2 are spoken here.", "Use HTTP/1.1 or HTTP/2."}},
	{RequestAmbiguousPath, Info{400, "The address can be read in more than one way.", "Correct the address: no dot segments, no double slashes, no encoded slashes or semicolons."}},
	{RequestBadHost, Info{400, "The host name of the request is malformed.", "Check the address."}},
	{RequestTwoCredentials, Info{400, "The request has more than one credential.", "Send one. In a browser, delete the cookies of this site and sign in again."}},
	{RequestTooLarge, Info{413, "The request is too large.", "Send less. In a browser, delete the cookies of this site."}},
	{RequestMethod, Info{405, "The method is not allowed.", "Use another method."}},
	{RequestUpgrade, Info{400, "This change of protocol is not allowed here.", "Use HTTP, or a WebSocket where the app allows it."}},

	{RouteMisdirected, Info{421, "This host is not served on this connection.", "Open a new connection for this host."}},
	{RouteNone, Info{404, "There is nothing at this address.", "Check the address."}},

	{UnavailablePolicyTooOld, Info{503, "The rules here are too old to be relied on.", tryLater}},
	{UnavailableNoPolicy, Info{503, "The rules have not arrived here yet.", tryLater}},
	{UnavailableSessionStore, Info{503, "Sessions cannot be looked up right now. You are still signed in.", tryLater}},
	{UnavailableIDP, Info{503, "The identity provider cannot be reached.", tryLater}},
	{UnavailableAuditFull, Info{503, "Requests cannot be recorded right now, and this app wants every one recorded.", tryLater}},
	{UnavailableKey, Info{503, "A key that is needed has not arrived here yet.", tryLater}},
	{UnavailableOverload, Info{503, "There is too much to do right now.", tryLater}},
	{UnavailableInternal, Info{503, "Something went wrong here.", tryLater}},

	{UpstreamUnreachable, Info{502, "The app cannot be reached.", tryLater}},
	{UpstreamTimeout, Info{504, "The app did not answer in time.", tryLater}},
	{UpstreamBadResponse, Info{502, "The app gave an answer that is not valid.", owner}},
	{UpstreamTLS, Info{502, "The app's certificate is not valid.", owner}},
	{UpstreamForbiddenAddress, Info{502, "The app is at an address that is not allowed.", owner}},

	{CutRevoked, Info{401, "The connection was closed, because the session was ended.", signInAgain}},
	{CutExpired, Info{401, "The connection was closed, because the session expired.", signInAgain}},
	{CutPolicy, Info{403, "The connection was closed, because the rules no longer allow it.", ask}},
	{CutDrain, Info{503, "The connection was closed, because this server is going away.", "Connect again."}},
}
