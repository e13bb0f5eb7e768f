package snapshot

import (
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

// Every message that can be in a snapshot, with an unknown field planted at each place where there can be one: it must be
// found wherever it is.
func TestUnknownFieldsAreFoundEverywhere(t *testing.T) {
	t.Parallel()
	for _, m := range []proto.Message{
		&edgev1.Tenant{}, &edgev1.Pool{}, &edgev1.IdentityProvider{}, &edgev1.App{}, &edgev1.Role{}, &edgev1.Group{}, &edgev1.Membership{}, &edgev1.Policy{}, &edgev1.Grant{},
		&edgev1.ServiceAccount{}, &edgev1.Revocation{}, &edgev1.Keyset{}, &edgev1.AssertionKey{},
	} {
		full := m.ProtoReflect().New()
		fill(full, 0)
		if !understood(full) {
			t.Errorf("%T: a message of this version is not understood", m)
		}
		for i, inner := range messages(full) {
			inner.SetUnknown([]byte{0xf8, 0x07, 0x01})
			if understood(full) {
				t.Errorf("%T: an unknown field in message %d, a %s, is not seen", m, i, inner.Descriptor().Name())
			}
			inner.SetUnknown(nil)
		}
		eachEnum(full, func(set func(protoreflect.EnumNumber)) {
			set(4711)
			if understood(full) {
				t.Errorf("%T: an unknown enum value is not seen", m)
			}
			set(1)
		})
	}
}

// fill sets every field.
func fill(m protoreflect.Message, depth int) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		switch {
		case f.IsMap():
			m.Mutable(f).Map().Set(protoreflect.ValueOfString("k").MapKey(), protoreflect.ValueOfString("v"))
		case f.IsList() && f.Kind() == protoreflect.MessageKind && depth < 4:
			fill(m.Mutable(f).List().AppendMutable().Message(), depth+1)
		case f.IsList() && f.Kind() == protoreflect.EnumKind:
			m.Mutable(f).List().Append(protoreflect.ValueOfEnum(1))
		case f.IsList():
		case f.Kind() == protoreflect.MessageKind && depth < 4 && f.ContainingOneof() == nil:
			fill(m.Mutable(f).Message(), depth+1)
		case f.Kind() == protoreflect.MessageKind && depth < 4 && m.WhichOneof(f.ContainingOneof()) == nil:
			fill(m.Mutable(f).Message(), depth+1)
		case f.Kind() == protoreflect.EnumKind:
			m.Set(f, protoreflect.ValueOfEnum(1))
		}
	}
}

// messages are m and all in it.
func messages(m protoreflect.Message) []protoreflect.Message {
	all := []protoreflect.Message{m}
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.IsMap() || f.Kind() != protoreflect.MessageKind:
		case f.IsList():
			for i := range v.List().Len() {
				all = append(all, messages(v.List().Get(i).Message())...)
			}
		default:
			all = append(all, messages(v.Message())...)
		}
		return true
	})
	return all
}

func eachEnum(m protoreflect.Message, visit func(set func(protoreflect.EnumNumber))) {
	for _, inner := range messages(m) {
		fields := inner.Descriptor().Fields()
		for i := range fields.Len() {
			f := fields.Get(i)
			if f.Kind() != protoreflect.EnumKind {
				continue
			}
			if f.IsList() {
				list := inner.Mutable(f).List()
				visit(func(n protoreflect.EnumNumber) { list.Set(0, protoreflect.ValueOfEnum(n)) })
			} else {
				visit(func(n protoreflect.EnumNumber) { inner.Set(f, protoreflect.ValueOfEnum(n)) })
			}
		}
	}
}
