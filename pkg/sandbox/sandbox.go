// Package sandbox is a pretend tenant and a pretend directory in one process, to
// try the connector against and to test it with. It is no production tenant: it
// listens on loopback addresses only, and its passwords are known to everybody.
package sandbox
