package manifest

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/sallyport-iap/sallyport/cmd/internal/spelling"
)

// kinds are what ConfigService.Apply takes.
var kinds = []string{"Tenant", "IdentityProvider", "App", "Role", "Group", "Policy", "Grant", "PolicyTest", "ServiceAccount", "Member", "EdgePool"}

// Has reports whether a message is of a kind that manifests have.
func Has(d protoreflect.MessageDescriptor) bool { return slices.Contains(kinds, string(d.Name())) }

// newMessage returns an empty message of the kind, or the kind that was probably meant.
func newMessage(kind string) (proto.Message, string) {
	if !slices.Contains(kinds, kind) {
		return nil, spelling.Nearest(kind, kinds)
	}
	t, err := protoregistry.GlobalTypes.FindMessageByName("sallyport.v1." + protoreflect.FullName(kind))
	if err != nil {
		return nil, ""
	}
	return t.New().Interface(), ""
}

func setName(m proto.Message, tenant, id string) {
	r := m.ProtoReflect()
	r.Set(r.Descriptor().Fields().ByName("name"), protoreflect.ValueOfString(resourceName(r.Descriptor(), tenant, id)))
}

// resourceName fills in the kind's name pattern, which the field's comment in the API gives.
func resourceName(d protoreflect.MessageDescriptor, tenant, id string) string {
	switch kind := string(d.Name()); kind {
	case "Tenant":
		return "tenants/" + id
	case "EdgePool":
		return "edgePools/" + id
	case "Policy":
		return "tenants/" + tenant + "/policies/" + id
	default:
		parent := "tenants/" + tenant
		if tenant == "" {
			parent = "platform"
		}
		return parent + "/" + strings.ToLower(kind[:1]) + kind[1:] + "s/" + id
	}
}
