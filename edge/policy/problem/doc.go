// Package problem collects what is wrong with what somebody wrote, by the place
// where it is, and says it in a stable order. It must never decide what is wrong.
package problem
