// Command sallyport is the command line of Sallyport, and `sallyport dev`: the whole product on one machine.
package main

import (
	"github.com/sallyport-iap/sallyport/cmd/internal/process"
	"github.com/sallyport-iap/sallyport/cmd/sallyport/internal/cli"
)

func main() { process.Main(cli.Run) }
