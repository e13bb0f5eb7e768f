package policy

// Reasons of a [Problem].
const (
	ProblemInvalid   = "FIELD_INVALID"
	ProblemRequired  = "FIELD_REQUIRED"
	ProblemReference = "REFERENCE_NOT_FOUND"
)

// Problem is something in a [Source] that cannot be meant.
type Problem struct {
	Field      string // path within the source, such as "policies[api].rules[2].principals[0]"
	Reason     string
	Message    string // a clause, without "did you mean"
	Suggestion string // what was probably meant, or ""
}

// nearest returns the known name that a wrong one was probably meant to be, or
// "". Ties go to the name that sorts first, so that the answer is stable.
func nearest(name string, known func(yield func(string) bool)) string {
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
		before, previous, row = previous, row, before
	}
	return min(previous[len(b)], limit)
}
