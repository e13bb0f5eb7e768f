package edgetest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"net/http"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

// Uids of the demo world.
const (
	Acme   = "0195a000-0000-7000-8000-00000000ac3e"
	Globex = "0195a000-0000-7000-8000-00000000610b"
)

// Token is a service token whose secret is its seed, many times over.
type Token struct {
	ID, Text string
	Hash     []byte
}

// NewToken makes a token from an id of ten characters and a seed.
func NewToken(id string, seed byte) Token {
	secret := []byte(strings.Repeat(string(rune(seed)), 32))
	body := "sp_" + id + "_" + base64.RawURLEncoding.EncodeToString(secret)
	sum := binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(body)))
	hash := sha256.Sum256(secret)
	return Token{ID: id, Text: body + "_" + base64.RawURLEncoding.EncodeToString(sum), Hash: hash[:]}
}

// CI is the service token of acme's service account ci, Robot that of globex's.
var (
	CI    = NewToken("citoken234", 'c')
	Robot = NewToken("robottoken", 'r')
)

// Bearer is the header of a request with a token.
func (t Token) Bearer() http.Header { return http.Header{"Authorization": {"Bearer " + t.Text}} }

// Demo is the demo's world: acme with its wiki and API, and globex with a wiki whose name nobody at acme should see.
func Demo(wiki, api string) Config {
	return Config{Tenants: []Tenant{
		{UID: Acme, Config: AcmeConfig(wiki, api)},
		{UID: Globex, Config: []proto.Message{
			&edgev1.Tenant{Id: "globex", Uid: Globex, DisplayName: "Globex", AuthHost: "auth.globex.localhost", Session: Limits(12*time.Hour, time.Hour)},
			&edgev1.ServiceAccount{Id: "robot", Uid: "sa-robot", Tokens: []*edgev1.ServiceToken{{Id: Robot.ID, Sha256: Robot.Hash, ExpireTime: timestamppb.New(time.Now().Add(24 * time.Hour))}}},
			App("wiki", wiki, "wiki.globex.localhost"),
			&edgev1.Policy{Id: "wiki", Uid: "policy-globex-wiki", Apps: []string{"wiki"}, Rules: []*edgev1.Rule{
				{Id: "robots", Effect: edgev1.Effect_EFFECT_ALLOW, Principals: []string{"serviceAccounts"}, Roles: []string{"user"}},
			}},
		}},
	}}
}

// Limits of sessions.
func Limits(absolute, idle time.Duration) *edgev1.SessionLimits {
	return &edgev1.SessionLimits{AbsoluteLifetime: durationpb.New(absolute), IdleTimeout: durationpb.New(idle)}
}

// App is an app with one route for everything, and the operations read and write.
func App(id, upstream string, hosts ...string) *edgev1.App {
	return &edgev1.App{
		Id: id, Uid: "app-" + hosts[0], DisplayName: "The " + id, Hosts: hosts,
		Routes: []*edgev1.Route{{Path: "/**", UpstreamUrls: []string{upstream}, Websocket: true}},
		Operations: []*edgev1.Operation{
			{Id: "read", Methods: []string{"GET"}, Paths: []string{"/**"}, Access: edgev1.Access_ACCESS_READ},
			{Id: "write", Methods: []string{"*"}, Paths: []string{"/**"}, Access: edgev1.Access_ACCESS_WRITE},
			{Id: "socket", Methods: []string{"WEBSOCKET"}, Paths: []string{"/**"}, Access: edgev1.Access_ACCESS_WRITE},
		},
		MaxStaleness: durationpb.New(24 * time.Hour), SessionStoreGrace: durationpb.New(time.Hour),
	}
}

// API is the demo's API app.
func API(upstream string) *edgev1.App {
	return &edgev1.App{
		Id: "api", Uid: "app-api.acme.localhost", DisplayName: "The API", Hosts: []string{"api.acme.localhost"},
		Routes: []*edgev1.Route{{Path: "/**", UpstreamUrls: []string{upstream}, Websocket: true}},
		Operations: []*edgev1.Operation{
			{Id: "status", Methods: []string{"GET"}, Paths: []string{"/v1/status"}, Access: edgev1.Access_ACCESS_READ},
			{Id: "read", Methods: []string{"GET"}, Paths: []string{"/v1/**"}, Access: edgev1.Access_ACCESS_READ},
			{Id: "write", Methods: []string{"POST", "PUT", "PATCH", "DELETE"}, Paths: []string{"/v1/**"}, Access: edgev1.Access_ACCESS_WRITE},
			{Id: "live", Methods: []string{"WEBSOCKET"}, Paths: []string{"/v1/live"}, Access: edgev1.Access_ACCESS_WRITE},
		},
		IdentityHeaders: []string{"user", "email", "groups"},
		MaxStaleness:    durationpb.New(24 * time.Hour), SessionStoreGrace: durationpb.New(time.Hour),
	}
}

// APIPolicy is the demo's policy of the API. ci may read, and use what is live.
func APIPolicy() *edgev1.Policy {
	return &edgev1.Policy{Id: "api", Uid: "policy-api", Apps: []string{"api"}, Rules: []*edgev1.Rule{
		{Id: "public-status", Effect: edgev1.Effect_EFFECT_ALLOW, Principals: []string{"anyone"}, Operations: []string{"status"}},
		{Id: "readers", Effect: edgev1.Effect_EFFECT_ALLOW, Principals: []string{"group:engineering", "group:admins", "serviceAccount:ci"}, Operations: []string{"read", "live"}},
		{Id: "writers", Effect: edgev1.Effect_EFFECT_ALLOW, Principals: []string{"group:admins"}, Operations: []string{"write"}},
	}}
}

// AcmeConfig is acme's config lane.
func AcmeConfig(wiki, api string) []proto.Message {
	claim := func(name string) []*edgev1.GroupMember {
		return []*edgev1.GroupMember{{Member: &edgev1.GroupMember_IdpGroup{IdpGroup: &edgev1.IdpGroup{Idp: "demo", Name: name}}}}
	}
	wikiApp := App("wiki", wiki, "wiki.acme.localhost")
	wikiApp.Operations = []*edgev1.Operation{
		{Id: "admin", Methods: []string{"*"}, Paths: []string{"/admin/**"}, Access: edgev1.Access_ACCESS_WRITE},
		{Id: "use", Methods: []string{"*"}, Paths: []string{"/**"}, Access: edgev1.Access_ACCESS_WRITE},
	}
	return []proto.Message{
		&edgev1.Tenant{Id: "acme", Uid: Acme, DisplayName: "Acme", AuthHost: "auth.acme.localhost", Session: Limits(12*time.Hour, time.Hour)},
		&edgev1.IdentityProvider{
			Id: "demo", Uid: "idp-demo", DisplayName: "Demo directory", Issuer: "http://127.0.0.1:1", AllowHttpLoopback: true, ClientId: "sallyport",
			Scopes: []string{"openid", "profile", "email", "groups"}, EmailClaim: "email", NameClaim: "name", GroupsClaim: "groups",
		},
		&edgev1.Group{Id: "engineering", Uid: "group-engineering", Members: claim("engineering")},
		&edgev1.Group{Id: "admins", Uid: "group-admins", Members: claim("admins")},
		&edgev1.ServiceAccount{Id: "ci", Uid: "sa-ci", Tokens: []*edgev1.ServiceToken{{Id: CI.ID, Sha256: CI.Hash, ExpireTime: timestamppb.New(time.Now().Add(24 * time.Hour))}}},
		wikiApp, API(api), APIPolicy(),
		&edgev1.Policy{Id: "wiki", Uid: "policy-wiki", Apps: []string{"wiki"}, Rules: []*edgev1.Rule{
			{Id: "staff", Effect: edgev1.Effect_EFFECT_ALLOW, Principals: []string{"group:engineering", "group:admins"}, Operations: []string{"use"}},
			{
				Id: "admins", Effect: edgev1.Effect_EFFECT_ALLOW, Principals: []string{"group:admins"}, Operations: []string{"admin"},
				Remediation: `The wiki's administration is for the group "admins". Ask the platform team to be added.`,
			},
		}},
	}
}
