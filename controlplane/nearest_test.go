package controlplane_test

import (
	"testing"

	"github.com/sallyport-iap/sallyport/controlplane"
)

func TestNearest(t *testing.T) {
	t.Parallel()
	groups := []string{"engineering", "admins", "sales", "ops", "iran"}
	for word, want := range map[string]string{
		"enginering":  "engineering",
		"Engineering": "engineering",
		"admin":       "admins",
		"amdins":      "admins",
		"opss":        "ops",
		"marketing":   "",
		"":            "",
		"xyz":         "",
		"local":       "",
	} {
		if got := controlplane.Nearest(word, groups); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", word, got, want)
		}
	}
	if got := controlplane.Nearest("ab", []string{"ac", "aa"}); got != "aa" {
		t.Errorf("of two that are equally near, got %q, want the first by order", got)
	}
}
