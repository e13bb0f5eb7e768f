package policy

import "time"

// clause is one compiled condition. A switch on its kind, not a closure: called
// through a func value, the request would escape to the heap.
type clause struct {
	kind        clauseKind
	networks    networks  // of networkClause
	from, until time.Time // of timeClause; zero: open on that side
	atoms       []atom    // of idpClause and groupClause: any of them
}

type clauseKind int8

// The kinds, in the order in which a failure is reported. A sign-in can change
// nothing about those before idpClause.
const (
	networkClause clauseKind = iota
	timeClause
	idpClause
	groupClause
)

func (k clauseKind) changedBySignIn() bool { return k >= idpClause }

func (k clauseKind) reason() Reason {
	switch k {
	case networkClause:
		return RequireNetwork
	case timeClause:
		return RequireTime
	case idpClause:
		return RequireIDP
	default:
		return RequireGroup
	}
}

func (c *clause) eval(r *Request, who *Principal) Truth {
	switch c.kind {
	case networkClause:
		if !r.SourceIP.IsValid() {
			return Unknown
		}
		return truthOf(c.networks.contains(normalAddress(r.SourceIP)))
	case timeClause:
		if r.Now.IsZero() {
			return Unknown
		}
		early := !c.from.IsZero() && r.Now.Before(c.from)
		late := !c.until.IsZero() && !r.Now.Before(c.until)
		return truthOf(!early && !late)
	default:
		return who.isAny(c.atoms)
	}
}
