package cli

import (
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	sallyportv1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
)

// says is what a line of a table tells of a resource besides its id: what people look for in a list, and no more. A nil is
// of a kind that nobody has thought about; TestEveryKindHasATable wants none.
func says(r proto.Message, now time.Time) []cell {
	switch r := r.(type) {
	case *sallyportv1.Tenant:
		return []cell{prose("NAME", r.GetDisplayName()), words("SIGN-IN HOST", r.GetAuthHost()), disabled(r)}
	case *sallyportv1.IdentityProvider:
		return []cell{prose("NAME", r.GetDisplayName()), words("ISSUER", r.GetIssuer()), words("E-MAIL DOMAINS", r.GetEmailDomains()...), disabled(r)}
	case *sallyportv1.App:
		return []cell{prose("NAME", r.GetDisplayName()), words("HOSTS", r.GetHosts()...), words("UPSTREAMS", upstreams(r)...), disabled(r)}
	case *sallyportv1.Role:
		return []cell{prose("NAME", r.GetDisplayName()), words("ACCESS", enums(r.GetAccess())...), words("OPERATIONS", r.GetOperations()...)}
	case *sallyportv1.Group:
		return []cell{prose("NAME", r.GetDisplayName()), words("MEMBERS", members(r)...)}
	case *sallyportv1.Policy:
		return []cell{prose("NAME", r.GetDisplayName()), words("APPS", reaches(r)...), words("RULES", rules(r)...), whole("MODE", mode(r))}
	case *sallyportv1.Grant:
		return []cell{
			prose("NAME", r.GetDisplayName()), words("APP", r.GetApp()), words("TO", r.GetPrincipals()...),
			words("FOR", append(slices.Clone(r.GetRoles()), r.GetOperations()...)...), when("FROM", r.GetNotBefore(), now), when("UNTIL", r.GetNotAfter(), now),
		}
	case *sallyportv1.PolicyTest:
		return []cell{prose("NAME", r.GetDisplayName()), words("WHO", testPrincipal(r)), words("ASKS FOR", testRequest(r)), whole("EXPECTED", enum(r.GetExpect().GetOutcome()))}
	case *sallyportv1.ServiceAccount:
		return []cell{prose("NAME", r.GetDisplayName()), prose("DESCRIPTION", r.GetDescription()), disabled(r)}
	case *sallyportv1.ServiceAccountToken:
		return []cell{when("MADE", r.GetCreateTime(), now), when("EXPIRES", r.GetExpireTime(), now), when("REVOKED", r.GetRevokeTime(), now)}
	case *sallyportv1.Member:
		return []cell{prose("NAME", r.GetDisplayName()), words("E-MAIL", r.GetEmail()), whole("ROLE", enum(r.GetRole())), words("APPS WITH", labels(r.GetAppLabels())...)}
	case *sallyportv1.ApiToken:
		return []cell{prose("NAME", r.GetDisplayName()), words("MEMBER", r.GetMember()[strings.LastIndex(r.GetMember(), "/")+1:]), whole("ROLE", enum(r.GetRole())), when("EXPIRES", r.GetExpireTime(), now)}
	case *sallyportv1.Session:
		return []cell{
			words("WHO", either(r.GetEmail(), r.GetPrincipal())), words("PROVIDER", r.GetIdentityProvider()), words("FROM", r.GetBeginIp()),
			when("BEGAN", r.GetBeginTime(), now), when("SEEN", r.GetSeenTime(), now), words("ENDED", strings.ReplaceAll(r.GetEndReason(), "_", " ")),
		}
	case *sallyportv1.Revocation:
		return []cell{words("SUBJECT", r.GetSubject()), prose("REASON", r.GetReason()), when("MADE", r.GetCreateTime(), now)}
	case *sallyportv1.EdgePool:
		return []cell{
			prose("NAME", r.GetDisplayName()), words("TENANTS", r.GetTenants()...), words("SIGN-IN", flag(r.GetLogin(), "yes")),
			words("PRIVATE UPSTREAMS", r.GetAllowedUpstreamCidrs()...), words("TRUSTED PROXIES", r.GetTrustedProxyCidrs()...),
		}
	case *sallyportv1.Edge:
		return []cell{
			prose("NAME", r.GetDisplayName()), whole("STATE", edgeState(r)), when("SEEN", r.GetStatus().GetSeenTime(), now),
			words("VERSION", r.GetStatus().GetVersion()),
		}
	default:
		return nil
	}
}

func disabled(r interface{ GetDisabled() bool }) cell {
	return whole("STATE", flag(r.GetDisabled(), "disabled"))
}

func flag(is bool, word string) string {
	if is {
		return word
	}
	return ""
}

func either(first, second string) string {
	if first != "" {
		return first
	}
	return second
}

func edgeState(e *sallyportv1.Edge) string {
	switch {
	case e.GetDisabled():
		return "disabled"
	case e.GetStatus().GetConnected():
		return "connected"
	case e.GetStatus().GetDeparted():
		return "stopped"
	case e.GetStatus().GetSeenTime() == nil:
		return "never seen"
	default:
		return "silent"
	}
}

// upstreams are where requests go, each once.
func upstreams(a *sallyportv1.App) []string {
	var urls []string
	for _, route := range a.GetRoutes() {
		for _, upstream := range route.GetUpstreams() {
			if !slices.Contains(urls, upstream.GetUrl()) {
				urls = append(urls, upstream.GetUrl())
			}
		}
	}
	return urls
}

// members are written as principals of a policy are.
func members(g *sallyportv1.Group) []string {
	var all []string
	for _, m := range g.GetMembers() {
		switch m := m.GetMember().(type) {
		case *sallyportv1.GroupMember_User:
			all = append(all, m.User)
		case *sallyportv1.GroupMember_Group:
			all = append(all, "group:"+m.Group)
		case *sallyportv1.GroupMember_ServiceAccount:
			all = append(all, "serviceAccount:"+m.ServiceAccount)
		case *sallyportv1.GroupMember_IdpGroup:
			all = append(all, m.IdpGroup.GetName()+" of "+m.IdpGroup.GetIdp())
		default:
			all = append(all, "?") // of a newer control plane
		}
	}
	return all
}

// reaches is the apps that a policy names, or the labels that a guard-rail selects by.
func reaches(p *sallyportv1.Policy) []string {
	all := slices.Clone(p.GetApps())
	for _, l := range p.GetSelector() {
		all = append(all, l.GetKey()+"="+strings.Join(l.GetValues(), "|"))
	}
	return all
}

// mode is said of those that decide nothing.
func mode(p *sallyportv1.Policy) string {
	return flag(p.GetMode() == sallyportv1.PolicyMode_POLICY_MODE_SHADOW, "shadow")
}

func testPrincipal(t *sallyportv1.PolicyTest) string {
	switch p := t.GetPrincipal().GetPrincipal().(type) {
	case *sallyportv1.TestPrincipal_User:
		return either(p.User.GetEmail(), "somebody of "+p.User.GetIdp())
	case *sallyportv1.TestPrincipal_ServiceAccount:
		return "serviceAccount:" + p.ServiceAccount
	default:
		return "anonymous"
	}
}

func testRequest(t *sallyportv1.PolicyTest) string {
	r := t.GetRequest()
	return either(r.GetMethod(), "GET") + " " + either(r.GetApp(), r.GetHost()) + either(r.GetPath(), "/")
}

func rules(p *sallyportv1.Policy) []string {
	var ids []string
	for _, r := range p.GetRules() {
		ids = append(ids, r.GetId())
	}
	return ids
}

func labels(of map[string]string) []string {
	var all []string
	for key, value := range of {
		all = append(all, key+"="+value)
	}
	return sorted(all)
}

// enum is a value without the prefix that all of its kind have.
func enum(v protoreflect.Enum) string {
	values := v.Descriptor().Values()
	value := values.ByNumber(v.Number())
	if value == nil {
		return "?" // of a newer control plane
	}
	return strings.TrimPrefix(string(value.Name()), strings.TrimSuffix(string(values.ByNumber(0).Name()), "UNSPECIFIED"))
}

func enums[E protoreflect.Enum](list []E) []string {
	var all []string
	for _, v := range list {
		all = append(all, enum(v))
	}
	return all
}
