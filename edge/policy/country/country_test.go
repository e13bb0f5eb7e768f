package country

import (
	"slices"
	"strings"
	"testing"
)

func TestKnown(t *testing.T) {
	t.Parallel()
	list := strings.Fields(codes)
	if !slices.IsSorted(list) || len(slices.Compact(list)) != 250 {
		t.Errorf("%d codes, want 249 and XK, each once and in order", len(list))
	}
	for _, code := range list {
		if len(code) != 2 || code != strings.ToUpper(code) || !Known(code) {
			t.Errorf("%q", code)
		}
	}
	for wrong, want := range map[string]string{
		"UK": "GB", "uk": "GB", "EL": "GR", "de": "DE", "AN": "", "CS": "", "EU": "", "XX": "", "ZZ": "", "": "", "unknown": "", "DEU": "", "ſe": "",
	} {
		if Known(wrong) || Meant(wrong) != want {
			t.Errorf("%q: known %v, meant %q, want %q", wrong, Known(wrong), Meant(wrong), want)
		}
	}
}
