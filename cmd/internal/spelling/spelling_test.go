package spelling_test

import (
	"strings"
	"testing"

	"github.com/sallyport-iap/sallyport/cmd/internal/spelling"
)

func TestNearest(t *testing.T) {
	t.Parallel()
	known := []string{"apps", "policies", "identityProviders", "tls-cert", "id", "of"}
	for word, want := range map[string]string{
		"app": "apps", "aps": "apps", "APPS": "apps", "polcies": "policies", "identity-provider": "identityProviders", "tls_cert": "tls-cert",
		"ip": "id", "x": "", "xy": "", "volcano": "", "": "", strings.Repeat("a", 300): "",
	} {
		if got := spelling.Nearest(word, known); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
}
