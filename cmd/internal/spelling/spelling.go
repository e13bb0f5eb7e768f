// Package spelling finds the word that was probably meant, for error messages.
//
// It must never correct anything by itself: what was written is refused, and the guess is said.
package spelling

import (
	"strings"

	"github.com/agext/levenshtein"
)

// longest bounds what is compared: the distance costs the product of the lengths.
const longest = 256

// Nearest returns the known word that is nearest to word, or "" if none is near: at most two letters, or a third of the
// word, may differ. Of two that are equally near it is the first in order.
func Nearest(word string, known []string) string {
	if len(word) > longest {
		return ""
	}
	best, distance := "", 1+max(2, len(word)/3)
	for _, k := range known {
		if n := levenshtein.Distance(strings.ToLower(word), strings.ToLower(k), nil); n < distance {
			best, distance = k, n
		}
	}
	return best
}
