package login

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-iap/sallyport/edge/exchange"
	"github.com/sallyport-iap/sallyport/edge/header"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

const (
	// maxAttempts is how many tabs of one browser can be signing in at once on one host.
	maxAttempts = 12
	// maxFlowBytes keeps the cookies of sign-ins that are under way, together with a session's, below header.MaxCookieBytes.
	maxFlowBytes = 12 << 10
	// maxFlowCookie is what browsers keep of one cookie, less its name.
	maxFlowCookie = 4000
	// roundName counts how often this browser came back to this host and still was nobody. It decides on nothing but when
	// to stop, so it is not sealed.
	roundName = header.Session + "-round"
	maxRounds = 3
)

func keep(name, value string, life time.Duration) *http.Cookie {
	return &http.Cookie{Name: name, Value: value, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode, MaxAge: int(life / time.Second)}
}

func drop(name string) *http.Cookie { return keep(name, "", -time.Second) }

// newAttempt names an attempt so that names sort by age: 4 bytes of time, 4 random ones.
func newAttempt(now time.Time) string {
	var f [8]byte
	rand.Read(f[4:])
	binary.BigEndian.PutUint32(f[:4], uint32(now.Unix()))
	return hex.EncodeToString(f[:])
}

// attemptCookies are the start cookies that this host set: others of that name are nothing to us.
func attemptCookies(req *exchange.Request) []header.Cookie {
	return slices.DeleteFunc(slices.Clone(req.Taken.CookiesNamed(header.StartPrefix)), func(c header.Cookie) bool {
		f := strings.TrimPrefix(c.Name, header.StartPrefix)
		raw, err := hex.DecodeString(f)
		return err != nil || len(raw) != 8 || f != strings.ToLower(f)
	})
}

// tooManyAttempts are the cookies of the oldest attempts, to make room for one more.
func tooManyAttempts(req *exchange.Request) (out []*http.Cookie) {
	have := attemptCookies(req)
	slices.SortFunc(have, func(a, b header.Cookie) int { return strings.Compare(a.Name, b.Name) })
	for len(have) >= maxAttempts {
		out = append(out, drop(have[0].Name))
		have = have[1:]
	}
	return out
}

// tooManyFlows does the same for the cookies of sign-ins that are at a provider, which are large and sealed: what does
// not open goes first, then the oldest.
func tooManyFlows(req *exchange.Request) (out []*http.Cookie) {
	type flow struct {
		name    string
		size    int
		expires int64
	}
	var have []flow
	total := 0
	for _, c := range req.Taken.CookiesNamed(header.OIDCPrefix) {
		var m edgev1.SignInFlow
		if len(have) > 2*maxAttempts || !open(req.Site, forOIDC, c.Value, &m) || expired(m.ExpireMs, req.Now) {
			out = append(out, drop(c.Name))
			continue
		}
		have = append(have, flow{c.Name, len(c.Name) + len(c.Value), m.ExpireMs})
		total += len(c.Name) + len(c.Value)
	}
	slices.SortFunc(have, func(a, b flow) int { return int(a.expires - b.expires) })
	for len(have) >= maxAttempts || total > maxFlowBytes {
		out = append(out, drop(have[0].name))
		total -= have[0].size
		have = have[1:]
	}
	return out
}

func round(req *exchange.Request) int {
	value, err := req.Taken.Cookie(roundName)
	if err != nil {
		return 0
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 0 || n > maxRounds+1 {
		return 0
	}
	return n
}

func hash(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}
