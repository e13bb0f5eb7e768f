package clause

import (
	"slices"

	iso "github.com/sallyport-iap/sallyport/edge/policy/country"
	"github.com/sallyport-iap/sallyport/edge/policy/problem"
	"github.com/sallyport-iap/sallyport/edge/policy/truth"
)

// country is "countries": that of the source address.
type country struct {
	codes   []string // in order
	unknown bool     // so is an address whose country nobody knows
}

func (c *country) eval(f *Facts) truth.Value {
	switch {
	case f.Country == "" && c.unknown:
		return truth.True
	case f.Country == "", f.Country == AnyCountry:
		return truth.Unknown
	}
	_, found := slices.BinarySearch(c.codes, f.Country)
	return truth.Of(found)
}

func (*country) Field() string { return "conditions.countries" }

func (c *country) Wanted() string {
	list := slices.Clone(c.codes)
	if c.unknown {
		list = append(list, "an unknown country")
	}
	return AnyOf(list)
}

func (*country) Seen(f *Facts) string {
	if f.Country == "" || f.Country == AnyCountry {
		return "an unknown country"
	}
	return "the country " + f.Country
}

func (c *Compiler) countries(list []string, at problem.Path) Clause {
	const field = "conditions.countries"
	if !c.Problems.Length(at, field, list, maxCountries) || len(list) == 0 {
		return nil
	}
	compiled := &country{}
	for i, code := range list {
		switch {
		case code == UnknownCountry:
			compiled.unknown = true
		case iso.Known(code):
			compiled.codes = append(compiled.codes, code)
		default:
			c.Problems.Suggest(at, problem.Item(field, i), iso.Meant(code),
				`%s is not a country; write the code of ISO 3166-1 in two capital letters, such as DE, or "unknown"`, problem.Quote(code))
		}
	}
	slices.Sort(compiled.codes)
	return compiled
}
