package lint

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	engine "github.com/sallyport-iap/sallyport/edge/policy"
	"github.com/sallyport-iap/sallyport/edge/policy/window"
)

// never says why the conditions of a rule hold for nobody any more, and which of them; empty if they may.
func never(r *engine.Rule, now time.Time) (why, field string) {
	c := &r.Conditions
	machines := len(r.Principals) > 0 && !slices.ContainsFunc(r.Principals, func(p string) bool {
		return p != "serviceAccounts" && !strings.HasPrefix(p, "serviceAccount:")
	})
	switch {
	case !c.NotAfter.IsZero() && !c.NotAfter.After(now):
		return "it ended at " + c.NotAfter.UTC().Format(time.RFC3339), "conditions.not_after"
	case !c.NotAfter.IsZero() && !c.NotBefore.IsZero() && !c.NotAfter.After(c.NotBefore):
		return "it ends before it begins", "conditions.not_after"
	case !c.NotAfter.IsZero() && c.TimeWindows != nil && !opens(c, now):
		return "no time window opens before it ends", "conditions.time_windows"
	case machines && c.MaxAuthAge > 0:
		return "service accounts do not sign in, so none satisfies it", "conditions.max_auth_age"
	case machines && c.RequiredACR != nil:
		return "service accounts do not sign in, so none satisfies it", "conditions.required_acr"
	case machines && c.RequiredAMR != nil:
		return "service accounts do not sign in, so none satisfies it", "conditions.required_amr"
	case machines && c.IDPs != nil:
		return "service accounts do not sign in, so none satisfies it", "conditions.idps"
	case c.IDPs != nil && elsewhere(r.Principals, c.IDPs):
		return "its principals are of other identity providers", "conditions.idps"
	}
	return "", ""
}

// opens reports whether a time window is open at some time that is still to come and before the end.
func opens(c *engine.Conditions, now time.Time) bool {
	windows, problems := window.Parse(c.TimeWindows)
	if len(problems) > 0 {
		return true // it was refused, or a newer version understands it
	}
	from := now
	if c.NotBefore.After(from) {
		from = c.NotBefore
	}
	if windows.Contains(from) {
		return true
	}
	next := windows.Next(from)
	return !next.IsZero() && next.Before(c.NotAfter)
}

// elsewhere reports whether all principals are of providers that are not among some.
func elsewhere(principals, providers []string) bool {
	return !slices.ContainsFunc(principals, func(p string) bool {
		id, ok := strings.CutPrefix(p, "idp:")
		return !ok || slices.Contains(providers, id)
	})
}

// bare rules have a scope and nothing else.
func bare(r *engine.Rule) bool {
	c := &r.Conditions
	return r.Expression == "" && c.SourceCIDRs == nil && c.Countries == nil && c.TimeWindows == nil && c.NotBefore.IsZero() && c.NotAfter.IsZero() &&
		c.Device == nil && c.MaxAuthAge == 0 && c.RequiredACR == nil && c.RequiredAMR == nil && c.IDPs == nil && c.MembersOf == nil
}

// covers reports whether whoever is among the few is surely among the many.
func covers(many, few []string) bool {
	return !slices.ContainsFunc(few, func(p string) bool { return !among(many, p) })
}

func among(many []string, p string) bool {
	kind, _, _ := strings.Cut(p, ":")
	person := slices.Contains([]string{"people", "user", "domain", "idp"}, kind)
	machine := slices.Contains([]string{"serviceAccounts", "serviceAccount"}, kind)
	group := kind == "group" || kind == "authenticated"
	return slices.Contains(many, p) || slices.Contains(many, "anyone") ||
		(person || machine || group) && slices.Contains(many, "authenticated") ||
		person && slices.Contains(many, "people") || machine && slices.Contains(many, "serviceAccounts")
}

// apart reports whether two lists of networks have no address in common.
func apart(a, b []string) bool {
	for _, x := range a {
		for _, y := range b {
			p, err := netip.ParsePrefix(x)
			q, other := netip.ParsePrefix(y)
			if err != nil || other != nil || unmapped(p).Overlaps(unmapped(q)) {
				return false
			}
		}
	}
	return len(a) > 0 && len(b) > 0
}

// unmapped is the IPv4 network that one of IPv6 maps, as the evaluator reads it.
func unmapped(p netip.Prefix) netip.Prefix {
	if a := p.Addr(); a.Is4In6() && p.Bits() >= 96 {
		return netip.PrefixFrom(a.Unmap(), p.Bits()-96)
	}
	return p
}
