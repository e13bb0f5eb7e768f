package policytest

import (
	"fmt"
	"io/fs"
	"regexp"
	"strings"
)

// Specification is what decisions keep, sentence by sentence.
type Specification []string

// LoadSpecification reads the lines of a file that begin with a dash.
func LoadSpecification(fsys fs.FS, file string) (s Specification, err error) {
	data, err := fs.ReadFile(fsys, file)
	if err != nil {
		return nil, fmt.Errorf("read the specification: %w", err)
	}
	for line := range strings.Lines(string(data)) {
		if sentence, ok := strings.CutPrefix(line, "- "); ok {
			s = append(s, strings.TrimSpace(sentence))
		}
	}
	return s, nil
}

// note is what a row adds to its quotation.
var note = regexp.MustCompile(` \([^()]*\)$`)

// Quoted returns the sentences that a row quotes: those in which its words
// stand as they are, but for a note in brackets at their end.
func (s Specification) Quoted(pins string) (found []string) {
	for _, quotation := range []string{pins, note.ReplaceAllString(pins, "")} {
		for _, sentence := range s {
			if strings.Contains(sentence, quotation) {
				found = append(found, sentence)
			}
		}
		if found != nil {
			return found
		}
	}
	return nil
}
