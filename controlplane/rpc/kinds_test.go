package rpc_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/sallyport-iap/sallyport/controlplane"
	v1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
)

// Every kind behaves alike; these tests run for each.
func forEachKind(t *testing.T, test func(t *testing.T, s *service, k sample, c *client)) {
	t.Parallel()
	s := setup(t)
	s.base(t)
	for _, k := range samples {
		t.Run(k.kind, func(t *testing.T) {
			t.Parallel()
			test(t, s, k, s.whom(k))
		})
	}
}

func TestSamplesAreComplete(t *testing.T) {
	t.Parallel()
	for kind := range controlplane.Kinds {
		// An ApiToken is made with its secret and never updated, an edge by enrolling: they have tests of their own.
		known := kind == controlplane.KindAPIToken || kind == controlplane.KindEdge
		for _, k := range samples {
			known = known || k.kind == string(kind)
		}
		if !known {
			t.Errorf("kind %s has no sample", kind)
		}
	}
}

func (k sample) create(id string, more object) object {
	return with(object{"parent": k.parent, k.field + "_id": id, k.field: k.body("one")}, more)
}

func TestCreateAndGet(t *testing.T) {
	forEachKind(t, func(t *testing.T, s *service, k sample, c *client) {
		made := c.must(t, k.service()+"Create"+k.kind, k.create("one", nil))
		if made.text("name") != k.name+"one" {
			t.Errorf("name %q", made.text("name"))
		}
		for _, field := range []string{"uid", "etag", "createTime", "updateTime", "revision"} {
			if made.text(field) == "" {
				t.Errorf("%s is missing: %s", field, made.body)
			}
		}
		got := c.must(t, k.service()+"Get"+k.kind, object{"name": k.name + "one"})
		if diff := cmp.Diff(made.fields, got.fields); diff != "" {
			t.Errorf("what was created is not what is read (-created +read):\n%s", diff)
		}
		again := c.refuses(t, k.service()+"Create"+k.kind, k.create("one", nil), "already_exists", "ID_TAKEN")
		if strings.Contains(again.body, "pg") || strings.Contains(again.body, "SQL") {
			t.Errorf("tells of the database: %s", again.body)
		}
		c.refuses(t, k.service()+"Get"+k.kind, object{"name": k.name + "none"}, "not_found", "NOT_FOUND")
	})
}

func TestIDs(t *testing.T) {
	forEachKind(t, func(t *testing.T, s *service, k sample, c *client) {
		for _, id := range []string{"", "A", "1a", "-a", "a-", "a_b", "a/b", "a.b", strings.Repeat("a", 64), "ä", "a\x00"} {
			a := c.send(t, k.service()+"Create"+k.kind, k.create(id, nil))
			if a.code() != "invalid_argument" || !slices.Contains(a.violated(), k.field+"_id") {
				t.Errorf("id %q: %d %s", id, a.status, a.body)
			}
			name := k.name + id
			a = c.send(t, k.service()+"Update"+k.kind, object{k.field: with(k.body("sound"), object{"name": name}), "allow_missing": true})
			if a.code() != "invalid_argument" {
				t.Errorf("upsert of id %q: %d %s", id, a.status, a.body)
			}
		}
		c.must(t, k.service()+"Create"+k.kind, k.create("a-1", nil))
		c.must(t, k.service()+"Create"+k.kind, k.create(strings.Repeat("a", 63), object{k.field: k.body("longest")}))
	})
}

func TestListPages(t *testing.T) {
	forEachKind(t, func(t *testing.T, s *service, k sample, c *client) {
		var want []string
		for i := range 5 {
			id := fmt.Sprintf("p%d", i)
			c.must(t, k.service()+"Create"+k.kind, k.create(id, object{k.field: k.body(id)}))
			want = append(want, k.name+id)
		}
		var got []string
		key := strings.ToLower(k.plural[:1]) + k.plural[1:]
		for token, pages := "", 0; ; pages++ {
			page := c.must(t, k.service()+"List"+k.plural, object{"parent": k.parent, "page_size": 2, "page_token": token})
			list, _ := page.fields[key].([]any)
			if len(list) > 2 || pages > 10 {
				t.Fatalf("page %d has %d of 2", pages, len(list))
			}
			for _, r := range list {
				if name := r.(object)["name"].(string); strings.HasPrefix(name, k.name+"p") {
					got = append(got, name)
				}
			}
			if token = page.text("nextPageToken"); token == "" {
				break
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("pages (-want +got):\n%s", diff)
		}
		for _, bad := range []string{"x", "eyJvZiI6IiIsImxhc3QiOiIifQ", "%"} {
			c.refuses(t, k.service()+"List"+k.plural, object{"parent": k.parent, "page_token": bad}, "invalid_argument", "FIELD_INVALID")
		}
		c.refuses(t, k.service()+"List"+k.plural, object{"parent": k.parent, "page_size": 501}, "invalid_argument", "FIELD_INVALID")
		c.refuses(t, k.service()+"List"+k.plural, object{"parent": k.parent, "page_size": -1}, "invalid_argument", "FIELD_INVALID")
	})
}

func TestUpdateByMask(t *testing.T) {
	forEachKind(t, func(t *testing.T, s *service, k sample, c *client) {
		before := c.must(t, k.service()+"Create"+k.kind, k.create("one", object{k.field: with(k.body("one"), object{"display_name": "One", "labels": object{"a": "b"}})}))
		name := object{"name": k.name + "one"}
		update := k.service() + "Update" + k.kind

		// Only what the mask names changes, whatever else is sent.
		after := c.must(t, update, object{k.field: with(with(name, k.edit), object{"display_name": "Other"}), "update_mask": camel(k.editMask)})
		if after.text("displayName") != "One" || after.text("etag") == before.text("etag") || after.text("revision") == before.text("revision") {
			t.Errorf("after an update of %s: %s", k.editMask, after.body)
		}
		if after.text("uid") != before.text("uid") || after.text("createTime") != before.text("createTime") {
			t.Errorf("an update made another one: %s", after.body)
		}
		// Without a mask: what is set.
		after = c.must(t, update, object{k.field: with(name, object{"display_name": "Two"})})
		if after.text("displayName") != "Two" || after.fields["labels"] == nil {
			t.Errorf("after an update without mask: %s", after.body)
		}
		// A field that is named and not set is emptied.
		after = c.must(t, update, object{k.field: name, "update_mask": "displayName,labels"})
		if after.text("displayName") != "" || after.fields["labels"] != nil {
			t.Errorf("after emptying: %s", after.body)
		}
		for mask, suggestion := range map[string]string{"displayNam": "display_name", "etag": "", "name": "", "labels.a": "", "uid": "", "revision": ""} {
			a := c.refuses(t, update, object{k.field: name, "update_mask": mask}, "invalid_argument", map[bool]string{true: "FIELD_UNKNOWN", false: "FIELD_INVALID"}[suggestion != ""])
			if diff := cmp.Diff([]string{"update_mask.paths[0]"}, a.violated()); diff != "" {
				t.Errorf("mask %s (-want +got):\n%s", mask, diff)
			}
			if metadata, _ := a.detail("ErrorInfo", "metadata").(object); suggestion != "" && metadata["suggestion"] != suggestion {
				t.Errorf("mask %s: suggests %v", mask, metadata["suggestion"])
			}
		}
		c.refuses(t, update, object{k.field: object{"name": k.name + "none", "display_name": "x"}}, "not_found", "NOT_FOUND")
		c.refuses(t, update, object{}, "invalid_argument", "FIELD_REQUIRED")
		c.refuses(t, update, object{k.field: object{"display_name": "x"}}, "invalid_argument", "FIELD_INVALID")
	})
}

// camel is a field mask in JSON.
func camel(mask string) string {
	parts := strings.Split(mask, "_")
	for i := 1; i < len(parts); i++ {
		parts[i] = strings.ToUpper(parts[i][:1]) + parts[i][1:]
	}
	return strings.Join(parts, "")
}

func TestEtags(t *testing.T) {
	forEachKind(t, func(t *testing.T, s *service, k sample, c *client) {
		first := c.must(t, k.service()+"Create"+k.kind, k.create("one", nil))
		update, name := k.service()+"Update"+k.kind, object{"name": k.name + "one"}
		second := c.must(t, update, object{k.field: with(name, object{"display_name": "x", "etag": first.text("etag")})})
		for what, send := range map[string]func(etag string) answer{
			"update": func(etag string) answer {
				return c.send(t, update, object{k.field: with(name, object{"display_name": "y", "etag": etag})})
			},
			"delete": func(etag string) answer {
				return c.send(t, k.service()+"Delete"+k.kind, with(name, object{"etag": etag}))
			},
		} {
			a := send(first.text("etag"))
			if a.code() != "aborted" || a.reason() != "ETAG_STALE" {
				t.Errorf("%s with a stale etag: %s", what, a.body)
			}
			if metadata, _ := a.detail("ErrorInfo", "metadata").(object); metadata["etag"] != second.text("etag") {
				t.Errorf("%s does not tell the current etag %s: %s", what, second.text("etag"), a.body)
			}
		}
		// The etag is over what users write: back to the beginning is the same etag.
		third := c.must(t, update, object{k.field: name, "update_mask": "displayName"})
		if third.text("etag") != first.text("etag") {
			t.Errorf("the same content has etags %s and %s", first.text("etag"), third.text("etag"))
		}
	})
}

func TestUpsert(t *testing.T) {
	forEachKind(t, func(t *testing.T, s *service, k sample, c *client) {
		request := object{k.field: with(k.body("one"), object{"name": k.name + "one"}), "allow_missing": true, "update_mask": "displayName"}
		made := c.must(t, k.service()+"Update"+k.kind, request)
		created := c.must(t, k.service()+"Get"+k.kind, object{"name": k.name + "one"})
		if diff := cmp.Diff(made.fields, created.fields); diff != "" {
			t.Errorf("(-answered +read):\n%s", diff)
		}
		for field := range k.valid {
			if created.fields[camel(field)] == nil {
				t.Errorf("%s was not written, because a mask did not name it in a creation", field)
			}
		}
		again := c.must(t, k.service()+"Update"+k.kind, request)
		if again.text("revision") != made.text("revision") {
			t.Errorf("an upsert of what is there is a change: %s", again.body)
		}
	})
}

func TestValidateOnly(t *testing.T) {
	forEachKind(t, func(t *testing.T, s *service, k sample, c *client) {
		get := func() answer { return c.send(t, k.service()+"Get"+k.kind, object{"name": k.name + "one"}) }
		forget := func(a answer) object { // what a dry run cannot know
			fields := maps.Clone(a.fields)
			for _, f := range []string{"uid", "createTime", "updateTime", "revision"} {
				delete(fields, f)
			}
			return fields
		}
		dry := c.must(t, k.service()+"Create"+k.kind, k.create("one", object{"validate_only": true}))
		if get().code() != "not_found" {
			t.Fatal("a dry run created it")
		}
		if dry.text("revision") != "" {
			t.Errorf("a dry run promises revision %s", dry.text("revision"))
		}
		made := c.must(t, k.service()+"Create"+k.kind, k.create("one", nil))
		if diff := cmp.Diff(forget(made), forget(dry)); diff != "" {
			t.Errorf("the dry run answered otherwise (-real +dry):\n%s", diff)
		}
		c.refuses(t, k.service()+"Create"+k.kind, k.create("one", object{"validate_only": true}), "already_exists", "ID_TAKEN")

		edit := object{k.field: with(object{"name": k.name + "one"}, k.edit), "update_mask": camel(k.editMask)}
		dry = c.must(t, k.service()+"Update"+k.kind, with(edit, object{"validate_only": true}))
		if diff := cmp.Diff(made.fields, get().fields); diff != "" {
			t.Fatalf("a dry run changed it:\n%s", diff)
		}
		changed := c.must(t, k.service()+"Update"+k.kind, edit)
		if diff := cmp.Diff(forget(changed), forget(dry)); diff != "" {
			t.Errorf("the dry run answered otherwise (-real +dry):\n%s", diff)
		}
		c.must(t, k.service()+"Delete"+k.kind, object{"name": k.name + "one", "validate_only": true})
		if get().code() != "" {
			t.Error("a dry run deleted it")
		}
	})
}

func TestRequestIDs(t *testing.T) {
	forEachKind(t, func(t *testing.T, s *service, k sample, c *client) {
		request := k.create("one", object{"request_id": k.kind + "-1"})
		first := c.must(t, k.service()+"Create"+k.kind, request)
		c.must(t, k.service()+"Update"+k.kind, object{k.field: with(object{"name": k.name + "one"}, k.edit), "update_mask": camel(k.editMask)})
		again := c.must(t, k.service()+"Create"+k.kind, request)
		if diff := cmp.Diff(first.fields, again.fields); diff != "" {
			t.Errorf("a retry got another answer (-first +retry):\n%s", diff)
		}
		if k.kind != "Tenant" { // there the id is remembered in the tenant that it made
			c.refuses(t, k.service()+"Create"+k.kind, k.create("two", object{"request_id": k.kind + "-1"}), "invalid_argument", "REQUEST_ID_REUSED")
			c.refuses(t, k.service()+"Delete"+k.kind, object{"name": k.name + "one", "request_id": k.kind + "-1"}, "invalid_argument", "REQUEST_ID_REUSED")
		}

		gone := c.must(t, k.service()+"Delete"+k.kind, object{"name": k.name + "one", "request_id": k.kind + "-2"})
		retried := c.must(t, k.service()+"Delete"+k.kind, object{"name": k.name + "one", "request_id": k.kind + "-2"})
		if gone.text("revision") == "" || gone.text("revision") != retried.text("revision") {
			t.Errorf("deleted at %q, the retry says %q", gone.text("revision"), retried.text("revision"))
		}
		// A dry run is not remembered.
		c.must(t, k.service()+"Create"+k.kind, k.create("three", object{"request_id": k.kind + "-3", "validate_only": true}))
		c.must(t, k.service()+"Create"+k.kind, k.create("three", object{"request_id": k.kind + "-3"}))
	})
}

func TestDelete(t *testing.T) {
	forEachKind(t, func(t *testing.T, s *service, k sample, c *client) {
		remove, name := k.service()+"Delete"+k.kind, object{"name": k.name + "one"}
		first := c.must(t, k.service()+"Create"+k.kind, k.create("one", nil))
		c.must(t, remove, name)
		c.refuses(t, k.service()+"Get"+k.kind, name, "not_found", "NOT_FOUND")
		c.refuses(t, remove, name, "not_found", "NOT_FOUND")
		c.must(t, remove, with(name, object{"allow_missing": true}))
		second := c.must(t, k.service()+"Create"+k.kind, k.create("one", nil))
		if first.text("uid") == second.text("uid") {
			t.Error("a uid was used again")
		}
	})
}

func TestOutputOnlyFieldsAreNotWritten(t *testing.T) {
	forEachKind(t, func(t *testing.T, s *service, k sample, c *client) {
		forged := with(k.body("one"), object{
			"name": "tenants/globex/apps/x", "uid": "00000000-0000-7000-8000-000000000001", "etag": "forged",
			"create_time": "2001-01-01T00:00:00Z", "update_time": "2001-01-01T00:00:00Z", "revision": "c999",
		})
		made := c.must(t, k.service()+"Create"+k.kind, k.create("one", object{k.field: forged}))
		if made.text("name") != k.name+"one" || strings.Contains(made.body, "2001-01-01") || made.text("revision") == "c999" ||
			made.text("etag") == "forged" || made.text("uid") == "00000000-0000-7000-8000-000000000001" {
			t.Errorf("forged: %s", made.body)
		}
	})
}

func TestUnknownFieldsAreRefused(t *testing.T) {
	forEachKind(t, func(t *testing.T, s *service, k sample, c *client) {
		a := c.refuses(t, k.service()+"Create"+k.kind, k.create("one", object{k.field: with(k.body("one"), object{"displayNames": "x"})}), "invalid_argument", "FIELD_UNKNOWN")
		if diff := cmp.Diff([]string{k.field + ".displayNames"}, a.violated()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if !strings.Contains(a.text("message"), `did you mean "display_name"?`) {
			t.Errorf("no suggestion: %s", a.text("message"))
		}
	})
}

// Only binary clients can write `*`: JSON's form of a mask has no place for it.
func TestAMaskOfEverythingReplaces(t *testing.T) {
	t.Parallel()
	s := setup(t)
	call(t, s.acme.apps.CreateApp, &v1.CreateAppRequest{Parent: "tenants/acme", AppId: "one", App: &v1.App{
		DisplayName: "One", Hosts: []string{"one.acme.test"}, Disabled: true,
		Routes: []*v1.Route{{Path: "/**", Upstreams: []*v1.Upstream{{Url: "https://up.example"}}}},
	}})
	got := call(t, s.acme.apps.UpdateApp, &v1.UpdateAppRequest{UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"*"}}, App: &v1.App{
		Name: "tenants/acme/apps/one", Hosts: []string{"two.acme.test"},
		Routes: []*v1.Route{{Path: "/**", Upstreams: []*v1.Upstream{{Url: "https://up.example"}}}},
	}})
	if got.GetDisplayName() != "" || got.GetDisabled() || got.GetHosts()[0] != "two.acme.test" {
		t.Errorf("after a replacement of everything: %v", got)
	}
}
