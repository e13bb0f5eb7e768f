// Package country knows which codes countries have: ISO 3166-1 alpha-2. A rule
// about a code that no country has would refuse nobody, and look as if it did. It
// must never be asked whether a fact is right: databases of addresses may know
// codes of their own.
package country

import "strings"

// codes are those of ISO 3166-1 on 23 November 2026, and XK: databases of
// addresses and the European Union have it for Kosovo.
const codes = `
	AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ
	CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO
	FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE
	JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO
	MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW
	PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM
	TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW
`

var known = func() map[string]bool {
	set := map[string]bool{}
	for code := range strings.FieldsSeq(codes) {
		set[code] = true
	}
	return set
}()

// Known says whether a country has the code.
func Known(code string) bool { return known[code] }

// Meant returns the code that a wrong one was probably meant to be, or "".
func Meant(code string) string {
	upper := strings.ToUpper(code)
	switch upper {
	case "UK": // reserved for, and so never given to, another
		return "GB"
	case "EL": // what the European Union writes
		return "GR"
	}
	if len(code) == 2 && known[upper] {
		return upper
	}
	return ""
}
