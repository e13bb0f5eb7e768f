package problem

import (
	"iter"
	"slices"
)

// Nearest returns the known name that a wrong one was probably meant to be, or
// "". Ties go to the name that sorts first, so that the answer is stable.
func Nearest(name string, known iter.Seq[string]) string {
	const longest = 320 // comparing costs the product of both lengths
	if len(name) > longest {
		return ""
	}
	best, distance := "", max(1, min(3, len(name)/3))+1
	for k := range known {
		d := editDistance(name, k, distance+1)
		if d < distance || d == distance && best != "" && k < best {
			best, distance = k, d
		}
	}
	return best
}

// editDistance is Damerau-Levenshtein's (adjacent swaps count once), or limit
// if it is not less than that.
func editDistance(a, b string, limit int) int {
	if d := len(a) - len(b); d >= limit || -d >= limit {
		return limit
	}
	before, previous, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range previous {
		previous[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(previous[j]+1, row[j-1]+1, previous[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		if slices.Min(row) >= limit {
			return limit
		}
		before, previous, row = previous, row, before
	}
	return min(previous[len(b)], limit)
}
