package policy

import (
	"slices"
	"time"
)

// What a step-up can change: how, and how long ago, a person signed in. All of
// it is false for machines and strangers, and unknown for a person if the
// identity provider did not say.
//
// Each condition also says whether it is settled: the provider was asked for
// just that by a step-up of this session, and it is still not so. It is not
// asked again: a person would be sent to and fro for ever.

// authAgeCondition is "max_auth_age".
type authAgeCondition struct{ most time.Duration }

func (c *authAgeCondition) eval(f *facts) Truth {
	if !f.person() {
		return False
	}
	return f.within(f.who.identity.AuthTime, c.most)
}

func (c *authAgeCondition) settled(f *facts) bool {
	id := &f.who.identity
	if id.Asked.At.IsZero() || id.Asked.MaxAge <= 0 || id.Asked.MaxAge > c.most {
		return false
	}
	return id.AuthTime.IsZero() || id.Asked.At.Sub(id.AuthTime) > c.most
}

func (*authAgeCondition) field() string  { return "conditions.max_auth_age" }
func (*authAgeCondition) reason() Reason { return StepUpAuthAge }
func (c *authAgeCondition) wanted() string {
	return "a person who signed in at most " + durationText(c.most) + " ago"
}

func (*authAgeCondition) seen(f *facts) string {
	id := &f.who.identity
	switch {
	case !f.person():
		return f.somebody() + ", who does not sign in"
	case id.AuthTime.IsZero() || f.Now.IsZero():
		return f.somebody() + ", who signed in at an unknown time"
	}
	return f.somebody() + ", who signed in " + durationText(max(0, f.Now.Sub(id.AuthTime))) + " ago"
}

func (c *compiler) maxAuthAge(most time.Duration, at path) condition {
	const field = "conditions.max_auth_age"
	if most < 0 {
		c.report(at, field, ProblemInvalid, "an age is more than nothing")
	}
	if most <= 0 {
		return nil
	}
	return &authAgeCondition{most}
}

// acrCondition is "required_acr": any of them.
type acrCondition struct{ classes []string }

func (c *acrCondition) eval(f *facts) Truth {
	switch {
	case !f.person():
		return False
	case f.who.identity.ACR == "":
		return Unknown
	}
	return truthOf(slices.Contains(c.classes, f.who.identity.ACR))
}

func (c *acrCondition) settled(f *facts) bool {
	asked := &f.who.identity.Asked
	return !asked.At.IsZero() && subset(c.classes, asked.ACR)
}

func (*acrCondition) field() string  { return "conditions.required_acr" }
func (*acrCondition) reason() Reason { return StepUpACR }
func (c *acrCondition) wanted() string {
	return "a person who signed in with the class " + anyOf(c.classes)
}

func (*acrCondition) seen(f *facts) string {
	switch acr := f.who.identity.ACR; {
	case !f.person():
		return f.somebody() + ", who does not sign in"
	case acr == "":
		return f.somebody() + ", who signed in with an unknown class"
	default:
		return f.somebody() + ", who signed in with the class " + acr
	}
}

// amrCondition is "required_amr": all of them.
type amrCondition struct{ methods []string }

func (c *amrCondition) eval(f *facts) Truth {
	switch {
	case !f.person():
		return False
	case f.who.identity.AMR == nil:
		return Unknown
	}
	return truthOf(subset(c.methods, f.who.identity.AMR))
}

func (c *amrCondition) settled(f *facts) bool {
	asked := &f.who.identity.Asked
	return !asked.At.IsZero() && subset(c.methods, asked.AMR)
}

func (*amrCondition) field() string    { return "conditions.required_amr" }
func (*amrCondition) reason() Reason   { return StepUpAMR }
func (c *amrCondition) wanted() string { return "a person who signed in with " + allOf(c.methods) }

func (*amrCondition) seen(f *facts) string {
	switch amr := f.who.identity.AMR; {
	case !f.person():
		return f.somebody() + ", who does not sign in"
	case amr == nil:
		return f.somebody() + ", who signed in with unknown methods"
	case len(amr) == 0:
		return f.somebody() + ", who signed in with no method"
	default:
		return f.somebody() + ", who signed in with " + allOf(amr)
	}
}

func (c *compiler) classes(list []string, at path) condition {
	if !c.authValues(list, at, "conditions.required_acr") {
		return nil
	}
	return &acrCondition{list}
}

func (c *compiler) methods(list []string, at path) condition {
	if !c.authValues(list, at, "conditions.required_amr") {
		return nil
	}
	return &amrCondition{list}
}

// authValues checks a list of classes or methods.
func (c *compiler) authValues(list []string, at path, field string) bool {
	if !c.checkList(at, field, list, maxValues) {
		return false
	}
	for i, v := range list {
		if v == "" || len(v) > maxName {
			c.report(at, item(field, i), ProblemInvalid, "a value has 1 to %d bytes", maxName)
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
