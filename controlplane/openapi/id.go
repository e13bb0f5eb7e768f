package openapi

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// maxID is as long as the id of an operation may be.
const maxID = 63

// name gives every operation its id. An id that several come down to is nobody's: each gets a suffix that is made of its own
// method and path, so that whoever comes later cannot take over an id, and with it the rules that name it.
func (r *reader) name(operations []Operation) {
	wanted := map[string][]*Operation{}
	taken := map[string]bool{}
	for i := range operations {
		o := &operations[i]
		if o.ID = slug(o.Name); o.ID == "" {
			o.ID = slug(strings.ToLower(o.Method) + " " + o.Path)
		}
		wanted[o.ID] = append(wanted[o.ID], o)
		taken[o.ID] = true
	}
	for _, id := range sortedKeys(wanted) {
		same := wanted[id]
		if len(same) == 1 {
			continue
		}
		for i, o := range same {
			o.ID = suffixed(id, o, taken)
			taken[o.ID] = true
			other := same[(i+1)%len(same)]
			r.warn(o.Line, o.at(), fmt.Sprintf("its id would be %q, as that of %s; it is %q instead", id, other.at(), o.ID))
		}
	}
}

// suffixed is an id with as much of a hash as makes it unique.
func suffixed(id string, o *Operation, taken map[string]bool) string {
	sum := sha256.Sum256([]byte(o.Method + " " + o.Path))
	text := hex.EncodeToString(sum[:])
	n := 6
	for taken[cut(id, maxID-1-n)+"-"+text[:n]] && n < maxID/2 {
		n += 2
	}
	return cut(id, maxID-1-n) + "-" + text[:n]
}

// slug is a text as an id of an operation: `^[a-z]([a-z0-9._-]{0,61}[a-z0-9])?$`. "" if nothing of it is left.
func slug(text string) string {
	var out strings.Builder
	letters := []rune(text)
	for i, c := range letters {
		switch {
		case isUpper(c):
			// getUser, HTTPServer: a word begins at an upper-case letter behind a lower-case one or a digit, or before one.
			if i > 0 && (isLower(letters[i-1]) || isUpper(letters[i-1]) && i+1 < len(letters) && isLower(letters[i+1])) {
				out.WriteByte('-')
			}
			out.WriteRune(c - 'A' + 'a')
		case isLower(c) || c == '.' || c == '_':
			out.WriteRune(c)
		default:
			out.WriteByte('-')
		}
	}
	id := collapse(out.String())
	if id != "" && (id[0] < 'a' || id[0] > 'z') {
		id = "op-" + id
	}
	if len(id) > maxID {
		sum := sha256.Sum256([]byte(text))
		id = fmt.Sprintf("%s-%x", cut(id, maxID-9), sum[:4])
	}
	return id
}

func isUpper(c rune) bool { return c >= 'A' && c <= 'Z' }

// isLower takes digits for letters.
func isLower(c rune) bool { return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' }

// collapse makes one of several hyphens in a row, and takes what is no letter and no digit from both ends.
func collapse(text string) string {
	for strings.Contains(text, "--") {
		text = strings.ReplaceAll(text, "--", "-")
	}
	return strings.Trim(text, "-._")
}

func cut(id string, most int) string { return strings.TrimRight(id[:min(most, len(id))], "-._") }
