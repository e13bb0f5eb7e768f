package dev

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"google.golang.org/protobuf/types/known/anypb"

	"github.com/sallyport-iap/sallyport/cmd/internal/api"
	"github.com/sallyport-iap/sallyport/cmd/sallyport/internal/manifest"
	"github.com/sallyport-iap/sallyport/deploy/demo"
	sallyportv1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
	"github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1/sallyportv1connect"
)

// apply brings about what a file of the demo says, unless it is what was applied last: what people changed in the
// meantime is theirs.
func (s *seed) apply(ctx context.Context, client *api.Client, file, parent string) error {
	content, err := demo.Files.ReadFile(file)
	if err != nil {
		return err
	}
	text := s.config.localise(string(content))
	digest := s.digest(text)
	if s.keep.Applied[file] == digest {
		return nil
	}
	request := &sallyportv1.ApplyRequest{Parent: parent}
	if request.Resources, err = read(file, text); err != nil {
		return err
	}
	if _, err := sallyportv1connect.NewConfigServiceClient(client.HTTP, client.URL).Apply(ctx, request); err != nil {
		return fmt.Errorf("apply deploy/demo/%s: %w", file, err)
	}
	s.keep.Applied[file] = digest
	return s.keep.save()
}

func read(file, text string) ([]*anypb.Any, error) {
	decoded, err := manifest.Decode("deploy/demo/"+file, strings.NewReader(text), "")
	if err != nil {
		return nil, err
	}
	var resources []*anypb.Any
	for _, resource := range decoded.Resources {
		packed, err := anypb.New(resource.Message)
		if err != nil {
			return nil, fmt.Errorf("pack %s %s: %w", resource.Kind, resource.ID, err)
		}
		resources = append(resources, packed)
	}
	return resources, nil
}

// localise puts our ports and paths in the place of the defaults, which the files are written with.
func (c Config) localise(text string) string {
	return strings.NewReplacer(
		"http://localhost:5556", c.issuer(),
		"http://127.0.0.1:9001", c.wikiURL(),
		"http://127.0.0.1:9002", c.apiURL(),
		".sallyport/idp-client-secret", strconv.Quote(c.clientSecretFile()),
	).Replace(text)
}

// digest also covers the secret, which is not in the text.
func (s *seed) digest(text string) string {
	h := sha256.New()
	fmt.Fprintf(h, "%d\n%s\n%s", len(text), text, s.clientSecret)
	return hex.EncodeToString(h.Sum(nil))
}
