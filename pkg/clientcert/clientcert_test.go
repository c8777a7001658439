package clientcert

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ad-ldap-connector/pkg/identity"
	"ad-ldap-connector/testdata/lab"
)

func load(t testing.TB, files ...string) (chain []*x509.Certificate) {
	t.Helper()
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		block, _ := pem.Decode(data)
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		chain = append(chain, c)
	}
	return chain
}

// judge makes a Judge that trusts the files.
func judge(t testing.TB, change func(*Options), authorities ...string) *Judge {
	t.Helper()
	o := Options{Authorities: load(t, authorities...), Revocation: RevocationOff}
	if change != nil {
		change(&o)
	}
	return New(o)
}

// denied fails the test unless err is a denial for that reason.
func denied(t *testing.T, err error, want Reason) {
	t.Helper()
	var d *Denial
	if !errors.As(err, &d) || d.Reason != want {
		t.Errorf("got %v, want a denial: %s", err, want)
	}
}

const sidText = "S-1-5-21-1004336348-1177238915-682003330-512"

// everyName are extensions with all that may name a user.
const everyName = lab.UserExtensions + `
subjectAltName = otherName:1.3.6.1.4.1.311.20.2.3;UTF8:jane@corp.example,email:jane.doe@corp.example
1.3.6.1.4.1.311.25.2 = ASN1:SEQUENCE:sid
[sid]
other = IMPLICIT:0,SEQUENCE:other
[other]
oid = OID:1.3.6.1.4.1.311.25.2.1
value = EXPLICIT:0,OCTETSTRING:` + sidText

func TestAccept(t *testing.T) {
	t.Parallel()
	root := lab.NewPKI(t, "/DC=example/DC=corp/CN=Corp Root", nil)
	below := lab.NewPKI(t, "/DC=example/DC=corp/CN=Corp Users, Berlin", root)
	stranger := lab.NewPKI(t, "/DC=example/DC=corp/CN=Corp Root", nil) // of the same name
	user, _ := below.Issue("/O=Corp/CN=jane", everyName)
	roots := []string{root.CAFile}
	both := []string{root.CAFile, below.CAFile}
	issue := func(p *lab.PKI, subject, extensions, dates string) string {
		p.Dates = dates
		file, _ := p.Issue(subject, extensions)
		p.Dates = ""
		return file
	}
	rule := func(text string) func(*Options) {
		return func(o *Options) {
			var err error
			if o.Rules, err = ParseRules(text); err != nil {
				t.Fatal(err)
			}
		}
	}
	serial := load(t, user)[0].SerialNumber.Bytes()
	for _, tt := range []struct {
		name        string
		authorities []string
		chain       []string
		change      func(*Options)
		want        identity.Principal
		denial      Reason
	}{
		{name: "by CN, the chain sent", authorities: roots, chain: []string{user, below.CAFile}, want: identity.Principal{Name: "jane"}},
		{name: "by CN, the chain known", authorities: both, chain: []string{user}, want: identity.Principal{Name: "jane"}},
		{name: "only the issuer known", authorities: []string{below.CAFile}, chain: []string{user}, want: identity.Principal{Name: "jane"}},
		{name: "the chain not sent", authorities: roots, chain: []string{user}, denial: Untrusted},
		{name: "another authority of that name", authorities: []string{stranger.CAFile}, chain: []string{user, below.CAFile}, denial: Untrusted},
		{name: "by UPN", authorities: both, chain: []string{user}, change: rule("upn"),
			want: identity.Principal{Name: "jane@corp.example", Place: identity.Place{Filter: "(userPrincipalName={0})"}}},
		{name: "by e-mail, elsewhere", authorities: both, chain: []string{user}, change: rule("email=(proxyAddresses=smtp:{0})"),
			want: identity.Principal{Name: "jane.doe@corp.example", Place: identity.Place{Filter: "(proxyAddresses=smtp:{0})"}}},
		{name: "by SID", authorities: both, chain: []string{user}, change: rule("sid; cn"),
			want: identity.Principal{Name: sidText, Place: identity.Place{Filter: "(objectSid={0})"}}},
		{name: "no SID, so by CN", authorities: roots, chain: []string{issue(root, "/CN=jane", lab.UserExtensions, "")}, change: rule("sid;upn;cn"), want: identity.Principal{Name: "jane"}},
		{name: "by SID as a URI", authorities: roots, chain: []string{issue(root, "/CN=jane", lab.UserExtensions+"\nsubjectAltName=@alt\n[alt]\nURI=tag:microsoft.com\\,2022-09-14:sid:"+sidText, "")},
			change: rule("sid"), want: identity.Principal{Name: sidText, Place: identity.Place{Filter: "(objectSid={0})"}}},
		{name: "by issuer and serial number", authorities: both, chain: []string{user}, change: rule("issuer-serial"),
			want: identity.Principal{Name: `X509:<I>DC=example,DC=corp,CN="Corp Users, Berlin"<SR>` + reversed(serial), Place: identity.Place{Filter: "(altSecurityIdentities={0})"}}},
		{name: "no SID", authorities: roots, chain: []string{issue(root, "/CN=jane", lab.UserExtensions, "")}, change: rule("sid"), denial: Nameless},
		{name: "two CNs", authorities: roots, chain: []string{issue(root, "/CN=jane/CN=john", lab.UserExtensions, "")}, denial: Nameless},
		{name: "two UPNs", authorities: roots, chain: []string{issue(root, "/CN=jane", lab.UserExtensions+"\nsubjectAltName=otherName:1.3.6.1.4.1.311.20.2.3;UTF8:a@b,otherName:1.3.6.1.4.1.311.20.2.3;UTF8:c@d", "")}, change: rule("upn"), denial: Nameless},
		{name: "no CN", authorities: roots, chain: []string{issue(root, "/O=Corp", lab.UserExtensions, "")}, denial: Nameless},
		{name: "a critical name", authorities: roots, chain: []string{issue(root, "/CN=jane", lab.UserExtensions+"\nsubjectAltName=critical,otherName:1.3.6.1.4.1.311.20.2.3;UTF8:jane@corp.example", "")},
			change: rule("upn"), want: identity.Principal{Name: "jane@corp.example", Place: identity.Place{Filter: "(userPrincipalName={0})"}}},
		{name: "expired", authorities: roots, chain: []string{issue(root, "/CN=jane", lab.UserExtensions, "-startdate 20200101000000Z -enddate 20210101000000Z")}, denial: Expired},
		{name: "not begun", authorities: roots, chain: []string{issue(root, "/CN=jane", lab.UserExtensions, "-startdate 20990101000000Z -enddate 20990201000000Z")}, denial: Expired},
		{name: "a server's", authorities: roots, chain: []string{issue(root, "/CN=jane", "keyUsage=digitalSignature\nextendedKeyUsage=serverAuth", "")}, denial: WrongUse},
		{name: "for e-mail", authorities: roots, chain: []string{issue(root, "/CN=jane", "keyUsage=keyEncipherment\nextendedKeyUsage=clientAuth,emailProtection", "")}, denial: WrongUse},
		{name: "for anything", authorities: roots, chain: []string{issue(root, "/CN=jane", "basicConstraints=CA:FALSE", "")}, want: identity.Principal{Name: "jane"}},
		{name: "an unknown critical extension", authorities: roots, chain: []string{issue(root, "/CN=jane", lab.UserExtensions+"\n1.2.3.4=critical,ASN1:NULL", "")}, denial: Untrusted},
		{name: "far too many", authorities: roots, chain: strings.Split(strings.Repeat(user+"\n", 12)+user, "\n"), denial: Malformed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p, err := judge(t, tt.change, tt.authorities...).Accept(t.Context(), load(t, tt.chain...))
			if tt.denial != "" {
				denied(t, err, tt.denial)
			} else if err != nil || p != tt.want {
				t.Errorf("%+v, %v; want %+v", p, err, tt.want)
			}
		})
	}
}

func reversed(b []byte) (s string) {
	for _, o := range b {
		s = string("0123456789abcdef"[o>>4]) + string("0123456789abcdef"[o&15]) + s
	}
	if b[0] >= 0x80 {
		s += "00"
	}
	return s
}

func TestRevoked(t *testing.T) {
	t.Parallel()
	root := lab.NewPKI(t, "/CN=Root", nil)
	below := lab.NewPKI(t, "/CN=Users", root)
	stranger := lab.NewPKI(t, "/CN=Users", nil)
	good, _ := below.Issue("/CN=jane", lab.UserExtensions)
	bad, _ := below.Issue("/CN=john", lab.UserExtensions)
	fresh := below.CRL(time.Hour)
	below.Revoke(bad)
	lists := []string{below.CRL(time.Hour), root.CRL(time.Hour)}
	foreign := stranger.CRL(time.Hour)
	later := func(o *Options) { o.Now = func() time.Time { return time.Now().Add(3 * time.Hour) } }
	for _, tt := range []struct {
		name   string
		user   string
		policy Revocation
		lists  []string
		change func(*Options)
		want   Reason
	}{
		{"good, by lists", good, RevocationHard, lists, nil, ""},
		{"revoked, by lists", bad, RevocationHard, lists, nil, Revoked},
		{"revoked, soft", bad, RevocationSoft, lists, nil, Revoked},
		{"revoked, and nobody cares", bad, RevocationOff, lists, nil, ""},
		{"an older list", bad, RevocationHard, []string{fresh, lists[1]}, nil, ""},
		{"no lists, soft", good, RevocationSoft, nil, nil, ""},
		{"no lists, hard", good, RevocationHard, nil, nil, Unknown},
		{"none for the authority itself", good, RevocationHard, lists[:1], nil, Unknown},
		{"a list that has ended, soft", good, RevocationSoft, lists, later, ""},
		{"a list that has ended, hard", good, RevocationHard, lists, later, Unknown},
		{"revoked by a list that has ended", bad, RevocationSoft, lists, later, Revoked},
		{"another's list", good, RevocationHard, []string{foreign, lists[1]}, nil, Unknown},
		{"no list at all", good, RevocationHard, []string{good, lists[1]}, nil, Unknown},
		{"no file", good, RevocationHard, []string{"/nowhere", lists[1]}, nil, Unknown},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			j := judge(t, func(o *Options) {
				o.Revocation, o.CRLs = tt.policy, tt.lists
				if tt.change != nil {
					tt.change(o)
				}
			}, root.CAFile, below.CAFile)
			for range 2 { // asked, and remembered
				_, err := j.Accept(t.Context(), load(t, tt.user))
				if tt.want != "" {
					denied(t, err, tt.want)
				} else if err != nil {
					t.Error(err)
				}
			}
		})
	}
	t.Run("an authority that was revoked", func(t *testing.T) {
		j := judge(t, func(o *Options) { o.Revocation, o.CRLs = RevocationSoft, []string{root.CRL(time.Hour)} }, root.CAFile, below.CAFile)
		if _, err := j.Accept(t.Context(), load(t, good)); err != nil {
			t.Error(err)
		}
		root.Revoke(below.CAFile)
		list := root.CRL(time.Hour)
		j = judge(t, func(o *Options) { o.Revocation, o.CRLs = RevocationSoft, []string{list} }, root.CAFile, below.CAFile)
		_, err := j.Accept(t.Context(), load(t, good))
		denied(t, err, Revoked)
	})
}

// TestListIsReadAgain has the operator's list replaced.
func TestListIsReadAgain(t *testing.T) {
	t.Parallel()
	root := lab.NewPKI(t, "/CN=Root", nil)
	user, _ := root.Issue("/CN=jane", lab.UserExtensions)
	list := root.CRL(time.Hour)
	j := judge(t, func(o *Options) { o.Revocation, o.CRLs = RevocationHard, []string{list} }, root.CAFile)
	if _, err := j.Accept(t.Context(), load(t, user)); err != nil {
		t.Fatal(err)
	}
	root.Revoke(user)
	if err := os.Rename(root.CRL(time.Hour), list); err != nil {
		t.Fatal(err)
	}
	_, err := j.Accept(t.Context(), load(t, user))
	denied(t, err, Revoked)
}

// TestRevocationOnTheWire has certificates that name a responder and a list.
func TestRevocationOnTheWire(t *testing.T) {
	t.Parallel()
	root := lab.NewPKI(t, "/CN=Root", nil)
	const signer = "keyUsage = critical, digitalSignature\nextendedKeyUsage = OCSPSigning"
	responder, _ := root.OCSP(signer)
	impostor, _ := root.OCSP(lab.UserExtensions) // a user's certificate, of the same authority
	var list atomic.Pointer[string]
	asked := atomic.Int32{}
	lists := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		switch r.URL.Path {
		case "/away":
			http.Redirect(w, r, "/list", http.StatusFound)
		case "/large":
			_, _ = w.Write(make([]byte, maxCRL+2)) // nobody reads to its end
		default:
			http.ServeFile(w, r, *list.Load())
		}
	}))
	t.Cleanup(lists.Close)
	aia := func(url string) string { return lab.UserExtensions + "\nauthorityInfoAccess = OCSP;URI:" + url }
	cdp := func(url string) string {
		return lab.UserExtensions + "\ncrlDistributionPoints = URI:ldap:///CN=x,URI:" + url
	}
	issue := func(extensions string) string { file, _ := root.Issue("/CN=jane", extensions); return file }
	byOCSP, gone := issue(aia(responder)), issue(aia(responder))
	byImpostor, goneImpostor := issue(aia(impostor)), issue(aia(impostor))
	byList, goneList := issue(cdp(lists.URL+"/list")), issue(cdp(lists.URL+"/list"))
	away, large := issue(cdp(lists.URL+"/away")), issue(cdp(lists.URL+"/large"))
	nobody := issue(aia("http://127.0.0.1:1/"))
	metadata, file := issue(cdp("http://169.254.169.254/latest")), issue(cdp("file:///etc/passwd"))
	for _, f := range []string{gone, goneImpostor, goneList} {
		root.Revoke(f)
	}
	text := root.CRL(time.Hour)
	list.Store(&text)
	hard := judge(t, func(o *Options) { o.Revocation = RevocationHard }, root.CAFile)
	soft := judge(t, func(o *Options) { o.Revocation = RevocationSoft }, root.CAFile)
	for _, tt := range []struct {
		name, file string
		hard, soft Reason
	}{
		{"good, says the responder", byOCSP, "", ""},
		{"revoked, says the responder", gone, Revoked, Revoked},
		{"good, says an impostor", byImpostor, Unknown, ""},
		{"revoked, says an impostor", goneImpostor, Unknown, ""},
		{"good, by the list", byList, "", ""},
		{"revoked, by the list", goneList, Revoked, Revoked},
		{"a list that is elsewhere", away, Unknown, ""},
		{"a list without end", large, Unknown, ""},
		{"a responder that is not there", nobody, Unknown, ""},
		{"a place that is none of an authority's", metadata, Unknown, ""},
		{"a file", file, Unknown, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, by := range []struct {
				j    *Judge
				want Reason
			}{{hard, tt.hard}, {soft, tt.soft}} {
				_, err := by.j.Accept(t.Context(), load(t, tt.file))
				if by.want != "" {
					denied(t, err, by.want)
				} else if err != nil {
					t.Error(err)
				}
			}
		})
	}
	before := asked.Load()
	for range 20 {
		if _, err := hard.Accept(t.Context(), load(t, byList)); err != nil {
			t.Fatal(err)
		}
	}
	if asked.Load() != before {
		t.Error("a list that is known was fetched again")
	}
	// What no authority of ours has signed sends us nowhere.
	stranger := lab.NewPKI(t, "/CN=Root", nil)
	theirs, _ := stranger.Issue("/CN=jane", cdp(lists.URL+"/list?theirs"))
	_, err := soft.Accept(t.Context(), load(t, theirs))
	denied(t, err, Untrusted)
	if asked.Load() != before {
		t.Error("a stranger's certificate made us ask")
	}
}
