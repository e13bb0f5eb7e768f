package exchange

import (
	"encoding/json"
	"net/http"

	"github.com/sallyport-iap/sallyport/edge/policy"
)

// Reply is an answer of our own that is not a refusal. edge/respond.go adds the headers that every answer of ours has,
// where they are not set here.
type Reply struct {
	Status  int
	Header  http.Header // may be nil
	Cookies []*http.Cookie
	Body    []byte
	Caller  *Caller       // for the audit record, if known
	Reason  policy.Reason // for the audit record; "" is allow.public
}

// Redirect sends a browser elsewhere. 303 unless there is a reason: it never repeats a body.
func Redirect(status int, location string) *Reply {
	return &Reply{Status: status, Header: http.Header{"Location": {location}}}
}

// HTML is a page.
func HTML(status int, body []byte) *Reply {
	return &Reply{Status: status, Header: http.Header{"Content-Type": {"text/html; charset=utf-8"}}, Body: body}
}

// JSON is a document of a type that always encodes.
func JSON(status int, v any) *Reply {
	body, err := json.Marshal(v)
	if err != nil {
		panic("exchange: " + err.Error())
	}
	return &Reply{Status: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: append(body, '\n')}
}
