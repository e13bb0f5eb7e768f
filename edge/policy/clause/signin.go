package clause

import (
	"slices"
	"time"

	"github.com/sallyport-iap/sallyport/edge/policy/problem"
	"github.com/sallyport-iap/sallyport/edge/policy/truth"
)

// What a step-up can change: how, and how long ago, a person signed in. All of
// it is false for machines and strangers, and unknown for a person if the
// identity provider did not say.
// Each also says whether it is settled, see [Need.Add].

// authAge is "max_auth_age".
type authAge struct{ most time.Duration }

func (c *authAge) eval(f *Facts) truth.Value {
	if !f.Person() {
		return truth.False
	}
	return f.within(f.Who.Identity().AuthTime, c.most)
}

func (c *authAge) settled(f *Facts) bool {
	id := f.Who.Identity()
	if id.Asked.At.IsZero() || id.Asked.MaxAge <= 0 || id.Asked.MaxAge > c.most {
		return false
	}
	return id.AuthTime.IsZero() || id.Asked.At.Sub(id.AuthTime) > c.most
}

func (*authAge) Field() string { return "conditions.max_auth_age" }
func (c *authAge) Wanted() string {
	return "a person who signed in at most " + durationText(c.most) + " ago"
}

func (*authAge) Seen(f *Facts) string {
	id := f.Who.Identity()
	switch {
	case !f.Person():
		return f.Who.String() + ", who does not sign in"
	case id.AuthTime.IsZero() || f.Now.IsZero():
		return f.Who.String() + ", who signed in at an unknown time"
	}
	return f.Who.String() + ", who signed in " + durationText(max(0, f.Now.Sub(id.AuthTime))) + " ago"
}

func (c *Compiler) maxAuthAge(most time.Duration, at problem.Path) Clause {
	const field = "conditions.max_auth_age"
	if most < 0 {
		c.Problems.Add(at, field, problem.Invalid, "an age is more than nothing")
	}
	if most <= 0 {
		return nil
	}
	return &authAge{most}
}

// acr is "required_acr": any of them.
type acr struct{ classes []string }

func (c *acr) eval(f *Facts) truth.Value {
	switch {
	case !f.Person():
		return truth.False
	case f.Who.Identity().ACR == "":
		return truth.Unknown
	}
	return truth.Of(slices.Contains(c.classes, f.Who.Identity().ACR))
}

func (c *acr) settled(f *Facts) bool {
	asked := f.Who.Identity().Asked
	return !asked.At.IsZero() && subset(c.classes, asked.ACR)
}

func (*acr) Field() string { return "conditions.required_acr" }
func (c *acr) Wanted() string {
	return "a person who signed in with the class " + AnyOf(c.classes)
}

func (*acr) Seen(f *Facts) string {
	switch acr := f.Who.Identity().ACR; {
	case !f.Person():
		return f.Who.String() + ", who does not sign in"
	case acr == "":
		return f.Who.String() + ", who signed in with an unknown class"
	default:
		return f.Who.String() + ", who signed in with the class " + acr
	}
}

// amr is "required_amr": all of them.
type amr struct{ methods []string }

func (c *amr) eval(f *Facts) truth.Value {
	switch {
	case !f.Person():
		return truth.False
	case f.Who.Identity().AMR == nil:
		return truth.Unknown
	}
	return truth.Of(subset(c.methods, f.Who.Identity().AMR))
}

func (c *amr) settled(f *Facts) bool {
	asked := f.Who.Identity().Asked
	return !asked.At.IsZero() && subset(c.methods, asked.AMR)
}

func (*amr) Field() string    { return "conditions.required_amr" }
func (c *amr) Wanted() string { return "a person who signed in with " + AllOf(c.methods) }

func (*amr) Seen(f *Facts) string {
	switch amr := f.Who.Identity().AMR; {
	case !f.Person():
		return f.Who.String() + ", who does not sign in"
	case amr == nil:
		return f.Who.String() + ", who signed in with unknown methods"
	case len(amr) == 0:
		return f.Who.String() + ", who signed in with no method"
	default:
		return f.Who.String() + ", who signed in with " + AllOf(amr)
	}
}

func (c *Compiler) classes(list []string, at problem.Path) Clause {
	if !c.authValues(list, at, "conditions.required_acr") {
		return nil
	}
	return &acr{list}
}

func (c *Compiler) methods(list []string, at problem.Path) Clause {
	if !c.authValues(list, at, "conditions.required_amr") {
		return nil
	}
	return &amr{list}
}

// authValues checks a list of classes or methods.
func (c *Compiler) authValues(list []string, at problem.Path, field string) bool {
	if !c.Problems.Length(at, field, list, maxValues) {
		return false
	}
	for i, v := range list {
		if v == "" || len(v) > maxName {
			c.Problems.Add(at, problem.Item(field, i), problem.Invalid, "a value has 1 to %d bytes", maxName)
		}
	}
	return len(list) > 0
}

func subset(list, of []string) bool {
	for _, v := range list {
		if !slices.Contains(of, v) {
			return false
		}
	}
	return true
}
