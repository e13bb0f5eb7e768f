package policy

import (
	"strings"
	"testing"
)

func TestReasons(t *testing.T) {
	t.Parallel()
	seen := map[Reason]bool{}
	for _, r := range Reasons() {
		if seen[r] {
			t.Errorf("%s is there twice", r)
		}
		seen[r] = true
		info, ok := r.Info()
		if !ok || !strings.HasSuffix(info.Title, ".") || !strings.HasSuffix(info.Remediation, ".") {
			t.Errorf("%s: wants a sentence and a remediation: %+v", r, info)
		}
		family, _, _ := strings.Cut(string(r), ".")
		statuses := map[string][]int{
			"allow": {0}, "deny": {403}, "require": {403}, "step_up": {401, 403}, "identity": {401, 403},
			"request": {400, 405, 413, 505}, "route": {404, 421}, "unavailable": {503}, "upstream": {502, 504}, "cut": {401, 403, 503},
		}[family]
		found := false
		for _, s := range statuses {
			found = found || s == info.Status
		}
		if !found {
			t.Errorf("%s: status %d is none of %v", r, info.Status, statuses)
		}
	}
	if _, ok := Reason("deny.because").Info(); ok {
		t.Error("there is a reason that is not in the list")
	}
}

// Renaming or reusing a code would break whoever reads audit events or answers.
func TestReasonsAreStable(t *testing.T) {
	t.Parallel()
	const codes = `allow.rule allow.public allow.grant
		deny.rule deny.no_rule deny.no_operation deny.no_policy deny.app_disabled deny.app_closed
		require.network require.country require.time require.device require.idp require.group require.expression require.unknown
		step_up.auth_age step_up.acr step_up.amr step_up.unsatisfied
		identity.none identity.expired identity.revoked identity.bad_token identity.wrong_audience identity.disabled
		identity.domain_not_allowed identity.email_unverified
		request.malformed.target request.malformed.header request.malformed.connection request.malformed.framing request.malformed.version
		request.ambiguous_path request.bad_host request.two_credentials request.too_large request.method request.upgrade
		route.misdirected route.none
		unavailable.policy_too_old unavailable.no_policy unavailable.session_store unavailable.idp unavailable.audit_full
		unavailable.key unavailable.overload unavailable.internal
		upstream.unreachable upstream.timeout upstream.bad_response upstream.tls upstream.forbidden_address
		cut.revoked cut.expired cut.policy cut.drain`
	var got []string
	for _, r := range Reasons() {
		got = append(got, string(r))
	}
	if want := strings.Join(strings.Fields(codes), " "); strings.Join(got, " ") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, " "), want)
	}
}
