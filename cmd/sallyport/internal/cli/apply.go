package cli

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"google.golang.org/protobuf/types/known/anypb"

	"github.com/sallyport-iap/sallyport/cmd/internal/api"
	"github.com/sallyport-iap/sallyport/cmd/sallyport/internal/manifest"
	sallyportv1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
	"github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1/sallyportv1connect"
)

type applyCommand struct {
	File      []string `short:"f" required:"" sep:"none" placeholder:"FILE" help:"YAML file, directory of them, or - for standard input. May be given several times; all are one change."`
	DryRun    bool     `help:"Check, and show what would change; change nothing."`
	ManagedBy string   `placeholder:"NAME" help:"Mark what is given as managed by this tool."`
	Prune     bool     `help:"Delete what has the same --managed-by and is not given."`
	Force     string   `placeholder:"WHY" help:"Apply although policy tests fail. The reason is recorded."`
	Waiting
}

// Help is what `--help` says beyond the flags.
func (*applyCommand) Help() string {
	return `Everything that is given becomes as the files say, in one change, or nothing does. What is not given stays as it is,
unless --prune. Applying the same again changes nothing.

    sallyport apply -f acme.yaml --dry-run         see what would change
    sallyport apply -f acme.yaml --wait            and return once every edge enforces it
    sallyport apply -f policies/ --managed-by git --prune
    sallyport get app wiki | sed s/old/new/ | sallyport apply -f -`
}

func (a *applyCommand) Run(ctx context.Context, s *session) error {
	if a.Prune && a.ManagedBy == "" {
		return usage("--prune needs --managed-by: it deletes only what that tool made")
	}
	if err := a.Waiting.check(); err != nil {
		return err
	}
	read, err := manifest.Read(a.File, s.Stdin, s.target.Tenant)
	if err != nil {
		return untouched(err)
	}
	s.target.Tenant = read.Tenant
	client, err := s.resolve()
	if err != nil {
		return err
	}
	read.In(s.target.Tenant) // which the environment may have said
	request := &sallyportv1.ApplyRequest{Parent: s.parent(), ValidateOnly: a.DryRun, ManagedBy: a.ManagedBy, Prune: a.Prune, ForceReason: a.Force}
	for _, r := range read.Resources {
		packed, err := anypb.New(r.Message)
		if err != nil {
			return fmt.Errorf("encode %s %s: %w", r.Kind, r.ID, err)
		}
		request.Resources = append(request.Resources, packed)
	}
	response, err := sallyportv1connect.NewConfigServiceClient(client.HTTP, client.URL).Apply(ctx, request)
	if err != nil {
		return nowhere(refused(err, s.parent(), read), s.parent(), "")
	}
	s.printChanges(request, response)
	if a.DryRun {
		return s.printResult(response, nil)
	}
	return a.Waiting.run(ctx, s, client, request.GetParent(), response.GetRevision(), response)
}

// untouched says of a refusal that nothing was done by halves.
func untouched(err error) error { return fmt.Errorf("nothing was applied:\n%w", err) }

var resourceField = regexp.MustCompile(`^(?:resources|draft)\[(\d+)\]\.?`)

// refused turns the fields that the control plane refused into lines of the files. What is wrong elsewhere, such as a
// policy that is not given and names what is no longer there, is told by its name.
func refused(err error, parent string, read *manifest.Manifest) error {
	if lines := inFiles(err, parent, read); lines != nil {
		return untouched(lines)
	}
	return err
}

// refusedDraft is refused, of resources that are not to be applied.
func refusedDraft(err error, parent string, read *manifest.Manifest) error {
	if lines := inFiles(err, parent, read); lines != nil && len(read.Resources) > 0 {
		return lines
	}
	return err
}

func inFiles(err error, parent string, read *manifest.Manifest) error {
	refusal, ok := api.AsRefusal(err)
	if !ok || len(refusal.Violations) == 0 {
		return nil
	}
	var lines []error
	for _, v := range refusal.Violations {
		m := resourceField.FindStringSubmatch(v.Field)
		if m == nil {
			v.Field = strings.Replace(strings.TrimPrefix(v.Field, parent+"/"), ".", ": ", 1)
			v.Description = indented(v.Description)
			lines = append(lines, errors.New(violated(v)))
			continue
		}
		i, err := strconv.Atoi(m[1])
		if err != nil || i >= len(read.Resources) {
			lines = append(lines, errors.New(violated(v)))
			continue
		}
		lines = append(lines, read.Resources[i].At(v.Field[len(m[0]):], v.Description, v.Suggestion))
	}
	if refusal.Reason == policyTestFailed {
		lines = append(lines, errors.New(testsStand))
	}
	return errors.Join(lines...)
}

func (s *session) printChanges(request *sallyportv1.ApplyRequest, r *sallyportv1.ApplyResponse) {
	if s.scripted() {
		return
	}
	for _, c := range r.GetChanges() {
		writeChange(s.Stdout, "", request.GetParent(), c)
	}
	for _, l := range r.GetLostReach() {
		s.printf("! %s\n", lost(request.GetParent(), l))
	}
	for _, f := range r.GetWarnings() {
		s.printFinding(f)
	}
	if more := int(r.GetWarningCount()) - len(r.GetWarnings()); more > 0 {
		s.printf("And %d more, which lint -f tells.\n", more)
	}
	writeTests(s.Stdout, request.GetParent(), request.GetValidateOnly(), r.GetPolicyTests())
	switch {
	case len(r.GetChanges()) == 0:
		s.printf("No changes: %s is as the files say, at %s.\n", request.GetParent(), r.GetRevision())
	case request.GetValidateOnly():
		s.printf("That was a dry run. Without --dry-run, in %s: %s.\n", request.GetParent(), summary(r.GetChanges()))
	default:
		s.printf("%s is at %s: %s.\n", request.GetParent(), r.GetRevision(), summary(r.GetChanges()))
	}
}
