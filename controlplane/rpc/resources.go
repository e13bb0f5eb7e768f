package rpc

import (
	"context"
	"crypto/sha256"
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/changeset"
)

// The five methods of a resource, once for all kinds. Which kind it is, is in the messages.

type getRequest interface{ GetName() string }

func get[M proto.Message](ctx context.Context, a *api, request getRequest) (M, error) {
	kind := kindFor[M]()
	scope, id, err := a.named(ctx, kind, "name", request.GetName())
	if err != nil {
		return *new(M), err
	}
	found, err := a.Changes.Get(ctx, callerOf(ctx), scope, kind, id)
	if err != nil {
		return *new(M), err
	}
	return encodeAs[M](scope, found)
}

type listRequest interface {
	GetParent() string
	GetPageSize() int32
	GetPageToken() string
}

// list returns a page and the token of the next.
func list[M proto.Message](ctx context.Context, a *api, request listRequest) ([]M, string, error) {
	kind := kindFor[M]()
	scope, pool, err := a.parentOf(ctx, kind, request.GetParent())
	if err != nil {
		return nil, "", err
	}
	of := string(kind) + " " + request.GetParent()
	from, err := after(of, request.GetPageToken())
	if err != nil {
		return nil, "", err
	}
	limit := size(request.GetPageSize())
	found, err := a.Changes.List(ctx, callerOf(ctx), scope, kind, pool, from, limit+1)
	if err != nil {
		return nil, "", err
	}
	page, token := next(of, found, limit, func(r *controlplane.Resource) string { return r.ID })
	messages := make([]M, 0, len(page))
	for _, r := range page {
		m, err := encodeAs[M](scope, r)
		if err != nil {
			return nil, "", err
		}
		messages = append(messages, m)
	}
	return messages, token, nil
}

type writeRequest interface {
	proto.Message
	GetValidateOnly() bool
	GetRequestId() string
}

type createRequest interface {
	writeRequest
	GetParent() string
}

func create[M proto.Message](ctx context.Context, a *api, request createRequest) (M, error) {
	kind := kindFor[M]()
	scope, _, err := a.parentOf(ctx, kind, request.GetParent())
	if err != nil {
		return *new(M), err
	}
	set, err := a.creation(ctx, scope, kind, request)
	if err != nil {
		return *new(M), err
	}
	return apply[M](ctx, set, a.Changes.Apply)
}

// creation is the set of one that a Create request asks for.
func (a *api) creation(ctx context.Context, scope controlplane.Scope, kind controlplane.Kind, request writeRequest) (*changeset.Set, error) {
	patch, err := resourceIn(request, kind)
	if err != nil {
		return nil, err
	}
	at, m := snake(kind), request.ProtoReflect()
	id := m.Get(m.Descriptor().Fields().ByName(protoreflect.Name(at + "_id"))).String()
	set := a.setOfOne(ctx, scope, request, changeset.Item{Kind: kind, ID: id, At: at, Action: changeset.Create})
	set.Items[0].Write = func(*controlplane.Resource) (changeset.Desired, error) { return a.desired(id, at, patch) }
	return set, nil
}

type updateRequest interface {
	writeRequest
	GetUpdateMask() *fieldmaskpb.FieldMask
	GetAllowMissing() bool
}

func update[M proto.Message](ctx context.Context, a *api, request updateRequest) (M, error) {
	kind := kindFor[M]()
	patch, err := resourceIn(request, kind)
	if err != nil {
		return *new(M), err
	}
	at := snake(kind)
	scope, id, err := a.named(ctx, kind, at+".name", getString(patch.ProtoReflect(), "name"))
	if err != nil {
		return *new(M), err
	}
	set := a.setOfOne(ctx, scope, request, changeset.Item{
		Kind: kind, ID: id, At: at, Action: changeset.Update,
		Etag: getString(patch.ProtoReflect(), "etag"), AllowMissing: request.GetAllowMissing(),
	})
	set.Items[0].Write = func(current *controlplane.Resource) (changeset.Desired, error) {
		return a.merged(scope, current, patch, request.GetUpdateMask(), at)
	}
	return apply[M](ctx, set, a.Changes.Apply)
}

// merged is what an update makes of a resource. What is not there yet is made of all of the patch, whatever the mask
// (AIP-134).
func (a *api) merged(scope controlplane.Scope, current *controlplane.Resource, patch proto.Message, mask *fieldmaskpb.FieldMask, at string) (changeset.Desired, error) {
	if current == nil {
		name, err := controlplane.ParseName(getString(patch.ProtoReflect(), "name"))
		if err != nil || name.Kind == controlplane.KindEdge {
			return changeset.Desired{}, controlplane.NotFoundError() // edges come by enrolling only
		}
		return a.desired(name.ID, at, patch)
	}
	message, err := encode(scope, current)
	if err != nil {
		return changeset.Desired{}, err
	}
	erased, err := merge(message, patch, mask)
	if err != nil {
		return changeset.Desired{}, err
	}
	desired, err := a.desired(current.ID, at, message)
	desired.Erased = erased
	return desired, err
}

// desired holds a whole resource against the rules of its proto, and reads it. Requests are not held against them as they
// come, because an update's resource has only the fields that change.
func (a *api) desired(id, at string, message proto.Message) (changeset.Desired, error) {
	if err := a.validator.check(message, at); err != nil {
		return changeset.Desired{}, err
	}
	r, err := decode(id, message)
	return changeset.Desired{Resource: r}, err
}

type deleteRequest interface {
	writeRequest
	GetName() string
	GetEtag() string
	GetAllowMissing() bool
}

// remove returns the revision token of the deletion.
func remove(ctx context.Context, a *api, kind controlplane.Kind, request deleteRequest) (string, error) {
	scope, id, err := a.named(ctx, kind, "name", request.GetName())
	if err != nil {
		return "", err
	}
	set := a.setOfOne(ctx, scope, request, changeset.Item{
		Kind: kind, ID: id, At: "name", Action: changeset.Delete,
		Etag: request.GetEtag(), AllowMissing: request.GetAllowMissing(),
	})
	set.Remember = func(r *changeset.Result) ([]byte, error) { return []byte(r.Revision.String()), nil }
	result, err := a.Changes.Apply(ctx, callerOf(ctx), set)
	if err != nil {
		return "", err
	}
	if result.Replayed != nil {
		return string(result.Replayed), nil
	}
	return result.Revision.String(), nil
}

func (a *api) setOfOne(ctx context.Context, scope controlplane.Scope, request writeRequest, item changeset.Item) *changeset.Set {
	return &changeset.Set{
		Scope: scope, Items: []changeset.Item{item}, ValidateOnly: request.GetValidateOnly(),
		RequestID: request.GetRequestId(), Digest: digest(ctx, request),
	}
}

// digest tells two requests under one request id apart.
func digest(ctx context.Context, request proto.Message) []byte {
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(request)
	if err != nil {
		return nil // it has just been parsed
	}
	sum := sha256.Sum256(append([]byte(eventOf(ctx).procedure+"\n"), data...))
	return sum[:]
}

// apply makes the answer of a set of one, and has it remembered for a retry.
func apply[M proto.Message](ctx context.Context, set *changeset.Set,
	do func(context.Context, *controlplane.Caller, *changeset.Set) (*changeset.Result, error),
) (M, error) {
	answer := func(r *changeset.Result) (M, error) { return encodeAs[M](set.Scope, r.Resources[0]) }
	set.Remember = func(r *changeset.Result) ([]byte, error) {
		m, err := answer(r)
		if err != nil {
			return nil, err
		}
		return proto.Marshal(m)
	}
	result, err := do(ctx, callerOf(ctx), set)
	if err != nil {
		return *new(M), err
	}
	if result.Replayed == nil {
		return answer(result)
	}
	message, err := newMessage(kindFor[M]())
	if err == nil {
		err = proto.Unmarshal(result.Replayed, message)
	}
	if err != nil {
		return *new(M), fmt.Errorf("read the remembered answer: %w", err)
	}
	return message.(M), nil
}

func kindFor[M proto.Message]() controlplane.Kind {
	var none M
	kind, _ := kindOf(none.ProtoReflect().Descriptor())
	return kind
}

func encodeAs[M proto.Message](scope controlplane.Scope, r *controlplane.Resource) (M, error) {
	message, err := encode(scope, r)
	if err != nil {
		return *new(M), err
	}
	return message.(M), nil
}

// resourceIn returns the resource that a request carries.
func resourceIn(request proto.Message, kind controlplane.Kind) (proto.Message, error) {
	m := request.ProtoReflect()
	f := m.Descriptor().Fields().ByName(protoreflect.Name(snake(kind)))
	if !m.Has(f) {
		return nil, controlplane.InvalidFields(controlplane.Violation{
			Field: snake(kind), Reason: controlplane.ReasonFieldRequired,
			Description: "is required",
		})
	}
	return m.Get(f).Message().Interface(), nil
}
