package controlplane

import "github.com/agext/levenshtein"

// Nearest returns the candidate that word was most likely meant to be, or "" if none is close: at most a third of the
// word may differ, so that a suggestion is a correction and not a guess. Of two that are equally near it is the first by
// order, so that the answer is stable.
func Nearest(word string, candidates []string) string {
	if len(word) > 256 {
		return "" // the distance costs the product of the lengths
	}
	best, bestDistance := "", max(1, len(word)/3)+1
	for _, c := range candidates {
		if c == word || len(c) > 256 {
			continue
		}
		d := levenshtein.Distance(word, c, nil) // not MaxCost: with it far words come out near
		if d < bestDistance || d == bestDistance && best != "" && c < best {
			best, bestDistance = c, d
		}
	}
	return best
}
