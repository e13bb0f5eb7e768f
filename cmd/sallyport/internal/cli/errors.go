package cli

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"

	"connectrpc.com/connect"

	"github.com/sallyport-iap/sallyport/cmd/internal/api"
	"github.com/sallyport-iap/sallyport/cmd/internal/process"
)

// readable says an error of a call as a person would, and what to do next. What the program itself found wrong is said
// already.
func (s *session) readable(err error) error {
	var wire *connect.Error
	switch exit := (*process.Exit)(nil); {
	case err == nil:
		return nil
	case errors.As(err, &exit):
		return err
	case errors.Is(err, context.Canceled):
		// Not 0, as for programs that run until they are stopped: who waits for our success did not get it.
		return &process.Exit{Status: statusInterrupted, Err: errors.New("interrupted")}
	case !errors.As(err, &wire):
		return err
	}
	refusal, ok := api.AsRefusal(err)
	if !ok {
		return s.unanswered(wire)
	}
	return errorOf(refusal)
}

func errorOf(r *api.Refusal) error { return errors.New(said(r)) }

// said is a refusal in words.
func said(r *api.Refusal) string {
	text := r.Message
	if len(r.Violations) > 1 {
		var lines []string
		for _, v := range r.Violations {
			lines = append(lines, violated(v))
		}
		text = strings.Join(lines, "\n")
	}
	switch {
	case r.Reason == "TOKEN_INVALID":
		text += ": it is wrong, or has expired, or was revoked\nGive another with --token-file or SALLYPORT_TOKEN: an admin of the tenant can make one."
	case r.Role == "OPERATOR":
		text += "\nGive an operator's token with --token-file or SALLYPORT_TOKEN; where `sallyport dev` runs, --operator does."
	case r.Role != "":
		text += "\nAsk an owner of the tenant for it, or give another token with --token-file or SALLYPORT_TOKEN."
	case r.Reason == policyTestFailed:
		text += "\n" + testsStand
	case r.Reason == "STORE_DOWN":
		text += "\nNothing was changed. Try again in a moment."
	case r.Code == connect.CodeInternal || r.Code == connect.CodeUnknown:
		text += "\nThe log of the control plane says more, under request " + r.RequestID + "."
	}
	return text
}

const (
	policyTestFailed = "POLICY_TEST_FAILED"
	testsStand       = "Change the tests in the same change, or apply it with --force and say why."
)

func violated(v api.Violation) string {
	text := v.Field + ": " + v.Description
	if v.Suggestion != "" {
		text += fmt.Sprintf("; did you mean %q?", v.Suggestion)
	}
	return text
}

// unanswered says what came instead of the control plane's word.
func (s *session) unanswered(err *connect.Error) error {
	where := s.target.Server
	if s.found != "" {
		where += " (from " + s.found + ")"
	}
	var unknownCA x509.UnknownAuthorityError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &unknownCA) || errors.As(err, &certificate):
		return fmt.Errorf("%s is not believed to be the control plane: %w", where, err.Unwrap())
	case err.Code() == connect.CodeDeadlineExceeded:
		return fmt.Errorf("no answer from %s in time", where)
	case err.Code() == connect.CodeUnavailable && err.Unwrap() != nil:
		hint := "Is it running, and is --server (or SALLYPORT_SERVER) right?"
		if s.found != "" {
			hint = "Is `sallyport dev` still running? Otherwise give --server or set SALLYPORT_SERVER."
		}
		return fmt.Errorf("no answer from %s: %w\n%s", where, err.Unwrap(), hint)
	default:
		return fmt.Errorf("what answers at %s is no control plane of Sallyport: it said %q\nIs --server (or SALLYPORT_SERVER) right?", where, err.Message())
	}
}

// nowhere says what was not found: the API says only that something was not, so as to tell strangers nothing.
func nowhere(err error, name, suggestion string) error {
	if r, ok := api.AsRefusal(err); !ok || r.Code != connect.CodeNotFound {
		return err
	}
	tenant, inTenant := strings.CutPrefix(name, "tenants/")
	switch {
	case suggestion != "":
		return fmt.Errorf("%s: not found; did you mean %q?", name, suggestion)
	case inTenant && !strings.Contains(tenant, "/"):
		return fmt.Errorf("%s: not found, or not yours\nIs --tenant (or SALLYPORT_TENANT) right, and the token of that tenant?", name)
	default:
		return fmt.Errorf("%s: not found", name)
	}
}
