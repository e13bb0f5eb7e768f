package rpc

import (
	"fmt"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/sallyport-iap/sallyport/controlplane"
	v1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1/sallyportv1connect"
)

// rule says who may call an RPC at all. What it is called on is the use case's business: whose tenant, which apps, how
// much a member may be given.
type rule struct {
	needs     controlplane.Permission
	operator  bool // only operators of the service
	bootstrap bool // also the bootstrap token, to make the first operator
}

// rules has an entry for every RPC. The server does not start without one.
var rules = map[string]rule{
	v1.TenantServiceGetTenantProcedure:    {needs: controlplane.ReadConfiguration},
	v1.TenantServiceListTenantsProcedure:  {needs: controlplane.ReadConfiguration},
	v1.TenantServiceCreateTenantProcedure: {needs: controlplane.WriteConfiguration, operator: true},
	v1.TenantServiceUpdateTenantProcedure: {needs: controlplane.WriteConfiguration},
	v1.TenantServiceDeleteTenantProcedure: {needs: controlplane.WriteConfiguration, operator: true},

	v1.IdentityProviderServiceGetIdentityProviderProcedure:    {needs: controlplane.ReadConfiguration},
	v1.IdentityProviderServiceListIdentityProvidersProcedure:  {needs: controlplane.ReadConfiguration},
	v1.IdentityProviderServiceCreateIdentityProviderProcedure: {needs: controlplane.WriteConfiguration},
	v1.IdentityProviderServiceUpdateIdentityProviderProcedure: {needs: controlplane.WriteConfiguration},
	v1.IdentityProviderServiceDeleteIdentityProviderProcedure: {needs: controlplane.WriteConfiguration},

	v1.AppServiceGetAppProcedure:           {needs: controlplane.ReadConfiguration},
	v1.AppServiceListAppsProcedure:         {needs: controlplane.ReadConfiguration},
	v1.AppServiceCreateAppProcedure:        {needs: controlplane.WriteApps},
	v1.AppServiceUpdateAppProcedure:        {needs: controlplane.WriteApps},
	v1.AppServiceDeleteAppProcedure:        {needs: controlplane.WriteApps},
	v1.AppServiceImportOperationsProcedure: {needs: controlplane.WriteApps},

	v1.RoleServiceGetRoleProcedure:    {needs: controlplane.ReadConfiguration},
	v1.RoleServiceListRolesProcedure:  {needs: controlplane.ReadConfiguration},
	v1.RoleServiceCreateRoleProcedure: {needs: controlplane.WriteConfiguration},
	v1.RoleServiceUpdateRoleProcedure: {needs: controlplane.WriteConfiguration},
	v1.RoleServiceDeleteRoleProcedure: {needs: controlplane.WriteConfiguration},

	v1.GroupServiceGetGroupProcedure:    {needs: controlplane.ReadConfiguration},
	v1.GroupServiceListGroupsProcedure:  {needs: controlplane.ReadConfiguration},
	v1.GroupServiceCreateGroupProcedure: {needs: controlplane.WriteConfiguration},
	v1.GroupServiceUpdateGroupProcedure: {needs: controlplane.WriteConfiguration},
	v1.GroupServiceDeleteGroupProcedure: {needs: controlplane.WriteConfiguration},

	v1.PolicyServiceGetPolicyProcedure:    {needs: controlplane.ReadConfiguration},
	v1.PolicyServiceListPoliciesProcedure: {needs: controlplane.ReadConfiguration},
	v1.PolicyServiceCreatePolicyProcedure: {needs: controlplane.WriteApps},
	v1.PolicyServiceUpdatePolicyProcedure: {needs: controlplane.WriteApps},
	v1.PolicyServiceDeletePolicyProcedure: {needs: controlplane.WriteApps},

	v1.GrantServiceGetGrantProcedure:    {needs: controlplane.ReadConfiguration},
	v1.GrantServiceListGrantsProcedure:  {needs: controlplane.ReadConfiguration},
	v1.GrantServiceCreateGrantProcedure: {needs: controlplane.WriteApps},
	v1.GrantServiceUpdateGrantProcedure: {needs: controlplane.WriteApps},
	v1.GrantServiceDeleteGrantProcedure: {needs: controlplane.WriteApps},

	v1.PolicyTestServiceGetPolicyTestProcedure:    {needs: controlplane.ReadConfiguration},
	v1.PolicyTestServiceListPolicyTestsProcedure:  {needs: controlplane.ReadConfiguration},
	v1.PolicyTestServiceCreatePolicyTestProcedure: {needs: controlplane.WriteConfiguration},
	v1.PolicyTestServiceUpdatePolicyTestProcedure: {needs: controlplane.WriteConfiguration},
	v1.PolicyTestServiceDeletePolicyTestProcedure: {needs: controlplane.WriteConfiguration},

	v1.ServiceAccountServiceGetServiceAccountProcedure:         {needs: controlplane.ReadConfiguration},
	v1.ServiceAccountServiceListServiceAccountsProcedure:       {needs: controlplane.ReadConfiguration},
	v1.ServiceAccountServiceCreateServiceAccountProcedure:      {needs: controlplane.WriteConfiguration},
	v1.ServiceAccountServiceUpdateServiceAccountProcedure:      {needs: controlplane.WriteConfiguration},
	v1.ServiceAccountServiceDeleteServiceAccountProcedure:      {needs: controlplane.WriteConfiguration},
	v1.ServiceAccountServiceCreateServiceAccountTokenProcedure: {needs: controlplane.WriteConfiguration},
	v1.ServiceAccountServiceListServiceAccountTokensProcedure:  {needs: controlplane.ReadConfiguration},
	v1.ServiceAccountServiceRevokeServiceAccountTokenProcedure: {needs: controlplane.Revoke},

	v1.MemberServiceGetMemberProcedure:    {needs: controlplane.ReadConfiguration, bootstrap: true},
	v1.MemberServiceListMembersProcedure:  {needs: controlplane.ReadConfiguration, bootstrap: true},
	v1.MemberServiceCreateMemberProcedure: {needs: controlplane.WriteMembers, bootstrap: true},
	v1.MemberServiceUpdateMemberProcedure: {needs: controlplane.WriteMembers},
	v1.MemberServiceDeleteMemberProcedure: {needs: controlplane.WriteMembers},

	v1.ApiTokenServiceGetApiTokenProcedure:    {needs: controlplane.ReadConfiguration},
	v1.ApiTokenServiceListApiTokensProcedure:  {needs: controlplane.ReadConfiguration},
	v1.ApiTokenServiceCreateApiTokenProcedure: {needs: controlplane.WriteMembers, bootstrap: true},
	v1.ApiTokenServiceDeleteApiTokenProcedure: {needs: controlplane.WriteMembers},

	v1.SessionServiceGetSessionProcedure:          {needs: controlplane.ReadActivity},
	v1.SessionServiceListSessionsProcedure:        {needs: controlplane.ReadActivity},
	v1.SessionServiceRevokeSessionProcedure:       {needs: controlplane.Revoke},
	v1.RevocationServiceGetRevocationProcedure:    {needs: controlplane.ReadActivity},
	v1.RevocationServiceListRevocationsProcedure:  {needs: controlplane.ReadActivity},
	v1.RevocationServiceCreateRevocationProcedure: {needs: controlplane.Revoke},
	v1.RevisionServiceGetRevisionProcedure:        {needs: controlplane.ReadConfiguration},
	v1.RevisionServiceWaitProcedure:               {needs: controlplane.ReadConfiguration},
	v1.ConfigServiceApplyProcedure:                {needs: controlplane.WriteApps},
	v1.ConfigServiceExportProcedure:               {needs: controlplane.ReadConfiguration},
	v1.DecisionServiceExplainProcedure:            {needs: controlplane.ReadConfiguration}, // what was decided needs more: see the service
	v1.DecisionServiceWhoCanAccessProcedure:       {needs: controlplane.ReadConfiguration}, // who was only seen needs more: see the service
	v1.DecisionServiceWhatCanAccessProcedure:      {needs: controlplane.ReadConfiguration},
	v1.PolicyTestServiceRunPolicyTestsProcedure:   {needs: controlplane.ReadConfiguration},
	v1.DecisionServiceLintProcedure:               {needs: controlplane.ReadConfiguration},
	v1.DecisionServiceSimulateProcedure:           {needs: controlplane.ReadActivity},
	v1.DecisionServiceSummarizeShadowProcedure:    {needs: controlplane.ReadActivity},
	v1.AuditServiceListAccessEventsProcedure:      {needs: controlplane.ReadActivity},
	v1.AuditServiceTailAccessEventsProcedure:      {needs: controlplane.ReadActivity},
	v1.AuditServiceListChangesProcedure:           {needs: controlplane.ReadActivity},
	v1.AuditServiceTailChangesProcedure:           {needs: controlplane.ReadActivity},

	v1.EdgePoolServiceGetEdgePoolProcedure:    {needs: controlplane.ReadConfiguration, operator: true},
	v1.EdgePoolServiceListEdgePoolsProcedure:  {needs: controlplane.ReadConfiguration, operator: true},
	v1.EdgePoolServiceCreateEdgePoolProcedure: {needs: controlplane.WriteConfiguration, operator: true},
	v1.EdgePoolServiceUpdateEdgePoolProcedure: {needs: controlplane.WriteConfiguration, operator: true},
	v1.EdgePoolServiceDeleteEdgePoolProcedure: {needs: controlplane.WriteConfiguration, operator: true},

	v1.EdgeServiceGetEdgeProcedure:         {needs: controlplane.ReadConfiguration, operator: true},
	v1.EdgeServiceListEdgesProcedure:       {needs: controlplane.ReadConfiguration, operator: true},
	v1.EdgeServiceUpdateEdgeProcedure:      {needs: controlplane.WriteConfiguration, operator: true},
	v1.EdgeServiceDeleteEdgeProcedure:      {needs: controlplane.WriteConfiguration, operator: true},
	v1.EdgeServiceCreateJoinTokenProcedure: {needs: controlplane.WriteConfiguration, operator: true},
}

// permit returns an error unless the caller may make the call. A procedure without a rule is forbidden to everybody.
func permit(c *controlplane.Caller, procedure string) error {
	r, ok := rules[procedure]
	switch {
	case !ok, c.ActorKind == controlplane.BootstrapActor && !r.bootstrap, r.operator && !c.Operator():
		return controlplane.OperatorError()
	default:
		return c.Require(r.needs)
	}
}

// procedures returns every RPC of the admin API, from its descriptors.
func procedures() []string {
	var all []string
	protoregistry.GlobalFiles.RangeFilesByPackage("sallyport.v1", func(file protoreflect.FileDescriptor) bool {
		for s := range file.Services().Len() {
			service := file.Services().Get(s)
			for m := range service.Methods().Len() {
				all = append(all, fmt.Sprintf("/%s/%s", service.FullName(), service.Methods().Get(m).Name()))
			}
		}
		return true
	})
	return all
}

// checkRules returns an error that names the RPCs without a rule.
func checkRules() error {
	var missing []string
	for _, procedure := range procedures() {
		if _, ok := rules[procedure]; !ok {
			missing = append(missing, procedure)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("nobody has said who may call %v: add them to rules in controlplane/rpc/permissions.go", missing)
	}
	return nil
}
