package cli

import (
	"context"
	"fmt"
	"sort"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/sallyport-iap/sallyport/cmd/internal/api"
	sallyportv1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
)

// noun is a kind of resource as its service describes it: the API's descriptors are the only list of nouns there is.
type noun struct {
	collection string // `apps`
	service    protoreflect.ServiceDescriptor
	resource   protoreflect.MessageDescriptor
}

// nouns returns what has a Get and a List, by collection.
func nouns() map[string]noun {
	found := map[string]noun{}
	protoregistry.GlobalFiles.RangeFilesByPackage(sallyportv1.File_sallyport_v1_app_proto.Package(), func(f protoreflect.FileDescriptor) bool {
		for i := range f.Services().Len() {
			service := f.Services().Get(i)
			name := strings.TrimSuffix(string(service.Name()), "Service")
			get := service.Methods().ByName(protoreflect.Name("Get" + name))
			list := listMethod(service)
			if get == nil || list == nil {
				continue
			}
			items := list.Output().Fields().Get(0)
			found[items.JSONName()] = noun{collection: items.JSONName(), service: service, resource: get.Output()}
		}
		return true
	})
	return found
}

func listMethod(s protoreflect.ServiceDescriptor) protoreflect.MethodDescriptor {
	noun := strings.TrimSuffix(string(s.Name()), "Service")
	for i := range s.Methods().Len() {
		m := s.Methods().Get(i)
		if strings.HasPrefix(string(m.Name()), "List") && m.Output().Fields().Get(0).Message() != nil && string(m.Output().Fields().Get(0).Message().Name()) == noun {
			return m
		}
	}
	return nil
}

// findNoun takes a collection as people write it: apps, app, identityProviders, identity-providers, identity_provider.
func findNoun(word string) (noun, error) {
	all := nouns()
	fold := func(s string) string {
		return strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(s))
	}
	var known []string
	for collection, n := range all {
		if fold(word) == fold(collection) || fold(word) == fold(string(n.resource.Name())) {
			return n, nil
		}
		known = append(known, collection)
	}
	sort.Strings(known)
	return noun{}, fmt.Errorf("unknown kind of resource %q: want one of %s", word, strings.Join(known, ", "))
}

// call makes a unary call that is known by its descriptor only.
func call(ctx context.Context, c *api.Client, m protoreflect.MethodDescriptor, request proto.Message) (*dynamicpb.Message, error) {
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
	return response.Msg, nil
}

func (n noun) get(ctx context.Context, c *api.Client, name string) (*dynamicpb.Message, error) {
	m := n.service.Methods().ByName("Get" + n.resource.Name())
	return call(ctx, c, m, message(m.Input(), "name", name))
}

// list returns every page.
func (n noun) list(ctx context.Context, c *api.Client, parent string) ([]protoreflect.Message, error) {
	m := listMethod(n.service)
	request := message(m.Input(), "parent", parent)
	request.Set(m.Input().Fields().ByName("page_size"), protoreflect.ValueOfInt32(500))
	var all []protoreflect.Message
	for {
		response, err := call(ctx, c, m, request)
		if err != nil {
			return nil, err
		}
		items := response.Get(m.Output().Fields().Get(0)).List()
		for i := range items.Len() {
			all = append(all, items.Get(i).Message())
		}
		token := response.Get(m.Output().Fields().ByName("next_page_token")).String()
		if token == "" {
			return all, nil
		}
		request.Set(m.Input().Fields().ByName("page_token"), protoreflect.ValueOfString(token))
	}
}

// delete returns the revision that removed it.
func (n noun) delete(ctx context.Context, c *api.Client, name string) (string, error) {
	m := n.service.Methods().ByName("Delete" + n.resource.Name())
	if m == nil {
		return "", fmt.Errorf("%s cannot be deleted", n.collection)
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
