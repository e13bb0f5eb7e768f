package edge

import (
	"net/http"

	"github.com/sallyport-iap/sallyport/edge/assertion"
	"github.com/sallyport-iap/sallyport/edge/exchange"
	"github.com/sallyport-iap/sallyport/edge/policy"
	"github.com/sallyport-iap/sallyport/edge/route"
)

// What anybody may fetch from every app's host.
const (
	keySetPath   = route.ReservedPrefix + "jwks.json"
	metadataPath = route.ReservedPrefix + "oauth-protected-resource"
)

// publicFor is how long documents may be kept: much less than a new key is published before it signs.
const publicFor = "max-age=300"

func (x *transaction) document() (*exchange.Reply, *exchange.Denial) {
	if x.Method != http.MethodGet && x.Method != http.MethodHead {
		return nil, exchange.Refuse(policy.RequestMethod, "")
	}
	var reply *exchange.Reply
	if x.Path.Match == keySetPath {
		set, err := assertion.KeySet(x.Site)
		if err != nil {
			return nil, exchange.Unavailable(policy.UnavailableKey, retryPolicy, err)
		}
		reply = &exchange.Reply{Status: http.StatusOK, Header: http.Header{"Content-Type": {"application/jwk-set+json"}}, Body: set}
	} else {
		reply = exchange.JSON(http.StatusOK, metadata{Resource: x.Origin(), Name: name(x.App.DisplayName, x.App.ID), Methods: []string{"header"}})
	}
	reply.Header.Set("Cache-Control", publicFor)
	return reply, nil
}

// metadata is what a program may know of an app before it has a token (RFC 9728 section 2).
type metadata struct {
	Resource string   `json:"resource"`
	Name     string   `json:"resource_name"`
	Methods  []string `json:"bearer_methods_supported"`
}
