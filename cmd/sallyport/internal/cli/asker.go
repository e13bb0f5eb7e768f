package cli

import (
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	sallyportv1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
)

// asker is who asks. It is embedded, so these are flags.
type asker struct {
	As    string   `placeholder:"WHO" help:"Who asks: user:bob@acme.test, or serviceAccount:ci. A stranger, if not given."`
	IdP   string   `name:"idp" placeholder:"ID" help:"Identity provider that the person signed in with."`
	Group []string `name:"groups" placeholder:"NAME,…" help:"All groups that the provider says the person is in, by its names."`
	Some  bool     `name:"some-groups" help:"There may be groups that --groups does not say."`
	Doubt bool     `name:"unverified" help:"The provider does not say that the address is the person's."`
	Auth  string   `name:"auth-time" placeholder:"TIME" help:"When the person last signed in at the provider, such as 2026-11-23T09:00:00+01:00."`
	ACR   string   `name:"acr" placeholder:"CLASS" help:"Class of that sign-in, as the provider says it."`
	AMR   []string `name:"amr" placeholder:"METHOD,…" help:"All methods of that sign-in, as the provider says them."`
}

func (a *asker) given() bool { return a.As != "" || a.ofPeople() }

// ofPeople reports whether something is given that only people have.
func (a *asker) ofPeople() bool {
	return a.IdP+a.Auth+a.ACR != "" || len(a.Group)+len(a.AMR) > 0 || a.Some || a.Doubt
}

// principal is a person, or the id of a service account; neither is a stranger.
func (a *asker) principal() (person *sallyportv1.QuestionPerson, account string, err error) {
	kind, id, _ := strings.Cut(a.As, ":")
	switch {
	case kind == "serviceAccount" && id != "":
		account = id
	case kind == "user" && id != "", a.As == "" && a.IdP != "":
		signedIn, err := timeOf("auth-time", a.Auth)
		return &sallyportv1.QuestionPerson{
			Email: id, IdentityProvider: a.IdP, EmailVerified: id != "" && !a.Doubt,
			ClaimGroups: a.Group, ClaimGroupsComplete: !a.Some, AuthTime: signedIn, Acr: a.ACR, Amr: a.AMR, AmrKnown: len(a.AMR) > 0,
		}, "", err
	case a.As != "":
		return nil, "", usage("--as is user:ADDRESS or serviceAccount:ID")
	}
	if a.ofPeople() {
		return nil, "", usage("--idp, --groups, a sign-in and what is said of them are of people: give --as user:ADDRESS")
	}
	return nil, account, nil
}

// circumstances are what a request is made under. It is embedded, so these are flags.
type circumstances struct {
	From string `placeholder:"IP" help:"Address that the request comes from."`
	In   string `name:"country" placeholder:"XX" help:"Country of that address."`
	At   string `placeholder:"TIME" help:"When, such as 2026-11-23T09:00:00+01:00."`
}

func (c *circumstances) given() bool { return c.From+c.In+c.At != "" }

func (c *circumstances) country() string { return strings.ToUpper(c.In) }

// time returns nil if none is given.
func (c *circumstances) time() (*timestamppb.Timestamp, error) { return timeOf("at", c.At) }

// timeOf reads a flag; it is nil if none is given.
func timeOf(flag, text string) (*timestamppb.Timestamp, error) {
	if text == "" {
		return nil, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return nil, usage(fmt.Sprintf("--%s %s: say it as 2026-11-23T09:00:00Z", flag, text))
	}
	return timestamppb.New(at), nil
}

func (c *circumstances) message() (*sallyportv1.Circumstances, error) {
	at, err := c.time()
	return &sallyportv1.Circumstances{SourceIp: c.From, Country: c.country(), Time: at}, err
}
