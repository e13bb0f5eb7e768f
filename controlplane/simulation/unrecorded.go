package simulation

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	engine "github.com/sallyport-iap/sallyport/edge/policy"
)

// maxUnknowns is how many facts are filled in, in three ways each.
const maxUnknowns = 3

// gap is what may matter for an app and was not looked for: values of a claim, those that lead to the same groups together.
type gap [][]string

// supposed is what it makes of somebody, on either side, if what was not recorded is filled in one way or another.
type supposed struct{ ways [][2]*engine.Lead }

// gap returns what may matter for an app, which is another one on either side perhaps, and was not recorded of somebody.
// If that is more than can be filled in, it is not all of it.
func (j *judge) gap(p *person, apps [2]string) gap {
	if p.identity.Kind != engine.Person {
		return nil
	}
	for i := range apps {
		if !p.admitted[i] {
			apps[i] = ""
		}
	}
	j.key = fmt.Appendf(j.key[:0], "%d %s %s %s", p.era.number, p.identity.IDP, apps[0], apps[1])
	all, ok := j.gaps.find(j.key)
	if !ok {
		all = j.unsought(p.era, p.identity.IDP, apps)
		size := 0
		for _, values := range all {
			size += 24 + 16*len(values)
		}
		j.gaps.add(j.key, all, size)
	}
	var left gap
	for _, values := range all {
		if slices.ContainsFunc(values, func(value string) bool { return p.told[value] }) {
			values = slices.DeleteFunc(slices.Clone(values), func(value string) bool { return p.told[value] })
		}
		if len(values) > 0 {
			left = append(left, values)
		}
		if len(left) > maxUnknowns {
			break
		}
	}
	return left
}

// unsought finds it for all who signed in at a provider.
func (j *judge) unsought(era *era, idp string, apps [2]string) gap {
	alike, sought := map[string]string{}, era.sought[idp]
	for i, s := range j.sides {
		if apps[i] == "" {
			continue
		}
		for value, groups := range s.leading(apps[i])[idp] {
			if !sought[value] {
				alike[value] += strconv.Itoa(i) + ":" + groups
			}
		}
	}
	classes := map[string][]string{}
	for _, value := range slices.Sorted(maps.Keys(alike)) {
		classes[alike[value]] = append(classes[alike[value]], value)
	}
	var list gap
	for _, key := range slices.Sorted(maps.Keys(classes)) {
		list = append(list, classes[key])
	}
	return list
}

// suppose fills in, in each way that there is. Other values that were not looked for are unknown in all of them.
func (j *judge) suppose(p *person, unknowns gap) *supposed {
	idp := p.identity.IDP
	j.key = fmt.Appendf(j.key[:0], "%d %s", p.era.number, idp)
	for _, values := range unknowns {
		j.key = append(j.key, 1) // claims of people are text without such: see what sessions keep
		for _, value := range values {
			j.key = append(append(j.key, 0), value...)
		}
	}
	if found, ok := j.supposed.find(j.key); ok {
		return found
	}
	filled := map[string]bool{}
	for _, values := range unknowns {
		for _, value := range values {
			filled[value] = true
		}
	}
	var others [2][]string
	for i, s := range j.sides {
		for _, value := range s.Program.Claims(idp) {
			if !p.era.sought[idp][value] && !filled[value] {
				others[i] = append(others[i], value)
			}
		}
	}
	ways := 1
	for range unknowns {
		ways *= 3
	}
	made, size := &supposed{}, 0
	for digits := range ways {
		var leads [2]*engine.Lead
		has, perhaps := way(unknowns, digits)
		for i, s := range j.sides {
			leads[i] = s.Program.Lead(idp, has, slices.Concat(perhaps, others[i]))
			size += leads[i].Size()
		}
		made.ways = append(made.ways, leads)
	}
	j.supposed.add(j.key, made, size)
	return made
}

// way fills in by the digits of a number, to the base of three: has, has not, unknown. One value of those that lead to
// the same groups stands for all.
func way(unknowns gap, digits int) (has, perhaps []string) {
	for _, values := range unknowns {
		switch digits % 3 {
		case 0:
			has = append(has, values[0])
		case 2:
			perhaps = append(perhaps, values...)
		}
		digits /= 3
	}
	return has, perhaps
}
