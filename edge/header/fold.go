package header

import "strings"

// fold gives a name the form in which names are compared: lower case, each run
// of other bytes than letters and digits a single "-", none at the ends.
func fold(name string) string {
	folded := make([]byte, 0, 64) // stays on the stack for all names that are ours
	for i := range len(name) {
		c := name[i]
		switch {
		case 'A' <= c && c <= 'Z':
			folded = append(folded, c+'a'-'A')
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
			folded = append(folded, c)
		case len(folded) > 0 && folded[len(folded)-1] != '-':
			folded = append(folded, '-')
		}
	}
	return strings.TrimSuffix(string(folded), "-")
}

// plain names have nothing that any upstream folds, but case.
func plain(name string) bool {
	for i := range len(name) {
		if c := name[i]; (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return name != ""
}

// ourHeader takes separators out altogether: no header but ours begins so.
func ourHeader(folded string) bool {
	return strings.HasPrefix(strings.ReplaceAll(folded, "-", ""), "xsallyport")
}

func ourCookie(folded string) bool {
	return folded == "host-sp" || strings.HasPrefix(folded, "host-sp-")
}

// nameSet is a list of names in folded form.
type nameSet struct {
	exact    map[string]bool
	prefixes []string
}

func newNameSet(lists ...[]string) nameSet {
	s := nameSet{exact: map[string]bool{}}
	for _, list := range lists {
		for _, name := range list {
			prefix, open := strings.CutSuffix(name, "*")
			switch folded := fold(prefix); {
			case !open:
				s.exact[folded] = true
			case strings.HasSuffix(prefix, "-"):
				s.prefixes = append(s.prefixes, folded+"-")
			default:
				s.prefixes = append(s.prefixes, folded)
			}
		}
	}
	return s
}

func (s nameSet) has(folded string) bool {
	if s.exact[folded] {
		return true
	}
	for _, p := range s.prefixes {
		if strings.HasPrefix(folded, p) {
			return true
		}
	}
	return false
}

// Computed once from the data in names.go, never changed.
var (
	spoofableNames = newNameSet(spoofable[:])
	hopByHopNames  = newNameSet(hopByHop[:])
	trailerNames   = newNameSet(spoofable[:], hopByHop[:], notInTrailers[:])
)
