package snapshot

import "google.golang.org/protobuf/reflect/protoreflect"

// understood reports whether every field and enum value of a message, at any depth, is known to this program. What is not
// may be a restriction that a newer control plane meant: skipping it would open what it closes.
func understood(m protoreflect.Message) bool {
	if len(m.GetUnknown()) > 0 {
		return false
	}
	ok := true
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		ok = knownField(f, v)
		return ok
	})
	return ok
}

func knownField(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
	switch {
	case f.IsMap():
		ok := true
		v.Map().Range(func(_ protoreflect.MapKey, v protoreflect.Value) bool {
			ok = knownValue(f.MapValue(), v)
			return ok
		})
		return ok
	case f.IsList():
		for i := range v.List().Len() {
			if !knownValue(f, v.List().Get(i)) {
				return false
			}
		}
		return true
	default:
		return knownValue(f, v)
	}
}

func knownValue(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
	switch f.Kind() {
	case protoreflect.EnumKind:
		return f.Enum().Values().ByNumber(v.Enum()) != nil
	case protoreflect.MessageKind, protoreflect.GroupKind:
		return understood(v.Message())
	default:
		return true
	}
}
