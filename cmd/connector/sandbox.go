package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"ad-ldap-connector/pkg/sandbox"
)

// A SandboxInfo is what "connector sandbox" prints once it is ready.
type sandboxInfo struct {
	URL              string `json:"url"`
	Ticket           string `json:"ticket"`
	CA               string `json:"ca"`
	LDAPURL          string `json:"ldapUrl"`
	LDAPBase         string `json:"ldapBase"`
	BindUser         string `json:"bindUser"`
	BindPasswordFile string `json:"bindPasswordFile"`
	API              string `json:"api"`
	Releases         string `json:"releases,omitempty"`
}

type sandboxOptions struct {
	listen, ldapListen, users, state string
	releases                         string
	noDirectory, noTenant            bool
	kerberos, certAuth, jwks         bool
	several                          bool
	untilStdin                       bool
}

func newSandboxCommand(a *app) *cobra.Command {
	var o sandboxOptions
	cmd := &cobra.Command{
		Use:   "sandbox",
		Short: "Run a pretend tenant and a pretend directory, for trying out, training and tests",
		Long: `It is no production tenant: it listens on loopback only, its directory is in
memory, and its passwords are made up (alice / ` + sandbox.DemoPassword + `, or with
--users 10000: user00042 / Passw0rd-00042). Once ready it prints one JSON
object: url, ticket, ca, ldapUrl, ldapBase, bindUser, bindPasswordFile, api.
Its page, at the url, shows the connected agents and tries logins.`,
		Example: `  connector sandbox
  connector sandbox --no-directory --state ./sandbox   # with a directory of your own`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := oneOf(cmd, "no-directory", "no-tenant"); err != nil {
				return err
			}
			return a.sandbox(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.listen, "listen", "127.0.0.1:0", "loopback `address` of the tenant")
	f.StringVar(&o.ldapListen, "ldap-listen", "127.0.0.1:0", "loopback `address` of the directory")
	f.BoolVar(&o.noDirectory, "no-directory", false, "the tenant only")
	f.BoolVar(&o.noTenant, "no-tenant", false, "the directory only")
	f.StringVar(&o.users, "users", "", "`FILE.ldif|N`: users from a file, or so many made up (up to 100000)")
	f.BoolVar(&o.kerberos, "kerberos", false, "the connection says that Kerberos is on")
	f.BoolVar(&o.certAuth, "cert-auth", false, "the connection says that client certificates are on")
	f.BoolVar(&o.jwks, "jwks", false, "the tenant publishes its signing keys, instead of sending one")
	f.BoolVar(&o.several, "several-certificates", false, "the connection takes further certificates, instead of holding to the first")
	f.StringVar(&o.state, "state", "", "`folder` that keeps the tenant and the service account's password over restarts (default: a temporary one)")
	f.StringVar(&o.releases, "releases", "", "`folder` of releases to serve at the url's /releases/, for trying out updates")
	f.BoolVar(&o.untilStdin, "until-stdin-closes", false, "end when standard input does")
	if err := f.MarkHidden("until-stdin-closes"); err != nil {
		panic(err) // the flag is defined in the line above
	}
	cmd.AddCommand(newDrillCommand(a))
	return cmd
}

func (a *app) sandbox(ctx context.Context, o sandboxOptions) (err error) {
	if o.untilStdin {
		ctx = untilClosed(ctx, a.stdin)
	}
	a.say("THIS IS A SANDBOX: a pretend tenant and directory on loopback, for trying out. Never use it for real users.")
	if o.state == "" {
		if o.state, err = os.MkdirTemp("", "connector-sandbox-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(o.state)) }()
	} else if err := os.MkdirAll(o.state, 0o700); err != nil {
		return err
	}
	var info sandboxInfo
	var certificate *tls.Config
	if !o.noTenant {
		cloud, err := sandbox.StartCloud(sandbox.CloudOptions{Listen: o.listen, State: o.state, Kerberos: o.kerberos, CertAuth: o.certAuth, JWKS: o.jwks, SeveralCertificates: o.several, Releases: o.releases, Log: a.log()})
		if err != nil {
			return err
		}
		defer func() { _ = cloud.Close() }() // the process ends
		info.URL, info.Ticket, info.CA, info.API = cloud.URL(), cloud.Ticket(), cloud.CAFile(), cloud.URL()+"/api"
		if o.releases != "" {
			info.Releases = cloud.URL() + "/releases/"
		}
		certificate = cloud.TLS()
	}
	if !o.noDirectory {
		d, err := startDirectory(o, certificate)
		if err != nil {
			return err
		}
		defer func() { _ = d.Close() }() // the process ends
		info.LDAPURL, info.LDAPBase, info.BindUser = d.URL(), d.BaseDN(), d.BindUser()
		info.BindPasswordFile = filepath.Join(o.state, bindPasswordFile)
		if err := writeNew(info.BindPasswordFile, []byte(d.BindPassword()+"\n"), true); err != nil {
			return err
		}
	}
	if err := a.line(info); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

func startDirectory(o sandboxOptions, certificate *tls.Config) (*sandbox.Directory, error) {
	before, err := os.ReadFile(filepath.Join(o.state, bindPasswordFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	d := sandbox.DirectoryOptions{Password: strings.TrimSpace(string(before)), Listen: o.ldapListen, TLS: certificate, Traits: sandbox.Traits{ActiveDirectory: true}}
	if certificate != nil {
		d.TLSListen = "127.0.0.1:0"
	}
	switch n, err := strconv.Atoi(o.users); {
	case o.users == "":
	case err == nil && (n < 1 || n > maxSandboxUsers):
		return nil, usagef("--users %d: from 1 to %d", n, maxSandboxUsers)
	case err == nil:
		d.Users = n
	default:
		f, err := os.Open(o.users)
		if err != nil {
			return nil, fmt.Errorf("read --users: %w", err)
		}
		defer func() { _ = f.Close() }() // it was only read
		d.LDIF = f
	}
	return sandbox.StartDirectory(d)
}

// bindPasswordFile is where the state folder has the service account's password,
// which stays the same over restarts, as the tenant does.
const bindPasswordFile = "bind-password"

const maxSandboxUsers = 100_000

// untilClosed returns a context that ends when r does: a child that watches its
// standard input so cannot outlive its parent, however the parent ended.
func untilClosed(ctx context.Context, r io.Reader) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		_, _ = io.Copy(io.Discard, r) // any end is the end
		cancel()
	}()
	return ctx
}

// trust returns a TLS configuration that trusts the CA in a PEM file.
func trust(caFile string) (*tls.Config, error) {
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("read %s: no certificate in it", caFile)
	}
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, nil
}
