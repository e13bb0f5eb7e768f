package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/sallyport-iap/sallyport/cmd/internal/api"
	"github.com/sallyport-iap/sallyport/cmd/internal/spelling"
	sallyportv1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
)

// noun is a kind of resource as its service describes it: the API's descriptors are the only list of nouns there is.
type noun struct {
	collection string // `apps`
	service    protoreflect.ServiceDescriptor
	lists      protoreflect.MethodDescriptor
	resource   protoreflect.MessageDescriptor
}

// resource is any of the API's.
type resource = protoreflect.Message

// nouns returns what can be listed, by collection.
func nouns() map[string]noun {
	found := map[string]noun{}
	protoregistry.GlobalFiles.RangeFilesByPackage(sallyportv1.File_sallyport_v1_app_proto.Package(), func(f protoreflect.FileDescriptor) bool {
		for i := range f.Services().Len() {
			service := f.Services().Get(i)
			for j := range service.Methods().Len() {
				if n, ok := listed(service, service.Methods().Get(j)); ok {
					found[n.collection] = n
				}
			}
		}
		return true
	})
	return found
}

// listed returns the noun that a method lists, if it is such a method and what it lists has names.
func listed(service protoreflect.ServiceDescriptor, m protoreflect.MethodDescriptor) (noun, bool) {
	if !strings.HasPrefix(string(m.Name()), "List") || m.IsStreamingServer() {
		return noun{}, false
	}
	items := m.Output().Fields().Get(0)
	if !items.IsList() || items.Message() == nil || items.Message().Fields().ByName("name") == nil {
		return noun{}, false
	}
	return noun{collection: items.JSONName(), service: service, lists: m, resource: items.Message()}, true
}

// findNoun takes a collection as people write it: apps, app, identityProviders, identity-providers, identity_provider; and
// idp, as subjects of policies and revocations have it.
func findNoun(word string) (noun, error) {
	all := nouns()
	fold := func(s string) string {
		return strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(s))
	}
	meant := fold(word)
	if meant == "idp" || meant == "idps" {
		meant = "identityproviders"
	}
	var known []string
	for collection, n := range all {
		if meant == fold(collection) || meant == fold(string(n.resource.Name())) {
			return n, nil
		}
		known = append(known, collection)
	}
	slices.Sort(known)
	if near := spelling.Nearest(word, known); near != "" {
		return noun{}, usage(fmt.Sprintf("unknown kind of resource %q; did you mean %q?", word, near))
	}
	return noun{}, usage(fmt.Sprintf("unknown kind of resource %q; there are %s", word, strings.Join(known, ", ")))
}

// call makes a unary call that is known by its descriptor only. The answer is of the generated type.
func call(ctx context.Context, c *api.Client, m protoreflect.MethodDescriptor, request proto.Message) (protoreflect.Message, error) {
	procedure := fmt.Sprintf("/%s/%s", m.Parent().FullName(), m.Name())
	client := connect.NewClient[dynamicpb.Message, dynamicpb.Message](c.HTTP, c.URL+procedure,
		connect.WithSchema(m),
		connect.WithResponseInitializer(func(spec connect.Spec, message any) error {
			*message.(*dynamicpb.Message) = *dynamicpb.NewMessage(spec.Schema.(protoreflect.MethodDescriptor).Output())
			return nil
		}))
	response, err := client.CallUnary(ctx, connect.NewRequest(request.(*dynamicpb.Message)))
	if err != nil {
		return nil, err
	}
	answer, err := protoregistry.GlobalTypes.FindMessageByName(m.Output().FullName())
	if err != nil {
		return nil, fmt.Errorf("find %s: %w", m.Output().FullName(), err)
	}
	data, err := proto.Marshal(response.Msg)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", m.Output().FullName(), err)
	}
	known := answer.New()
	if err := proto.Unmarshal(data, known.Interface()); err != nil {
		return nil, fmt.Errorf("decode %s: %w", m.Output().FullName(), err)
	}
	return known, nil
}

// method returns the service's method of a verb for the noun, such as GetApp; nil if there is none.
func (n noun) method(verb string) protoreflect.MethodDescriptor {
	return n.service.Methods().ByName(protoreflect.Name(verb) + n.resource.Name())
}

func (n noun) get(ctx context.Context, c *api.Client, name string) (resource, error) {
	m := n.method("Get")
	if m == nil {
		return nil, usage(fmt.Sprintf("%s can only be listed", n.collection))
	}
	return call(ctx, c, m, message(m.Input(), "name", name))
}

// list returns every page.
func (n noun) list(ctx context.Context, c *api.Client, parent string) ([]resource, error) {
	request := message(n.lists.Input(), "parent", parent)
	fields := n.lists.Input().Fields()
	if size := fields.ByName("page_size"); size != nil {
		request.Set(size, protoreflect.ValueOfInt32(500))
	}
	var all []resource
	for {
		response, err := call(ctx, c, n.lists, request)
		if err != nil {
			return nil, err
		}
		items := response.Get(response.Descriptor().Fields().Get(0)).List()
		for i := range items.Len() {
			all = append(all, items.Get(i).Message())
		}
		next := text(response, "next_page_token")
		if next == "" {
			return all, nil
		}
		request.Set(fields.ByName("page_token"), protoreflect.ValueOfString(next))
	}
}

// delete returns the revision that removed it.
func (n noun) delete(ctx context.Context, c *api.Client, name string) (string, error) {
	m := n.method("Delete")
	switch {
	case m == nil && n.method("Revoke") != nil:
		subject := strings.TrimSuffix(n.collection, "s") + ":" + name[strings.LastIndex(name, "/")+1:]
		return "", usage(fmt.Sprintf("%s are not deleted but revoked: say sallyport revoke %s", n.collection, subject))
	case m == nil:
		return "", usage(fmt.Sprintf("%s are never deleted", n.collection))
	}
	response, err := call(ctx, c, m, message(m.Input(), "name", name))
	if err != nil {
		return "", err
	}
	return text(response, "revision"), nil
}

func message(d protoreflect.MessageDescriptor, field, value string) *dynamicpb.Message {
	m := dynamicpb.NewMessage(d)
	m.Set(d.Fields().ByName(protoreflect.Name(field)), protoreflect.ValueOfString(value))
	return m
}

// text returns a string field, or "" where the message has none of that name.
func text(m protoreflect.Message, field string) string {
	f := m.Descriptor().Fields().ByName(protoreflect.Name(field))
	if f == nil || f.Kind() != protoreflect.StringKind || f.IsList() {
		return ""
	}
	return m.Get(f).String()
}
