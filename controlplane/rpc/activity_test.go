package rpc_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/store"
	v1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
)

func (s *service) uid(t *testing.T, tenant string) controlplane.UID {
	t.Helper()
	uid, err := s.db.System().TenantUID(t.Context(), tenant)
	if err != nil {
		t.Fatal(err)
	}
	return uid
}

// signIn reports a session, as an edge does.
func (s *service) signIn(t *testing.T, tenant, sid, email string, at time.Time) {
	t.Helper()
	err := s.db.System().UpsertSessions(t.Context(), s.uid(t, tenant), []store.SessionEvent{{
		Kind: store.SessionBegun, SID: sid, Principal: "user:" + sid,
		Email: email, IDP: "demo", Time: at, ExpireTime: at.Add(12 * time.Hour), IP: "192.0.2.1", Host: "wiki.acme.test", Edge: "eu-1",
	}})
	if err != nil {
		t.Fatal(err)
	}
}

// happen reports access events, as an edge does.
func (s *service) happen(t *testing.T, tenant, boot string, events ...*v1.AccessEvent) {
	t.Helper()
	var rows []store.AccessEvent
	for _, e := range events {
		data, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, store.AccessEvent{
			ID: e.GetId(), Seq: e.GetSeq(), Time: time.Now(), App: e.GetApp(), Principal: e.GetPrincipal().GetSubject(),
			Email: e.GetPrincipal().GetEmail(), Outcome: e.GetDecision().GetOutcome(), Reason: e.GetDecision().GetReason(), Event: data,
		})
	}
	if err := s.db.System().InsertEvents(t.Context(), s.uid(t, tenant), "01a20889-6fdb-7df8-8489-965a23142e96", boot, rows); err != nil {
		t.Fatal(err)
	}
}

func event(n int, app, outcome string) *v1.AccessEvent {
	return &v1.AccessEvent{
		Id: fmt.Sprintf("01HZX3V9Q4T8000000000%05d", n), Seq: int64(n), App: app, Edge: "eu-1",
		Principal: &v1.EventPrincipal{Kind: "user", Subject: "user:bob", Email: "Bob@acme.test"}, Decision: &v1.EventDecision{Outcome: outcome, Reason: "deny.no_rule"},
	}
}

func TestSessions(t *testing.T) {
	t.Parallel()
	s := setup(t)
	now := time.Now().UTC().Truncate(time.Second)
	for i, who := range []string{"ann", "bob", "bob", "carol", "bob"} {
		s.signIn(t, "acme", fmt.Sprintf("s_%d", i), who+"@acme.test", now.Add(time.Duration(-i)*time.Minute))
	}
	s.signIn(t, "globex", "s_foreign", "bob@acme.test", now)

	var got []string
	for token, pages := "", 0; pages == 0 || token != ""; pages++ {
		page := call(t, s.acme.sessions.ListSessions, &v1.ListSessionsRequest{Parent: "tenants/acme", PageSize: 2, PageToken: token})
		for _, session := range page.GetSessions() {
			got = append(got, strings.TrimPrefix(session.GetName(), "tenants/acme/sessions/"))
		}
		token = page.GetNextPageToken()
	}
	if diff := cmp.Diff([]string{"s_0", "s_1", "s_2", "s_3", "s_4"}, got); diff != "" {
		t.Errorf("newest first (-want +got):\n%s", diff)
	}
	bobs := call(t, s.acme.sessions.ListSessions, &v1.ListSessionsRequest{Parent: "tenants/acme", Principal: "BOB@acme.test"}).GetSessions()
	if len(bobs) != 3 {
		t.Errorf("of bob: %v", bobs)
	}
	one := call(t, s.acme.sessions.GetSession, &v1.GetSessionRequest{Name: "tenants/acme/sessions/s_1"})
	if one.GetEmail() != "bob@acme.test" || one.GetBeginEdge() != "eu-1" || !slices.Equal(one.GetHosts(), []string{"wiki.acme.test"}) || one.GetExpireTime() == nil || one.GetEndTime() != nil {
		t.Errorf("session: %v", one)
	}

	ended := call(t, s.acme.sessions.RevokeSession, &v1.RevokeSessionRequest{Name: one.GetName()})
	again := call(t, s.acme.sessions.RevokeSession, &v1.RevokeSessionRequest{Name: one.GetName()})
	if ended.GetRevision() != "u1" || again.GetRevision() != "u1" {
		t.Errorf("revoked at %s, again at %s", ended.GetRevision(), again.GetRevision())
	}
	one = call(t, s.acme.sessions.GetSession, &v1.GetSessionRequest{Name: one.GetName()})
	if one.GetEndTime() == nil || one.GetEndReason() != "revoked" {
		t.Errorf("after its end: %v", one)
	}
	live := call(t, s.acme.sessions.ListSessions, &v1.ListSessionsRequest{Parent: "tenants/acme", Principal: "bob@acme.test"}).GetSessions()
	all := call(t, s.acme.sessions.ListSessions, &v1.ListSessionsRequest{Parent: "tenants/acme", Principal: "bob@acme.test", ShowEnded: true}).GetSessions()
	if len(live) != 2 || len(all) != 3 {
		t.Errorf("%d live of %d", len(live), len(all))
	}
	revocations := call(t, s.acme.revocations.ListRevocations, &v1.ListRevocationsRequest{Parent: "tenants/acme"}).GetRevocations()
	if len(revocations) != 1 || revocations[0].GetSubject() != "session:s_1" || revocations[0].GetRevision() != "u1" {
		t.Errorf("revocations: %v", revocations)
	}
}

// Whoever revokes in an incident looks at the list next: what is dead must not be listed as alive.
func TestSessionsEndWithWhatTheyAreOf(t *testing.T) {
	t.Parallel()
	for _, subject := range []string{"session:s_0", "user:ann@acme.test", "user:of-ann", "idp:demo", "tenant"} {
		t.Run(subject, func(t *testing.T) {
			t.Parallel()
			s := setup(t)
			s.acme.must(t, "ConfigService/Apply", apply(everything(), nil))
			s.signIn(t, "acme", "s_0", "ann@acme.test", time.Now().Add(-time.Minute))
			live := func() int {
				return len(call(t, s.acme.sessions.ListSessions, &v1.ListSessionsRequest{Parent: "tenants/acme"}).GetSessions())
			}
			if subject == "user:of-ann" {
				subject = call(t, s.acme.sessions.GetSession, &v1.GetSessionRequest{Name: "tenants/acme/sessions/s_0"}).GetPrincipal()
			}
			if live() != 1 {
				t.Fatal("there is no session to begin with")
			}
			call(t, s.acme.revocations.CreateRevocation, &v1.CreateRevocationRequest{Parent: "tenants/acme", Revocation: &v1.Revocation{Subject: subject}})
			one := call(t, s.acme.sessions.GetSession, &v1.GetSessionRequest{Name: "tenants/acme/sessions/s_0"})
			if live() != 0 || one.GetEndTime() == nil || one.GetEndReason() != "revoked" {
				t.Errorf("after the revocation of %s %d are live, and this is %v", subject, live(), one)
			}
			s.signIn(t, "acme", "s_1", "ann@acme.test", time.Now().Add(time.Minute))
			if live() != 1 {
				t.Error("a session that began after the revocation is not listed")
			}
		})
	}
}

func TestRevocations(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.acme.must(t, "ConfigService/Apply", apply(everything(), nil))
	const account = "tenants/acme/serviceAccounts/ci"
	for range 3 {
		call(t, s.acme.serviceAccounts.CreateServiceAccountToken, &v1.CreateServiceAccountTokenRequest{Parent: account})
	}
	revoke := func(subject string) *v1.Revocation {
		t.Helper()
		return call(t, s.acme.revocations.CreateRevocation, &v1.CreateRevocationRequest{Parent: "tenants/acme", Revocation: &v1.Revocation{Subject: subject, Reason: "drill"}})
	}
	stored := func(name string) string {
		t.Helper()
		var subject string
		err := s.db.Read(t.Context(), s.uid(t, "acme"), func(tx *store.TenantTx) error {
			r, err := tx.Revocation(controlplane.UID(name[strings.LastIndexByte(name, '/')+1:]))
			if err == nil {
				subject = r.Subject
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return subject
	}
	uid := func(procedure, name string) string {
		return s.acme.must(t, procedure, object{"name": name}).text("uid")
	}
	for subject, want := range map[string]string{
		"session:s_9": "session:s_9", "user:0f2cabc": "user:0f2cabc", "user:Bob@ACME.test": "email:bob@acme.test", "tenant": "tenant",
		"idp:demo": "idp:" + uid("IdentityProviderService/GetIdentityProvider", "tenants/acme/identityProviders/demo"),
		"app:api":  "app:" + uid("AppService/GetApp", "tenants/acme/apps/api"),
	} {
		made := revoke(subject)
		if got := stored(made.GetName()); got != want {
			t.Errorf("%s is sent to edges as %s, want %s", subject, got, want)
		}
		if !strings.HasPrefix(made.GetRevision(), "u") || made.GetExpireTime().AsTime().Before(time.Now().Add(30*24*time.Hour)) {
			t.Errorf("revocation: %v", made)
		}
		read := call(t, s.acme.revocations.GetRevocation, &v1.GetRevocationRequest{Name: made.GetName()})
		if !strings.EqualFold(read.GetSubject(), subject) || read.GetReason() != "drill" {
			t.Errorf("%s is read as %v", subject, read)
		}
	}
	working := func() int {
		n := 0
		for _, listed := range call(t, s.acme.serviceAccounts.ListServiceAccountTokens, &v1.ListServiceAccountTokensRequest{Parent: account}).GetTokens() {
			if listed.GetRevokeTime() == nil {
				n++
			}
		}
		return n
	}
	if n := working(); n != 0 {
		t.Errorf("%d tokens outlive a revocation of the whole tenant", n)
	}
	// Each that is there ends by itself, and later ones live.
	first := call(t, s.acme.serviceAccounts.CreateServiceAccountToken, &v1.CreateServiceAccountTokenRequest{Parent: account}).GetToken().GetName()
	call(t, s.acme.serviceAccounts.CreateServiceAccountToken, &v1.CreateServiceAccountTokenRequest{Parent: account})
	made := revoke("token:" + first[strings.LastIndexByte(first, '/')+1:])
	if n := working(); n != 1 || made.GetName() == "" {
		t.Errorf("%d tokens are left after the revocation of one of two", n)
	}
	revoke("serviceAccount:ci")
	if n := working(); n != 0 {
		t.Errorf("%d tokens outlive a revocation of their account", n)
	}
	last := call(t, s.acme.serviceAccounts.CreateServiceAccountToken, &v1.CreateServiceAccountTokenRequest{Parent: account}).GetToken().GetName()
	if n := working(); n != 1 {
		t.Error("a token that is made after the revocation is dead")
	}
	s.outlives(t, last[strings.LastIndexByte(last, '/')+1:], "serviceAccount:"+uid("ServiceAccountService/GetServiceAccount", account))

	for subject, reason := range map[string]string{"everything": "FIELD_INVALID", "session:": "FIELD_INVALID", "idp:dmo": "REFERENCE_NOT_FOUND", "token:nothing": "REFERENCE_NOT_FOUND", "user:@": "FIELD_INVALID"} {
		f := refused(t, s.acme.revocations.CreateRevocation, &v1.CreateRevocationRequest{Parent: "tenants/acme", Revocation: &v1.Revocation{Subject: subject}}, connect.CodeInvalidArgument, reason)
		if !slices.Equal(f.fields, []string{"revocation.subject"}) {
			t.Errorf("%s: %v", subject, f.fields)
		}
	}
	count := func() int {
		return len(call(t, s.acme.revocations.ListRevocations, &v1.ListRevocationsRequest{Parent: "tenants/acme", PageSize: 500}).GetRevocations())
	}
	before := count()
	dry := call(t, s.acme.revocations.CreateRevocation, &v1.CreateRevocationRequest{Parent: "tenants/acme", Revocation: &v1.Revocation{Subject: "tenant"}, ValidateOnly: true})
	if dry.GetRevision() != "" || count() != before {
		t.Errorf("a dry run revoked: %v", dry)
	}
	once := &v1.CreateRevocationRequest{Parent: "tenants/acme", Revocation: &v1.Revocation{Subject: "app:api"}, RequestId: "once"}
	if a, b := call(t, s.acme.revocations.CreateRevocation, once), call(t, s.acme.revocations.CreateRevocation, once); a.GetName() != b.GetName() || count() != before+1 {
		t.Errorf("a retry made another: %v, %v", a, b)
	}
}

// outlives checks that edges are told of a token which no revocation of the subject kills.
func (s *service) outlives(t *testing.T, token, subject string) {
	t.Helper()
	rows, err := s.db.System().Snapshot(t.Context(), s.uid(t, "acme"), 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	revoked := 0
	for _, r := range rows.Revocations {
		if r.Subject != subject {
			continue
		}
		revoked++
		for _, made := range rows.Tokens {
			if made.ID == token && made.Urgent < r.Urgent {
				t.Errorf("token %s says that it was made at u%d, and %s is revoked up to u%d", token, made.Urgent, subject, r.Urgent)
			}
		}
	}
	if revoked == 0 || !slices.ContainsFunc(rows.Tokens, func(made store.ServiceToken) bool { return made.ID == token }) {
		t.Errorf("edges are told of %d revocations of %s and of the tokens %v", revoked, subject, rows.Tokens)
	}
}

func TestChangesAreTheAudit(t *testing.T) {
	t.Parallel()
	s := setup(t)
	call(t, s.acme.roles.CreateRole, &v1.CreateRoleRequest{Parent: "tenants/acme", RoleId: "r", Role: &v1.Role{Access: []v1.AccessClass{v1.AccessClass_ACCESS_CLASS_READ}}})
	call(t, s.acme.roles.UpdateRole, &v1.UpdateRoleRequest{Role: &v1.Role{Name: "tenants/acme/roles/r", DisplayName: "R", Operations: []string{"a"}}})
	gone := call(t, s.acme.roles.DeleteRole, &v1.DeleteRoleRequest{Name: "tenants/acme/roles/r"})
	list := call(t, s.acme.audit.ListChanges, &v1.ListChangesRequest{Parent: "tenants/acme", PageSize: 3}).GetChanges()
	var told []string
	for _, c := range list {
		change := c.GetChanges()[0]
		told = append(told, fmt.Sprintf("%s %s %s %v before=%v after=%v", c.GetMethod(), change.GetAction(), change.GetName(), change.GetFields(),
			change.GetBefore().GetFields()["display_name"].GetStringValue(), change.GetAfter().GetFields()["display_name"].GetStringValue()))
		if c.GetActor() != "tenants/acme/members/owner" || c.GetActorKind() != "apiToken" || c.GetIp() != "127.0.0.1" || c.GetRequestId() == "" || c.GetTime() == nil || len(c.GetHash()) != 64 {
			t.Errorf("who, from where, when: %v", c)
		}
	}
	want := []string{
		"sallyport.v1.RoleService/DeleteRole ACTION_DELETE tenants/acme/roles/r [] before=R after=",
		"sallyport.v1.RoleService/UpdateRole ACTION_UPDATE tenants/acme/roles/r [display_name operations] before= after=R",
		"sallyport.v1.RoleService/CreateRole ACTION_CREATE tenants/acme/roles/r [] before= after=",
	}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if list[0].GetRevision() != gone.GetRevision() {
		t.Errorf("the deletion answered %s, its change is %s", gone.GetRevision(), list[0].GetRevision())
	}
	var all []string
	for token, pages := "", 0; pages == 0 || token != ""; pages++ {
		page := call(t, s.acme.audit.ListChanges, &v1.ListChangesRequest{Parent: "tenants/acme", PageSize: 2, PageToken: token})
		for _, c := range page.GetChanges() {
			all = append(all, c.GetRevision())
		}
		token = page.GetNextPageToken()
	}
	for i, revision := range all {
		if revision != fmt.Sprintf("c%d", len(all)-i) {
			t.Errorf("pages: %v", all)
			break
		}
	}
}

func TestTailOfChanges(t *testing.T) {
	t.Parallel()
	s := setup(t)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	stream, err := s.acme.audit.TailChanges(ctx, &v1.TailChangesRequest{Parent: "tenants/acme"})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	stream.ResponseHeader() // waits until the tail knows where it begins
	made := call(t, s.acme.roles.CreateRole, &v1.CreateRoleRequest{Parent: "tenants/acme", RoleId: "r", Role: &v1.Role{Access: []v1.AccessClass{v1.AccessClass_ACCESS_CLASS_READ}}})
	call(t, s.globex.roles.CreateRole, &v1.CreateRoleRequest{Parent: "tenants/globex", RoleId: "r", Role: &v1.Role{Access: []v1.AccessClass{v1.AccessClass_ACCESS_CLASS_READ}}})
	call(t, s.acme.revocations.CreateRevocation, &v1.CreateRevocationRequest{Parent: "tenants/acme", Revocation: &v1.Revocation{Subject: "tenant"}})
	for _, want := range []string{made.GetRevision(), "u1"} {
		if !stream.Receive() {
			t.Fatalf("waiting for %s: %v", want, stream.Err())
		}
		if got := stream.Msg().GetChange(); got.GetRevision() != want {
			t.Errorf("got %s, want %s", got.GetRevision(), want)
		}
	}
	cancel()
	for stream.Receive() {
		t.Errorf("after the end: %v", stream.Msg())
	}
	if code := connect.CodeOf(stream.Err()); code != connect.CodeCanceled {
		t.Errorf("ends with %v", stream.Err())
	}
}

// A tail lasts for as long as the right to it, and not for as long as the connection.
func TestATailEndsWithItsToken(t *testing.T) {
	t.Parallel()
	s := setup(t)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	type tail interface {
		Receive() bool
		Err() error
	}
	tails := map[string]tail{}
	for _, id := range []string{"gone", "demoted"} {
		auditor := s.member(t, s.acme, "tenants/acme", id, controlplane.Auditor, nil)
		changes, err := auditor.audit.TailChanges(ctx, &v1.TailChangesRequest{Parent: "tenants/acme"})
		if err != nil {
			t.Fatal(err)
		}
		defer changes.Close()
		changes.ResponseHeader()
		events, err := auditor.audit.TailAccessEvents(ctx, &v1.TailAccessEventsRequest{Parent: "tenants/acme"})
		if err != nil {
			t.Fatal(err)
		}
		defer events.Close()
		events.ResponseHeader()
		tails[id+", changes"], tails[id+", events"] = changes, events
	}
	call(t, s.acme.apiTokens.DeleteApiToken, &v1.DeleteApiTokenRequest{Name: "tenants/acme/apiTokens/gone"})
	call(t, s.acme.members.UpdateMember, &v1.UpdateMemberRequest{Member: &v1.Member{Name: "tenants/acme/members/demoted", Role: v1.AdminRole_ADMIN_ROLE_VIEWER}})
	for name, tail := range tails {
		for tail.Receive() {
		}
		want := map[bool]string{true: "TOKEN_INVALID", false: "ROLE_REQUIRED"}[strings.HasPrefix(name, "gone")]
		if f := read(t, tail.Err()); f.reason != want {
			t.Errorf("%s: it ends with %+v, want %s", name, f, want)
		}
	}
}

func TestAccessEvents(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.happen(t, "acme", "b_1", event(1, "wiki", "DENY"), event(2, "api", "ALLOW"), event(3, "wiki", "ALLOW"), event(4, "api", "DENY"))
	s.happen(t, "globex", "b_1", event(5, "wiki", "DENY"))
	ids := func(r *v1.ListAccessEventsRequest) (ids []int) {
		t.Helper()
		r.Parent = "tenants/acme"
		for _, e := range call(t, s.acme.audit.ListAccessEvents, r).GetAccessEvents() {
			ids = append(ids, int(e.GetSeq()))
			if e.GetReceiveTime() == nil || e.GetPrincipal().GetSubject() != "user:bob" || e.GetDecision().GetReason() == "" {
				t.Errorf("event: %v", e)
			}
		}
		return ids
	}
	for name, c := range map[string]struct {
		request *v1.ListAccessEventsRequest
		want    []int
	}{
		"all":             {&v1.ListAccessEventsRequest{}, []int{4, 3, 2, 1}},
		"of an app":       {&v1.ListAccessEventsRequest{App: "wiki"}, []int{3, 1}},
		"denied":          {&v1.ListAccessEventsRequest{Outcome: "DENY"}, []int{4, 1}},
		"of a person":     {&v1.ListAccessEventsRequest{Principal: "bob@acme.test"}, []int{4, 3, 2, 1}},
		"of another":      {&v1.ListAccessEventsRequest{Principal: "user:ann"}, nil},
		"a decision":      {&v1.ListAccessEventsRequest{DecisionId: "d_" + event(2, "", "").GetId()}, []int{2}},
		"somebody else's": {&v1.ListAccessEventsRequest{DecisionId: "d_" + event(5, "", "").GetId()}, nil},
	} {
		if diff := cmp.Diff(c.want, ids(c.request)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	var pages []int
	for token, n := "", 0; n == 0 || token != ""; n++ {
		page := call(t, s.acme.audit.ListAccessEvents, &v1.ListAccessEventsRequest{Parent: "tenants/acme", PageSize: 3, PageToken: token})
		for _, e := range page.GetAccessEvents() {
			pages = append(pages, int(e.GetSeq()))
		}
		token = page.GetNextPageToken()
	}
	if diff := cmp.Diff([]int{4, 3, 2, 1}, pages); diff != "" {
		t.Errorf("pages (-want +got):\n%s", diff)
	}
}

func TestTailOfAccessEvents(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.happen(t, "acme", "b_1", event(900, "wiki", "DENY"))
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	stream, err := s.acme.audit.TailAccessEvents(ctx, &v1.TailAccessEventsRequest{Parent: "tenants/acme", Outcome: "DENY"})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	stream.ResponseHeader()
	// More than one page, an edge that reports late (an older id), another tenant's, and what was not asked for.
	var batch []*v1.AccessEvent
	for n := range 450 {
		batch = append(batch, event(1000+n, "wiki", map[bool]string{true: "DENY", false: "ALLOW"}[n%2 == 0]))
	}
	s.happen(t, "acme", "b_2", batch...)
	s.happen(t, "globex", "b_1", event(2000, "wiki", "DENY"))
	s.happen(t, "acme", "b_3", event(1, "wiki", "DENY"))
	got := map[int64]int{}
	for range 226 {
		if !stream.Receive() {
			t.Fatalf("after %d events: %v", len(got), stream.Err())
		}
		got[stream.Msg().GetAccessEvent().GetSeq()]++
	}
	for seq, times := range got {
		if times != 1 || seq != 1 && (seq < 1000 || seq >= 1450 || seq%2 != 0) {
			t.Errorf("event %d was sent %d times", seq, times)
		}
	}
	if len(got) != 226 {
		t.Errorf("%d events, want 226", len(got))
	}
}

func TestEventsAreInTheAPIsForm(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.happen(t, "acme", "b_1", event(1, "wiki", "DENY"))
	a := s.acme.must(t, "AuditService/ListAccessEvents", object{"parent": "tenants/acme"})
	data, err := json.Marshal(a.fields["accessEvents"])
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(data), `"outcome":"DENY"`) || !strings.Contains(string(data), `"seq":"1"`) {
		t.Errorf("events: %s", data)
	}
}
