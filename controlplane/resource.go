package controlplane

import (
	"encoding/json"
	"fmt"
	"time"
)

// UID is a server-made UUIDv7 in its text form. It is never reused, so whatever is stored, sealed, signed or audited
// refers to it; names are for people.
type UID string

// PlatformUID is the tenant that holds the operator's resources. It has counters, changes and snapshots like any other.
const PlatformUID UID = "00000000-0000-0000-0000-000000000000"

// Resource is the envelope that all kinds share.
type Resource struct {
	Kind Kind
	ID   string // unique for the kind in the tenant; `dev/eu-1` for an edge in a pool
	UID  UID
	Etag string // over what users write

	DisplayName string
	Labels      map[string]string
	Annotations map[string]string
	ManagedBy   string
	Spec        Spec

	CreateTime time.Time
	UpdateTime time.Time
	Revision   int64 // config counter of the change that last touched it
}

// Spec is what a kind says beyond the envelope: a pointer to one of this package's structs. Its JSON form is stored.
type Spec interface {
	// References returns what must exist for the spec to make sense, each with the path of the field that says so.
	References() []Reference
}

// Secretive is a [Spec] with write-only fields, by their JSON names. In a spec that was read they are empty.
type Secretive interface {
	Spec
	Secrets() map[string]*Secret
}

// Reference is one resource's mention of another in the same tenant.
type Reference struct {
	Field string // path in the spec, such as `rules[2].principals[0]`
	Kind  Kind
	ID    string
}

// Secret is a write-only field's value. It never marshals and never prints.
type Secret string

// String hides the value.
func (s Secret) String() string { return "REDACTED" }

// GoString hides the value.
func (s Secret) GoString() string { return "REDACTED" }

// MarshalJSON leaves the value out: a stored or audited spec holds none.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`""`), nil }

// Duration has the JSON form of google.protobuf.Duration: `"3600s"`.
type Duration time.Duration

// MarshalJSON writes seconds with as many decimals as are needed.
func (d Duration) MarshalJSON() ([]byte, error) {
	s := time.Duration(d) / time.Second
	ns := time.Duration(d) % time.Second
	if ns == 0 {
		return fmt.Appendf(nil, `"%ds"`, s), nil
	}
	return fmt.Appendf(nil, `"%d.%09ds"`, s, ns), nil
}

// UnmarshalJSON reads what protojson writes.
func (d *Duration) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return err
	}
	parsed, err := time.ParseDuration(text)
	if err != nil {
		return err
	}
	*d = Duration(parsed)
	return nil
}
