package main

import (
	"io"
	"net"
	"testing"

	"ad-ldap-connector/pkg/doctor"
)

// socks starts a SOCKS5 proxy (RFC 1928) that leads all to one server, or
// answers with a refusal when that is not 0.
func socks(t *testing.T, server string, refusal byte) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() }) // ends the loop below
	serve := func(c net.Conn) {
		defer func() { _ = c.Close() }() // either end may have closed it
		b := make([]byte, 262)
		if _, err := io.ReadFull(c, b[:3]); err != nil { // version, one method, none
			return
		}
		_, _ = c.Write([]byte{5, 0})                     // who has gone is noticed below
		if _, err := io.ReadFull(c, b[:5]); err != nil { // version, command, 0, kind, length of the name
			return
		}
		if _, err := io.ReadFull(c, b[:int(b[4])+2]); err != nil {
			return
		}
		_, _ = c.Write([]byte{5, refusal, 0, 1, 0, 0, 0, 0, 0, 0})
		inner, err := net.Dial("tcp", server)
		if err != nil || refusal != 0 {
			return
		}
		go func() { _, _ = io.Copy(inner, c); _ = inner.Close() }() // until either end closes
		_, _ = io.Copy(c, inner)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go serve(c)
		}
	}()
	return l.Addr().String()
}

func TestDoctorBehindSOCKS(t *testing.T) {
	port, ca := origin(t)
	host := squidName + ":" + port
	good := socks(t, "127.0.0.1:"+port, 0)
	proxied(host, "socks5://"+good, ca).expect(t,
		expected{"network.dns", doctor.Passed, []string{"left to the proxy socks5://" + good}},
		expected{"network.proxy", doctor.Passed, []string{host + " (tenant): let through by socks5://" + good}},
		expected{"network.tenant", doctor.Passed, nil}, expected{"tls.tenant", doctor.Passed, nil}, expected{"network.hub", doctor.Passed, nil},
	)
	bad := socks(t, "127.0.0.1:"+port, 2)
	proxied(host, "socks5://"+bad, ca).expect(t,
		expected{"network.proxy", doctor.Failed, []string{"not allowed by ruleset"}},
		expected{"network.tenant", doctor.Skipped, nil},
	)
}
