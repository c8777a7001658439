package main

import "ad-ldap-connector/pkg/console"

// consolePages fills in what the pages need that change things.
func (n *node) consolePages(*console.Options) {}
