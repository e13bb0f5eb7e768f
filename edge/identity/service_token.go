package identity

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"strings"
	"time"

	"github.com/sallyport-iap/sallyport/edge/exchange"
	"github.com/sallyport-iap/sallyport/edge/header"
	"github.com/sallyport-iap/sallyport/edge/policy"
	"github.com/sallyport-iap/sallyport/edge/snapshot"
)

// AssertionType is the typ of what we tell upstreams about a caller. It is no credential: an upstream that got one must
// not be able to act as its caller.
const AssertionType = "sallyport-assertion+jwt"

// ourToken finds the token that is for us, by shape. own says that it was in Authorization.
func ourToken(t header.Taken) (token string, own bool, err error) {
	authorization, err := header.One(t.Authorization)
	if err != nil {
		return "", false, err
	}
	proxy, err := header.One(t.ProxyAuthorization)
	if err != nil {
		return "", false, err
	}
	bare, err := header.One(t.Token)
	if err != nil {
		return "", false, err
	}
	found := 0
	switch b := bearer(authorization); {
	case ours(b):
		token, own = b, true
		found++
	case holdsOurs(authorization):
		own = true
		found++
	}
	// These two are for nobody but us, so whatever they hold is.
	if proxy != "" {
		token = bearer(proxy)
		found++
	}
	if bare != "" {
		token = bare
		found++
	}
	if found > 1 {
		return "", false, &header.Refusal{Reason: header.ReasonTwoCredentials, Detail: "there is more than one token"}
	}
	if found == 1 && token == "" {
		token = "?" // present and unreadable is bad, not absent
	}
	return token, own, nil
}

func bearer(value string) string {
	scheme, rest, ok := strings.Cut(value, " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimLeft(rest, " ")
}

// ours tells by shape. Tokens for our other doors are ours as well: an upstream must not see them.
func ours(token string) bool {
	if strings.HasPrefix(token, servicePrefix) {
		return true
	}
	for _, prefix := range [...]string{"spa_", "spj_", "spo_"} {
		if hasForm(token, prefix) {
			return true
		}
	}
	return isAssertion(token)
}

// holdsOurs tells whether a token of ours is somewhere in a value where it is not read: after another scheme, a tab, in
// quotes. Its sender made a mistake, and the upstream must not profit from it.
func holdsOurs(value string) bool {
	words := strings.FieldsFuncSeq(value, func(r rune) bool {
		return (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_' && r != '-' && r != '.'
	})
	for word := range words {
		for _, prefix := range [...]string{servicePrefix, "spa_", "spj_", "spo_"} {
			if hasForm(word, prefix) {
				return true
			}
		}
		if isAssertion(word) {
			return true
		}
	}
	return false
}

// hasForm tells whether a word begins as our tokens with a prefix do; one of them goes on.
func hasForm(word, prefix string) bool {
	rest, ok := strings.CutPrefix(word, prefix)
	return ok && len(rest) >= tokenLength && rest[idLength] == '_' && rest[idLength+1+secretLength] == '_'
}

// isAssertion recognises a JWT of ours by its header, whoever signed it.
func isAssertion(token string) bool {
	head, _, ok := strings.Cut(token, ".")
	if !ok || len(head) > 1024 || !strings.HasPrefix(head, "ey") {
		return false
	}
	text, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(head, "="))
	if err != nil {
		return false
	}
	var parsed struct {
		Type string `json:"typ"`
	}
	return json.Unmarshal(text, &parsed) == nil && strings.EqualFold(strings.TrimPrefix(strings.ToLower(parsed.Type), "application/"), AssertionType)
}

// The form: "sp_", id, "_", secret (32 bytes, base64url), "_", CRC-32 of all before it (base64url). The secret's alphabet
// has the separator in it, so a token is read by lengths.
const (
	servicePrefix  = "sp_"
	idLength       = 10
	secretLength   = 43
	checksumLength = 6
	tokenLength    = idLength + 1 + secretLength + 1 + checksumLength
)

// Strict, so that no two spellings are one token.
var encoding = base64.RawURLEncoding.Strict()

// parseToken reads a token's public part, and the hash of its secret part.
func parseToken(text string) (id string, hash [32]byte, ok bool) {
	rest, ok := strings.CutPrefix(text, servicePrefix)
	if !ok || len(rest) != tokenLength || rest[idLength] != '_' || rest[idLength+1+secretLength] != '_' {
		return "", hash, false
	}
	body := text[:len(text)-1-checksumLength]
	sum := binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(body)))
	if encoding.EncodeToString(sum) != text[len(text)-checksumLength:] {
		return "", hash, false
	}
	secret, err := encoding.DecodeString(rest[idLength+1 : idLength+1+secretLength])
	if err != nil || len(secret) != 32 {
		return "", hash, false
	}
	return rest[:idLength], sha256.Sum256(secret), true
}

// serviceToken authenticates a machine. Nothing is said about a token before its secret was found right.
func serviceToken(site *snapshot.Site, text string, now time.Time) (*exchange.Caller, *exchange.Denial) {
	id, hash, ok := parseToken(text)
	if !ok {
		return nil, badToken("The token is malformed.")
	}
	t := site.ServiceToken(id)
	want := make([]byte, len(hash))
	if t != nil {
		want = t.SHA256
	}
	// Compared also if there is no such token, so that the two take the same time (CR-02).
	if subtle.ConstantTimeCompare(hash[:], want) != 1 || t == nil {
		return nil, badToken("The token is not one of this tenant's.")
	}
	c := callerOf(t)
	if alive, reason := tokenAlive(site, c, now); !alive {
		return nil, &exchange.Denial{Outcome: exchange.Authenticates, Reason: reason, Caller: c}
	}
	return c, nil
}

func badToken(detail string) *exchange.Denial {
	d := exchange.Authenticate(policy.IdentityBadToken)
	d.Detail = detail
	return d
}

// callerOf makes a token's caller once, and keeps it with the token as long as the snapshot has it.
func callerOf(t *snapshot.ServiceToken) *exchange.Caller {
	if c, ok := t.Memo.Load().(*exchange.Caller); ok {
		return c
	}
	c := &exchange.Caller{
		Identity:   policy.Identity{Kind: policy.Machine, Subject: "serviceAccount:" + t.Account.ID, ServiceAccount: t.Account.ID},
		Subject:    "serviceAccount:" + t.Account.ID,
		Name:       t.Account.ID,
		Credential: exchange.CredentialServiceToken,
		ExpireTime: t.ExpireTime,
		Revocable:  revocable(t),
		Version:    t.Account.UID,
	}
	t.Memo.Store(c)
	return c
}

func revocable(t *snapshot.ServiceToken) snapshot.Subject {
	return snapshot.Subject{Token: t.ID, ServiceAccount: t.Account.UID, Urgent: t.Urgent, Lineage: t.Lineage}
}

// tokenAlive asks the site, not the caller that a request began with: after a restore its history is not the token's.
func tokenAlive(site *snapshot.Site, c *exchange.Caller, now time.Time) (bool, policy.Reason) {
	t := site.ServiceToken(c.Revocable.Token)
	switch {
	case t == nil, site.Revocations.Dead(revocable(t)):
		return false, policy.IdentityRevoked
	case t.Account.Disabled:
		return false, policy.IdentityDisabled
	case !t.ExpireTime.IsZero() && !now.Before(t.ExpireTime):
		return false, policy.IdentityExpired
	default:
		return true, ""
	}
}
