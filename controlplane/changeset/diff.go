package changeset

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sallyport-iap/sallyport/controlplane"
)

// document is a resource as changes show it: the API's JSON without what only the server writes, and without secrets.
// That a secret is there is said; that it changed makes the two documents of a change differ.
func document(scope controlplane.Scope, r *controlplane.Resource, held, changed map[string][]byte) (map[string]any, error) {
	if r == nil {
		return nil, nil
	}
	data, err := json.Marshal(r.Spec)
	if err != nil {
		return nil, fmt.Errorf("encode %s %s: %w", r.Kind, r.ID, err)
	}
	doc := map[string]any{}
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, fmt.Errorf("encode %s %s: %w", r.Kind, r.ID, err)
	}
	if r.Kind == controlplane.KindEdge {
		delete(doc, "pool") // it is in the name
	}
	if spec, ok := r.Spec.(controlplane.Secretive); ok {
		for field := range spec.Secrets() {
			delete(doc, field)
			if _, kept := held[field]; kept {
				doc[field] = "REDACTED"
			}
			if value, differs := changed[field]; differs && value == nil {
				delete(doc, field)
			} else if differs {
				doc[field] = "REDACTED, changed"
			}
		}
	}
	doc["name"] = scope.Name(r.Kind, r.ID)
	if r.UID != "" {
		doc["uid"] = string(r.UID)
	}
	for field, text := range map[string]string{"display_name": r.DisplayName, "managed_by": r.ManagedBy} {
		if text != "" {
			doc[field] = text
		}
	}
	for field, entries := range map[string]map[string]string{"labels": r.Labels, "annotations": r.Annotations} {
		if len(entries) > 0 {
			object := map[string]any{}
			for k, v := range entries {
				object[k] = v
			}
			doc[field] = object
		}
	}
	return doc, nil
}

// Document is how a change row shows a resource, for those few changes that are not made by a set.
func Document(scope controlplane.Scope, r *controlplane.Resource) (json.RawMessage, error) {
	doc, err := document(scope, r, nil, nil)
	if err != nil {
		return nil, err
	}
	return raw(doc)
}

// raw is the stored form of a document; nil for none.
func raw(doc map[string]any) (json.RawMessage, error) {
	if doc == nil {
		return nil, nil
	}
	return json.Marshal(doc)
}

// Differences returns the paths of what differs in meaning between two recorded documents; none if one is missing.
func Differences(before, after json.RawMessage) ([]string, error) {
	if len(before) == 0 || len(after) == 0 {
		return nil, nil
	}
	var a, b map[string]any
	if err := json.Unmarshal(before, &a); err != nil {
		return nil, fmt.Errorf("read the state before: %w", err)
	}
	if err := json.Unmarshal(after, &b); err != nil {
		return nil, fmt.Errorf("read the state after: %w", err)
	}
	return differences(a, b), nil
}

func differences(before, after map[string]any) []string {
	paths := compareObjects("", before, after)
	slices.Sort(paths)
	return paths
}

func compareObjects(at string, before, after map[string]any) []string {
	var paths []string
	all := maps.Clone(before)
	if all == nil {
		all = map[string]any{}
	}
	maps.Copy(all, after)
	for field := range all {
		a, had := before[field]
		b, has := after[field]
		path := join(at, field)
		if had != has {
			paths = append(paths, path)
			continue
		}
		paths = append(paths, compare(path, a, b)...)
	}
	return paths
}

func compare(at string, before, after any) []string {
	switch b := after.(type) {
	case map[string]any:
		if a, ok := before.(map[string]any); ok {
			return compareObjects(at, a, b)
		}
	case []any:
		if a, ok := before.([]any); ok {
			return compareLists(at, a, b)
		}
	default:
		if before == after {
			return nil
		}
	}
	return []string{at}
}

// compareLists compares two lists as sets. Elements that have an identity of their own (a rule's id, a route's path) are
// compared with their namesakes, also where others came or went: a path names the element by where it is afterwards.
func compareLists(at string, before, after []any) []string {
	for _, identity := range []string{"id", "path"} {
		a, ok := byIdentity(before, identity)
		b, both := byIdentity(after, identity)
		if !ok || !both {
			continue
		}
		var paths []string
		moved := len(a) != len(b) // an element came or went
		for name, place := range b {
			old, kept := a[name]
			if !kept {
				moved = true
				continue
			}
			paths = append(paths, compare(fmt.Sprintf("%s[%d]", at, place), before[old], after[place])...)
		}
		if moved {
			paths = append(paths, at)
		}
		return paths
	}
	if slices.Equal(sorted(before), sorted(after)) {
		return nil
	}
	return []string{at}
}

// byIdentity maps the identity of each element to its place; ok is false if some element has none, or two have the same.
func byIdentity(list []any, field string) (places map[string]int, ok bool) {
	places = map[string]int{}
	for i, element := range list {
		object, isObject := element.(map[string]any)
		name, named := object[field].(string)
		if _, twice := places[name]; !isObject || !named || twice {
			return nil, false
		}
		places[name] = i
	}
	return places, true
}

func sorted(list []any) []string {
	texts := make([]string, len(list))
	for i, element := range list {
		texts[i] = canonical(element)
	}
	slices.Sort(texts)
	return texts
}

// canonical writes a value so that two are the same text if they mean the same.
func canonical(value any) string {
	switch v := value.(type) {
	case map[string]any:
		fields := slices.Sorted(maps.Keys(v))
		for i, field := range fields {
			fields[i] = fmt.Sprintf("%q:%s", field, canonical(v[field]))
		}
		return "{" + strings.Join(fields, ",") + "}"
	case []any:
		return fmt.Sprintf("%q", sorted(v))
	default:
		return fmt.Sprintf("%T %q", v, fmt.Sprint(v))
	}
}
