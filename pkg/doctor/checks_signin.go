package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// What is wrong with sign-in in the browser leaves logins with a password as
// they are: these checks warn.
var signinChecks = []Check{
	{
		ID: "kerberos.keytab", Title: "The keytab has the keys that the KDC uses", Severity: Warns,
		Probe:  probeKeytab,
		Remedy: "Make the keytab anew for the account that holds the service principal name, with AES keys, and put it where KRB5_KTNAME says.",
	},
	{
		ID: "kerberos.spn", Title: "One account has the service principal name of SERVER_URL", Severity: Warns,
		Needs:  []ID{"directory.search"},
		Probe:  probeSPN,
		Remedy: "Give the service principal name to the account that the connector runs as, and to no other.",
	},
	{
		ID: "kerberos.ticket-size", Title: "The tickets of users fit into a request", Severity: Warns,
		Needs:   []ID{"directory.users"},
		Probe:   probeTicketSize,
		Remedy:  "Raise MAX_HEADER_SIZE, and the same limit of a load balancer in front; 65536 is enough for the largest tickets that Windows makes.",
		Command: "connector config set MAX_HEADER_SIZE 65536",
	},
	{
		ID: "signin.port", Title: "The port for browsers is free, or our own", Severity: Warns,
		Probe:   probeSignInPort,
		Remedy:  "End the program that listens there, or choose another port.",
		Command: "connector config set PORT 4000",
	},
	{
		ID: "signin.firewall", Title: "This machine's firewall lets browsers through", Severity: Warns,
		Probe:   probeFirewall,
		Remedy:  "Let connections to PORT through this machine's firewall.",
		Command: "connector doctor --only signin.firewall --fix",
		Fix:     &Fix{Says: "Let browsers through this machine's firewall", Plan: planFirewall},
	},
	{
		ID: "signin.certificate", Title: "The certificate for browsers is whole, in time and in our name", Severity: Warns,
		Probe:  probePFX,
		Remedy: "Have TLS_CERT name a PEM or PKCS#12 file with the certificate and all between it and its authority, or put such a PKCS#12 file into SSL_PFX, as base64; the password of either into SSL_KEY_PASSWORD.",
	},
	{
		ID: "signin.ca", Title: "The authorities of users' certificates are in their time", Severity: Warns,
		Probe:  probeUserCAs,
		Remedy: "Put the certificates of the authorities that issue users' certificates into CA_CERT, as PEM.",
	},
	{
		ID: "signin.reach", Title: "SERVER_URL leads to this connection's sign-in", Severity: Warns,
		Probe:   probeVisit,
		Remedy:  "Start the connector, let browsers' connections through to its PORT, and have SERVER_URL name it or the load balancer in front of it.",
		Command: "connector status",
	},
}

const (
	noKerberos     = "Kerberos is off at the tenant (KERBEROS_AUTH)"
	noCertificates = "login by certificate is off at the tenant (CLIENT_CERT_AUTH)"
	noSignIn       = "sign-in in the browser is off at the tenant: neither Kerberos nor certificates"
)

// signIn reports whether browsers are to reach this connector.
func (e *Env) signIn() bool { return e.Config.Tenant.Kerberos || e.Config.Tenant.ClientCertificates }

// signInHost is the host of SERVER_URL; "" when that is not set.
func (e *Env) signInHost() string {
	u, err := url.Parse(e.Config.Tenant.ServerURL)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Hostname())
}

func probeSPN(ctx context.Context, e *Env) Outcome {
	host := e.signInHost()
	switch {
	case !e.Config.Tenant.Kerberos:
		return Skip(noKerberos)
	case e.SignIn.Holders == nil:
		return Skip(e.noContent())
	case host == "":
		return Skip("SERVER_URL is not set yet")
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return Outcome{
			Status: Failed, Observed: host, Required: "a name", Detail: "SERVER_URL names an address, and browsers ask for no ticket for addresses",
			Remedy: "Set SERVER_URL to the name that users' browsers know, and install again so that the tenant learns it.",
		}
	}
	spn := "HTTP/" + host
	At(ctx, "the search for %s", spn)
	holders, err := e.SignIn.Holders(ctx, spn)
	if err != nil {
		return unlessUnknown(err)
	}
	var names []string
	for _, h := range holders {
		names = append(names, h.DN)
	}
	switch len(holders) {
	case 0:
		return e.unheld(ctx, host)
	case 1:
		return Pass(spn + " is " + names[0] + "'s")
	}
	return Outcome{
		Status: Failed, Observed: count(len(names), "account", "accounts"), Required: "one",
		Detail:  "the KDC gives no ticket for a name that several have: " + spn + "\n" + strings.Join(names, "\n"),
		Remedy:  "Take the service principal name from all accounts but the one that the connector runs as.",
		Command: "setspn -D " + spn + " ACCOUNT",
	}
}

// unheld is the outcome where no account has the name for HTTP itself. That of
// the host stands for it (sPNMappings), with the computer's own key.
func (e *Env) unheld(ctx context.Context, host string) Outcome {
	if computers, err := e.SignIn.Holders(ctx, "HOST/"+host); err == nil && len(computers) == 1 {
		return Pass("HOST/" + host + " is " + computers[0].DN + "'s, and stands for HTTP/" + host)
	}
	return Outcome{
		Status: Failed, Observed: "no account", Required: "one", Detail: "no account has the service principal name HTTP/" + host,
		Remedy:  "Give the service principal name to the account that the connector runs as.",
		Command: "setspn -S HTTP/" + host + " ACCOUNT",
	}
}

func unlessUnknown(err error) Outcome {
	if unknown := Unknown(""); errors.As(err, &unknown) {
		return Skip(err.Error())
	}
	return failure(err)
}

// What a ticket takes, in octets: at most 1200 and 40 for each group, as
// Microsoft reckons it (its support article 327825, "Problems with Kerberos
// authentication when a user belongs to many groups"; 8 instead of 40 where
// all groups are of the user's own domain). Base64 makes it a third longer.
// The other lines of a browser's request come on top.
const (
	ticketBase     = 1200
	ticketPerGroup = 40
	otherHeaders   = 2048
)

// headerOf estimates a request's header for a user in so many groups.
func headerOf(groups int) int { return (ticketBase+ticketPerGroup*groups)*4/3 + otherHeaders }

func probeTicketSize(ctx context.Context, e *Env) Outcome {
	switch {
	case !e.Config.Tenant.Kerberos:
		return Skip(noKerberos)
	case e.Directory.Groups == nil || e.Directory.Users == nil:
		return Skip(e.noContent())
	}
	limit := e.Config.SignIn.MaxHeaderSize
	At(ctx, "the search for a user")
	u, err := e.Directory.Users(ctx)
	if err != nil || u.DN == "" {
		return Skip("there is no user whose groups could be counted")
	}
	At(ctx, "the groups of %s", u.DN)
	n, err := e.Directory.Groups(ctx, u.DN)
	if err != nil {
		return Skip("the groups of a user cannot be read, as directory.groups says")
	}
	fits := max(0, ((limit-otherHeaders)*3/4-ticketBase)/ticketPerGroup)
	o := Outcome{
		Status: Passed, Observed: fmt.Sprintf("about %d octets for %s, in %s", headerOf(n), u.DN, count(n, "group", "groups")),
		Required: fmt.Sprintf("at most %d (MAX_HEADER_SIZE)", limit), Detail: fmt.Sprintf("it is an estimate; %s fit for certain", count(fits, "group", "groups")),
	}
	if headerOf(n) > limit {
		o.Status = Failed
	}
	return o
}

func probeSignInPort(ctx context.Context, e *Env) Outcome {
	port := e.Config.SignIn.Port
	switch {
	case !e.signIn():
		return Skip(noSignIn)
	case e.Host.Listen == nil:
		return Skip(notAsked)
	case port == 0:
		return Skip("PORT is 0: any free port")
	}
	address := ":" + strconv.Itoa(port)
	At(ctx, "trying %s", address)
	err := e.Host.Listen(ctx, address)
	switch {
	case err == nil:
		return Pass(address + " is free")
	case errors.Is(err, ErrReserved):
		return Skip(err.Error() + "; run doctor as the administrator to try it")
	case errors.Is(err, ErrTaken):
		if e.SignIn.Ours != nil && e.SignIn.Ours(ctx) {
			return Pass(address + " is held by this connector, which runs")
		}
		return Outcome{Status: Failed, Observed: "taken", Required: "free, or held by this connector", Detail: holder(ctx, e.Host, address) + " listens on " + address}
	}
	return Fail(err.Error())
}

func probeVisit(ctx context.Context, e *Env) Outcome {
	to := e.Config.Tenant.ServerURL
	switch {
	case !e.signIn():
		return Skip(noSignIn)
	case e.SignIn.Visit == nil:
		return Skip(noHome)
	case to == "":
		return Skip("SERVER_URL is not set yet")
	}
	ctx, cancel := soon(ctx)
	defer cancel()
	At(ctx, "the answer of %s", to)
	a, err := e.SignIn.Visit(ctx)
	o := Outcome{Status: Failed, Required: "the sign-in of this connection"}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Skip("there is no key pair yet by which the sign-in could be known")
	case err != nil:
		o.Detail, o.Remedy = to+": "+err.Error(), hintOf(err)
	case a.Ours:
		return Pass(to + " shows the agent's certificate")
	case a.Guarded:
		return Pass(to + " shows the sign-in's certificate, and asks for a user's")
	case a.Other:
		o.Observed, o.Detail = "another connection's", to+" is answered by a connector with another key pair"
		o.Remedy = "Have SERVER_URL lead to the nodes of this connection alone; they share one key pair, by export and import."
	default:
		o.Observed, o.Detail = fmt.Sprintf("status %d", a.Status), to+" is answered by another program, which does not know /wsfed"
	}
	return o
}
