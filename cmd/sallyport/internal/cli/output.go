package cli

import (
	"bytes"
	"encoding/json"
	"fmt"

	"connectrpc.com/connect"
)

func indent(data []byte) ([]byte, error) {
	var out bytes.Buffer
	if err := json.Indent(&out, data, "", "  "); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// notFound says what was not found: the API says only that something was not, so as to tell strangers nothing.
func notFound(err error, name string) error {
	if connect.CodeOf(err) == connect.CodeNotFound {
		return fmt.Errorf("%s: not found", name)
	}
	return err
}
