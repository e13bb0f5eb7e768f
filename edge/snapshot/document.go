package snapshot

import (
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport-iap/sallyport/edge/policy"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

// document is a resource of a config lane, parsed, and what is made of it. It is made once, however many updates leave
// the resource as it is: a change costs what it changes.
type document struct {
	message    proto.Message // nil: of a kind that is not known here
	understood bool
	app        *App // of an App, by itself: what others say of it may close it
	form       any  // as in policy.Source; nil for what policies know only by id
}

// read parses the resources that are new. Bytes that are not what their kind says make the whole lane unusable: it was
// signed like that, so something is badly wrong.
func read(resources []*resource) *Refusal {
	for _, r := range resources {
		if r.document != nil {
			continue
		}
		d := &document{message: newMessage(r.GetKind())}
		if d.message != nil {
			if err := proto.Unmarshal(r.GetBytes(), d.message); err != nil {
				return refuse(notCompiling, "%s %q cannot be parsed", r.GetKind(), r.GetId())
			}
			d.understood = understood(d.message.ProtoReflect())
			d.translate()
		}
		r.document = d
	}
	return nil
}

func newMessage(kind string) proto.Message {
	switch kind {
	case "Tenant":
		return &edgev1.Tenant{}
	case "Pool":
		return &edgev1.Pool{}
	case "App":
		return &edgev1.App{}
	case "IdentityProvider":
		return &edgev1.IdentityProvider{}
	case "Role":
		return &edgev1.Role{}
	case "Group":
		return &edgev1.Group{}
	case "Membership":
		return &edgev1.Membership{}
	case "Policy":
		return &edgev1.Policy{}
	case "Grant":
		return &edgev1.Grant{}
	case "ServiceAccount":
		return &edgev1.ServiceAccount{}
	default:
		return nil
	}
}

func (d *document) translate() {
	switch m := d.message.(type) {
	case *edgev1.App:
		d.app = newApp(m)
		d.form = appOf(m)
	case *edgev1.Role:
		d.form = roleOf(m)
	case *edgev1.Group:
		d.form = groupOf(m, d.understood)
	case *edgev1.Membership:
		d.form = &policy.Membership{User: m.GetUser(), Groups: m.GetGroups()}
	case *edgev1.Policy:
		d.understood = d.understood && !slices.ContainsFunc(m.GetSelector(), misread)
		d.form = policyOf(m)
	case *edgev1.Grant:
		d.form = grantOf(m)
	}
}

// messagesOf are those of one kind.
func messagesOf[M proto.Message](resources []*resource) []M {
	list := make([]M, len(resources))
	for i, r := range resources {
		list[i] = r.message.(M)
	}
	return list
}
