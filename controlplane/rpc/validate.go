package rpc

import (
	"errors"
	"fmt"

	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/sallyport-iap/sallyport/controlplane"
)

// validator holds messages against the rules in their protos.
type validator struct {
	rules protovalidate.Validator
}

func newValidator() (*validator, error) {
	rules, err := protovalidate.New()
	if err != nil {
		return nil, fmt.Errorf("read the rules of the protos: %w", err)
	}
	return &validator{rules: rules}, nil
}

// check holds a message against its rules; at is where it is in the request.
func (v *validator) check(message proto.Message, at string, options ...protovalidate.ValidationOption) error {
	err := v.rules.Validate(message, options...)
	invalid, ok := errors.AsType[*protovalidate.ValidationError](err)
	if !ok {
		return err
	}
	var violations []controlplane.Violation
	for _, found := range invalid.Violations {
		violations = append(violations, violation(found, at))
	}
	return controlplane.InvalidFields(violations...)
}

// checkRequest does the same for a request, but for the resource in it: what is checked of that is what becomes of it.
func (v *validator) checkRequest(message proto.Message) error {
	return v.check(message, "", protovalidate.WithFilter(protovalidate.FilterFunc(
		func(_ protoreflect.Message, d protoreflect.Descriptor) bool {
			f, ok := d.(protoreflect.FieldDescriptor)
			if !ok || f.Message() == nil {
				return true
			}
			_, isResource := kindOf(f.Message())
			return !isResource
		})))
}

func violation(found *protovalidate.Violation, at string) controlplane.Violation {
	v := controlplane.Violation{
		Field:       join(at, protovalidate.FieldPathString(found.Proto.GetField())),
		Description: found.Proto.GetMessage(),
		Reason:      controlplane.ReasonFieldInvalid,
	}
	empty := found.FieldValue.IsValid() && isEmpty(found.FieldValue)
	if found.Proto.GetRuleId() == "required" || empty {
		v.Reason = controlplane.ReasonFieldRequired
	}
	if v.Description == "" {
		v.Description = "does not satisfy " + found.Proto.GetRuleId()
	}
	return v
}

// isEmpty reports whether a value that breaks a rule does so by not being there.
func isEmpty(value protoreflect.Value) bool {
	switch v := value.Interface().(type) {
	case string:
		return v == ""
	case protoreflect.EnumNumber:
		return v == 0
	case protoreflect.List:
		return v.Len() == 0
	case protoreflect.Message:
		return !v.IsValid()
	default:
		return false
	}
}
