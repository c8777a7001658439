package lab

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"testing"
	"time"
)

const (
	dnsmasqPath = "/usr/sbin/dnsmasq"
	dnsPort     = 5300 // anybody may listen there
)

// DNSDomain is the domain of which a DNSServer knows everything. Every host in
// it is this machine.
const DNSDomain = "lab.test"

// A SRV is a record that names a server of the domain's directory.
type SRV struct {
	Site             string // "" for the whole domain
	Host             string // within DNSDomain, or with a dot at its end
	Port             int
	Priority, Weight int
}

// A DNSServer is a private dnsmasq, which asks nobody else.
type DNSServer struct {
	Resolver *net.Resolver // asks this server

	t       testing.TB
	address string
	process *process
}

// DNS starts a name server with these records and returns when it answers.
func DNS(t testing.TB, records ...SRV) *DNSServer {
	t.Helper()
	need(t, "dnsmasq", dnsmasqPath)
	// An address of its own: another test's server would know the same domain.
	d := &DNSServer{t: t, address: reserveAddress(t, []int{dnsPort})}
	d.Resolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, net.JoinHostPort(d.address, strconv.Itoa(dnsPort)))
	}}
	t.Cleanup(d.Stop)
	d.Set(records...)
	return d
}

// Set replaces the records.
func (d *DNSServer) Set(records ...SRV) {
	d.t.Helper()
	d.Stop()
	args := []string{
		"--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--no-poll", "--pid-file=",
		"--listen-address=" + d.address, "--bind-interfaces", "--port=" + strconv.Itoa(dnsPort),
		"--local=/" + DNSDomain + "/", "--address=/" + DNSDomain + "/127.0.0.1",
	}
	if os.Getuid() == 0 {
		args = append(args, "--user=root") // it has nothing that another user could not read
	}
	for _, r := range records {
		name := "_ldap._tcp." + DNSDomain
		if r.Site != "" {
			name = "_ldap._tcp." + r.Site + "._sites." + DNSDomain
		}
		host := r.Host
		if host[len(host)-1] != '.' {
			host += "." + DNSDomain
		}
		args = append(args, fmt.Sprintf("--srv-host=%s,%s,%d,%d,%d", name, host, r.Port, r.Priority, r.Weight))
	}
	d.process = start(d.t, dnsmasqPath, args...)
	Eventually(d.t, "dnsmasq to answer", func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_, err := d.Resolver.LookupHost(ctx, "any."+DNSDomain+".")
		if err != nil && d.process.ended() {
			d.t.Fatalf("dnsmasq does not start:\n%s", d.process.said)
		}
		return err == nil
	})
}

// Stop ends the server, until Set.
func (d *DNSServer) Stop() {
	if d.process != nil {
		d.process.kill()
		d.process = nil
	}
}
