package api

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"
)

const secret = "spa_aaaaaaaaaa_secret"

func TestNew(t *testing.T) {
	t.Parallel()
	for server, want := range map[string]string{
		"https://sallyport.example":      "https://sallyport.example",
		"https://sallyport.example:8443": "https://sallyport.example:8443",
		"https://sallyport.example/":     "https://sallyport.example",
		"http://localhost:8080":          "http://localhost:8080",
		"http://127.0.0.1:8080/":         "http://127.0.0.1:8080",
		"http://[::1]:8080":              "http://[::1]:8080",
		"http://acme.localhost:8080":     "http://acme.localhost:8080",

		"":                             "",
		"localhost:8080":               "",
		"sallyport.example":            "",
		"ftp://sallyport.example":      "",
		"https://":                     "",
		"https://a:b@sallyport.test":   "",
		"https://sallyport.test/api":   "",
		"https://sallyport.test?a=b":   "",
		"https://sallyport.test#a":     "",
		"http://sallyport.example":     "",
		"http://10.0.0.1:8080":         "",
		"http://localhost.example":     "",
		"http://127.0.0.1.example":     "",
		"http://localhost@example.com": "",
		"https://sally port.example":   "",
	} {
		c, err := New(server, secret)
		switch {
		case want == "" && err == nil:
			t.Errorf("%s is accepted", server)
		case want == "" && strings.Contains(err.Error(), "a:b"):
			t.Errorf("%s: the error has the password: %v", server, err)
		case want != "" && (err != nil || c.URL != want):
			t.Errorf("%s: got %v, %v", server, c, err)
		}
	}
}

func TestTokensThatAreNone(t *testing.T) {
	t.Parallel()
	for _, token := range []string{"a b", "a\nb", "a\x00", "tokén"} {
		if _, err := New("http://localhost", token); err == nil || strings.Contains(err.Error(), token) {
			t.Errorf("%q: %v", token, err)
		}
	}
	if _, err := New("http://localhost", " "+secret+"\r\n"); err != nil {
		t.Errorf("spaces around a token, as in a file: %v", err)
	}
}

// A redirect would take the token to somebody else.
func TestRedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("a redirect is followed, with %q", r.Header.Get("Authorization"))
	}))
	t.Cleanup(elsewhere.Close)
	redirecting := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+secret {
			t.Errorf("presented %q", r.Header.Get("Authorization"))
		}
		http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
	}))
	t.Cleanup(redirecting.Close)
	c, err := New(redirecting.URL, secret)
	if err != nil {
		t.Fatal(err)
	}
	response, err := c.HTTP.Post(c.URL, "application/proto", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusTemporaryRedirect {
		t.Errorf("answered %s", response.Status)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// Who gets no answer does not wait for ever, unless it follows a stream.
func TestNoAnswer(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string]time.Duration{"application/proto": callTimeout, "application/json": callTimeout, "application/connect+proto": time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://localhost", nil)
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Content-Type", kind)
			began := time.Now()
			_, err = bearer{token: secret, next: roundTripper(func(r *http.Request) (*http.Response, error) {
				<-r.Context().Done()
				return nil, r.Context().Err()
			})}.RoundTrip(request)
			if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != want {
				t.Errorf("%s: after %s: %v", kind, time.Since(began), err)
			}
		})
	}
}

func TestAsRefusal(t *testing.T) {
	t.Parallel()
	said := connect.NewError(connect.CodeInvalidArgument, errors.New("a: bad (and 1 more)"))
	for _, d := range []proto.Message{
		&errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{{Field: "a", Description: "bad", Reason: "X"}, {Field: "b", Description: "worse"}}},
		&errdetails.ErrorInfo{Reason: "REFERENCE_NOT_FOUND", Metadata: map[string]string{"suggestion": "c"}},
		&errdetails.RequestInfo{RequestId: "r_1"},
	} {
		detail, err := connect.NewErrorDetail(d)
		if err != nil {
			t.Fatal(err)
		}
		said.AddDetail(detail)
	}
	r, ok := AsRefusal(errors.Join(errors.New("while doing it"), said))
	if !ok || r.Code != connect.CodeInvalidArgument || r.Reason != "REFERENCE_NOT_FOUND" || r.RequestID != "r_1" || len(r.Violations) != 2 ||
		r.Violations[0] != (Violation{Field: "a", Description: "bad", Reason: "X", Suggestion: "c"}) || r.Violations[1].Suggestion != "" {
		t.Errorf("got %+v, %v", r, ok)
	}
	for _, err := range []error{nil, errors.New("x"), connect.NewError(connect.CodeUnavailable, errors.New("refused")), connect.NewError(connect.CodeUnimplemented, errors.New("404"))} {
		if _, ok := AsRefusal(err); ok {
			t.Errorf("%v is taken for the control plane's word", err)
		}
	}
}
