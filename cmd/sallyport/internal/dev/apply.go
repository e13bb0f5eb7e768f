package dev

import (
	"bytes"
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
	text, err := demo.Files.ReadFile(file)
	if err != nil {
		return err
	}
	text = []byte(s.config.localise(string(text)))
	digest := s.digest(text)
	if s.keep.Applied[file] == digest {
		return nil
	}
	read, err := manifest.Decode("deploy/demo/"+file, bytes.NewReader(text), "")
	if err != nil {
		return err
	}
	request := &sallyportv1.ApplyRequest{Parent: parent}
	for _, resource := range read.Resources {
		packed, err := anypb.New(resource.Message)
		if err != nil {
			return fmt.Errorf("pack %s %s: %w", resource.Kind, resource.ID, err)
		}
		request.Resources = append(request.Resources, packed)
	}
	if _, err := sallyportv1connect.NewConfigServiceClient(client.HTTP, client.URL).Apply(ctx, request); err != nil {
		return fmt.Errorf("apply deploy/demo/%s: %w", file, err)
	}
	s.keep.Applied[file] = digest
	return s.keep.save()
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

// digest also covers what is not in the text: another client secret, or another control plane, is another content.
func (s *seed) digest(text []byte) string {
	h := sha256.New()
	fmt.Fprintf(h, "%d\n%s\n%s", len(text), text, s.clientSecret)
	return hex.EncodeToString(h.Sum(nil))
}
