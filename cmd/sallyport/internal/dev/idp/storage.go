package idp

import (
	"context"
	"crypto/subtle"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

const (
	requestLife     = 10 * time.Minute // to type a password
	codeLife        = time.Minute
	accessTokenLife = 5 * time.Minute
	sessionLife     = 8 * time.Hour
	maxKept         = 1000 // of each kind; the oldest goes
)

var errUnknown = errors.New("unknown or expired")

// session is one sign-in of one browser at the provider.
type session struct {
	id      string
	subject string
	at      time.Time
}

type accessToken struct {
	subject string
	scopes  []string
}

// storage is what the library asks for, in memory.
type storage struct {
	config Config
	state  *state

	requests *expiring[*authRequest] // by request id
	codes    *expiring[string]       // code → request id
	tokens   *expiring[accessToken]  // by token id
	sessions *expiring[*session]     // by session cookie
}

func newStorage(config Config, state *state) *storage {
	return &storage{
		config: config, state: state,
		requests: newExpiring[*authRequest](requestLife), codes: newExpiring[string](codeLife),
		tokens: newExpiring[accessToken](accessTokenLife), sessions: newExpiring[*session](sessionLife),
	}
}

// CreateAuthRequest keeps a request that the library found well-formed, and answers it at once if this browser's earlier
// sign-in will do.
func (s *storage) CreateAuthRequest(ctx context.Context, request *oidc.AuthRequest, _ string) (op.AuthRequest, error) {
	if request.CodeChallenge == "" || request.CodeChallengeMethod != oidc.CodeChallengeMethodS256 {
		return nil, oidc.ErrInvalidRequest().WithDescription("PKCE with S256 is required")
	}
	if request.ResponseMode != "" && request.ResponseMode != oidc.ResponseModeQuery {
		return nil, oidc.ErrInvalidRequest().WithDescription("only the response mode query is supported")
	}
	who := browserOf(ctx)
	kept := &authRequest{AuthRequest: request, id: randomID(), browser: who.id}
	if satisfiedBy(request, who.session, time.Now()) {
		kept.subject, kept.at = who.session.subject, who.session.at
	} else if slices.Contains(request.Prompt, oidc.PromptNone) {
		return nil, oidc.ErrLoginRequired()
	}
	s.requests.put(kept.id, kept)
	return kept, nil
}

// AuthRequestByID finds a request for the browser that began it, and for no other: a link to a half-done sign-in must
// be worth nothing to a stranger.
func (s *storage) AuthRequestByID(ctx context.Context, id string) (op.AuthRequest, error) {
	return s.request(ctx, id)
}

func (s *storage) request(ctx context.Context, id string) (*authRequest, error) {
	request, ok := s.requests.get(id)
	if !ok || !equal(request.browser, browserOf(ctx).id) {
		return nil, errUnknown
	}
	return request, nil
}

// signedIn notes who answered a request.
func (s *storage) signedIn(request *authRequest, session *session) {
	done := *request
	done.subject, done.at = session.subject, session.at
	s.requests.put(done.id, &done)
}

// AuthRequestByCode redeems a code: the second time it is unknown.
func (s *storage) AuthRequestByCode(_ context.Context, code string) (op.AuthRequest, error) {
	id, ok := s.codes.take(code)
	if !ok {
		return nil, errUnknown
	}
	request, ok := s.requests.take(id)
	if !ok {
		return nil, errUnknown
	}
	return request, nil
}

func (s *storage) SaveAuthCode(_ context.Context, id, code string) error {
	s.codes.put(code, id)
	return nil
}

func (s *storage) DeleteAuthRequest(_ context.Context, id string) error {
	s.requests.take(id)
	return nil
}

func (s *storage) CreateAccessToken(_ context.Context, request op.TokenRequest) (string, time.Time, error) {
	id := randomID()
	s.tokens.put(id, accessToken{subject: request.GetSubject(), scopes: request.GetScopes()})
	return id, time.Now().Add(accessTokenLife), nil
}

// SetUserinfoFromRequest fills the ID token.
func (s *storage) SetUserinfoFromRequest(_ context.Context, info *oidc.UserInfo, request op.IDTokenRequest, scopes []string) error {
	return s.describe(info, request.GetSubject(), scopes)
}

// SetUserinfoFromToken answers /userinfo.
func (s *storage) SetUserinfoFromToken(_ context.Context, info *oidc.UserInfo, tokenID, subject, _ string) error {
	token, ok := s.tokens.get(tokenID)
	if !ok || token.subject != subject {
		return errUnknown
	}
	return s.describe(info, subject, token.scopes)
}

func (s *storage) describe(info *oidc.UserInfo, subject string, scopes []string) error {
	person, ok := s.person(subject)
	if !ok {
		return errUnknown
	}
	info.Subject = person.Subject
	for _, scope := range scopes {
		switch scope {
		case oidc.ScopeProfile:
			info.Name, info.PreferredUsername = person.Name, person.Username
		case oidc.ScopeEmail:
			info.Email, info.EmailVerified = person.Email, true
		case scopeGroups:
			info.AppendClaims("groups", person.Groups)
		}
	}
	return nil
}

func (s *storage) person(subject string) (Person, bool) {
	i := slices.IndexFunc(s.state.People, func(p Person) bool { return p.Subject == subject })
	if i < 0 {
		return Person{}, false
	}
	return s.state.People[i], true
}

// authenticate finds the person by name or e-mail address. Every account is compared, so that the time tells nothing.
func (s *storage) authenticate(username, password string) (Person, bool) {
	username = strings.ToLower(strings.TrimSpace(username))
	var found Person
	ok := false
	for _, person := range s.state.People {
		right := equal(person.Password, password)
		if right && (username == person.Username || username == person.Email) {
			found, ok = person, true
		}
	}
	return found, ok
}

func (s *storage) GetClientByClientID(_ context.Context, id string) (op.Client, error) {
	if id != s.config.ClientID {
		return nil, errUnknown
	}
	return client{s.config}, nil
}

func (s *storage) AuthorizeClientIDSecret(_ context.Context, id, secret string) error {
	if id != s.config.ClientID || !equal(secret, s.state.ClientSecret) {
		return errors.New("wrong client id or secret")
	}
	return nil
}

// TerminateSessionFromRequest ends this browser's sign-in, where /end_session was called.
func (s *storage) TerminateSessionFromRequest(ctx context.Context, request *op.EndSessionRequest) (string, error) {
	if session := browserOf(ctx).session; session != nil {
		s.sessions.take(session.id)
	}
	return request.RedirectURI, nil
}

func (s *storage) SigningKey(context.Context) (op.SigningKey, error) { return signingKey{s.state}, nil }

func (s *storage) SignatureAlgorithms(context.Context) ([]jose.SignatureAlgorithm, error) {
	return []jose.SignatureAlgorithm{jose.RS256}, nil
}

func (s *storage) KeySet(context.Context) ([]op.Key, error) { return []op.Key{publicKey{s.state}}, nil }

type signingKey struct{ state *state }

func (k signingKey) SignatureAlgorithm() jose.SignatureAlgorithm { return jose.RS256 }
func (k signingKey) Key() any                                    { return k.state.key }
func (k signingKey) ID() string                                  { return signingKeyID }

type publicKey struct{ state *state }

func (k publicKey) Algorithm() jose.SignatureAlgorithm { return jose.RS256 }
func (k publicKey) Use() string                        { return "sig" }
func (k publicKey) Key() any                           { return &k.state.key.PublicKey }
func (k publicKey) ID() string                         { return signingKeyID }

// What the library's interface demands and this provider does not do.

var errNotOffered = oidc.ErrUnsupportedGrantType()

func (s *storage) CreateAccessAndRefreshTokens(context.Context, op.TokenRequest, string) (string, string, time.Time, error) {
	return "", "", time.Time{}, errNotOffered
}

func (s *storage) TokenRequestByRefreshToken(context.Context, string) (op.RefreshTokenRequest, error) {
	return nil, errNotOffered
}

func (s *storage) TerminateSession(context.Context, string, string) error { return nil }

func (s *storage) RevokeToken(context.Context, string, string, string) *oidc.Error {
	return errNotOffered
}

func (s *storage) GetRefreshTokenInfo(context.Context, string, string) (string, string, error) {
	return "", "", op.ErrInvalidRefreshToken
}

func (s *storage) SetUserinfoFromScopes(context.Context, *oidc.UserInfo, string, string, []string) error {
	return nil // SetUserinfoFromRequest does it
}

func (s *storage) SetIntrospectionFromToken(context.Context, *oidc.IntrospectionResponse, string, string, string) error {
	return errNotOffered
}

func (s *storage) GetPrivateClaimsFromScopes(context.Context, string, string, []string) (map[string]any, error) {
	return nil, nil // access tokens are opaque
}

func (s *storage) GetKeyByIDAndClientID(context.Context, string, string) (*jose.JSONWebKey, error) {
	return nil, errNotOffered
}

func (s *storage) ValidateJWTProfileScopes(context.Context, string, []string) ([]string, error) {
	return nil, errNotOffered
}

func (s *storage) Health(context.Context) error { return nil }

func equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
