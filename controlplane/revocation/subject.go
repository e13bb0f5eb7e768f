package revocation

import (
	"fmt"
	"strings"
	"time"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/policy"
	"github.com/sallyport-iap/sallyport/controlplane/store"
)

// Callers name resources by their ids, which can be given again; edges compare uids, which never are. So what is stored
// and sent differs from what is written: `idp:demo` is kept as `idp:<uid>`, `user:<e-mail>` as `email:<canonical>`.

// resolved is what a subject stands for.
type resolved struct {
	subject  string        // as stored and sent to edges
	keep     time.Duration // how long
	accounts []*controlplane.Resource
	token    string // of the accounts' tokens only this one; "" for all
}

var kinds = map[string]controlplane.Kind{
	"idp": controlplane.KindIdentityProvider, "app": controlplane.KindApp, "serviceAccount": controlplane.KindServiceAccount,
}

func invalid(reason, description, suggestion string) error {
	return controlplane.InvalidFields(controlplane.Violation{Field: "revocation.subject", Reason: reason, Description: description, Suggestion: suggestion})
}

// resolve reads a subject. Tokens that there are end each by itself as well: it shows in their list, and they leave the
// snapshot for good, also once the revocation has expired.
func resolve(tx *store.TenantTx, subject string) (resolved, error) {
	prefix, value, _ := strings.Cut(subject, ":")
	switch {
	case subject == "tenant":
		accounts, err := tx.AllResources(controlplane.KindServiceAccount)
		return resolved{subject: subject, keep: forSessions, accounts: accounts}, err
	case value == "":
	case prefix == "session":
		return resolved{subject: subject, keep: forSessions}, nil
	case prefix == "user" && strings.Contains(value, "@"):
		email, ok := policy.CanonicalEmail(value)
		if !ok {
			return resolved{}, invalid(controlplane.ReasonFieldInvalid, fmt.Sprintf("%q is not an e-mail address", value), "")
		}
		return resolved{subject: "email:" + email, keep: forSessions}, nil
	case prefix == "user":
		return resolved{subject: subject, keep: forSessions}, nil
	case prefix == "token":
		account, err := accountOf(tx, value)
		return resolved{subject: subject, keep: forTokens, accounts: []*controlplane.Resource{account}, token: value}, err
	case kinds[prefix] != "":
		return resolveResource(tx, kinds[prefix], prefix, value)
	}
	return resolved{}, invalid(controlplane.ReasonFieldInvalid,
		"must be session:<id>, user:<id or e-mail>, idp:<id>, serviceAccount:<id>, token:<id>, app:<id> or tenant", "")
}

func resolveResource(tx *store.TenantTx, kind controlplane.Kind, prefix, id string) (resolved, error) {
	found, err := tx.Resource(kind, id)
	if controlplane.KindOf(err) == controlplane.NotFound {
		all, err := tx.AllResources(kind)
		if err != nil {
			return resolved{}, err
		}
		var ids []string
		for _, r := range all {
			ids = append(ids, r.ID)
		}
		return resolved{}, invalid(controlplane.ReasonReferenceNotFound, fmt.Sprintf("%s %q does not exist", prefix, id), controlplane.Nearest(id, ids))
	}
	if err != nil {
		return resolved{}, err
	}
	r := resolved{subject: prefix + ":" + string(found.UID), keep: forSessions}
	if kind == controlplane.KindServiceAccount {
		r.accounts, r.keep = []*controlplane.Resource{found}, forTokens
	}
	return r, nil
}

// accountOf finds whose token it is.
func accountOf(tx *store.TenantTx, id string) (*controlplane.Resource, error) {
	accounts, err := tx.AllResources(controlplane.KindServiceAccount)
	if err != nil {
		return nil, err
	}
	for _, account := range accounts {
		tokens, err := tx.ServiceTokens(account.UID)
		if err != nil {
			return nil, err
		}
		for _, t := range tokens {
			if t.ID == id {
				return account, nil
			}
		}
	}
	return nil, invalid(controlplane.ReasonReferenceNotFound, fmt.Sprintf("token %q does not exist", id), "")
}

// spoken is the inverse of resolve. What is gone keeps its uid: that is all there is left of it.
func spoken(tx *store.TenantTx, stored string) (string, error) {
	prefix, value, _ := strings.Cut(stored, ":")
	if prefix == "email" {
		return "user:" + value, nil
	}
	if kinds[prefix] == "" {
		return stored, nil
	}
	found, err := tx.ResourceByUID(controlplane.UID(value))
	if controlplane.KindOf(err) == controlplane.NotFound {
		return stored, nil
	}
	if err != nil {
		return "", err
	}
	return prefix + ":" + found.ID, nil
}
