package zone

import (
	"strings"

	"github.com/agext/levenshtein"
)

// Nearest returns the name that a wrong one was probably meant to be, or "".
// Of equally near ones it is the first, bytewise.
func Nearest(name string) string {
	const longest = 64 // no zone's name has half of that; comparing costs the product of both
	if name == "" || len(name) > longest {
		return ""
	}
	asked := plain(name)
	best, distance := "", max(1, min(3, len(name)/4))+1 // no MaxCost below: with it, distances come out too short
	for known := range files() {
		d := levenshtein.Distance(asked, plain(known), nil)
		if _, city, ok := strings.Cut(known, "/"); ok && plain(city) == asked {
			d = 0 // "Berlin"
		}
		if d < distance || d == distance && best != "" && known < best {
			best, distance = known, d
		}
	}
	return best
}

// plain is what two spellings of a name have in common.
func plain(name string) string {
	return strings.ToLower(strings.ReplaceAll(name, " ", "_"))
}
