// Package upstream sends an allowed request to the app it is for, and the app's answer back.
//
// What is sent are the bytes that were decided on: the canonical path, the method, the header after everything that only
// we may say was replaced. It must never follow a redirect, retry what may have been received, use a proxy from the
// environment, or open a tunnel other than a WebSocket whose handshake both sides made right.
package upstream
