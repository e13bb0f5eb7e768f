package policy

import (
	"slices"
	"strings"
)

// deviceCondition is "device": all that it names.
type deviceCondition struct{ *DeviceCondition }

func (c *deviceCondition) eval(f *facts) Truth {
	d := f.Device
	switch {
	case f.machine():
		return False
	case d == nil:
		return Unknown
	}
	t := True
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

func (d *Device) passes(check string) Truth {
	passed, known := d.Posture[check]
	if !known {
		return Unknown
	}
	return truthOf(passed)
}

func (*deviceCondition) field() string  { return "conditions.device" }
func (*deviceCondition) reason() Reason { return RequireDevice }

func (c *deviceCondition) wanted() string {
	var parts []string
	if c.Managed {
		parts = append(parts, "managed")
	}
	if c.Compliant {
		parts = append(parts, "compliant")
	}
	for _, check := range c.Posture {
		parts = append(parts, "passing "+quote(check))
	}
	if c.MaxReportAge > 0 {
		parts = append(parts, "reported at most "+durationText(c.MaxReportAge)+" ago")
	}
	return strings.Join(parts, " and ")
}

func (c *deviceCondition) seen(f *facts) string {
	d := f.Device
	switch {
	case f.machine():
		return f.somebody() + ", which has no device"
	case d == nil:
		return "an unknown device"
	}
	parts := []string{word(d.Managed, "managed"), word(d.Compliant, "compliant")}
	for _, check := range c.Posture {
		parts = append(parts, word(d.passes(check), "passing "+quote(check)))
	}
	if !d.ReportedAt.IsZero() {
		parts = append(parts, "reported at "+instantText(d.ReportedAt))
	}
	return "the device (" + strings.Join(parts, ", ") + ")"
}

func word(t Truth, what string) string {
	switch t {
	case True:
		return what
	case False:
		return "not " + what
	default:
		return "perhaps " + what
	}
}

func (c *compiler) device(src *DeviceCondition, at path) condition {
	const field = "conditions.device"
	if src == nil {
		return nil
	}
	if !src.Managed && !src.Compliant && len(src.Posture) == 0 && src.MaxReportAge == 0 {
		c.report(at, field, ProblemRequired, "a device condition names at least one thing")
	}
	if src.MaxReportAge < 0 {
		c.report(at, field+".max_report_age", ProblemInvalid, "an age is more than nothing")
	}
	c.checkList(at, field+".posture", src.Posture, maxValues)
	for i, check := range src.Posture {
		switch {
		case check == "" || len(check) > maxName:
			c.report(at, item(field+".posture", i), ProblemInvalid, "a check has a name of at most %d bytes", maxName)
		case slices.Contains(src.Posture[:i], check):
			c.report(at, item(field+".posture", i), ProblemInvalid, "%s is there twice", quote(check))
		}
	}
	return &deviceCondition{src}
}
