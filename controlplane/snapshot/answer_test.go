package snapshot

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestPrintable(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"rule r: no such group": "rule r: no such group",
		"a\x00b\x1b[31mc\nd":    "a b [31mc d",
		"bad \xff\xfe bytes":    "bad  bytes",
		"größer":                "größer",
	} {
		if got := printable(in); got != want {
			t.Errorf("printable(%q) = %q, want %q", in, got, want)
		}
	}
	// Cut in the middle of a character.
	if got := printable(strings.Repeat("x", maxDetail-1) + "ü"); len(got) != maxDetail-1 || !utf8.ValidString(got) {
		t.Errorf("%d bytes, valid %v", len(got), utf8.ValidString(got))
	}
}
