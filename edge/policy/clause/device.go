package clause

import (
	"slices"
	"strings"

	"github.com/sallyport-iap/sallyport/edge/policy/problem"
	"github.com/sallyport-iap/sallyport/edge/policy/truth"
)

// device is "device": all that it names.
type device struct{ *DeviceCondition }

func (c *device) eval(f *Facts) truth.Value {
	d := f.Device
	switch {
	case f.Machine():
		return truth.False
	case d == nil:
		return truth.Unknown
	}
	t := truth.True
	if c.Managed {
		t = min(t, d.Managed)
	}
	if c.Compliant {
		t = min(t, d.Compliant)
	}
	for _, check := range c.Posture {
		t = min(t, d.passes(check))
	}
	if c.MaxReportAge > 0 {
		t = min(t, f.within(d.ReportedAt, c.MaxReportAge))
	}
	return t
}

func (d *Device) passes(check string) truth.Value {
	passed, known := d.Posture[check]
	if !known {
		return truth.Unknown
	}
	return truth.Of(passed)
}

func (*device) Field() string { return "conditions.device" }

func (c *device) Wanted() string {
	var parts []string
	if c.Managed {
		parts = append(parts, "managed")
	}
	if c.Compliant {
		parts = append(parts, "compliant")
	}
	for _, check := range c.Posture {
		parts = append(parts, "passing "+problem.Quote(check))
	}
	if c.MaxReportAge > 0 {
		parts = append(parts, "reported at most "+durationText(c.MaxReportAge)+" ago")
	}
	return strings.Join(parts, " and ")
}

func (c *device) Seen(f *Facts) string {
	d := f.Device
	switch {
	case f.Machine():
		return f.Who.String() + ", which has no device"
	case d == nil:
		return "an unknown device"
	}
	parts := []string{word(d.Managed, "managed"), word(d.Compliant, "compliant")}
	for _, check := range c.Posture {
		parts = append(parts, word(d.passes(check), "passing "+problem.Quote(check)))
	}
	if !d.ReportedAt.IsZero() {
		parts = append(parts, "reported at "+instantText(d.ReportedAt))
	}
	return "the device (" + strings.Join(parts, ", ") + ")"
}

func word(t truth.Value, what string) string {
	switch t {
	case truth.True:
		return what
	case truth.False:
		return "not " + what
	default:
		return "perhaps " + what
	}
}

func (c *Compiler) device(src *DeviceCondition, at problem.Path) Clause {
	const field = "conditions.device"
	if src == nil {
		return nil
	}
	if !src.Managed && !src.Compliant && len(src.Posture) == 0 && src.MaxReportAge == 0 {
		c.Problems.Add(at, field, problem.Required, "a device condition names at least one thing")
	}
	if src.MaxReportAge < 0 {
		c.Problems.Add(at, field+".max_report_age", problem.Invalid, "an age is more than nothing")
	}
	c.Problems.Length(at, field+".posture", src.Posture, maxValues)
	for i, check := range src.Posture {
		switch {
		case check == "" || len(check) > maxName:
			c.Problems.Add(at, problem.Item(field+".posture", i), problem.Invalid, "a check has a name of at most %d bytes", maxName)
		case slices.Contains(src.Posture[:i], check):
			c.Problems.Add(at, problem.Item(field+".posture", i), problem.Invalid, "%s is there twice", problem.Quote(check))
		}
	}
	return &device{src}
}
