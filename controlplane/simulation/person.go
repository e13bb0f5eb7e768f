package simulation

import (
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"github.com/sallyport-iap/sallyport/controlplane/recorded"
	engine "github.com/sallyport-iap/sallyport/edge/policy"
)

// person is who asked, as it was recorded, and as each side sees them. Strangers and machines are such as well.
type person struct {
	who      recorded.Principal
	facts    recorded.Facts
	identity engine.Identity
	era      *era
	told     map[string]bool // values of the claim of which it was recorded that the person has them, or that it is unknown
	admitted [2]bool
	// As each side sees them; nil is a stranger. What was not recorded is absent from the bare ones, and unknown in the plain.
	bare, plain [2]*engine.Principal
}

// size is about how many bytes are kept of somebody, beside the key: what was recorded is decoded from no more than that.
func (p *person) size(recorded int) int {
	n := 1024 + 4*recorded + 64*len(p.told)
	for i := range p.bare {
		if p.bare[i] != nil {
			n += p.bare[i].Size() + p.plain[i].Size()
		}
	}
	return n
}

// of returns who it was, remembered or met.
func (j *judge) of(raw *recorded.Raw, era *era) (*person, error) {
	j.asker = strconv.AppendInt(j.asker[:0], int64(era.number), 10)
	for _, piece := range [][]byte{raw.Principal, raw.AuthTime, raw.Lasting} {
		j.asker = append(append(j.asker, 0), piece...) // no JSON has it
	}
	if found, ok := j.people.find(j.asker); ok {
		return found, nil
	}
	found, err := j.meet(raw, era)
	if err != nil {
		return nil, err
	}
	j.people.add(j.asker, found, found.size(len(j.asker)))
	return found, nil
}

// meet reads who it was, and resolves them for each side.
func (j *judge) meet(raw *recorded.Raw, era *era) (*person, error) {
	p := &person{era: era}
	var authTime time.Time
	for _, piece := range []struct {
		data []byte
		into any
	}{{raw.Principal, &p.who}, {raw.Facts, &p.facts}, {raw.AuthTime, &authTime}} {
		if piece.data == nil {
			continue
		}
		if err := json.Unmarshal(piece.data, piece.into); err != nil {
			return nil, err
		}
	}
	p.identity = recorded.Identity(&p.who, authTime, &p.facts)
	p.told = make(map[string]bool, len(p.facts.ClaimGroups)+len(p.facts.ClaimGroupsUnknown))
	for _, value := range slices.Concat(p.facts.ClaimGroups, p.facts.ClaimGroupsUnknown) {
		p.told[value] = true
	}
	for i, s := range j.sides {
		if p.admitted[i] = s.Admits(&p.identity); p.admitted[i] {
			p.bare[i] = p.resolve(s)
			p.plain[i] = p.bare[i]
		}
	}
	if p.identity.Kind == engine.Person {
		p.plain = p.way(&j.suppose(p, nil).ways[0])
	}
	return p, nil
}

// resolve is who it is for a side, with no values of the claim but those that were recorded. What they have not is not
// listed for each of them: of many groups that would be most of what is kept, and most of the time.
func (p *person) resolve(s *side) *engine.Principal {
	id := p.identity
	if id.Kind != engine.Person {
		return s.Program.Resolve(id)
	}
	id.EmailDomainOwned, id.GroupsComplete = s.Owns(id.IDP, id.Email), true
	who := s.Program.Resolve(id)
	if unknown := p.facts.ClaimGroupsUnknown; len(unknown) > 0 {
		who = who.With(s.Program.Lead(id.IDP, nil, unknown))
	}
	return who
}

// way is who it is with what was not recorded.
func (p *person) way(leads *[2]*engine.Lead) (who [2]*engine.Principal) {
	for i, bare := range p.bare {
		if bare != nil {
			who[i] = bare.With(leads[i])
		}
	}
	return who
}
