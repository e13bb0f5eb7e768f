package expression

import (
	"net/netip"
	"time"
)

// Field is a fact that an expression can name.
type Field uint8

// The fields. What they are is in [Variables].
const (
	PrincipalKind Field = iota
	PrincipalID
	PrincipalEmail
	PrincipalDomain
	PrincipalIDP
	PrincipalGroups
	PrincipalServiceAccount
	SessionAuthTime
	SessionACR
	SessionAMR
	RequestMethod
	RequestHost
	RequestPath
	RequestOperation
	SourceIP
	SourceCountry
	DeviceManaged
	DeviceCompliant
	DevicePosture
	DeviceReportedAt
	Now
)

// String returns the name by which expressions know the field.
func (f Field) String() string {
	if int(f) >= len(variables) {
		return "unknown field"
	}
	return variables[f].Name
}

// Facts are what is known of one request. The second result says whether it is:
// false makes what is computed from the fact unknown. The facts that identify an
// anonymous principal are known, and empty.
//
// Eval asks only for fields of the kind that the method is for, and twice for
// the same if the expression does, so answers must not change.
type Facts interface {
	// Text is asked for fields of type string, but not for source.ip.
	Text(f Field) (v string, known bool)
	// List is asked for session.amr and device.posture. Nobody changes v.
	List(f Field) (v []string, known bool)
	// Flag is asked for device.managed and device.compliant.
	Flag(f Field) (v, known bool)
	// Time is asked for now, session.auth_time and device.reported_at. A time
	// that is not there, such as a stranger's sign-in, is not known.
	Time(f Field) (v time.Time, known bool)
	// Address is source.ip, unmapped.
	Address() (v netip.Addr, known bool)
	// InGroup is asked for the groups of [Expression.Groups].
	InGroup(id string) Truth
}

// Variable is a field as expressions see it.
type Variable struct {
	Field Field
	Name  string
	Type  string // CEL's: string, bool, timestamp, list(string); or groups
	Doc   string // a phrase
	Max   int    // bytes of a string, entries of a list; larger facts are unknown
}

const (
	maxEntries = 64  // of a list
	maxEntry   = 128 // bytes
)

// Variables returns all fields, in the order of [Field].
func Variables() []Variable { return append([]Variable(nil), variables[:]...) }

var variables = [...]Variable{
	{PrincipalKind, "principal.kind", "string", `who asks: "person", "machine" or "anonymous"`, 16},
	{PrincipalID, "principal.id", "string", "the principal's id: opaque, and never used again for another", 512},
	{PrincipalEmail, "principal.email", "string", "a person's e-mail address, if their identity provider vouches for it", 320},
	{PrincipalDomain, "principal.domain", "string", "the part of that address after the @", 255},
	{PrincipalIDP, "principal.idp", "string", "id of the identity provider that a person signed in with", 64},
	{PrincipalGroups, "principal.groups", "groups", `groups of the principal, asked for as "name" in principal.groups`, 0},
	{PrincipalServiceAccount, "principal.service_account", "string", "id of a machine's service account", 64},
	{SessionAuthTime, "session.auth_time", "timestamp", "when a person last proved who they are", 0},
	{SessionACR, "session.acr", "string", "authentication context class that the identity provider stated", 256},
	{SessionAMR, "session.amr", "list(string)", "authentication methods that the identity provider stated (RFC 8176)", maxEntries},
	{RequestMethod, "request.method", "string", "the HTTP method, in capitals", 32},
	{RequestHost, "request.host", "string", "the host, in lower case and without port", 255},
	{RequestPath, "request.path", "string", "the canonical path, without query", 8 << 10},
	{RequestOperation, "request.operation", "string", "the operation of the app that the request is; empty if none", 64},
	{SourceIP, "source.ip", "string", "the client's address; see inCIDR", 64},
	{SourceCountry, "source.country", "string", "the country of that address, ISO 3166-1 alpha-2, in capitals", 2},
	{DeviceManaged, "device.managed", "bool", "whether the device is enrolled in management", 0},
	{DeviceCompliant, "device.compliant", "bool", "whether management calls the device compliant", 0},
	{DevicePosture, "device.posture", "list(string)", "posture checks that the device passed", maxEntries},
	{DeviceReportedAt, "device.reported_at", "timestamp", "when the device's posture was reported", 0},
	{Now, "now", "timestamp", "the time of the request", 0},
}

var fieldByName = func() map[string]Field {
	byName := make(map[string]Field, len(variables))
	for _, v := range variables {
		byName[v.Name] = v.Field
	}
	return byName
}()
