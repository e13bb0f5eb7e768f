package clause

import (
	"fmt"
	"strings"
)

// AnyOf writes a list in words, and not all of a long one.
func AnyOf(list []string) string { return words(list, "or") }

// AllOf is AnyOf with "and".
func AllOf(list []string) string { return words(list, "and") }

// OneOf lists what is written as it is in a rule.
func OneOf(list []string) string {
	const most = 12
	if n := len(list); n > most {
		return fmt.Sprintf("one of: %s and %d more", strings.Join(list[:most], ", "), n-most)
	}
	return "one of: " + strings.Join(list, ", ")
}

func words(list []string, and string) string {
	const most = 12
	switch n := len(list); {
	case n == 0:
		return "nothing"
	case n == 1:
		return list[0]
	case n > most:
		return fmt.Sprintf("%s %s %d more", strings.Join(list[:most], ", "), and, n-most)
	default:
		return strings.Join(list[:n-1], ", ") + " " + and + " " + list[n-1]
	}
}
