// Command sallyport-controlplane is the control plane: `serve`, and the few commands that an operator needs around it.
package main

import (
	"github.com/sallyport-iap/sallyport/cmd/internal/process"
	"github.com/sallyport-iap/sallyport/cmd/sallyport-controlplane/internal/cli"
)

func main() { process.Main(cli.Run) }
