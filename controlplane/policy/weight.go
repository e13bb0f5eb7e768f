package policy

import (
	"reflect"

	"github.com/sallyport-iap/sallyport/controlplane"
)

// What things take in memory, compiled, in bytes. They were measured, and need be right to about the half.
const (
	perResource       = 1 << 10
	perString         = 128 // beside its bytes
	perExpressionByte = 100 // a compiled expression is a tree
)

// Weight is about how much memory the site takes, in bytes.
func (s *Site) Weight() int {
	weight := 0
	for _, things := range s.of {
		for _, t := range things {
			weight += t.weight
		}
	}
	return weight
}

func weigh(r *controlplane.Resource) int {
	weight := perResource + weighValue(reflect.ValueOf(r.Spec))
	if policy, ok := r.Spec.(*controlplane.Policy); ok {
		for i := range policy.Rules {
			weight += perExpressionByte * len(policy.Rules[i].Expression)
		}
	}
	return weight
}

func weighValue(v reflect.Value) int {
	weight := 0
	switch v.Kind() {
	case reflect.String:
		weight = perString + v.Len()
	case reflect.Pointer:
		if !v.IsNil() {
			weight = weighValue(v.Elem())
		}
	case reflect.Struct:
		for _, f := range v.Fields() {
			if f.Kind() != reflect.String || f.Len() > 0 {
				weight += weighValue(f)
			}
		}
	case reflect.Slice:
		weight = v.Len() * int(v.Type().Elem().Size())
		for i := range v.Len() {
			weight += weighValue(v.Index(i))
		}
	case reflect.Map:
		for key, value := range v.Seq2() {
			weight += weighValue(key) + weighValue(value)
		}
	}
	return weight
}
