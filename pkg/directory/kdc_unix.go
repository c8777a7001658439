//go:build unix

package directory

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/iana/keyusage"
	"github.com/jcmturner/gokrb5/v8/iana/nametype"
	"github.com/jcmturner/gokrb5/v8/iana/patype"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"
)

// The library's own client talks to KDCs without regard for a context, and
// loses their error codes. Here its messages go over connections of our own.

const kdcHint = "check that the KDC answers on TCP port 88, and that krb5.conf (LDAP_KRB5_CONF) or DNS (_kerberos._tcp) names the right one"

// answers are what these mean to an operator, and what to do about them.
var answers = map[int32]struct{ says, hint string }{
	krbClientUnknown:   {"it knows no such principal", "check LDAP_BIND_USER: it must be the account's principal, svc@REALM, as klist -k shows it for LDAP_KEYTAB"},
	krbServiceUnknown:  {"it knows no such service", "write the server's full host name into LDAP_URL, as in its Kerberos account, ldap/HOST; an address or an alias has none"},
	krbNoSupportedType: {"it has no encryption type in common with the keytab", "make the keytab with AES keys (aes256-cts, aes128-cts), and let the account use them"},
	krbClientRevoked:   {"the account is disabled, locked or expired", "enable or unlock the service account"},
	krbKeyExpired:      {"the account's password has expired", "set the service account's password to never expire, and make the keytab anew"},
	krbPreauthFailed:   {"the keytab's key is not the account's", "the account's password or key was changed after LDAP_KEYTAB was made: make the keytab anew"},
	krbClockSkew:       {"the clocks differ too much", "set the clocks of this machine and the KDC by NTP: Kerberos allows 5 minutes"},
	krbWrongRealm:      {"the account is in another Kerberos realm", "write LDAP_BIND_USER with its realm, svc@REALM"},
}

// maxKDCReply is far beyond the largest ticket: AD's end at 64 KiB.
const maxKDCReply = 1 << 20

// authenticate asks the KDC for the ticket that gets tickets, with proof of the
// key (RFC 4120, sections 3.1 and 5.2.7.2).
func (a *account) authenticate(ctx context.Context) (*ticket, error) {
	doing := "log in to Kerberos as " + a.String()
	fail := func(err error) (*ticket, error) { return nil, asKerberos(doing, err) }
	request, err := messages.NewASReqForTGT(a.realm, a.config, a.name)
	if err != nil {
		return fail(err)
	}
	raw, err := request.Marshal()
	if err != nil {
		return fail(err)
	}
	reply, err := a.ask(ctx, a.realm, raw)
	var no messages.KRBError
	if errors.As(err, &no) && no.ErrorCode == krbPreauthRequired {
		if raw, err = a.prove(&request, no); err != nil {
			return fail(err)
		}
		reply, err = a.ask(ctx, a.realm, raw)
	}
	if err != nil {
		return fail(err)
	}
	var answer messages.ASRep
	if err := answer.Unmarshal(reply); err != nil {
		return fail(err)
	}
	if ok, err := answer.Verify(a.config, a.credentials(), request); !ok {
		return fail(err)
	}
	part := answer.DecryptedEncPart
	return &ticket{answer.Ticket, part.Key, part.EndTime}, nil
}

// prove adds an encrypted time stamp to a request, in the encryption type that
// the KDC likes best of those the keytab has.
func (a *account) prove(request *messages.ASReq, no messages.KRBError) ([]byte, error) {
	var offered types.PADataSequence
	if err := offered.Unmarshal(no.EData); err != nil {
		return nil, err
	}
	var kinds []int32
	for _, p := range offered {
		if p.PADataType != patype.PA_ETYPE_INFO2 {
			continue
		}
		info, err := p.GetETypeInfo2()
		if err != nil {
			return nil, err
		}
		for _, entry := range info {
			kinds = append(kinds, entry.EType)
		}
	}
	key, version, err := a.key(kinds)
	if err != nil {
		return nil, err
	}
	stamp, err := types.GetPAEncTSEncAsnMarshalled()
	if err != nil {
		return nil, err
	}
	sealed, err := crypto.GetEncryptedData(stamp, key, keyusage.AS_REQ_PA_ENC_TIMESTAMP, version)
	if err != nil {
		return nil, err
	}
	value, err := sealed.Marshal()
	if err != nil {
		return nil, err
	}
	request.PAData = append(request.PAData, types.PAData{PADataType: patype.PA_ENC_TIMESTAMP, PADataValue: value})
	return request.Marshal()
}

// key returns the account's newest key of the first of kinds that the keytab
// has; any, when the KDC named none.
func (a *account) key(kinds []int32) (types.EncryptionKey, int, error) {
	if len(kinds) == 0 {
		kinds = a.config.LibDefaults.DefaultTktEnctypeIDs
	}
	for _, kind := range kinds {
		if key, version, err := a.keytab.GetEncryptionKey(a.name, a.realm, 0, kind); err == nil {
			return key, version, nil
		}
	}
	return types.EncryptionKey{}, 0, &kerberosError{code: krbNoSupportedType, err: errors.New("no key of the keytab is of a type that the KDC takes")}
}

// maxReferrals is how many Kerberos realms may lie between the account and the
// directory.
const maxReferrals = 5

// service asks for a ticket to the service that target names, from realm to
// realm where it is in another (RFC 4120, section 3.3; RFC 6806, section 8).
func (l *login) service(ctx context.Context, target string) (*ticket, error) {
	a := l.account
	fail := func(err error) (*ticket, error) {
		return nil, asKerberos("get a Kerberos service ticket for "+target, err)
	}
	name := types.NewPrincipalName(nametype.KRB_NT_SRV_INST, target)
	realm, granter := a.realm, l.tgt
	var err error
	if other := a.config.ResolveRealm(name.NameString[len(name.NameString)-1]); other != "" && other != realm {
		next := types.PrincipalName{NameType: nametype.KRB_NT_SRV_INST, NameString: []string{"krbtgt", other}}
		if granter, err = a.grant(ctx, realm, granter, next); err != nil {
			return fail(err)
		}
		realm = granter.SName.NameString[1]
	}
	for range maxReferrals {
		t, err := a.grant(ctx, realm, granter, name)
		if err != nil {
			return fail(err)
		}
		if !isGranting(t) {
			return t, nil
		}
		granter, realm = t, t.SName.NameString[1]
	}
	return fail(fmt.Errorf("more than %d Kerberos realms refer to each other", maxReferrals))
}

func isGranting(t *ticket) bool {
	return len(t.SName.NameString) == 2 && t.SName.NameString[0] == "krbtgt"
}

// grant asks a realm's KDC for one ticket.
func (a *account) grant(ctx context.Context, realm string, granter *ticket, name types.PrincipalName) (*ticket, error) {
	request, err := messages.NewTGSReq(a.name, realm, a.config, granter.Ticket, granter.key, name, false)
	if err != nil {
		return nil, err
	}
	raw, err := request.Marshal()
	if err != nil {
		return nil, err
	}
	reply, err := a.ask(ctx, realm, raw)
	if err != nil {
		return nil, err
	}
	var answer messages.TGSRep
	if err := answer.Unmarshal(reply); err != nil {
		return nil, err
	}
	if err := answer.DecryptEncPart(granter.key); err != nil {
		return nil, err
	}
	if ok, err := answer.Verify(a.config, request); !ok {
		return nil, err
	}
	if len(answer.Ticket.SName.NameString) == 0 {
		return nil, errors.New("the KDC's ticket is for nobody")
	}
	part := answer.DecryptedEncPart
	return &ticket{answer.Ticket, part.Key, part.EndTime}, nil
}

// ask sends a request to the first KDC of a realm that answers. A KDC's no is a
// messages.KRBError.
func (a *account) ask(ctx context.Context, realm string, request []byte) (reply []byte, err error) {
	defer guard(&err)
	all, err := a.kdcs(ctx, realm)
	if err != nil {
		return nil, &kerberosError{err: err, hint: kdcHint}
	}
	var failed []string
	for i, addr := range all {
		reply, err := exchange(ctx, addr, request, len(all)-i)
		if err == nil {
			var no messages.KRBError
			if no.Unmarshal(reply) == nil {
				return nil, no
			}
			return reply, nil
		}
		failed = append(failed, fmt.Sprintf("KDC %s: %v", addr, inTime(ctx, err)))
		if ctx.Err() != nil {
			break
		}
	}
	return nil, &kerberosError{err: errors.New(strings.Join(failed, "; ")), hint: kdcHint}
}

// exchange sends one request to one KDC, in its share of the time that is left
// (RFC 4120, section 7.2.2).
func exchange(ctx context.Context, addr string, request []byte, share int) ([]byte, error) {
	left := openTimeout
	if deadline, ok := ctx.Deadline(); ok {
		left = time.Until(deadline)
	}
	left /= time.Duration(share)
	said := left.Round(time.Second) // or the same trouble would have another name each time
	if said == 0 {
		said = left.Round(time.Millisecond)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, left, overdue(said))
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, inTime(ctx, err)
	}
	defer func() { _ = conn.Close() }() // all was said
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	if _, err := conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(request))), request...)); err != nil {
		return nil, inTime(ctx, err)
	}
	var size uint32
	if err := binary.Read(conn, binary.BigEndian, &size); err != nil {
		return nil, inTime(ctx, err)
	}
	if size == 0 || size > maxKDCReply {
		return nil, errors.New("what answers there is no KDC")
	}
	reply := make([]byte, size)
	if _, err := io.ReadFull(conn, reply); err != nil {
		return nil, inTime(ctx, err)
	}
	return reply, nil
}

// asKerberos names what was being done, and explains a KDC's no.
func asKerberos(doing string, err error) error {
	e := &kerberosError{doing: doing, err: err}
	var inner *kerberosError
	if errors.As(err, &inner) {
		e.code, e.err, e.hint = inner.code, inner.err, inner.hint
	}
	var no messages.KRBError
	if errors.As(err, &no) {
		e.code, e.err = no.ErrorCode, fmt.Errorf("the KDC answers %w", no)
	}
	switch {
	case strings.Contains(err.Error(), "clock skew"):
		e.code = krbClockSkew
	case strings.Contains(err.Error(), "matching key not found"), strings.Contains(err.Error(), "integrity verification failed"):
		e.code = krbPreauthFailed // a KDC that asks for no proof leaves it to us to find out
	}
	if known, ok := answers[e.code]; ok {
		e.hint = known.hint
		e.err = fmt.Errorf("%s: %w", known.says, e.err)
	}
	return e
}
