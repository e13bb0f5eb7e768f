package rpc

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/sallyport-iap/sallyport/controlplane"
)

// merge writes the fields of patch that the mask names into current (AIP-134, AIP-161). Without a mask it is every
// writable field that is set. `*` replaces the whole resource. A message in current is never shared with patch.
//
// It also reports which fields the mask names although they are empty: that is how a write-only field is removed, as
// opposed to left alone.
func merge(current, patch proto.Message, mask *fieldmaskpb.FieldMask) (emptied []string, err error) {
	patch = proto.Clone(patch)
	to, from := current.ProtoReflect(), patch.ProtoReflect()
	paths := mask.GetPaths()
	switch {
	case len(paths) == 0:
		from.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
			if writable(f) {
				to.Set(f, v)
			}
			return true
		})
		return nil, nil
	case slices.Equal(paths, []string{"*"}):
		paths = nil
		for f := range fields(to.Descriptor()) {
			if writable(f) {
				paths = append(paths, string(f.Name()))
			}
		}
	}
	var violations []controlplane.Violation
	for i, path := range paths {
		if v, bad := checkPath(to.Descriptor(), path); bad {
			v.Field = fmt.Sprintf("update_mask.paths[%d]", i)
			violations = append(violations, v)
			continue
		}
		if empty := copyPath(to, from, strings.Split(path, ".")); empty && mask.GetPaths()[0] != "*" {
			emptied = append(emptied, path)
		}
	}
	if len(violations) > 0 {
		return nil, controlplane.InvalidFields(violations...)
	}
	return emptied, nil
}

func fields(d protoreflect.MessageDescriptor) func(yield func(protoreflect.FieldDescriptor) bool) {
	return func(yield func(protoreflect.FieldDescriptor) bool) {
		for i := range d.Fields().Len() {
			if !yield(d.Fields().Get(i)) {
				return
			}
		}
	}
}

// writable reports whether users write a field of a resource.
func writable(f protoreflect.FieldDescriptor) bool {
	return f.Name() != statusField && !slices.Contains(outputOnly, f.Name())
}

// checkPath says what is wrong with a path. Output-only fields may not be named: a client that believes it wrote one
// should learn that it did not.
func checkPath(d protoreflect.MessageDescriptor, path string) (controlplane.Violation, bool) {
	invalid := func(format string, args ...any) (controlplane.Violation, bool) {
		return controlplane.Violation{Reason: controlplane.ReasonFieldInvalid, Description: fmt.Sprintf(format, args...)}, true
	}
	segments := strings.Split(path, ".")
	for i, segment := range segments {
		f := d.Fields().ByName(protoreflect.Name(segment))
		switch {
		case f == nil:
			return controlplane.Violation{
				Reason: controlplane.ReasonFieldUnknown, Suggestion: nearestField(d, segment),
				Description: fmt.Sprintf("%s has no field %q", d.Name(), segment),
			}, true
		case i == 0 && !writable(f):
			return invalid("%q is output only", segment)
		case i == len(segments)-1:
			return controlplane.Violation{}, false
		case f.IsList() || f.IsMap():
			return invalid("%q is a list or a map and is replaced as a whole", segment)
		case f.Message() == nil:
			return invalid("%q has no fields", segment)
		}
		d = f.Message()
	}
	return controlplane.Violation{}, false
}

// copyPath copies one field and reports whether it was empty in from. A checked path only.
func copyPath(to, from protoreflect.Message, segments []string) (empty bool) {
	f := to.Descriptor().Fields().ByName(protoreflect.Name(segments[0]))
	if !from.Has(f) {
		if len(segments) == 1 {
			to.Clear(f)
		} else if to.Has(f) {
			copyPath(to.Mutable(f).Message(), from.Get(f).Message(), segments[1:])
		}
		return true
	}
	if len(segments) == 1 {
		to.Set(f, from.Get(f))
		return false
	}
	return copyPath(to.Mutable(f).Message(), from.Get(f).Message(), segments[1:])
}

func nearestField(d protoreflect.MessageDescriptor, name string) string {
	var known []string
	for f := range fields(d) {
		known = append(known, string(f.Name()))
	}
	return controlplane.Nearest(name, known)
}
