// Package demo holds the resources that `sallyport dev` starts with, as the files that `sallyport apply` takes. Ports and
// paths in them are the defaults of `sallyport dev`, which puts its own in their place.
//
// It must never hold a secret, nor anything that only the demo could load.
package demo

import "embed"

// Files holds platform.yaml, which is the operator's, and a file for each tenant.
//
//go:embed *.yaml
var Files embed.FS
