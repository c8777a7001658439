package directory_test

import (
	"context"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ad-ldap-connector/pkg/directory"
	"ad-ldap-connector/testdata/lab"
)

// port returns a URL's port.
func port(t testing.TB, url string) int {
	t.Helper()
	n, err := strconv.Atoi(url[strings.LastIndexByte(url, ':')+1:])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A dnsDomain is the client of a domain's directory, on a clock of its own.
type dnsDomain struct {
	*directory.Client
	told states
	now  atomic.Int64
}

func inDomain(t *testing.T, dns *lab.DNSServer, on slapd, change ...func(*directory.Options)) *dnsDomain {
	t.Helper()
	d := &dnsDomain{}
	d.Client = client(t, on, append([]func(*directory.Options){func(o *directory.Options) {
		o.URLs = []string{"srv://" + lab.DNSDomain}
		o.Resolver = dns.Resolver
		o.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			_, port, _ := net.SplitHostPort(addr) // every host is this one, also while DNS is away
			return (&net.Dialer{}).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
		}
		o.State = d.told.tell
		o.Now = func() time.Time { return time.Unix(d.now.Load(), 0) }
	}}, change...)...)
	return d
}

// uses fails the test unless logins come to be answered by that host.
func (d *dnsDomain) uses(t *testing.T, host string) {
	t.Helper()
	lab.Eventually(t, host+" to be used; "+d.told.last(), func() bool {
		if err := login(t.Context(), d.Client, 1); err != nil {
			t.Error(err)
			return true
		}
		return strings.HasPrefix(d.told.last(), "true ldap://"+host+"."+lab.DNSDomain+":")
	})
}

// The servers are those that DNS names, as it prefers them; what it says later
// counts as well, and what it cannot say any more is not forgotten.
func TestDomain(t *testing.T) {
	one, two := lab.Slapd(t, lab.SlapdOptions{Users: 9}), lab.Slapd(t, lab.SlapdOptions{Users: 9})
	record := func(host string, s *lab.SlapdServer, priority int) lab.SRV {
		return lab.SRV{Host: host, Port: port(t, s.URL), Priority: priority, Weight: 1}
	}
	dns := lab.DNS(t, record("dc2", two, 20), record("dc1", one, 10))
	c := inDomain(t, dns, slapd{one})
	c.uses(t, "dc1")

	// Another server is better by now.
	dns.Set(record("dc1", one, 10), record("dc0", two, 5))
	c.uses(t, "dc1") // the list is not old enough to be read again
	c.now.Add(301)
	c.uses(t, "dc0")

	// DNS is away: the list holds.
	dns.Stop()
	c.now.Add(301)
	c.uses(t, "dc0")

	// All servers that are known fail, and DNS names another: it is asked at once.
	dns.Set(record("dc0", two, 5))
	c = inDomain(t, dns, slapd{one})
	c.uses(t, "dc0")
	dns.Set(record("dc7", one, 10))
	two.Stop()
	if err := login(t.Context(), c.Client, 1); err == nil {
		t.Error("DNS was asked again though it just had been")
	}
	c.now.Add(11)
	c.uses(t, "dc7")
}

func TestDomainSites(t *testing.T) {
	near, far := lab.Slapd(t, lab.SlapdOptions{Users: 9}), lab.Slapd(t, lab.SlapdOptions{Users: 9})
	dns := lab.DNS(t,
		lab.SRV{Host: "far", Port: port(t, far.URL), Priority: 0, Weight: 100},
		lab.SRV{Host: "near", Port: port(t, near.URL), Priority: 0, Weight: 0},
		lab.SRV{Site: "Hamburg", Host: "near", Port: port(t, near.URL), Priority: 10, Weight: 1})
	c := inDomain(t, dns, slapd{near}, func(o *directory.Options) { o.Site = "Hamburg" })
	c.uses(t, "near")
	near.Stop()
	c.uses(t, "far")
	near.Start()
	c.now.Add(61)
	c.uses(t, "near")
	// A site that DNS does not know has no servers of its own.
	inDomain(t, dns, slapd{near}, func(o *directory.Options) { o.Site = "Atlantis" }).uses(t, "far")
}

// Weights are honoured within a priority (RFC 2782).
func TestDomainWeights(t *testing.T) {
	server := lab.Slapd(t, lab.SlapdOptions{Users: 1})
	dns := lab.DNS(t, lab.SRV{Host: "heavy", Port: port(t, server.URL), Weight: 90}, lab.SRV{Host: "light", Port: port(t, server.URL), Weight: 10},
		lab.SRV{Host: "never", Port: port(t, server.URL), Priority: 1, Weight: 1000})
	const clients = 60
	chosen := map[string]int{}
	for range clients {
		c := inDomain(t, dns, slapd{server})
		if err := login(t.Context(), c.Client, 1); err != nil {
			t.Fatal(err)
		}
		host, _, _ := strings.Cut(strings.TrimPrefix(c.told.last(), "true ldap://"), ".")
		chosen[host]++
	}
	// 54 are expected; fewer than 35 in 60 is one case in a thousand million.
	if chosen["heavy"] < 35 || chosen["heavy"]+chosen["light"] != clients {
		t.Errorf("chosen: %v", chosen)
	}
}

func TestDomainFaults(t *testing.T) {
	dns := lab.DNS(t)
	fails := func(text string, change func(*directory.Options)) {
		t.Helper()
		o := directory.Options{URLs: []string{"srv://" + lab.DNSDomain}, BaseDN: "dc=lab,dc=test", Resolver: dns.Resolver}
		change(&o)
		c := directory.New(o)
		defer func() { _ = c.Close() }()
		_, err := c.Find(t.Context(), "x")
		isFault(t, err, text)
	}
	fails("there are no records _ldap._tcp."+lab.DNSDomain, func(*directory.Options) {})
	for _, url := range []string{"srv://", "srv://a..b", "srv://a b", "srv://x:389", "srvs://x,DC=evil"} {
		fails("connect to the directory", func(o *directory.Options) { o.URLs = []string{url} })
	}
	fails("DNS is down", func(o *directory.Options) {
		o.Resolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.DNSError{Err: "DNS is down"}
		}}
	})
	// Nobody proves what DNS says: certificates are verified, but not against
	// any name that comes.
	dns.Set(lab.SRV{Host: "dc.evil.test.", Port: 636})
	fails("there are no records", func(o *directory.Options) { o.URLs = []string{"srvs://" + lab.DNSDomain} })
	fails("there are no records", func(o *directory.Options) { o.StartTLS = true })
}
