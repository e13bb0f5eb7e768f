// Command sallyport-edge is an edge: it joins a control plane, follows its policy, and answers for the apps of its pool.
package main

import (
	"github.com/sallyport-iap/sallyport/cmd/internal/process"
	"github.com/sallyport-iap/sallyport/cmd/sallyport-edge/internal/cli"
)

func main() { process.Main(cli.Run) }
