package access

import (
	"context"
	"fmt"
	"slices"

	"github.com/sallyport-iap/sallyport/controlplane/policy"
	engine "github.com/sallyport-iap/sallyport/edge/policy"
)

// Query is a page of a list.
type Query struct {
	Circumstances
	ShowUnknown bool // also what hangs on who it is
	After       string
	Limit       int
}

// How many a page looks at, whatever it lists.
const (
	maxPrincipals = 20_000
	maxOperations = 200_000
)

// Who is a page of those to whom an operation may be open.
type Who struct {
	Principals []PrincipalAccess
	Next       string // where the next page begins; empty if there is none
	Notes      []string
}

// PrincipalAccess is somebody, and what becomes of what they ask for.
type PrincipalAccess struct {
	Principal
	Access *Access
}

// WhoCan lists a page of those who may do something in an app. Seen is called if people are on the page.
func WhoCan(ctx context.Context, site *policy.Site, app *policy.App, operation string, seen func() ([]Seen, error), q Query) (*Who, error) {
	k := newKnown(site)
	l := &lister{site: site, app: app, operation: operation, query: &q, page: &Who{}, newcomers: map[string]*Access{}}
	done, err := l.look(ctx, k.classes())
	if err == nil && !done {
		var people []Seen
		if people, err = seen(); err == nil {
			_, err = l.look(ctx, k.people(people))
		}
	}
	if err != nil {
		return nil, err
	}
	l.note(k)
	return l.page, nil
}

type lister struct {
	site      *policy.Site
	app       *policy.App
	operation string
	query     *Query
	page      *Who
	newcomers map[string]*Access // by provider, of its class
	looked    int
	unknown   int // left out
}

// look goes on with the page; done: it is full.
func (l *lister) look(ctx context.Context, list []*Principal) (done bool, err error) {
	start, found := slices.BinarySearchFunc(list, l.query.After, func(p *Principal, after string) int {
		switch key := p.key(); {
		case key < after:
			return -1
		case key > after:
			return 1
		}
		return 0
	})
	if found {
		start++
	}
	for i, p := range list[start:] {
		if l.looked++; l.looked%1000 == 0 && ctx.Err() != nil {
			return false, ctx.Err()
		}
		l.judge(p)
		more := start+i+1 < len(list) || p.Kind != Person // people come after classes, if there are any
		if more && (len(l.page.Principals) == l.query.Limit || l.looked == maxPrincipals) {
			l.page.Next = p.key()
			return true, nil
		}
	}
	return false, nil
}

func (l *lister) judge(p *Principal) {
	r := l.query.request(l.app, l.operation)
	r.Principal = l.site.Program.Resolve(p.identity)
	a := judge(l.site, l.app.ID, &r)
	if p.Kind == IdentityProvider {
		l.newcomers[p.Provider] = a
	}
	switch {
	case a == nil:
		return
	case a.Outlook == Unknown && !l.query.ShowUnknown:
		l.unknown++
		return
	case (p.Kind == Domain || p.Kind == ClaimGroup) && a.like(l.newcomer(p.Provider)):
		return // it is open to all of the provider's people as it is to these
	}
	p.Groups = r.Principal.Groups()
	l.page.Principals = append(l.page.Principals, PrincipalAccess{*p, a})
}

// newcomer is what the class of a provider comes to.
func (l *lister) newcomer(provider string) *Access {
	a, ok := l.newcomers[provider]
	if !ok {
		r := l.query.request(l.app, l.operation)
		r.Principal = l.site.Program.Resolve(newcomer(provider))
		a = judge(l.site, l.app.ID, &r)
		l.newcomers[provider] = a
	}
	return a
}

// like reports whether two come to the same by the same rules.
func (a *Access) like(b *Access) bool {
	return b != nil && a.Outlook == b.Outlook && a.MoreRules == b.MoreRules && slices.EqualFunc(a.Rules, b.Rules, func(x, y Rule) bool {
		return x.Policy == y.Policy && x.Rule == y.Rule && x.Grant == y.Grant && slices.Equal(x.Conditions, y.Conditions)
	})
}

func (l *lister) note(k *known) {
	note := func(format string, args ...any) { l.page.Notes = append(l.page.Notes, fmt.Sprintf(format, args...)) }
	r := l.query.request(l.app, l.operation)
	switch d := l.site.Program.Decide(l.app.ID, &r); d.Reason {
	case engine.DenyAppDisabled, engine.DenyAppClosed, engine.DenyNoPolicy:
		info, _ := d.Reason.Info()
		note("Nobody may: %s %s", d.Reason, info.Title)
	}
	if l.unknown > 0 {
		note("Left out: %d of whom it is not known here whether they are in the groups that may. Values of a provider's groups claim that let somebody in are listed as such.", l.unknown)
	}
	if k.homes > 0 {
		note("Left out: %d addresses that rules and groups name and that are in no domain of an identity provider, so that nobody signs in with them.", k.homes)
	}
	for _, id := range k.idle {
		note("Left out: the people of %s, which is disabled.", id)
	}
}
