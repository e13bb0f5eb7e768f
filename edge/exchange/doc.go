// Package exchange is the vocabulary of one request and its answer in plain values: what was asked ([Request]), who asks
// ([Caller]), why it is refused ([Denial]), and what we say ourselves ([Reply]).
//
// The stages of package edge speak it, whatever engine reads the bytes. It must never know net/http's request or writer,
// read a clock, or do I/O.
package exchange
