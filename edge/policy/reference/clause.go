package reference

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-iap/sallyport/edge/policy/policytest"
)

// Verdict is the value of a clause. The order makes min the conjunction and max
// the disjunction.
type Verdict int

// The verdicts.
const (
	No Verdict = iota
	Unknown
	Yes
)

func verdict(known, holds bool) Verdict {
	switch {
	case !known:
		return Unknown
	case holds:
		return Yes
	}
	return No
}

// Clause is one condition of a rule, by the name of its field, and its verdict.
type Clause struct {
	Field   string
	Verdict Verdict
}

// judge judges one request.
type judge struct {
	*Referee
	w  *policytest.World
	q  *policytest.Request
	op policytest.Operation
}

// clauses are the conditions that a rule has, in the order in which a failure is
// told.
func (j judge) clauses(u policytest.Rule) (list []Clause) {
	add := func(field string, there bool, judge func() Verdict) {
		if there {
			list = append(list, Clause{field, j.bend(u.Effect, field, judge())})
		}
	}
	c, who, now, person := u.Conditions, j.q.Who, j.q.Now, j.q.Who.Kind == policytest.Person
	age := max(0, now.Sub(who.AuthTime))
	add("source_cidrs", c.SourceCIDRs != nil, func() Verdict {
		return verdict(j.q.SourceIP.IsValid(), slices.ContainsFunc(c.SourceCIDRs, j.inNetwork))
	})
	add("countries", c.Countries != nil, func() Verdict {
		unknown := slices.Contains(c.Countries, "unknown")
		return verdict(j.q.Country != "" || unknown, j.q.Country == "" && unknown || slices.Contains(c.Countries, j.q.Country))
	})
	add("time_windows", c.TimeWindows != nil, func() Verdict {
		return verdict(!now.IsZero(), slices.ContainsFunc(c.TimeWindows, j.inWindow))
	})
	add("not_before", !c.NotBefore.IsZero(), func() Verdict { return verdict(!now.IsZero(), !now.Before(c.NotBefore)) })
	add("not_after", !c.NotAfter.IsZero(), func() Verdict { return verdict(!now.IsZero(), now.Before(c.NotAfter)) })
	add("device", c.Device != nil, func() Verdict { return j.device(u.Effect, c.Device) })
	add("expression", u.Expression != "", func() Verdict { return j.expression(u.Expression) })
	add("idps", c.IDPs != nil, func() Verdict { return anyOf(c.IDPs, j.signedInAt) })
	add("members_of", c.MembersOf != nil, func() Verdict { return anyOf(c.MembersOf, j.inGroup) })
	add("max_auth_age", c.MaxAuthAge > 0, func() Verdict {
		return verdict(!person || !now.IsZero() && !who.AuthTime.IsZero(), person && age <= c.MaxAuthAge)
	})
	add("required_acr", c.RequiredACR != nil, func() Verdict {
		return verdict(!person || who.ACR != "", person && slices.Contains(c.RequiredACR, who.ACR))
	})
	add("required_amr", c.RequiredAMR != nil, func() Verdict {
		return verdict(!person || who.AMR != nil, person && subset(c.RequiredAMR, who.AMR))
	})
	return list
}

func (j judge) device(effect string, c *policytest.DeviceCondition) Verdict {
	d, v := j.q.Device, Yes
	add := func(field string, there bool, judge func() Verdict) {
		switch {
		case !there:
		case j.q.Who.Kind == policytest.Machine:
			v = No
		case d == nil:
			v = min(v, j.bend(effect, "device."+field, Unknown))
		default:
			v = min(v, j.bend(effect, "device."+field, judge()))
		}
	}
	flag := func(fact *bool) Verdict { return verdict(fact != nil, fact != nil && *fact) }
	add("managed", c.Managed, func() Verdict { return flag(d.Managed) })
	add("compliant", c.Compliant, func() Verdict { return flag(d.Compliant) })
	for _, name := range c.Posture {
		add("posture", true, func() Verdict {
			value, known := d.Posture[name]
			return verdict(known, value)
		})
	}
	add("max_report_age", c.MaxReportAge > 0, func() Verdict {
		return verdict(!j.q.Now.IsZero() && !d.ReportedAt.IsZero(), j.q.Now.Sub(d.ReportedAt) <= c.MaxReportAge)
	})
	return v
}

func (j judge) inNetwork(cidr string) bool {
	p := netip.MustParsePrefix(cidr)
	if p.Addr().Is4In6() {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p.Contains(j.q.SourceIP.Unmap().WithZone(""))
}

// inWindow reads the clock on the wall of the window's zone. One that ends on
// the next day belongs to the day on which it starts.
func (j judge) inWindow(w policytest.Window) bool {
	at := j.q.Now.In(j.zone(w.Zone))
	clock := at.Format("15:04")
	on := func(day time.Time) bool {
		return w.Days == nil || slices.Contains(w.Days, strings.ToUpper(day.Weekday().String()))
	}
	if w.Start < w.End {
		return on(at) && w.Start <= clock && clock < w.End
	}
	return on(at) && w.Start <= clock || on(at.AddDate(0, 0, -1)) && clock < w.End
}

func subset(of, set []string) bool {
	return !slices.ContainsFunc(of, func(s string) bool { return !slices.Contains(set, s) })
}
