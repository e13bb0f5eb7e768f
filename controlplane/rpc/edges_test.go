package rpc_test

import (
	"slices"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/store"
	"github.com/sallyport-iap/sallyport/controlplane/token"
	v1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
)

// enrol makes an edge, as enrolling does, and lets it be heard.
func (s *service) enrol(t *testing.T, pool, id string) {
	t.Helper()
	caller := &controlplane.Caller{Actor: "edgePools/" + pool + "/edges/" + id, ActorKind: controlplane.EdgeActor, TenantUID: controlplane.PlatformUID}
	var uid controlplane.UID
	err := s.db.Tenant(t.Context(), controlplane.PlatformUID, func(tx *store.TenantTx) error {
		of, err := tx.Resource(controlplane.KindEdgePool, pool)
		if err != nil {
			return err
		}
		edge := &controlplane.Resource{Kind: controlplane.KindEdge, ID: pool + "/" + id, Spec: &controlplane.Edge{Pool: pool}}
		if _, err := s.changes.PutIn(tx, caller, edge); err != nil {
			return err
		}
		uid = edge.UID
		return tx.PutEdgeEnrolment(store.EdgeEnrolment{
			EdgeUID: uid, PoolUID: of.UID, Name: caller.Actor, HPKEPublicKey: []byte("key"), SPKISHA256: []byte(id),
			CertSerial: id, CertExpire: time.Now().Add(time.Hour), Version: "v1",
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.db.System().EdgesSeen(t.Context(), []store.EdgeSeen{{EdgeUID: uid, Boot: "b_1", Version: "v2"}}); err != nil {
		t.Fatal(err)
	}
}

func TestEdges(t *testing.T) {
	t.Parallel()
	s := setup(t)
	c := s.operator
	for _, id := range []string{"eu-1", "us-1", "us-2"} {
		s.enrol(t, "dev", id)
	}
	call(t, c.edgePools.CreateEdgePool, &v1.CreateEdgePoolRequest{EdgePoolId: "dev-2", EdgePool: &v1.EdgePool{}})
	s.enrol(t, "dev-2", "eu-1")

	var names []string
	for token, n := "", 0; n == 0 || token != ""; n++ {
		page := call(t, c.edges.ListEdges, &v1.ListEdgesRequest{Parent: "edgePools/dev", PageSize: 2, PageToken: token})
		for _, e := range page.GetEdges() {
			names = append(names, e.GetName())
			if e.GetStatus().GetVersion() != "v2" || !e.GetStatus().GetConnected() || e.GetStatus().GetSeenTime() == nil {
				t.Errorf("status: %v", e)
			}
		}
		token = page.GetNextPageToken()
	}
	if !slices.Equal(names, []string{"edgePools/dev/edges/eu-1", "edgePools/dev/edges/us-1", "edgePools/dev/edges/us-2"}) {
		t.Errorf("edges of the pool: %v", names)
	}
	refused(t, c.edges.ListEdges, &v1.ListEdgesRequest{Parent: "edgePools/none"}, connect.CodeNotFound, "NOT_FOUND")
	refused(t, c.edgePools.DeleteEdgePool, &v1.DeleteEdgePoolRequest{Name: "edgePools/dev"}, connect.CodeFailedPrecondition, "IN_USE")

	before := call(t, c.edges.GetEdge, &v1.GetEdgeRequest{Name: names[0]})
	disabled := call(t, c.edges.UpdateEdge, &v1.UpdateEdgeRequest{Edge: &v1.Edge{Name: names[0], Disabled: true, Etag: before.GetEtag()}})
	if !disabled.GetDisabled() || disabled.GetUid() != before.GetUid() || disabled.GetStatus() == nil {
		t.Errorf("disabled: %v", disabled)
	}
	call(t, c.edges.DeleteEdge, &v1.DeleteEdgeRequest{Name: names[0]})
	refused(t, c.edges.GetEdge, &v1.GetEdgeRequest{Name: names[0]}, connect.CodeNotFound, "NOT_FOUND")
	// Edges come by enrolling only.
	refused(t, c.edges.UpdateEdge, &v1.UpdateEdgeRequest{Edge: &v1.Edge{Name: names[0], DisplayName: "x"}, AllowMissing: true}, connect.CodeNotFound, "NOT_FOUND")

	made := call(t, c.edges.CreateJoinToken, &v1.CreateJoinTokenRequest{Parent: "edgePools/dev", EdgeId: "eu-1"})
	if _, pin, ok := token.ParseJoin(made.GetSecret()); !ok || pin == [32]byte{} || time.Until(made.GetExpireTime().AsTime()) > time.Hour {
		t.Errorf("join token until %v", made.GetExpireTime().AsTime())
	}
	refused(t, c.edges.CreateJoinToken, &v1.CreateJoinTokenRequest{Parent: "edgePools/none", EdgeId: "eu-1"}, connect.CodeNotFound, "NOT_FOUND")
	refused(t, c.edges.CreateJoinToken, &v1.CreateJoinTokenRequest{Parent: "edgePools/dev", EdgeId: "EU"}, connect.CodeInvalidArgument, "FIELD_INVALID")
	refused(t, c.edges.CreateJoinToken, &v1.CreateJoinTokenRequest{Parent: "edgePools/dev", EdgeId: "eu-1", Lifetime: durationpb.New(2 * time.Hour)}, connect.CodeInvalidArgument, "FIELD_INVALID")
}

func TestWait(t *testing.T) {
	t.Parallel()
	s := setup(t)
	at := call(t, s.acme.tenants.GetTenant, &v1.GetTenantRequest{Name: "tenants/acme"}).GetRevision()
	got := call(t, s.acme.revisions.Wait, &v1.WaitRequest{Parent: "tenants/acme", Revision: at})
	if got.GetResult() != v1.WaitResult_WAIT_RESULT_ENFORCED || got.GetCommitTime() == nil {
		t.Errorf("without edges: %v", got)
	}
	s.enrol(t, "dev", "eu-1")
	got = call(t, s.acme.revisions.Wait, &v1.WaitRequest{Parent: "tenants/acme", Revision: at, Timeout: durationpb.New(0)})
	if got.GetResult() != v1.WaitResult_WAIT_RESULT_PENDING || len(got.GetPending()) != 1 || got.GetPending()[0].GetEdge() != "edgePools/dev/edges/eu-1" {
		t.Errorf("with an edge that has nothing: %v", got)
	}
	now := call(t, s.acme.revisions.GetRevision, &v1.GetRevisionRequest{Parent: "tenants/acme"})
	if now.GetConfig() == "" || now.GetConfig()[0] != 'c' || len(now.GetEdges()) != 1 {
		t.Errorf("revision: %v", now)
	}
	call(t, s.operator.revisions.GetRevision, &v1.GetRevisionRequest{Parent: "platform"})
	for _, request := range []*v1.WaitRequest{
		{Parent: "tenants/acme", Revision: "c999"},
		{Parent: "tenants/acme", Revision: "x1"},
		{Parent: "tenants/acme", Revision: "c+1"},
		{Parent: "tenants/acme"},
		{Parent: "tenants/acme", Revision: at, Scope: "dev"},
		{Parent: "tenants/acme", Revision: at, Timeout: durationpb.New(time.Hour)},
		{Revision: at},
	} {
		if _, err := s.acme.revisions.Wait(t.Context(), request); connect.CodeOf(err) != connect.CodeInvalidArgument {
			t.Errorf("%v: %v", request, err)
		}
	}
}
