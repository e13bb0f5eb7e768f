// Package systemtest tests the product as somebody gets it: the three binaries, started by `sallyport dev` with every real
// part, and asked through their ports only.
//
// It must never reach into a program: what a test here needs to know, a user must be able to see.
package systemtest
