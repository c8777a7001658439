package lab

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A Netns is a network of the test's own: a loopback interface and no way out
// of it, so that packets can be lost there and nowhere else.
type Netns struct{ name string }

// Namespace makes a network, which ends with the test.
func Namespace(t testing.TB) *Netns {
	t.Helper()
	need(t, "iproute2", "/usr/sbin/ip")
	need(t, "nftables", "/usr/sbin/nft")
	needRoot(t, "network namespaces")
	n := &Netns{fmt.Sprintf("connector-%d-%d", os.Getpid(), time.Now().UnixNano())}
	ip(t, "", "netns", "add", n.name)
	t.Cleanup(func() { ip(t, "", "netns", "del", n.name) })
	ip(t, "", "-n", n.name, "link", "set", "lo", "up")
	return n
}

// Inside returns a program that is another one, run in this network.
func (n *Netns) Inside(t testing.TB, program string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "inside")
	text := fmt.Sprintf("#!/bin/sh\nexec /usr/sbin/ip netns exec %s '%s' \"$@\"\n", n.name, program)
	if err := os.WriteFile(file, []byte(text), 0o700); err != nil { //nolint:gosec // it is a program
		t.Fatal(err)
	}
	return file
}

// Lose drops the packets that a rule of nftables matches, and no others any
// more: "tcp dport 443", "tcp sport 443 ip length > 1200".
func (n *Netns) Lose(t testing.TB, rule string) {
	t.Helper()
	rules := "flush ruleset\ntable inet lab {\n chain input {\n  type filter hook input priority 0\n  " + rule + " drop\n }\n}\n"
	ip(t, rules, "netns", "exec", n.name, "/usr/sbin/nft", "-f", "-")
}

func ip(t testing.TB, input string, args ...string) {
	t.Helper()
	cmd := exec.Command("/usr/sbin/ip", args...)
	cmd.Stdin = strings.NewReader(input)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", strings.Join(cmd.Args, " "), err, out)
	}
}
