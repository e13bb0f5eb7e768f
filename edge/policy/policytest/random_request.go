package policytest

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

var (
	someAddresses = addresses("10.0.0.1", "10.1.2.3", "192.0.2.1", "::ffff:10.1.0.1", "2001:db8::1", "fe80::1%eth0")
	someMails     = []string{"", "a@x.test", "A@X.test", "b@y.test", "c@x.test"}
	// Of people, not of rules: what is no address, and what Unicode takes for one of the above.
	oddMails     = []string{"a", "a b@x.test", "b@a@x.test", "@x.test", "a@x", "a@x.test.", "\u212a@x.test", "a@x.te\u017ft", "\xff@x.test", strings.Repeat("a", 250) + "@x.test"}
	someInstants = []time.Time{
		noon.Add(-time.Hour), noon, noon.Add(time.Nanosecond), noon.Add(time.Hour), noon.Add(150 * time.Minute), noon.Add(5 * time.Hour),
		noon.Add(6 * time.Hour), noon.Add(11 * time.Hour), noon.Add(12 * time.Hour), noon.Add(40 * time.Hour), noon.Add(6*24*time.Hour + 20*time.Hour),
		// Clocks change in Berlin and in New York.
		time.Date(2026, 3, 29, 0, 59, 59, 0, time.UTC), time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC), time.Date(2026, 10, 25, 0, 30, 0, 0, time.UTC),
		time.Date(2026, 10, 25, 1, 30, 0, 0, time.UTC), time.Date(2026, 11, 1, 5, 30, 0, 0, time.UTC), time.Date(2026, 3, 8, 7, 0, 0, 0, time.UTC),
	}
	yes, no = true, false
)

func addresses(texts ...string) (list []netip.Addr) {
	for _, text := range texts {
		list = append(list, netip.MustParseAddr(text))
	}
	return list
}

func (d Dice) instant() time.Time { return pick(d, someInstants) }

// RandomIdentity makes somebody who may appear in a random world.
func (d Dice) RandomIdentity() Identity {
	switch d(6) {
	case 0:
		return Identity{}
	case 1:
		return Identity{Kind: Machine, ServiceAccount: pick(d, someAccounts)}
	}
	id := Identity{
		Kind: Person, Subject: pick(d, []string{"s-a", "s-b"}), IDP: pick(d, someIDPs), Email: pick(d, someMails),
		EmailVerified: !d.one(4), EmailDomainOwned: !d.one(4), Groups: d.some(someValues, 0, 3), GroupsComplete: !d.one(3),
	}
	if d.one(16) {
		id.IDP = ""
	}
	switch {
	case d.one(6):
		id.Email = fmt.Sprintf("u%d@w.test", d(100))
	case d.one(12):
		id.Email = pick(d, oddMails)
	case d.one(12):
		_, id.Domain, _ = strings.Cut(pick(d, someMails), "@")
		id.Email = ""
	}
	for _, v := range d.some(someValues, 0, 2) {
		if !slices.Contains(id.Groups, v) {
			id.GroupsAbsent = append(id.GroupsAbsent, v)
		}
	}
	if !d.one(5) {
		id.AuthTime = d.instant().Add(-pick(d, append(someAges, 0, time.Minute)))
	}
	id.ACR = pick(d, []string{"", "gold", "silver", "bronze"})
	if !d.one(4) {
		id.AMR = d.some([]string{"otp", "hwk", "pwd"}, 0, 3)
	}
	switch d(64) { // more than expressions are made for, or just not
	case 0:
		id.ACR = strings.Repeat("g", 256+d(2))
	case 1:
		id.AMR = slices.Repeat([]string{"otp"}, 64+d(2))
	case 2:
		id.AMR = []string{"hwk", strings.Repeat("h", 128+d(2))}
	case 3:
		id.Subject = strings.Repeat("s", 512+d(2))
	}
	if d.one(3) {
		id.Asked = Asked{At: d.instant(), MaxAge: pick(d, append(someAges, 0)), ACR: d.some(someACR, 0, 2), AMR: d.some(someAMR, 0, 2)}
	}
	return id
}

// RandomRequest makes a request of somebody.
func (d Dice) RandomRequest(who Identity) Request {
	q := Request{
		App: "app", Who: who, Operation: pick(d, []string{"read", "read", "write", "inv.read", "inv.pay"}),
		Method: pick(d, []string{"GET", "GET", "POST", ""}), Host: pick(d, []string{"app.test", "other.test", ""}),
		Path: pick(d, []string{"/", "/a/b", "/admin/x", ""}), Country: pick(d, []string{"", "DE", "FR", "US"}),
	}
	if d.one(6) {
		q.App = pick(d, []string{"other", "other", "off", "nosuch"})
	}
	if d.one(16) {
		q.Operation = ""
	}
	if !d.one(5) {
		q.SourceIP = pick(d, someAddresses)
	}
	if !d.one(8) {
		q.Now = d.instant()
	}
	if d.one(2) {
		q.Device = d.device()
	}
	switch d(64) {
	case 0:
		q.Path = "/" + strings.Repeat("a", 8191+d(2))
	case 1:
		q.Method = strings.Repeat("G", 32+d(2))
	case 2:
		q.Host = strings.Repeat("h", 255+d(2))
	}
	return q
}

func (d Dice) device() *Device {
	tri := func() *bool { return pick(d, []*bool{nil, &yes, &no, &yes}) }
	device := &Device{Managed: tri(), Compliant: tri()}
	if !d.one(4) {
		device.ReportedAt = d.instant().Add(-pick(d, someAges))
	}
	if !d.one(4) {
		device.Posture = map[string]bool{}
		for _, name := range somePosture {
			if fact := tri(); fact != nil {
				device.Posture[name] = *fact
			}
		}
	}
	return device
}

// Forget makes one fact of a request unknown that may have been known.
//
// It leaves alone what a policy can ask for: a country, if rules name the
// country "unknown" (country is false).
func (d Dice) Forget(q Request, country bool) Request {
	who := &q.Who
	switch d(15) {
	case 0:
		q.SourceIP = netip.Addr{}
	case 1:
		q.Now = time.Time{}
	case 2:
		who.EmailVerified = false
	case 3:
		who.EmailDomainOwned = false
	case 4:
		d.forgetClaim(who)
	case 5:
		if country {
			q.Country = ""
		}
	case 6:
		q.Device = nil
	case 7:
		if q.Device != nil {
			q.Device = d.lessOf(*q.Device)
		}
	case 8:
		who.AuthTime = time.Time{}
	case 9:
		who.ACR = ""
	case 10:
		who.AMR = nil
	case 11:
		who.IDP = ""
	case 12:
		who.Email = ""
	case 13:
		who.Groups, who.GroupsAbsent, who.GroupsComplete = nil, nil, false
	default:
		q.Method, q.Host, q.Path = "", "", ""
	}
	return q
}

func (d Dice) lessOf(device Device) *Device {
	switch d(4) {
	case 0:
		device.Managed = nil
	case 1:
		device.Compliant = nil
	case 2:
		device.Posture = nil
	default:
		device.ReportedAt = time.Time{}
	}
	return &device
}

// forgetClaim makes one value of the groups claim unknown, whether it was there
// or not.
func (d Dice) forgetClaim(who *Identity) {
	forgotten := pick(d, someValues)
	if who.GroupsComplete {
		who.GroupsComplete, who.GroupsAbsent = false, nil
		for _, v := range someValues {
			if v != forgotten && !slices.Contains(who.Groups, v) {
				who.GroupsAbsent = append(who.GroupsAbsent, v)
			}
		}
	}
	without := func(list []string) []string {
		return slices.DeleteFunc(slices.Clone(list), func(v string) bool { return v == forgotten })
	}
	who.Groups, who.GroupsAbsent = without(who.Groups), without(who.GroupsAbsent)
}
