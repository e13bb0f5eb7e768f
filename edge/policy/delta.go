package policy

import (
	"slices"
	"strings"
)

// delta is how a list of a source differs from that of the source before.
type delta[T any] struct {
	list       []*T // the new one, in order of ids
	gone, come []*T // what is changed is in both
	twice      []*T // what has the id of one before it, and is not in the list
}

func (d *delta[T]) changed() bool { return len(d.gone)+len(d.come)+len(d.twice) > 0 }

// difference compares two lists, of which the first is in order. If the second
// is as well, the parts that they share cost one comparison of pointers each.
func difference[T any](before, after []*T, id func(*T) string) delta[T] {
	d := delta[T]{list: after}
	wasShared := false
	for i, j := 0, 0; i < len(before) || j < len(after); {
		shared := i < len(before) && j < len(after) && before[i] == after[j]
		// Two that are neighbours in both lists are in order, because before is.
		if j > 0 && j < len(after) && !(shared && wasShared) && id(after[j-1]) >= id(after[j]) {
			list, twice := inOrder(after, id)
			d = difference(before, list, id)
			d.twice = twice
			return d
		}
		wasShared = shared
		switch {
		case shared:
			i, j = i+1, j+1
		case j == len(after) || i < len(before) && id(before[i]) < id(after[j]):
			d.gone = append(d.gone, before[i])
			i++
		case i == len(before) || id(after[j]) < id(before[i]):
			d.come = append(d.come, after[j])
			j++
		default:
			d.gone, d.come = append(d.gone, before[i]), append(d.come, after[j])
			i, j = i+1, j+1
		}
	}
	return d
}

func inOrder[T any](list []*T, id func(*T) string) (ordered, twice []*T) {
	byID := slices.Clone(list)
	slices.SortStableFunc(byID, func(a, b *T) int { return strings.Compare(id(a), id(b)) })
	for i, v := range byID {
		if i > 0 && id(byID[i-1]) == id(v) {
			twice = append(twice, v)
		} else {
			ordered = append(ordered, v)
		}
	}
	return ordered, twice
}
