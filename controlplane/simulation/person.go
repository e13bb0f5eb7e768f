package simulation

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-iap/sallyport/controlplane/recorded"
	engine "github.com/sallyport-iap/sallyport/edge/policy"
)

// maxPeople is how many are remembered: twice this while the older half is being forgotten.
const maxPeople = 4_096

// maxApps is for how many apps it is remembered of somebody what is to be filled in.
const maxApps = 16

// maxUnknowns is how many facts are filled in, in three ways each.
const maxUnknowns = 3

// person is who asked, as it was recorded, and as each side sees them. Strangers and machines are such as well.
type person struct {
	who      recorded.Principal
	facts    recorded.Facts
	identity engine.Identity
	era      *era
	absent   []string // values of the claim that they surely had not
	admitted [2]bool
	// As each side sees them if what was not recorded is unknown; nil is a stranger.
	plain  [2]*engine.Principal
	filled map[[2]string]*fillings // by app on either side
	ways   map[string]*fillings    // the same, by what is to be filled in
}

// fillings are the ways in which what was not recorded can be filled in, of one app.
type fillings struct {
	unknowns int
	ways     [][2]*engine.Principal // nil if there are none, or too many
}

// people remembers who was recorded before, by the bytes of it.
type people struct {
	fresh, stale map[string]*person
	limit        int
	key          bytes.Buffer
}

func (p *people) find(raw *recorded.Raw, era *era, meet func() (*person, error)) (*person, error) {
	p.key.Reset()
	p.key.WriteString(strconv.Itoa(era.number))
	for _, piece := range [][]byte{raw.Principal, raw.AuthTime, raw.Lasting} {
		p.key.WriteByte(0) // no JSON has it
		p.key.Write(piece)
	}
	if found, ok := p.fresh[string(p.key.Bytes())]; ok {
		return found, nil
	}
	found, ok := p.stale[string(p.key.Bytes())]
	if !ok {
		var err error
		if found, err = meet(); err != nil {
			return nil, err
		}
	}
	if len(p.fresh) >= p.limit {
		p.fresh, p.stale = nil, p.fresh
	}
	if p.fresh == nil {
		p.fresh = make(map[string]*person, min(p.limit, 64))
	}
	if p.limit > 0 {
		p.fresh[p.key.String()] = found
	}
	return found, nil
}

// meet reads who it was, and resolves them for each side.
func meet(raw *recorded.Raw, era *era, sides []*side) (*person, error) {
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
	for value := range era.sought[p.identity.IDP] {
		if !p.told(value) {
			p.absent = append(p.absent, value)
		}
	}
	for i, s := range sides {
		if p.admitted[i] = s.Admits(&p.identity); p.admitted[i] {
			p.plain[i] = p.resolve(s, nil, nil)
		}
	}
	return p, nil
}

// resolve is who it is for a side, with values of the claim that they have, and have not, beside those that were recorded.
func (p *person) resolve(s *side, has, hasNot []string) *engine.Principal {
	id := p.identity
	if id.Kind == engine.Person {
		id.EmailDomainOwned = s.Owns(id.IDP, id.Email)
		id.GroupsAbsent = p.absent // shared, as nobody changes it
		if len(has)+len(hasNot) > 0 {
			id.Groups, id.GroupsAbsent = slices.Concat(id.Groups, has), slices.Concat(p.absent, hasNot)
		}
	}
	return s.Program.Resolve(id)
}

// told says whether it was recorded that the person has a value, or that it was unknown.
func (p *person) told(value string) bool {
	return slices.Contains(p.facts.ClaimGroups, value) || slices.Contains(p.facts.ClaimGroupsUnknown, value)
}

// unknowns are the values that may matter for an app and were not recorded, those that lead to the same groups together.
func (p *person) unknowns(sides []*side, apps [2]string) [][]string {
	if p.identity.Kind != engine.Person {
		return nil
	}
	alike, sought := map[string]string{}, p.era.sought[p.identity.IDP]
	for i, s := range sides {
		if !p.admitted[i] || apps[i] == "" {
			continue
		}
		for value, groups := range s.leading(apps[i])[p.identity.IDP] {
			if !sought[value] && !p.told(value) {
				alike[value] += strconv.Itoa(i) + ":" + groups
			}
		}
	}
	if len(alike) == 0 {
		return nil
	}
	classes := map[string][]string{}
	for _, value := range slices.Sorted(maps.Keys(alike)) {
		classes[alike[value]] = append(classes[alike[value]], value)
	}
	var list [][]string
	for _, key := range slices.Sorted(maps.Keys(classes)) {
		list = append(list, classes[key])
	}
	return list
}

// fill returns the ways to fill in what may matter for an app.
func (p *person) fill(sides []*side, apps [2]string) *fillings {
	if f, ok := p.filled[apps]; ok {
		return f
	}
	unknowns := p.unknowns(sides, apps)
	var key strings.Builder
	for _, values := range unknowns {
		key.WriteString(strings.Join(values, "\x00") + "\x01") // claims of people are text without them: see what sessions keep
	}
	f, ok := p.ways[key.String()]
	if !ok {
		f = p.fillings(sides, unknowns)
	}
	if p.filled == nil {
		p.filled, p.ways = map[[2]string]*fillings{}, map[string]*fillings{}
	}
	if len(p.filled) < maxApps {
		p.filled[apps], p.ways[key.String()] = f, f
	}
	return f
}

func (p *person) fillings(sides []*side, unknowns [][]string) *fillings {
	f := &fillings{unknowns: len(unknowns)}
	if len(unknowns) == 0 || len(unknowns) > maxUnknowns {
		return f
	}
	ways := 1
	for range unknowns {
		ways *= 3
	}
	for way := range ways {
		f.ways = append(f.ways, p.way(sides, unknowns, way))
	}
	return f
}

// way fills in by the digits of a number, to the base of three: has, has not, unknown.
func (p *person) way(sides []*side, unknowns [][]string, digits int) (who [2]*engine.Principal) {
	var has, hasNot []string
	for _, values := range unknowns {
		switch digits % 3 {
		case 0:
			has, hasNot = append(has, values[0]), append(hasNot, values[1:]...)
		case 1:
			hasNot = append(hasNot, values...)
		}
		digits /= 3
	}
	for i, s := range sides {
		if p.admitted[i] {
			who[i] = p.resolve(s, has, hasNot)
		}
	}
	return who
}
