// Command print writes buf/validate/validate.proto below the directory named by its argument.
//
// The file is printed from the descriptor inside the Go module that validates our messages at run time, so the rules
// that the compiler of our protos knows and the rules that are enforced are of one version. It writes that one file,
// and must never be imported: the server has no need of a printer.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"github.com/jhump/protoreflect/v2/protoprint"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: print <directory>")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "print validate.proto:", err)
		os.Exit(1)
	}
}

func run(dir string) error {
	file := validate.File_buf_validate_validate_proto
	text, err := new(protoprint.Printer).PrintProtoToString(file)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, filepath.FromSlash(file.Path()))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o644)
}
