package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"

	"google.golang.org/protobuf/types/known/anypb"

	"github.com/sallyport-iap/sallyport/cmd/internal/api"
	"github.com/sallyport-iap/sallyport/cmd/sallyport/internal/manifest"
	sallyportv1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
	"github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1/sallyportv1connect"
)

type applyCommand struct {
	File      []string `short:"f" required:"" placeholder:"FILE" help:"YAML file, or a directory of them. May be given several times; all are one change."`
	DryRun    bool     `help:"Check and show what would change; change nothing."`
	ManagedBy string   `placeholder:"NAME" help:"Mark what is given as managed by this tool."`
	Prune     bool     `help:"Delete what has the same --managed-by and is not given."`
	Waiting
}

func (a *applyCommand) Run(ctx context.Context, s *session) error {
	if a.Prune && a.ManagedBy == "" {
		return usage("--prune needs --managed-by: it deletes only what that tool made")
	}
	client, err := s.resolve()
	if err != nil {
		return err
	}
	read, err := readAll(a.File, s.target.Tenant)
	if err != nil {
		return err
	}
	s.target.Tenant = read.Tenant
	request := &sallyportv1.ApplyRequest{Parent: s.parent(), ValidateOnly: a.DryRun, ManagedBy: a.ManagedBy, Prune: a.Prune}
	for _, r := range read.Resources {
		packed, err := anypb.New(r.Message)
		if err != nil {
			return err
		}
		request.Resources = append(request.Resources, packed)
	}
	response, err := sallyportv1connect.NewConfigServiceClient(client.HTTP, client.URL).Apply(ctx, request)
	if err != nil {
		return locate(err, read)
	}
	if err := s.printChanges(request, response); err != nil || a.DryRun {
		return err
	}
	return a.Waiting.run(ctx, s, client, request.GetParent(), response.GetRevision())
}

func readAll(paths []string, tenant string) (*manifest.Manifest, error) {
	all := &manifest.Manifest{Tenant: tenant}
	var errs []error
	for _, path := range paths {
		files, err := filesIn(path)
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			m, err := manifest.Read(file, all.Tenant)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			all.Tenant = m.Tenant
			all.Resources = append(all.Resources, m.Resources...)
		}
	}
	return all, errors.Join(errs...)
}

func filesIn(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	var files []string
	for _, pattern := range []string{"*.yaml", "*.yml"} {
		found, err := filepath.Glob(filepath.Join(path, pattern))
		if err != nil {
			return nil, err
		}
		files = append(files, found...)
	}
	sort.Strings(files)
	if len(files) == 0 {
		return nil, fmt.Errorf("%s: no .yaml files", path)
	}
	return files, nil
}

var resourceField = regexp.MustCompile(`^resources\[(\d+)\]\.?`)

// locate turns the server's field paths into lines of the files.
func locate(err error, read *manifest.Manifest) error {
	var located []error
	for _, v := range api.Violations(err) {
		m := resourceField.FindStringSubmatch(v.Field)
		if m == nil {
			return err
		}
		i, convErr := strconv.Atoi(m[1])
		if convErr != nil || i >= len(read.Resources) {
			return err
		}
		located = append(located, read.Resources[i].At(v.Field[len(m[0]):], v.Description, v.Suggestion))
	}
	if len(located) == 0 {
		return err
	}
	located = append(located, errors.New("nothing was applied"))
	return errors.Join(located...)
}

func (s *session) printChanges(request *sallyportv1.ApplyRequest, r *sallyportv1.ApplyResponse) error {
	if s.json {
		return s.printOne(r.ProtoReflect())
	}
	if len(r.GetChanges()) == 0 {
		s.printf("No changes: %s is at %s already.\n", request.GetParent(), r.GetRevision())
		return nil
	}
	for _, c := range r.GetChanges() {
		name := strings.TrimPrefix(c.GetName(), request.GetParent()+"/")
		switch c.GetAction() {
		case sallyportv1.Change_ACTION_CREATE:
			s.printf("+ %s\n", name)
		case sallyportv1.Change_ACTION_DELETE:
			s.printf("- %s\n", name)
		default:
			s.printf("~ %s: %s\n", name, strings.Join(c.GetFields(), ", "))
		}
	}
	if request.GetValidateOnly() {
		s.printf("This is what would change. Nothing did.\n")
		return nil
	}
	s.printf("%s\n", r.GetRevision())
	return nil
}
