// Package login signs people in and out: the flow between an app's host, the tenant's auth host and its identity
// provider, and the pages under /.sallyport/ that people see.
//
//	app host                     auth host                                identity provider
//	────────                     ─────────                                ─────────────────
//	AUTHENTICATE, STEP_UP
//	 cookie start-<f> = b
//	 start{where, f, H(b),
//	       need} ─────────────▶ /.sallyport/sign-in
//	                             live session that will do? ──┐
//	                             several providers: chooser    │
//	                             cookie oidc-<state> =         │
//	                              {H(state), nonce, verifier,  │
//	                               start} ─────────────────────┼────────▶ authorization endpoint
//	                             /.sallyport/oidc/callback ◀───┼──────── code, state, iss
//	                              code, verifier ──────────────┼────────▶ token endpoint
//	                              new Session, or the old ◀────┼──────── ID token
//	                              one raised; new cookie       │
//	                                                           ▼
//	/.sallyport/callback ◀────── code = handoff{start, session, jti}
//	 cookie start-<f> = b?
//	 new host session
//	303 to where it began
//
// Invariants: a browser ends where it began, on a host of an app of that tenant, at a path that was canonical when it was
// sealed (there is no URL in any parameter, so no open redirect to find); every blob is sealed for one tenant, pool and
// step; a hand-off and a callback are good only in the browser that began (cookies), once, and for a short time; nothing
// is stored for a stranger; nothing needs Redis. A step that fails says so on a page and stops: it never redirects on.
//
// A step-up is a sign-in with a need: how recent, of which class, by which methods. The same person's Session goes on and
// takes what comes back; somebody else's begins anew. What was asked for is kept with the Session, so that a provider
// that does not do it is asked once: the rules are decided on what it said, and then deny. Only the person asks again.
//
// What a provider says is believed only as far as it was checked: signature, issuer, audience, nonce, times, and types of
// claims. E-mail is an attribute, never a key. Codes, tokens and secrets appear in no log and on no page.
package login
