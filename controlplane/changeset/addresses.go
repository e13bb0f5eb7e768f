package changeset

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/address"
)

// addresses refuses upstreams and issuers that spell out an address which no pool of the tenant opens. Names are left to
// the edges, which look at what they resolve to whenever they dial. What was there before is not asked about again: a pool
// that closes a network must not make its tenants' apps unwritable.
func (r *run) addresses() error {
	for _, c := range r.changes {
		if spec := specOf[*controlplane.App](c.after); spec != nil {
			old := upstreams(specOf[*controlplane.App](c.before))
			for field, text := range upstreamFields(spec) {
				if !slices.Contains(old, text) {
					r.checkAddress(join(c.at, field), text, r.outside.opened)
				}
			}
		}
		if spec := specOf[*controlplane.IdentityProvider](c.after); spec != nil {
			if old := specOf[*controlplane.IdentityProvider](c.before); old == nil || old.Issuer != spec.Issuer {
				r.checkAddress(join(c.at, "issuer"), spec.Issuer, r.outside.signIn)
			}
		}
	}
	slices.SortFunc(r.violations, func(a, b controlplane.Violation) int { return strings.Compare(a.Field, b.Field) })
	return nil
}

func upstreamFields(app *controlplane.App) map[string]string {
	urls := map[string]string{}
	for i, route := range app.Routes {
		for j, upstream := range route.Upstreams {
			urls[fmt.Sprintf("routes[%d].upstreams[%d].url", i, j)] = upstream.URL
		}
	}
	return urls
}

func upstreams(app *controlplane.App) []string {
	if app == nil {
		return nil
	}
	var urls []string
	for _, text := range upstreamFields(app) {
		urls = append(urls, text)
	}
	return urls
}

func (r *run) checkAddress(field, text string, opened []netip.Prefix) {
	u, err := url.Parse(text)
	if err != nil {
		return // the noun's check has refused it
	}
	literal := address.Literal(u.Hostname())
	// A name such as localhost has several addresses; one that may be dialled is enough, as the edge tries them all.
	if len(literal) == 0 || slices.ContainsFunc(literal, func(a netip.Addr) bool { return address.Allowed(a, opened) }) {
		return
	}
	r.refuse(field, controlplane.ReasonAddressForbidden,
		fmt.Sprintf("%s is not a public address, and no edge pool of this tenant opens its network (allowed_upstream_cidrs)", u.Hostname()))
}
