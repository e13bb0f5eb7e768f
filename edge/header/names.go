package header

// Headers of ours. Everything that begins with "X-Sallyport" is reserved.
const (
	Assertion = "X-Sallyport-Assertion" // to the upstream: who this is, signed
	User      = "X-Sallyport-User"      // to the upstream, if the app asks
	Email     = "X-Sallyport-Email"     // to the upstream, if the app asks
	Groups    = "X-Sallyport-Groups"    // to the upstream, if the app asks
	Token     = "X-Sallyport-Token"     // from a machine: its credential
)

// Cookies of ours. Everything that begins with "__Host-sp" is reserved, as long
// as the next byte, if any, is no letter or digit.
const (
	Session     = "__Host-sp"
	StartPrefix = "__Host-sp-start-"
	OIDCPrefix  = "__Host-sp-oidc-"
)

// spoofable are names by which some upstream learns who or where a client is,
// or what it asked for, from the proxy in front of it. A final "*" stands for
// any rest. A new row needs no code, and is tested by being here.
var spoofable = [...]string{
	// Where from, and through what (RFC 7239 and before).
	"Forwarded", "X-Forwarded", "X-Forwarded-*", "X-Forwarder-For", "X-Original-Forwarded-For",
	"X-Real-IP", "X-Client-IP", "Client-IP", "X-Cluster-Client-IP", "X-ProxyUser-Ip", "X-Remote-*",
	"True-Client-IP", "Fastly-Client-IP", "Fly-Client-IP", "Proxy-Client-IP", "WL-Proxy-*",
	"X-Azure-ClientIP", "X-Azure-SocketIP", "X-Appengine-*", "X-Envoy-*", "CF-*", "X-Goog-*", "X-ARR-*",
	// What was asked for.
	"X-Original-*", "X-Rewrite-*", "X-Host", "X-HTTP-Host-Override", "X-Script-Name", "X-Url-Scheme", "Front-End-Https",
	"X-HTTP-Method", "X-HTTP-Method-Override", "X-Method-Override",
	// HTTP_PROXY in a CGI's environment (CVE-2016-5385).
	"Proxy",
	// Who.
	"Remote-*", "X-User", "X-User-Id", "X-User-Name", "X-User-Email", "X-User-Groups", "X-User-Roles", "X-Auth-Request-*", "X-Authenticated-*", "X-Authentik-*", "X-WebAuth-*", "X-Pomerium-*",
	"X-Amzn-Oidc-*", "X-Amzn-Mtls-*", "X-Ms-Client-Principal*", "X-Ms-Token-*", "X-Consumer-*", "X-Credential-*",
	"X-Token-Subject", "X-Vouch-*", "X-Auth-User", "X-Auth-Username", "X-Auth-Email", "X-Auth-Groups",
	"X-SSL-Client-*", "SSL-Client-*", "X-Client-Cert*", "Client-Cert", "Client-Cert-Chain",
}

// Reserved are the names that no request brings to an upstream, in any
// spelling: ours, and those that only a proxy may say. A final "*" stands for
// any rest.
func Reserved() []string {
	return append([]string{"X-Sallyport*", Assertion, User, Email, Groups, Token}, spoofable[:]...)
}

// hopByHop end with this connection (RFC 9110 section 7.6.1), whether or not
// Connection names them. Trailer and TE are among them: ours says what follows.
var hopByHop = [...]string{
	"Connection", "Proxy-Connection", "Keep-Alive", "TE", "Trailer", "Transfer-Encoding", "Upgrade",
	"HTTP2-Settings", "Proxy-Authenticate", "Proxy-Authorization",
}

// notInTrailers are fields that change framing, routing, identity or meaning of
// a message that was already acted on (RFC 9110 section 6.5.1).
var notInTrailers = [...]string{
	"Content-Length", "Host", "Authorization", "Cookie", "Set-Cookie", "Content-Encoding", "Content-Type", "Content-Range",
	"Cache-Control", "Expires", "Age", "Date", "Location", "Vary", "Expect", "Max-Forwards", "Range", "Pragma",
	"WWW-Authenticate", "Alt-Svc", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range",
}

// everyday are the names that make up nearly all headers, spelled canonically.
// They are nobody's identity and pass without a closer look, which is most of
// the time that stripping takes. Authorization and Cookie are looked at apart.
var everyday = map[string]bool{
	"Accept": true, "Accept-Encoding": true, "Accept-Language": true, "Authorization": true, "Cache-Control": true,
	"Content-Length": true, "Content-Type": true, "Cookie": true, "Dnt": true, "If-Modified-Since": true, "If-None-Match": true,
	"Origin": true, "Pragma": true, "Priority": true, "Range": true, "Referer": true, "Sec-Ch-Ua": true, "Sec-Ch-Ua-Mobile": true,
	"Sec-Ch-Ua-Platform": true, "Sec-Fetch-Dest": true, "Sec-Fetch-Mode": true, "Sec-Fetch-Site": true, "Sec-Fetch-User": true,
	"Traceparent": true, "Tracestate": true, "Upgrade-Insecure-Requests": true, "User-Agent": true, "X-Request-Id": true,
	"X-Requested-With": true,
}
