// Package spelling finds the word that was probably meant, for error messages.
//
// It must never correct anything by itself: what was written is refused, and the guess is said. It is for our programs; the
// planes, which know nothing of these, guess by themselves.
package spelling

import (
	"strings"

	"github.com/agext/levenshtein"
)

// longest bounds what is compared: the distance costs the product of the lengths.
const longest = 256

// Nearest returns the known word that is nearest to word, or "" if none is near: at most two letters, or a third of the
// word, may differ, and never all of it. Of two that are equally near it is the first one known.
func Nearest(word string, known []string) string {
	if len(word) > longest {
		return ""
	}
	best, distance := "", min(len(word), 1+max(2, len(word)/3))
	for _, k := range known {
		if n := levenshtein.Distance(strings.ToLower(word), strings.ToLower(k), nil); n < distance {
			best, distance = k, n
		}
	}
	return best
}
