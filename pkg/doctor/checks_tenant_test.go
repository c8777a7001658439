package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"
)

func TestTenantCheck(t *testing.T) {
	tests := func(said string, err error) Env {
		return Env{Network: Network{Test: func(context.Context) (string, error) { return said, err }}}
	}
	refused := &Stop{Phase: PhaseDial, Err: advised{"connection refused by 192.0.2.1:443", "Allow outbound connections to acme.example:443."}}
	hung := &Stop{Phase: PhaseAnswer, At: "the answer of acme.example:443", Hung: true, Traffic: "2000 bytes sent, 100 received", Err: errors.New("late")}
	large := &Stop{Phase: PhaseHandshake, At: "the TLS handshake", Hung: true, Small: true, Err: errors.New("late")}
	silent := &Stop{Phase: PhaseDial, At: "the dial of 192.0.2.1:443", Hung: true, Err: advised{"late", "Allow outbound connections."}}
	try(t, []trial{
		{"answers", "network.tenant", tests("acme.example:443 answers", nil), Passed, "acme.example:443 answers"},
		{"certificate", "network.tenant", tests("", &Stop{Certificate: true, Err: errors.New("unknown authority")}), Passed, "tls.tenant"},
		{"refused", "network.tenant", tests("", refused), Failed, "Allow outbound connections to acme.example:443."},
		{"hung", "network.tenant", tests("", hung), Failed, "it hung at the answer of acme.example:443, with 2000 bytes sent, 100 received"},
		{"hung: remedy", "network.tenant", tests("", hung), Failed, "MTU"},
		{"large", "network.tenant", tests("", large), Failed, "begins with a small packet gets through"},
		{"large: remedy", "network.tenant", tests("", large), Failed, "tlsmlkem=0"},
		{"silent", "network.tenant", tests("", silent), Failed, "it hung at the dial of 192.0.2.1:443"},
		{"silent: remedy", "network.tenant", tests("", silent), Failed, "Allow outbound connections."},
		{"no advice", "network.tenant", tests("", errors.New("odd")), Failed, "port 443"},
		{"nothing", "network.tenant", Env{}, Skipped, "no tenant is known"},
	})
}

func TestHubCheck(t *testing.T) {
	receives := func(said string, err error) Env {
		return Env{Network: Network{Hub: func(context.Context) (string, error) { return said, err }}}
	}
	hung := &Stop{Phase: PhaseUpgrade, At: "the websocket's upgrade", Hung: true, Err: errors.New("late")}
	try(t, []trial{
		{"upgraded", "network.hub", receives("101 Switching Protocols", nil), Passed, "101"},
		{"stripped", "network.hub", receives("", advised{"it answered 426, not 101", "Let the Upgrade header through."}), Failed, "Let the Upgrade header through."},
		{"hung", "network.hub", receives("", hung), Failed, "let websockets through"},
		{"not known", "network.hub", receives("", fmt.Errorf("ask: %w", Unknown("only the ticket tells where"))), Skipped, "only the ticket tells where"},
		{"nothing", "network.hub", Env{}, Skipped, "no tenant is known"},
	})
}

// thumb is the thumbprint of a certificate whose bytes are "der".
const thumb = "7d44c33cf9a82ab9bd5300d266784504e9772177"

func TestAgentAtTheTenant(t *testing.T) {
	asks := func(err error, thumbprints ...string) Env {
		return Env{
			Home: Home{Certificate: func() (*x509.Certificate, error) { return &x509.Certificate{Raw: []byte("der")}, nil }},
			Network: Network{Info: func(context.Context) (Info, error) {
				return Info{Connection: "corp", Realm: "urn:auth0:acme", Thumbprints: thumbprints}, err
			}},
		}
	}
	gone := advised{"Wrong ticket. Does this connection still exist?", "Copy the ticket again."}
	none, broken, noTicket, moved, same := asks(nil), asks(nil), asks(nil), asks(nil), asks(nil)
	none.Home.Certificate = func() (*x509.Certificate, error) { return nil, fmt.Errorf("read: %w", fs.ErrNotExist) }
	broken.Home.Certificate = func() (*x509.Certificate, error) { return nil, errors.New("damaged") }
	noTicket.Network.Info = nil
	moved.Config.Tenant.SentThumbprint, same.Config.Tenant.SentThumbprint = "00ff", thumb
	accepts := func(how string, err error) Env {
		return Env{Network: Network{Accepted: func(context.Context) (string, error) { return how, err }}}
	}
	verdict := &Stop{Phase: PhaseVerdict, At: "the hub's verdict", Hung: true, Err: errors.New("late")}
	try(t, []trial{
		{"known", "agent.ticket", asks(nil), Passed, "it is for the connection corp of urn:auth0:acme"},
		{"unknown", "agent.ticket", asks(gone), Failed, "Does this connection still exist?"},
		{"unknown: remedy", "agent.ticket", asks(gone), Failed, "Copy the ticket again."},
		{"no ticket", "agent.ticket", Env{}, Skipped, "no ticket"},

		{"ours", "agent.registered", asks(nil, "00ff", thumb), Passed, thumb},
		{"another", "agent.registered", asks(nil, "00ff"), Failed, "the tenant knows another certificate"},
		{"another, shown", "agent.registered", asks(nil, "00ff"), Failed, "thumbprint 00ff | thumbprint " + thumb},
		{"not told", "agent.registered", same, Skipped, "not told by the tenant"},
		{"not told, and moved", "agent.registered", moved, Failed, "the one that this home registered last is another"},
		{"unknown ticket", "agent.registered", asks(gone), Failed, "Does this connection still exist?"},
		{"no pair", "agent.registered", none, Skipped, "no key pair yet"},
		{"damaged", "agent.registered", broken, Failed, "damaged"},
		{"no ticket", "agent.registered", noTicket, Skipped, "no ticket"},
		{"no home", "agent.registered", Env{}, Skipped, "nothing is installed"},

		{"accepted", "agent.accepted", accepts("the hub said yes", nil), Passed, "the hub said yes"},
		{"rejected", "agent.accepted", accepts("", errors.New("the hub rejected the agent")), Failed, "the hub rejected the agent"},
		{"no verdict", "agent.accepted", accepts("", verdict), Failed, "it hung at the hub's verdict"},
		{"no agent", "agent.accepted", Env{}, Skipped, "no agent here"},
	})
}

func TestTrustChecks(t *testing.T) {
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	issued := func(by pkix.Name, begins, ends time.Time) *x509.Certificate {
		return &x509.Certificate{
			Subject: pkix.Name{CommonName: "acme.example"}, Issuer: by, DNSNames: []string{"acme.example"}, NotBefore: begins, NotAfter: ends,
		}
	}
	year := issued(pkix.Name{CommonName: "R11", Organization: []string{"Let's Encrypt"}}, now.AddDate(0, -6, 0), now.AddDate(0, 6, 0))
	corp := issued(pkix.Name{CommonName: "Corp Inspection CA", Organization: []string{"Corp"}}, now.AddDate(0, -6, 0), now.AddDate(0, 6, 0))
	shows := func(h Handshake, err error) Env {
		return Env{
			Now: func() time.Time { return now },
			Network: Network{Handshake: func(context.Context) (Handshake, error) {
				h.Server, h.Version = "acme.example:443", tls.VersionTLS13
				return h, err
			}},
		}
	}
	chain := func(c *x509.Certificate, err error) Env {
		return shows(Handshake{Chain: []*x509.Certificate{c}, Err: err}, nil)
	}
	added := shows(Handshake{Chain: []*x509.Certificate{corp}, Added: true}, nil)
	unknown := fmt.Errorf("its certificate: %w", x509.UnknownAuthorityError{})
	lasting := func(life, left int) Env {
		return chain(issued(pkix.Name{CommonName: "R11"}, now.AddDate(0, 0, left-life), now.AddDate(0, 0, left)), nil)
	}
	nameless := chain(issued(pkix.Name{}, now, now), unknown)
	try(t, []trial{
		{"good", "tls.tenant", chain(year, nil), Passed, `TLS 1.3, issued by "R11" (Let's Encrypt), until 2026-12-01`},
		{"chain", "tls.tenant", chain(year, nil), Passed, `"acme.example", issued by "R11" (Let's Encrypt), 2025-12-01 to 2026-12-01, for acme.example`},
		{"added", "tls.tenant", added, Passed, `trusted because of SSL_CA_PATH alone: "Corp Inspection CA" (Corp) is no CA of the system`},
		{"opened", "tls.tenant", chain(corp, unknown), Failed, `"Corp Inspection CA" (Corp) is no public CA: unless the tenant is a private one, a proxy or a firewall`},
		{"opened: remedy", "tls.tenant", chain(corp, unknown), Failed, "Have acme.example:443 exempted from TLS inspection"},
		{"old list", "tls.tenant", chain(year, unknown), Failed, "the name of a public CA"},
		{"nameless", "tls.tenant", nameless, Failed, "nobody by name is no public CA"},
		{"wrong name", "tls.tenant", chain(year, x509.HostnameError{Host: "other.example", Certificate: year}), Failed, "a certificate for other.example"},
		{"expired", "tls.tenant", chain(year, advised{"the certificate expired", "Renew it."}), Failed, "Renew it."},
		{"none", "tls.tenant", shows(Handshake{}, nil), Failed, "acme.example:443 showed no certificate"},
		{"no handshake", "tls.tenant", shows(Handshake{}, errors.New("cut")), Failed, "cut"},
		{"nothing", "tls.tenant", Env{}, Skipped, "no tenant is known"},

		{"long", "tls.tenant-expiry", lasting(365, 31), Passed, "31 days from now"},
		{"soon", "tls.tenant-expiry", lasting(365, 29), Failed, "30 days before its end"},
		{"tomorrow", "tls.tenant-expiry", lasting(365, 1), Failed, "ends in 1 day"},
		{"short-lived", "tls.tenant-expiry", lasting(90, 25), Passed, "25 days"},
		{"short-lived, forgotten", "tls.tenant-expiry", lasting(90, 21), Failed, "22 days before its end"},
		{"no handshake", "tls.tenant-expiry", shows(Handshake{}, errors.New("cut")), Failed, "cut"},
		{"nothing", "tls.tenant-expiry", Env{}, Skipped, "no tenant is known"},
	})
}

// A stranger's certificate says what it likes, and not endlessly.
func TestLongNamesAreCut(t *testing.T) {
	long := strings.Repeat("é", 5000)
	c := &x509.Certificate{Subject: pkix.Name{CommonName: long, Organization: []string{long, long}}, Issuer: pkix.Name{Organization: []string{long}}, DNSNames: strings.Split(strings.Repeat("a.example ", 500), " ")}
	all := chainLines([]*x509.Certificate{c, c, c, c, c, c, c, c, c})
	if text := strings.Join(all, "\n"); len(all) != 6 || len(text) > 6000 {
		t.Errorf("%d lines, %d bytes", len(all), len(text))
	}
}
