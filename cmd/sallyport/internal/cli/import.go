package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"github.com/sallyport-iap/sallyport/cmd/internal/api"
	sallyportv1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
	"github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1/sallyportv1connect"
)

type importCommand struct {
	OpenAPI importOpenAPI `cmd:"" name:"openapi" help:"Make an app's operations those of an OpenAPI document."`
}

type importOpenAPI struct {
	App         string `arg:"" help:"The app: its id, or its name (apps/payroll, tenants/acme/apps/payroll)."`
	File        string `short:"f" required:"" placeholder:"FILE" help:"OpenAPI 3.0 or 3.1, in YAML or JSON; - for standard input."`
	BasePath    string `placeholder:"PATH" help:"What goes in front of every path, instead of what the document's servers say: /v1, or / for nothing."`
	StripPrefix string `placeholder:"PATH" help:"What is taken off every path."`
	Prune       bool   `help:"Remove the app's operations that the document does not have."`
	DryRun      bool   `help:"Show what would change; change nothing."`
	Yes         bool   `short:"y" help:"Do not ask."`
	Waiting
}

// Help is what `--help` says beyond the flags.
func (*importOpenAPI) Help() string {
	return `Shows what would change, and asks. An operationId becomes an id (getUser is get-user), and what has none is named by its
method and path (get-users-id). x-sallyport-access: READ, WRITE or ADMIN on an operation says its access class. What the
document calls public is told, and stays closed until a rule opens it. References to other documents are not followed:
bundle everything into one.

    sallyport import openapi payroll -f api.yaml
    sallyport import openapi payroll -f api.yaml --prune --yes --wait      in CI
    sallyport import openapi payroll -f api.yaml --base-path /v2           the app is reached elsewhere than the document says`
}

// maxDocument is what the API takes.
const maxDocument = 4 << 20

func (i *importOpenAPI) Run(ctx context.Context, s *session) error {
	switch sure := i.Yes || i.DryRun; {
	case !sure && i.File == "-":
		return usage("with the document on standard input there is nobody to ask: give --yes or --dry-run")
	case !sure && s.scripted():
		return usage("with -o " + s.output + " nobody is asked: give --yes or --dry-run")
	}
	if err := i.Waiting.check(); err != nil {
		return err
	}
	document, err := i.read(s.Stdin)
	if err != nil {
		return err
	}
	client, err := s.resolve()
	if err != nil {
		return err
	}
	at, err := s.locateApp(i.App)
	if err != nil {
		return err
	}
	request := &sallyportv1.ImportOperationsRequest{
		Name: at.name, Document: document, BasePath: i.BasePath, StripPrefix: i.StripPrefix, Prune: i.Prune, ValidateOnly: !i.Yes || i.DryRun,
	}
	apps := sallyportv1connect.NewAppServiceClient(client.HTTP, client.URL)
	if request.GetValidateOnly() {
		// What is shown is of this app, and so is what is done then, or nothing is.
		app, err := apps.GetApp(ctx, &sallyportv1.GetAppRequest{Name: at.name})
		if err != nil {
			return at.missing(ctx, client, err)
		}
		request.Etag = app.GetEtag()
	}
	response, err := apps.ImportOperations(ctx, request)
	if err != nil {
		return at.missing(ctx, client, i.refused(err, at))
	}
	s.printImport(response)
	if len(differing(response)) == 0 {
		if !s.scripted() {
			s.printf("No changes: %s has the operations of the document.\n", at.name)
		}
		return s.printResult(response, nil)
	}
	if i.DryRun {
		if !s.scripted() {
			s.printf("That was a dry run. Without --dry-run, in %s: %s.\n", at.name, importSummary(response))
		}
		return s.printResult(response, nil)
	}
	if !i.Yes {
		s.progress("%s: %s. Do it? [y/N] ", at.name, importSummary(response))
		if err := s.confirmed(ctx); err != nil {
			return err
		}
		request.ValidateOnly = false
		if response, err = apps.ImportOperations(ctx, request); err != nil {
			return at.missing(ctx, client, i.refused(err, at))
		}
	}
	if !s.scripted() {
		s.printf("%s is at %s: %s.\n", at.name, response.GetRevision(), importSummary(response))
	}
	return i.Waiting.run(ctx, s, client, at.parent, response.GetRevision(), response)
}

func (i *importOpenAPI) read(input io.Reader) ([]byte, error) {
	name := i.File
	if name == "-" {
		name = "standard input"
	} else {
		f, err := os.Open(i.File)
		if failed, ok := errors.AsType[*os.PathError](err); ok {
			return nil, fmt.Errorf("%s: %w", i.File, failed.Err)
		}
		if err != nil {
			return nil, err
		}
		defer f.Close()
		input = f
	}
	document, err := io.ReadAll(io.LimitReader(input, maxDocument+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", name, err)
	case len(document) > maxDocument:
		return nil, fmt.Errorf("%s has more than %d bytes, which is the limit for a document", name, maxDocument)
	case len(document) == 0:
		return nil, fmt.Errorf("%s: is empty", name)
	}
	return document, nil
}

// locateApp takes what [session.locate] does, and an app's id alone.
func (s *session) locateApp(app string) (place, error) {
	what, id := "app", app
	if strings.Contains(app, "/") {
		what, id = app, ""
	}
	at, err := s.locate(what, id)
	if err == nil && (at.name == "" || at.noun.collection != "apps") {
		return place{}, usage(fmt.Sprintf("%q is no app: say payroll, or apps/payroll", app))
	}
	return at, err
}

// confirmed reads a yes, and whoever is interrupted did not say it.
func (s *session) confirmed(ctx context.Context) error {
	answers := make(chan string, 1)
	// Nothing ends a read from a terminal; this ends with the program.
	go func() {
		line, err := bufio.NewReader(s.Stdin).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			line = ""
		}
		answers <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case answer := <-answers:
		if answer == "y" || answer == "yes" {
			return nil
		}
		return errors.New("nothing was changed")
	}
}

var lineOf = regexp.MustCompile(`^line (\d+): `)

// refused says where in the file something is, and options as the command line has them.
func (i *importOpenAPI) refused(err error, at place) error {
	refusal, ok := api.AsRefusal(err)
	if !ok {
		return err
	}
	switch {
	case refusal.Reason == "ETAG_STALE":
		return fmt.Errorf("nothing was changed: somebody else changed %s meanwhile. Look again at what the import would do", at.name)
	case refusal.Reason == "IN_USE":
		return fmt.Errorf("nothing was changed: %s\nTo keep a name, make it the operationId in the document; to give it up, change those rules first, or app and rules together with apply", refusal.Message)
	case len(refusal.Violations) == 0:
		return err
	}
	options := strings.NewReplacer("base_path", "--base-path", "strip_prefix", "--strip-prefix", "with prune", "with --prune")
	var lines []error
	for _, v := range refusal.Violations {
		text, file := options.Replace(v.Description), i.File
		if file == "-" {
			file = "standard input"
		}
		switch v.Field {
		case "document":
			if m := lineOf.FindStringSubmatch(text); m != nil {
				file, text = file+":"+m[1], text[len(m[0]):]
			}
			lines = append(lines, fmt.Errorf("%s: %s", file, printable(text)))
		default:
			v.Field, v.Description = options.Replace(v.Field), text
			lines = append(lines, errors.New(violated(v)))
		}
	}
	return fmt.Errorf("nothing was changed:\n%w", errors.Join(lines...))
}
