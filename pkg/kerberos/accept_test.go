package kerberos

import (
	"bytes"
	"crypto/md5"
	"crypto/tls"
	"encoding/asn1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jcmturner/gokrb5/v8/asn1tools"
	krb "github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/iana/keyusage"
	"github.com/jcmturner/gokrb5/v8/keytab"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"

	"ad-ldap-connector/pkg/identity"
)

const (
	realm   = "CORP.EXAMPLE"
	spnName = "HTTP/www.corp.example"
)

// A desk plays the KDC and the browser.
type desk struct {
	keytab       *keytab.Keytab
	user         types.PrincipalName
	crealm       string
	sname        string
	kvno         int
	starts, ends time.Time
	flags        asn1.BitString
	ctime        time.Time
	other        *types.PrincipalName // of the authenticator
	hash         []byte
	key          types.EncryptionKey // of the last ticket
	gss          uint32              // flags
	mechs        []asn1.ObjectIdentifier
	bare         bool
}

func newDesk(t testing.TB, kt *keytab.Keytab) *desk {
	t.Helper()
	now := time.Now().UTC()
	return &desk{
		keytab: kt, user: types.NewPrincipalName(1, "jane"), crealm: realm, sname: spnName, kvno: 3,
		starts: now.Add(-time.Hour), ends: now.Add(time.Hour), flags: asn1.BitString(types.NewKrbFlags()), ctime: now,
		hash: make([]byte, 16), gss: 2, mechs: []asn1.ObjectIdentifier{oidKerberosOld, oidKerberos},
	}
}

func keytabOf(t testing.TB, principal string, kvno uint8, password string, kinds ...int32) *keytab.Keytab {
	t.Helper()
	kt := keytab.New()
	for _, kind := range kinds {
		if err := kt.AddEntry(principal, realm, password, time.Now(), kvno, kind); err != nil {
			t.Fatal(err)
		}
	}
	return kt
}

func write(t testing.TB, path string, tabs ...*keytab.Keytab) {
	t.Helper()
	all := keytab.New()
	for _, kt := range tabs {
		all.Entries = append(all.Entries, kt.Entries...)
	}
	data, err := all.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// token is what the browser sends.
func (d *desk) token(t testing.TB) []byte {
	t.Helper()
	fatal := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	tkt, key, err := messages.NewTicket(d.user, d.crealm, types.NewPrincipalName(2, d.sname), realm,
		types.NewKrbFlags(), d.keytab, 18, d.kvno, d.starts, d.starts, d.ends, d.ends)
	fatal(err)
	d.key = key
	auth, err := types.NewAuthenticator(d.crealm, d.user)
	fatal(err)
	if d.other != nil {
		auth.CName = *d.other
	}
	auth.CTime, auth.Cusec = d.ctime.Truncate(time.Second), d.ctime.Nanosecond()/1000
	sum := binary.LittleEndian.AppendUint32(nil, 16)
	sum = binary.LittleEndian.AppendUint32(append(sum, d.hash...), d.gss)
	auth.Cksum = types.Checksum{CksumType: 0x8003, Checksum: sum}
	req, err := messages.NewAPReq(tkt, key, auth)
	fatal(err)
	body, err := req.Marshal()
	fatal(err)
	oid, err := asn1.Marshal(oidKerberos)
	fatal(err)
	framed := asn1tools.AddASNAppTag(append(append(oid, 1, 0), body...), 0)
	if d.bare {
		return framed
	}
	return initToken(t, d.mechs, framed)
}

// initToken is a NegTokenInit.
func initToken(t testing.TB, mechs []asn1.ObjectIdentifier, inner []byte) []byte {
	t.Helper()
	body, err := asn1.Marshal(struct {
		Mechs []asn1.ObjectIdentifier `asn1:"explicit,tag:0"`
		Token []byte                  `asn1:"explicit,optional,omitempty,tag:2"`
	}{mechs, inner})
	if err != nil {
		t.Fatal(err)
	}
	choice, err := asn1.Marshal(asn1.RawValue{Class: 2, Tag: 0, IsCompound: true, Bytes: body})
	if err != nil {
		t.Fatal(err)
	}
	oid, err := asn1.Marshal(oidSPNEGO)
	if err != nil {
		t.Fatal(err)
	}
	return asn1tools.AddASNAppTag(append(oid, choice...), 0)
}

func request(token []byte) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/wsfed", nil)
	r.Header.Set("Authorization", "Negotiate "+base64.StdEncoding.EncodeToString(token))
	return r
}

func acceptor(t testing.TB, path string, change func(*Options)) *Acceptor {
	t.Helper()
	o := Options{Keytab: path, Binding: BindingAllow, Log: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&o)
	}
	return New(o)
}

func TestAccept(t *testing.T) {
	t.Parallel()
	aes := keytabOf(t, spnName, 3, "secret", 18)
	certificate := selfSigned(t)
	good := bindingsOf([][]byte{certificate})[0].hash
	overTLS := func(o *Options) { o.Certificates = func(*http.Request) [][]byte { return [][]byte{certificate} } }
	for _, tt := range []struct {
		name   string
		desk   func(*desk)
		accept func(*Options)
		tls    bool
		want   Reason
		is     error
	}{
		{name: "as it should be"},
		{name: "without SPNEGO", desk: func(d *desk) { d.bare = true }},
		{name: "no mutual authentication", desk: func(d *desk) { d.gss = 0 }},
		{name: "NTLM is preferred", desk: func(d *desk) { d.mechs = []asn1.ObjectIdentifier{{1, 3, 6, 1, 4, 1, 311, 2, 2, 10}, oidKerberos} }, is: ErrNoTicket},
		{name: "expired", desk: func(d *desk) { d.ends = time.Now().Add(-6 * time.Minute) }, want: Expired},
		{name: "expired, within the tolerance", desk: func(d *desk) { d.ends = time.Now().Add(-4 * time.Minute) }},
		{name: "not begun", desk: func(d *desk) { d.starts = time.Now().Add(6 * time.Minute) }, want: NotYet},
		{name: "clock behind", desk: func(d *desk) { d.ctime = d.ctime.Add(-6 * time.Minute) }, want: ClockSkew},
		{name: "clock ahead", desk: func(d *desk) { d.ctime = d.ctime.Add(6 * time.Minute) }, want: ClockSkew},
		{name: "clock off, within the tolerance", desk: func(d *desk) { d.ctime = d.ctime.Add(4 * time.Minute) }},
		{name: "another's authenticator", desk: func(d *desk) { n := types.NewPrincipalName(1, "john"); d.other = &n }, want: Malformed},
		{name: "another key", desk: func(d *desk) { d.keytab = keytabOf(t, spnName, 3, "other", 18) }, want: WrongKey},
		{name: "a newer key", desk: func(d *desk) { d.keytab, d.kvno = keytabOf(t, spnName, 4, "other", 18), 4 }, want: WrongKey},
		{name: "the same key of another version", desk: func(d *desk) { d.keytab, d.kvno = keytabOf(t, spnName, 9, "secret", 18), 9 }},
		{name: "another service", desk: func(d *desk) {
			d.sname = "LDAP/www.corp.example"
			d.keytab = keytabOf(t, d.sname, 3, "secret", 18)
		}, want: WrongService},
		{name: "not the principal", accept: func(o *Options) { o.Principals = []string{"HTTP/other.corp.example"} }, want: WrongService},
		{name: "the principal of another realm", accept: func(o *Options) { o.Principals = []string{spnName + "@OTHER.EXAMPLE"} }, want: WrongService},
		{name: "one of the principals", accept: func(o *Options) { o.Principals = []string{"HTTP/a", "http/WWW.corp.example@corp.example"} }},
		{name: "another realm", desk: func(d *desk) { d.crealm = "OTHER.EXAMPLE" }, want: WrongRealm},
		{name: "another realm that is taken", desk: func(d *desk) { d.crealm = "OTHER.EXAMPLE" }, accept: func(o *Options) { o.Realms = Realms{"OTHER.EXAMPLE": {}} }},
		{name: "a realm that is not listed", accept: func(o *Options) { o.Realms = Realms{"OTHER.EXAMPLE": {}} }, want: WrongRealm},
		{name: "a computer", desk: func(d *desk) { d.user = types.NewPrincipalName(1, "PC1$") }, want: WrongName},
		{name: "a service", desk: func(d *desk) { d.user = types.NewPrincipalName(1, "host/pc1") }, want: WrongName},
		{name: "an alias", desk: func(d *desk) { d.user = types.PrincipalName{NameType: 10, NameString: []string{"administrator"}} }, want: WrongName},
		{name: "a filter's name", desk: func(d *desk) { d.user = types.NewPrincipalName(1, `jane@other`) }, want: WrongName},
		{name: "bound to this TLS connection", tls: true, accept: overTLS, desk: func(d *desk) { d.hash = good[:] }},
		{name: "bound to another", tls: true, accept: overTLS, desk: func(d *desk) { h := md5.Sum(nil); d.hash = h[:] }, want: WrongBinding},
		{name: "bound to none", tls: true, accept: overTLS},
		{name: "bound to none, where that is required", tls: true, accept: func(o *Options) { overTLS(o); o.Binding = BindingRequire }, want: WrongBinding},
		{name: "bound as required", tls: true, accept: func(o *Options) { overTLS(o); o.Binding = BindingRequire }, desk: func(d *desk) { d.hash = good[:] }},
		{name: "bound to another, where that is all the same", tls: true, accept: func(o *Options) { overTLS(o); o.Binding = BindingNone },
			desk: func(d *desk) { h := md5.Sum(nil); d.hash = h[:] }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "keytab")
			write(t, path, aes)
			d := newDesk(t, aes)
			if tt.desk != nil {
				tt.desk(d)
			}
			a := acceptor(t, path, tt.accept)
			r := request(d.token(t))
			if tt.tls {
				r.TLS = &tls.ConnectionState{}
			}
			w := httptest.NewRecorder()
			p, err := a.Accept(w, r)
			var denial *Denial
			switch {
			case tt.is != nil && !errors.Is(err, tt.is):
				t.Fatalf("%v, %v; want %v", p, err, tt.is)
			case tt.want != "" && (!errors.As(err, &denial) || denial.Reason != tt.want):
				t.Fatalf("%v, %v; want %s", p, err, tt.want)
			case tt.want == "" && tt.is == nil && (err != nil || p != identity.Principal{Name: "jane", Realm: d.crealm}):
				t.Fatalf("%v, %v", p, err)
			}
			if err != nil {
				if got := w.Header().Get("WWW-Authenticate"); got != "" {
					t.Errorf("and the browser is told %q", got)
				}
				return
			}
			d.verify(t, w.Header().Get("WWW-Authenticate"))
			if _, err := a.Accept(httptest.NewRecorder(), r); !errors.As(err, &denial) || denial.Reason != Replayed {
				t.Errorf("the same again: %v", err)
			}
			d.ctime = d.ctime.Add(time.Millisecond)
			r = request(d.token(t))
			if tt.tls {
				r.TLS = &tls.ConnectionState{}
			}
			if _, err := a.Accept(httptest.NewRecorder(), r); err != nil {
				t.Errorf("another: %v", err)
			}
		})
	}
}

// verify reads the answer as a browser does, with the session key.
func (d *desk) verify(t *testing.T, header string) {
	t.Helper()
	if d.bare && d.gss == 0 {
		return
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(header, "Negotiate "))
	if err != nil || len(raw) == 0 {
		t.Fatalf("the answer %q: %v", header, err)
	}
	if !d.bare {
		var response struct {
			State asn1.Enumerated       `asn1:"explicit,tag:0"`
			Mech  asn1.ObjectIdentifier `asn1:"explicit,tag:1"`
			Token []byte                `asn1:"explicit,optional,tag:2"`
		}
		if raw[0] != 0xa1 {
			t.Fatalf("the answer begins with %#x", raw[0])
		}
		var choice asn1.RawValue
		if _, err := asn1.Unmarshal(raw, &choice); err != nil {
			t.Fatal(err)
		}
		if _, err := asn1.Unmarshal(choice.Bytes, &response); err != nil || response.State != 0 || !response.Mech.Equal(d.mechs[0]) {
			t.Fatalf("%+v, %v", response, err)
		}
		raw = response.Token
	}
	if d.gss == 0 {
		if len(raw) > 0 {
			t.Error("who did not ask for it got an AP-REP")
		}
		return
	}
	i := bytes.Index(raw, []byte{2, 0, 0x6f})
	if i < 0 {
		t.Fatalf("no AP-REP in %x", raw)
	}
	var rep messages.APRep
	if err := rep.Unmarshal(raw[i+2:]); err != nil {
		t.Fatal(err)
	}
	plain, err := krb.DecryptEncPart(rep.EncPart, d.key, keyusage.AP_REP_ENCPART)
	if err != nil {
		t.Fatal(err)
	}
	var part messages.EncAPRepPart
	if err := part.Unmarshal(plain); err != nil {
		t.Fatal(err)
	}
	if got := part.CTime.Add(time.Duration(part.Cusec) * time.Microsecond); !got.Equal(d.ctime.Truncate(time.Microsecond)) {
		t.Errorf("the AP-REP is for %v, want %v", got, d.ctime)
	}
}

func TestAcceptRubbish(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keytab")
	aes := keytabOf(t, spnName, 3, "secret", 18)
	write(t, path, aes)
	a := acceptor(t, path, nil)
	good := newDesk(t, aes).token(t)
	ntlmToken := append([]byte("NTLMSSP\x00"), make([]byte, 32)...)
	for _, tt := range []struct {
		name, header string
		want         error // ErrChallenged, ErrNoTicket or a Denial
	}{
		{"nothing", "", ErrChallenged},
		{"a password", "Basic amFuZTpzZWNyZXQ=", ErrChallenged},
		{"NTLM", "NTLM " + base64.StdEncoding.EncodeToString(ntlmToken), ErrNoTicket},
		{"NTLM as Negotiate", "Negotiate " + base64.StdEncoding.EncodeToString(ntlmToken), ErrNoTicket},
		{"NTLM in SPNEGO", "Negotiate " + base64.StdEncoding.EncodeToString(initToken(t, []asn1.ObjectIdentifier{{1, 3, 6, 1, 4, 1, 311, 2, 2, 10}}, ntlmToken)), ErrNoTicket},
		{"NTLM called Kerberos", "Negotiate " + base64.StdEncoding.EncodeToString(initToken(t, []asn1.ObjectIdentifier{oidKerberos}, ntlmToken)), ErrNoTicket},
		{"no ticket", "Negotiate " + base64.StdEncoding.EncodeToString(initToken(t, []asn1.ObjectIdentifier{oidKerberos}, nil)), ErrNoTicket},
		{"empty", "Negotiate", &Denial{}},
		{"no base64", "Negotiate !!!", &Denial{}},
		{"text", "Negotiate " + base64.StdEncoding.EncodeToString([]byte("jane:secret")), &Denial{}},
		{"large", "Negotiate " + strings.Repeat("A", 200<<10), &Denial{}},
		{"cut", "Negotiate " + base64.StdEncoding.EncodeToString(good[:len(good)/2]), &Denial{}},
		{"a flipped bit", "negotiate " + base64.StdEncoding.EncodeToString(flip(good, len(good)-20)), &Denial{}},
	} {
		r := httptest.NewRequest(http.MethodGet, "/wsfed", nil)
		if tt.header != "" {
			r.Header.Set("Authorization", tt.header)
		}
		w := httptest.NewRecorder()
		p, err := a.Accept(w, r)
		var denial *Denial
		if p != (identity.Principal{}) || !errors.Is(err, tt.want) && (!errors.As(tt.want, &denial) || !errors.As(err, &denial)) {
			t.Errorf("%s: %v, %v; want %v", tt.name, p, err, tt.want)
		}
		if asked := w.Header().Get("WWW-Authenticate") == "Negotiate"; asked != errors.Is(tt.want, ErrChallenged) {
			t.Errorf("%s: the browser is told %q", tt.name, w.Header())
		}
	}
	twice := request(good)
	twice.Header.Add("Authorization", twice.Header.Get("Authorization"))
	if _, err := a.Accept(httptest.NewRecorder(), twice); err == nil {
		t.Error("two tokens were taken")
	}
	if _, err := a.Accept(httptest.NewRecorder(), request(good)); err != nil {
		t.Errorf("and now the good one: %v", err)
	}
}

func flip(b []byte, at int) []byte {
	b = bytes.Clone(b)
	b[at] ^= 1
	return b
}

// TestKeytabChanges has the account's password changed, and the keytab after it.
func TestKeytabChanges(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keytab")
	a := acceptor(t, path, nil)
	old, fresh := keytabOf(t, spnName, 3, "secret", 18), keytabOf(t, spnName, 4, "newer", 18)
	ask := func(kt *keytab.Keytab, kvno int) error {
		d := newDesk(t, kt)
		d.kvno = kvno
		_, err := a.Accept(httptest.NewRecorder(), request(d.token(t)))
		return err
	}
	var denial *Denial
	if err := ask(old, 3); err == nil || errors.As(err, &denial) {
		t.Errorf("without a keytab: %v", err)
	}
	if _, err := a.Check(); err == nil {
		t.Error("nobody says that there is no keytab")
	}
	w := httptest.NewRecorder()
	if _, err := a.Accept(w, httptest.NewRequest(http.MethodGet, "/", nil)); !errors.Is(err, ErrNoTicket) || len(w.Header()) > 0 {
		t.Errorf("a ticket is asked for that nobody can judge: %v", err)
	}
	write(t, path, old)
	if err := ask(old, 3); err != nil {
		t.Errorf("once it is there: %v", err)
	}
	if err := ask(fresh, 4); !errors.As(err, &denial) || denial.Reason != WrongKey || denial.Hint() == "" {
		t.Errorf("after the password has changed: %v", err)
	}
	write(t, path, old, fresh)
	if err := errors.Join(ask(old, 3), ask(fresh, 4)); err != nil {
		t.Errorf("with both keys: %v", err)
	}
	if says, err := a.Check(); err != nil || !strings.Contains(says, "HTTP/www.corp.example@CORP.EXAMPLE (version 4)") {
		t.Errorf("%q, %v", says, err)
	}
	if err := os.WriteFile(path, []byte("half a"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := ask(fresh, 4); err != nil {
		t.Errorf("while it is being written: %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := ask(fresh, 4); err != nil {
		t.Errorf("without it: %v", err)
	}
	write(t, path, keytabOf(t, "ldap/www.corp.example", 1, "x", 18))
	if _, err := acceptor(t, path, nil).Check(); err == nil || !strings.Contains(err.Error(), "no key of this service") {
		t.Errorf("another service's keytab: %v", err)
	}
}

func TestReplays(t *testing.T) {
	t.Parallel()
	r := newReplays(time.Minute)
	r.most = 2
	now := time.Now()
	check := func(what, token string, at time.Duration, first, room bool) {
		t.Helper()
		if f, ro := r.first([]byte(token), now.Add(at)); f != first || ro != room {
			t.Errorf("%s: first %t, room %t", what, f, ro)
		}
	}
	check("new", "a", 0, true, true)
	check("again", "a", time.Minute, false, true)
	check("another", "b", time.Minute, true, true)
	check("no room", "c", time.Minute, true, false)
	check("no room, again", "c", time.Minute, true, false)
	check("remembered while it is good", "b", 3*time.Minute-time.Second, false, true)
	check("room again", "c", 3*time.Minute, true, true)
	check("forgotten", "a", 10*time.Minute, true, true)
}
