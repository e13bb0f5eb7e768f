package reference

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/sallyport-iap/sallyport/edge/policy/policytest"
)

func anyOf(names []string, is func(string) Verdict) (v Verdict) {
	for _, n := range names {
		v = max(v, is(n))
	}
	return v
}

func (j judge) isAny(principals []string) Verdict { return anyOf(principals, j.is) }

func (j judge) is(principal string) Verdict {
	who := j.q.Who
	person, machine, email := who.Kind == policytest.Person, who.Kind == policytest.Machine, folded(who.Email)
	kind, name, _ := strings.Cut(principal, ":")
	domain := domainOf(&who)
	vouchedFor, told := isVouchedFor(&who), !person || email != "" || domain != ""
	switch kind {
	case "anyone":
		return Yes
	case "authenticated":
		return verdict(true, person || machine)
	case "people":
		return verdict(true, person)
	case "serviceAccounts":
		return verdict(true, machine)
	case "serviceAccount":
		return verdict(true, machine && who.ServiceAccount == name)
	case "idp":
		return j.signedInAt(name)
	case "group":
		return j.inGroup(name)
	case "user":
		return min(verdict(told, person && email == folded(name)), verdict(vouchedFor, true))
	case "domain":
		return min(verdict(told, person && domain == folded(name)), verdict(vouchedFor, true))
	}
	return No
}

var address = regexp.MustCompile(`^[^@\x00-\x20\x7f]+@([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)

// isVouchedFor says whether the address is one, and theirs, or its domain is.
func isVouchedFor(who *policytest.Identity) bool {
	if !who.EmailVerified || !who.EmailDomainOwned || who.Email == "" {
		return who.EmailVerified && who.EmailDomainOwned && who.Domain != ""
	}
	return len(who.Email) <= 254 && utf8.ValidString(who.Email) && address.MatchString(folded(who.Email))
}

// domainOf is that of the address, or the one that is known without.
func domainOf(who *policytest.Identity) string {
	if who.Email == "" {
		return folded(who.Domain)
	}
	return folded(who.Email[strings.LastIndexByte(who.Email, '@')+1:])
}

// folded has ASCII letters in lower case. Others are not the same, whatever they look like.
func folded(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r | 0x20
		}
		return r
	}, s)
}

func (j judge) signedInAt(idp string) Verdict {
	person := j.q.Who.Kind == policytest.Person
	return verdict(!person || j.q.Who.IDP != "", person && j.q.Who.IDP == idp)
}

func (j judge) inGroup(id string) (v Verdict) {
	who := j.q.Who
	for _, m := range j.w.Memberships {
		if slices.Contains(m.Groups, id) {
			v = max(v, j.is("user:"+m.User))
		}
	}
	g := find(j.w.Groups, func(g *policytest.Group) bool { return g.ID == id })
	for _, m := range (*g).Members {
		absent := who.IDP != "" && (who.GroupsComplete || slices.Contains(who.GroupsAbsent, m.IDPGroup.Name))
		switch {
		case m.User != "":
			v = max(v, j.is("user:"+m.User))
		case m.ServiceAccount != "":
			v = max(v, j.is("serviceAccount:"+m.ServiceAccount))
		case m.Group != "":
			v = max(v, j.inGroup(m.Group))
		case slices.Contains(who.Groups, m.IDPGroup.Name):
			v = max(v, j.signedInAt(m.IDPGroup.IDP))
		case !absent:
			v = max(v, min(j.signedInAt(m.IDPGroup.IDP), Unknown))
		}
	}
	return v
}

// exempt says whether somebody is taken out of a guard-rail's scope.
func (j judge) exempt(p *policytest.Policy) (v Verdict) {
	for _, e := range p.Exemptions {
		if e.Apps == nil || slices.Contains(e.Apps, j.q.App) {
			inTime := verdict(e.NotAfter.IsZero() || !j.q.Now.IsZero(), e.NotAfter.IsZero() || j.q.Now.Before(e.NotAfter))
			v = max(v, min(j.isAny(e.Principals), inTime))
		}
	}
	return v
}
