package incremental

import (
	"slices"
	"strings"
)

// Delta is how a list differs from the one before.
type Delta[T any] struct {
	List       []*T // the new one, in order of ids
	Gone, Come []*T // what is changed is in both
	Twice      []*T // what has the id of one before it, and is not in the list
}

// Changed is whether there is a difference.
func (d *Delta[T]) Changed() bool { return len(d.Gone)+len(d.Come)+len(d.Twice) > 0 }

// Difference compares two lists, of which the first is in order. If the second
// is as well, the parts that they share cost one comparison of pointers each.
func Difference[T any](before, after []*T, id func(*T) string) Delta[T] {
	d := Delta[T]{List: after}
	wasShared := false
	for i, j := 0, 0; i < len(before) || j < len(after); {
		shared := i < len(before) && j < len(after) && before[i] == after[j]
		// Two that are neighbours in both lists are in order, because before is.
		if j > 0 && j < len(after) && !(shared && wasShared) && id(after[j-1]) >= id(after[j]) {
			list, twice := inOrder(after, id)
			d = Difference(before, list, id)
			d.Twice = twice
			return d
		}
		wasShared = shared
		switch {
		case shared:
			i, j = i+1, j+1
		case j == len(after) || i < len(before) && id(before[i]) < id(after[j]):
			d.Gone = append(d.Gone, before[i])
			i++
		case i == len(before) || id(after[j]) < id(before[i]):
			d.Come = append(d.Come, after[j])
			j++
		default:
			d.Gone, d.Come = append(d.Gone, before[i]), append(d.Come, after[j])
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
