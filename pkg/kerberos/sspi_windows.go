package kerberos

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"
	"unsafe"

	"github.com/alexbrainman/sspi"
	"golang.org/x/sys/windows"
)

// An account judges tokens as the Windows account that the process runs as:
// Windows has its keys.
type account struct {
	o    Options
	seen *replays

	mu   sync.Mutex
	cred *sspi.Credentials
}

func newAccount(o Options) prover { return &account{o: o, seen: newReplays(o.Skew)} }

// credentials are acquired once. Windows follows changes of the account's
// password by itself. Of the packages Kerberos's own is asked for, so that no
// token talks Windows into NTLM.
func (a *account) credentials() (*sspi.Credentials, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.cred != nil {
		return a.cred, nil
	}
	cred, err := sspi.AcquireCredentials("", sspi.MICROSOFT_KERBEROS_NAME, sspi.SECPKG_CRED_INBOUND, nil)
	if err != nil {
		return nil, fmt.Errorf("get the Kerberos keys of the service's account: %w", err)
	}
	a.cred = cred
	return cred, nil
}

func (a *account) check() (string, error) {
	if _, err := a.credentials(); err != nil {
		return "", err
	}
	own := ownRealms()
	if len(own) == 0 {
		return "", errors.New("this machine is in no domain, and without a keytab there are no Kerberos keys")
	}
	return "the account that the service runs as, " + strings.Join(own, ", "), nil
}

// maxAnswer is more than any AP-REP, in octets.
const maxAnswer = 64 << 10

func (a *account) prove(t token, ours []binding) (p proof, err error) {
	defer guard(&err)
	cred, err := a.credentials()
	if err != nil {
		return proof{}, err
	}
	raw, err := wrap(idRequest, t.request)
	if err != nil {
		return proof{}, err
	}
	flags := uint32(sspi.ASC_REQ_CONNECTION | sspi.ASC_REQ_REPLAY_DETECT | sspi.ASC_REQ_MUTUAL_AUTH)
	var channel []byte
	if len(ours) > 0 && a.o.Binding != BindingNone {
		channel = secChannelBindings(ours[0].data)
		if a.o.Binding != BindingRequire {
			flags |= ascAllowMissingBindings
		}
	}
	c := sspi.NewServerContext(cred, flags)
	out, err := accept(c, raw, channel)
	if err != nil {
		return proof{}, err
	}
	defer func() { _ = c.Release() }() // it has served
	name, err := clientName(c)
	if err != nil {
		return proof{}, err
	}
	i := strings.LastIndexByte(name, '@')
	if i < 0 {
		return proof{}, deny(WrongName, "%.80q", name)
	}
	// Windows remembers tokens too, but says nothing of how many.
	switch first, room := a.seen.first(raw, a.o.Now()); {
	case !first:
		return proof{}, deny(Replayed, "")
	case !room:
		return proof{}, deny(Busy, "")
	}
	p = proof{name: name[:i], realm: name[i+1:], own: ownRealms()}
	if message := bareReply(out); message != nil || t.mech != nil {
		p.reply, err = t.reply(message)
	}
	return p, err
}

// accept hands a token to Windows. More than one exchange is none of
// Kerberos's over HTTP.
func accept(c *sspi.Context, raw, channel []byte) ([]byte, error) {
	in := make([]sspi.SecBuffer, 1, 2)
	in[0].Set(sspi.SECBUFFER_TOKEN, raw)
	if channel != nil {
		in = append(in, sspi.SecBuffer{})
		in[1].Set(sspi.SECBUFFER_CHANNEL_BINDINGS, channel)
	}
	room := make([]byte, maxAnswer)
	out := make([]sspi.SecBuffer, 1)
	out[0].Set(sspi.SECBUFFER_TOKEN, room)
	code := c.Update(nil, sspi.NewSecBufferDesc(out), sspi.NewSecBufferDesc(in))
	if code == sspi.SEC_E_OK {
		return room[:out[0].BufferSize], nil
	}
	if reason, ok := codes[uint32(code)]; ok {
		return nil, deny(reason, "Windows says 0x%08x", uint32(code))
	}
	return nil, deny(Malformed, "Windows says 0x%08x", uint32(code))
}

// What AcceptSecurityContext says (winerror.h).
var codes = map[uint32]Reason{
	0x80090308: Malformed,    // SEC_E_INVALID_TOKEN
	0x8009030C: WrongKey,     // SEC_E_LOGON_DENIED
	0x80090322: WrongKey,     // SEC_E_WRONG_PRINCIPAL
	0x80090324: ClockSkew,    // SEC_E_TIME_SKEW
	0x80090328: Expired,      // SEC_E_CERT_EXPIRED
	0x80090346: WrongBinding, // SEC_E_BAD_BINDINGS
	0x8009030E: WrongKey,     // SEC_E_NO_CREDENTIALS
}

// ascAllowMissingBindings takes browsers that name no TLS connection
// (ASC_REQ_ALLOW_MISSING_BINDINGS).
const ascAllowMissingBindings = 0x10000000

// secChannelBindings is a SEC_CHANNEL_BINDINGS: eight numbers, then the data.
func secChannelBindings(data []byte) []byte {
	const head = 32
	b := make([]byte, head, head+len(data))
	binary.LittleEndian.PutUint32(b[24:], uint32(len(data)))
	binary.LittleEndian.PutUint32(b[28:], head)
	return append(b, data...)
}

// clientName is the Kerberos principal of the browser's user
// (SECPKG_ATTR_NATIVE_NAMES).
func clientName(c *sspi.Context) (string, error) {
	const nativeNames = 13
	var names struct{ client, server *uint16 }
	if code := sspi.QueryContextAttributes(c.Handle, nativeNames, (*byte)(unsafe.Pointer(&names))); code != sspi.SEC_E_OK {
		return "", fmt.Errorf("ask Windows for the user of a Kerberos service ticket: 0x%08x", uint32(code))
	}
	for _, p := range []*uint16{names.client, names.server} {
		if p != nil {
			defer sspi.FreeContextBuffer((*byte)(unsafe.Pointer(p)))
		}
	}
	return windows.UTF16PtrToString(names.client), nil
}

// bareReply takes the frame off Windows's answer; nil when there is none.
func bareReply(out []byte) []byte {
	_, inner, err := unwrap(out)
	if err != nil {
		return nil
	}
	message, ok := strings.CutPrefix(string(inner), idReply)
	if !ok {
		return nil
	}
	return []byte(message)
}

// ownRealms is the domain of this machine.
func ownRealms() []string {
	size := uint32(256)
	name := make([]uint16, size)
	if err := windows.GetComputerNameEx(windows.ComputerNameDnsDomain, &name[0], &size); err != nil || size == 0 {
		return nil
	}
	return []string{strings.ToUpper(windows.UTF16ToString(name))}
}
