package snapshot

import "testing"

// An address is of a provider's domain if it is that very domain: letters that only look like those of it are others.
func TestOwnsEmail(t *testing.T) {
	t.Parallel()
	p := &IdentityProvider{EmailDomains: []string{"kite.test", "Acme.Test"}}
	for email, want := range map[string]bool{
		"bob@kite.test": true, "bob@KITE.test": true, "bob@acme.test": true, "bob@x.kite.test": false, "kite.test": false, "": false,
		"bob@\u212aite.test": false, "bob@kite.te\u017ft": false, "bob@acme.test@kite.test": false, "bob@kite.test@acme.org": false,
	} {
		if got := p.OwnsEmail(email); got != want {
			t.Errorf("%q: %v", email, got)
		}
	}
}
