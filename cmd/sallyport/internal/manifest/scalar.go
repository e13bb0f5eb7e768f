package manifest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/sallyport-iap/sallyport/cmd/internal/spelling"
)

// maxSecretBytes is far above any client secret.
const maxSecretBytes = 64 << 10

func isScalar(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag != "!!null" }

// text takes a scalar as it is written, so that an id of 123 or a name of `on` is that text.
func (d *decoder) text(n *yaml.Node, at string) json.RawMessage {
	if !isScalar(n) {
		d.fail(n, at, "", "want a text")
		return nil
	}
	return encode(n.Value)
}

func (d *decoder) boolean(n *yaml.Node, at string) json.RawMessage {
	var b bool
	if n.Tag != "!!bool" || n.Decode(&b) != nil {
		d.fail(n, at, "", "want true or false")
		return nil
	}
	return encode(b)
}

func (d *decoder) number(n *yaml.Node, at string) json.RawMessage {
	var i int64
	if n.Tag != "!!int" || n.Decode(&i) != nil {
		d.fail(n, at, "", "want a whole number")
		return nil
	}
	return encode(i)
}

func (d *decoder) duration(n *yaml.Node, at string) json.RawMessage {
	parsed, err := time.ParseDuration(n.Value)
	if !isScalar(n) || err != nil || parsed < 0 {
		d.fail(n, at, "", "want a duration such as 90s, 1h30m or 24h")
		return nil
	}
	s, ns := parsed/time.Second, parsed%time.Second
	if ns == 0 {
		return fmt.Appendf(nil, `"%ds"`, s)
	}
	return fmt.Appendf(nil, `"%d.%09ds"`, s, ns)
}

func (d *decoder) timestamp(n *yaml.Node, at string) json.RawMessage {
	parsed, err := time.Parse(time.RFC3339Nano, n.Value)
	if !isScalar(n) || err != nil || parsed.UTC().Year() < 1 || parsed.UTC().Year() > 9999 {
		d.fail(n, at, "", "want an instant such as 2026-12-31T23:59:59Z or 2026-12-31T23:59:59+01:00")
		return nil
	}
	return encode(parsed.UTC().Format(time.RFC3339Nano))
}

func (d *decoder) enum(n *yaml.Node, e protoreflect.EnumDescriptor, at string) json.RawMessage {
	prefix := enumPrefix(e)
	var known []string
	for i := range e.Values().Len() {
		name := string(e.Values().Get(i).Name())
		short := strings.TrimPrefix(name, prefix)
		if e.Values().Get(i).Number() == 0 {
			continue
		}
		if n.Value == name || n.Value == short {
			return encode(name)
		}
		known = append(known, short)
	}
	if !isScalar(n) {
		d.fail(n, at, "", "want one of %s", strings.Join(known, ", "))
		return nil
	}
	d.fail(n, at, spelling.Nearest(n.Value, known), "unknown value %q: want one of %s", n.Value, strings.Join(known, ", "))
	return nil
}

// enumPrefix is what buf's style puts in front of every value: EFFECT_ for Effect.
func enumPrefix(e protoreflect.EnumDescriptor) string {
	return strings.TrimSuffix(string(e.Values().ByNumber(0).Name()), "UNSPECIFIED")
}

func secret(f protoreflect.FieldDescriptor) bool {
	options, ok := f.Options().(*descriptorpb.FieldOptions)
	return ok && options.GetDebugRedact()
}

func (d *decoder) secret(n *yaml.Node, at string) json.RawMessage {
	if n.Kind != yaml.MappingNode || len(n.Content) != 2 || n.Content[0].Value != "file" || !isScalar(n.Content[1]) {
		d.fail(n, at, "", "a secret is never written here: put it into a file and say {file: path}")
		return nil
	}
	content, err := readSecret(n.Content[1].Value)
	if err != nil {
		d.fail(n, at, "", "%v", err)
		return nil
	}
	return encode(content)
}

// readSecret reads a secret as it is, but for the end of the line, which editors add. The path is relative to the working
// directory, like every path that a person types.
func readSecret(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", reason(path, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSecretBytes+1))
	if err != nil {
		return "", reason(path, err)
	}
	if len(data) > maxSecretBytes {
		return "", fmt.Errorf("%s is larger than %d KiB", path, maxSecretBytes>>10)
	}
	content := strings.TrimRight(string(data), "\r\n")
	switch {
	case content == "":
		// Empty would mean to the API: keep what is there.
		return "", fmt.Errorf("%s is empty", path)
	case !utf8.ValidString(content):
		return "", errors.New(path + " does not hold UTF-8 text")
	}
	return content, nil
}
