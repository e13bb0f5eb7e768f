package policy

import "slices"

// countryCondition is "countries": that of the source address.
type countryCondition struct {
	codes   []string // in order
	unknown bool     // so is an address whose country nobody knows
}

func (c *countryCondition) eval(f *facts) Truth {
	if f.Country == "" {
		if c.unknown {
			return True
		}
		return Unknown
	}
	_, found := slices.BinarySearch(c.codes, f.Country)
	return truthOf(found)
}

func (*countryCondition) field() string  { return "conditions.countries" }
func (*countryCondition) reason() Reason { return RequireCountry }

func (c *countryCondition) wanted() string {
	list := slices.Clone(c.codes)
	if c.unknown {
		list = append(list, "an unknown country")
	}
	return anyOf(list)
}

func (*countryCondition) seen(f *facts) string {
	if f.Country == "" {
		return "an unknown country"
	}
	return "the country " + f.Country
}

// countries accepts every pair of letters: which are countries changes.
func (c *compiler) countries(list []string, at path) condition {
	const field = "conditions.countries"
	if !c.checkList(at, field, list, maxCountries) || len(list) == 0 {
		return nil
	}
	compiled := &countryCondition{}
	for i, code := range list {
		switch {
		case code == UnknownCountry:
			compiled.unknown = true
		case len(code) == 2 && isUpper(code[0]) && isUpper(code[1]):
			compiled.codes = append(compiled.codes, code)
		default:
			c.report(at, item(field, i), ProblemInvalid,
				`%s is not a country; write two capital letters such as DE, or "unknown"`, quote(code))
		}
	}
	slices.Sort(compiled.codes)
	return compiled
}

func isUpper(b byte) bool { return 'A' <= b && b <= 'Z' }
