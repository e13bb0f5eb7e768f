package policy

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
)

// rule is one of the corpus, to be said in three languages.
type rule struct {
	effect    string // ALLOW, DENY, REQUIRE
	group     int
	operation int
	network   netip.Prefix // the zero value is none; a REQUIRE has one
}

// corpus is rules, groups, people and requests. Group i+nested contains group i.
type corpus struct {
	operations int
	rules      []rule
	people     [][]int // by person: groups as the provider says them
	requests   []request
}

type request struct {
	person    int // -1 is a stranger
	operation int // may be one that no rule and no app knows
	ip        netip.Addr
}

const (
	claimed = 100 // groups that providers' claims name
	nested  = 100 // groups that contain one of those
	persons = 1000
)

// newCorpus makes a corpus of as many rules. The same number makes the same corpus.
func newCorpus(rules, requests int) *corpus {
	r := rand.New(rand.NewPCG(1, uint64(rules)))
	c := &corpus{operations: max(3, rules/10)}
	for i := range rules {
		one := rule{effect: "ALLOW", group: r.IntN(claimed + nested), operation: r.IntN(c.operations)}
		switch {
		case i%10 == 8:
			one.effect, one.group = "DENY", r.IntN(claimed)
			one.network = network(r)
		case i%10 == 9:
			one.effect, one.network = "REQUIRE", netip.MustParsePrefix("10.0.0.0/9")
		case i%3 == 0:
			one.network = network(r)
		}
		c.rules = append(c.rules, one)
	}
	for range persons {
		c.people = append(c.people, r.Perm(claimed)[:10])
	}
	for range requests {
		c.requests = append(c.requests, request{person: r.IntN(persons+50) - 50, operation: r.IntN(c.operations + 1), ip: address(r)})
	}
	for i := range c.requests {
		c.requests[i].person = max(-1, c.requests[i].person)
	}
	return c
}

// network is wide enough that requests fall into it often.
func network(r *rand.Rand) netip.Prefix {
	if r.IntN(4) == 0 {
		return netip.MustParsePrefix(fmt.Sprintf("2001:db8:%d::/48", r.IntN(4)))
	}
	return netip.MustParsePrefix(fmt.Sprintf("10.%d.0.0/10", r.IntN(4)*64))
}

func address(r *rand.Rand) netip.Addr {
	if r.IntN(4) == 0 {
		return netip.MustParseAddr(fmt.Sprintf("2001:db8:%d::%x", r.IntN(4), 1+r.IntN(9)))
	}
	return netip.MustParseAddr(fmt.Sprintf("10.%d.%d.%d", r.IntN(256), r.IntN(256), 1+r.IntN(250)))
}

// closure is the groups of a person, nested ones included.
func (c *corpus) closure(person int) []int {
	if person < 0 {
		return nil
	}
	var all []int
	for _, g := range c.people[person] {
		all = append(all, g, g+claimed)
	}
	return all
}

func group(i int) string     { return fmt.Sprintf("g%d", i) }
func operation(i int) string { return fmt.Sprintf("op%d", i) }
