package login

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-iap/sallyport/edge/exchange"
	"github.com/sallyport-iap/sallyport/edge/policy"
	"github.com/sallyport-iap/sallyport/edge/session"
	"github.com/sallyport-iap/sallyport/edge/snapshot"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

const (
	// maxAskedLists keeps tickets small. Who was asked for more is taken to have been asked for everything: it is never
	// asked again and again.
	maxAskedLists = 12
	// What is sent of a list of classes: any of them will do, and addresses have an end.
	maxACRValues = 16
	maxACRBytes  = 1000
)

// StepUp sends a person to sign in again, as a rule needs it, and remembers in their browser where they wanted to go.
func (l *Login) StepUp(ctx context.Context, req *exchange.Request, reason policy.Reason, need policy.Need) (*exchange.Reply, *exchange.Denial) {
	wanted, denial := l.need(ctx, req, need, false)
	if denial != nil {
		return nil, denial
	}
	return l.begin(req, reason, returnPath(req.Path.Target(), pathOptions(req)), wanted)
}

// SignInAgain is a link that does the same for who is not a navigation, as the person's own decision; again asks for what
// was asked for in vain. It is empty where nobody can sign in.
func (l *Login) SignInAgain(ctx context.Context, req *exchange.Request, need policy.Need, again bool) string {
	wanted, denial := l.need(ctx, req, need, again)
	if denial != nil || wanted == nil || l.canSignIn(req.Site, policy.StepUpUnsatisfied) != nil {
		return ""
	}
	sealed, err := seal(req.Site, forNeed, wanted)
	if err != nil {
		return ""
	}
	return SignInPath(req.Path.Target()) + "&need=" + url.QueryEscape(sealed)
}

// need says whom it is about, and what they were asked for before. Nil: there is nobody any more.
func (l *Login) need(ctx context.Context, req *exchange.Request, need policy.Need, again bool) (*edgev1.SignInNeed, *exchange.Denial) {
	now, denial := l.peek(ctx, req)
	if denial != nil || now.State != session.Live {
		return nil, denial
	}
	who := now.Known().Person
	return &edgev1.SignInNeed{
		MaxAgeMs: need.MaxAge.Milliseconds(), Acr: snapshot.SignInList{ACR: need.ACR}.Key(), Amr: snapshot.SignInList{AMR: need.AMR}.Key(),
		Principal: who.Principal, IdpUid: who.IdpUid, Asked: who.Asked, Again: again, ExpireMs: req.Now.Add(attemptLife).UnixMilli(),
	}, nil
}

// linked is the need that a link of SignInAgain carries, if it is still good, and about who asks.
func (l *Login) linked(req *exchange.Request, sealed string, now session.Result) *edgev1.SignInNeed {
	need := &edgev1.SignInNeed{}
	if sealed == "" || req.Site.Keys.Login == nil || !open(req.Site, forNeed, sealed, need) || expired(need.ExpireMs, req.Now) ||
		!about(need, now.Known().Person) {
		return nil
	}
	return need
}

// reasonOf is why somebody signs in again who is signed in.
func reasonOf(need *edgev1.SignInNeed) policy.Reason {
	switch {
	case need.Again:
		return policy.StepUpUnsatisfied
	case need.MaxAgeMs > 0:
		return policy.StepUpAuthAge
	case len(need.Acr) > 0:
		return policy.StepUpACR
	default:
		return policy.StepUpAMR
	}
}

func about(need *edgev1.SignInNeed, who *edgev1.PersonSession) bool {
	return who != nil && need.IdpUid == who.IdpUid && string(need.Principal) == string(who.Principal)
}

// lists are what a need names by keys. ok is false if a list is of a rule that is not known here, or not any more.
func lists(site *snapshot.Site, need *edgev1.SignInNeed) (acr, amr []string, ok bool) {
	ok = true
	find := func(key []byte) snapshot.SignInList {
		if len(key) == 0 {
			return snapshot.SignInList{}
		}
		l, known := site.SignInLists()[string(key)]
		ok = ok && known
		return l
	}
	return find(need.GetAcr()).ACR, find(need.GetAmr()).AMR, ok
}

// answers says whether a Session may be handed on to where a need is: because it is as the need wants it, or because its
// provider was asked for that already, and asking again will not help. What then is denied says so.
func answers(site *snapshot.Site, need *edgev1.SignInNeed, who *edgev1.PersonSession, now time.Time) bool {
	switch {
	case need == nil:
		return true
	case need.Again || !about(need, who):
		return false
	}
	acr, amr, _ := lists(site, need)
	most, at := time.Duration(need.MaxAgeMs)*time.Millisecond, time.UnixMilli(who.AuthTimeMs)
	asked := session.AskedFor(site, who.Asked)
	recent := most == 0 || who.AuthTimeMs != 0 && now.Sub(at) <= most
	class := len(acr) == 0 || slices.Contains(acr, who.Acr)
	methods := len(amr) == 0 || who.AmrKnown && subset(amr, who.Amr)
	inVain := !recent && asked.MaxAge > 0 && asked.MaxAge <= most && (who.AuthTimeMs == 0 || asked.At.Sub(at) > most) ||
		!class && subset(acr, asked.ACR) || !methods && subset(amr, asked.AMR)
	return recent && class && methods || inVain
}

func subset(list, of []string) bool {
	return !slices.ContainsFunc(list, func(v string) bool { return !slices.Contains(of, v) })
}

// inAll is what whoever came back from a step-up was asked for: now, and before if it is still the same person. Of somebody
// else's questions nothing is kept.
func inAll(req *exchange.Request, need *edgev1.SignInNeed, who session.Person, before *edgev1.PersonSession) *edgev1.SignInAsked {
	var earlier []*edgev1.SignInAsked
	if who.Is(req.Site.TenantUID, &edgev1.PersonSession{Principal: need.GetPrincipal(), IdpUid: need.GetIdpUid()}) {
		earlier = append(earlier, need.GetAsked())
	}
	if who.Is(req.Site.TenantUID, before) {
		earlier = append(earlier, before.GetAsked())
	}
	return asked(need, req.Now, earlier...)
}

// asked is what was asked for in all, once a step-up came back. When a recent authentication was asked for is kept with
// how recent: whether that was in vain is judged by the two together.
func asked(need *edgev1.SignInNeed, now time.Time, before ...*edgev1.SignInAsked) *edgev1.SignInAsked {
	if need == nil {
		return nil
	}
	all := &edgev1.SignInAsked{AtMs: now.UnixMilli(), MaxAgeMs: need.MaxAgeMs}
	add := func(key []byte) {
		if len(key) > 0 && !slices.ContainsFunc(all.Lists, func(have []byte) bool { return string(have) == string(key) }) {
			all.Lists = append(all.Lists, key)
		}
	}
	add(need.Acr)
	add(need.Amr)
	for _, b := range before {
		if b.GetMaxAgeMs() > 0 && need.MaxAgeMs == 0 && (all.MaxAgeMs == 0 || b.AtMs > all.AtMs) {
			all.AtMs, all.MaxAgeMs = b.AtMs, b.MaxAgeMs
		}
		all.AllLists = all.AllLists || b.GetAllLists()
		for _, key := range b.GetLists() {
			add(key)
		}
	}
	if len(all.Lists) > maxAskedLists {
		all.AllLists = true
	}
	if all.AllLists {
		all.Lists = nil
	}
	return all
}

// ask adds to an authorization request what a need can ask for (OpenID Connect Core §3.1.2.1). For methods there is no
// parameter: all that can be wanted is to sign in anew, and so it is for somebody who wants to try again.
func ask(q url.Values, site *snapshot.Site, need *edgev1.SignInNeed, adminsMaxAge int64) {
	if need == nil {
		return
	}
	if need.MaxAgeMs > 0 {
		seconds := need.MaxAgeMs / 1000
		if adminsMaxAge > 0 {
			seconds = min(seconds, adminsMaxAge)
		}
		q.Set("max_age", strconv.FormatInt(seconds, 10))
	}
	acr, _, _ := lists(site, need)
	if values := ACRValues(acr); values != "" {
		q.Set("acr_values", values)
	}
	if len(need.Amr) > 0 || need.Again {
		q.Set("prompt", "login")
	}
}

// ACRValues is a list of classes as acr_values has it, as far as it fits.
func ACRValues(classes []string) string {
	var values []string
	left := maxACRBytes
	for _, class := range classes {
		if left -= len(class) + 1; left < 0 || len(values) == maxACRValues {
			break
		}
		if !strings.ContainsFunc(class, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }) {
			values = append(values, class)
		}
	}
	return strings.Join(values, " ")
}
