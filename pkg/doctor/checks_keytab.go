package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// encTypes are the encryption types of keytabs that matter, with the bit that
// an account has them by (MS-KILE, section 2.2.7), the strongest first.
var encTypes = []struct {
	number int32
	bit    uint32
	name   string
	weak   bool
}{
	{18, 0x10, "aes256-cts-hmac-sha1-96", false}, {17, 0x08, "aes128-cts-hmac-sha1-96", false},
	{20, 0, "aes256-cts-hmac-sha384-192", false}, {19, 0, "aes128-cts-hmac-sha256-128", false},
	{23, 0x04, "rc4-hmac", true}, {3, 0x02, "des-cbc-md5", true}, {1, 0x01, "des-cbc-crc", true},
}

func encName(number int32) string {
	for _, t := range encTypes {
		if t.number == number {
			return t.name
		}
	}
	return fmt.Sprintf("type %d", number)
}

func probeKeytab(ctx context.Context, e *Env) Outcome {
	host := e.signInHost()
	switch {
	case !e.Config.Tenant.Kerberos:
		return Skip(noKerberos)
	case e.OS == "windows" && e.Config.SignIn.Keytab == "":
		return Skip("on Windows the account that the service runs as has the key, and no keytab")
	case e.Config.SignIn.KerberosFrontend && e.Config.SignIn.Keytab == "":
		return Skip("the web server in front has the keytab (WITH_KERBEROS_PROXY_FRONTEND)")
	case e.SignIn.Keytab == nil:
		return Skip(noHome)
	case host == "":
		return Skip("SERVER_URL is not set yet")
	}
	k, err := e.SignIn.Keytab()
	switch {
	case errors.Is(err, fs.ErrPermission):
		return Outcome{Status: Failed, Detail: err.Error(), Remedy: asOwner}
	case err != nil:
		return failure(err)
	}
	want := "HTTP/" + host
	own := slices.DeleteFunc(slices.Clone(k.Keys), func(key Key) bool { return !strings.EqualFold(key.Principal, want) })
	if len(own) == 0 {
		return Outcome{Status: Failed, Observed: k.Path + " is for " + principals(k.Keys), Required: want, Detail: "the keytab has no key for " + want}
	}
	kvno := newest(own)
	own = slices.DeleteFunc(own, func(key Key) bool { return key.KVNO != kvno })
	o := Outcome{Status: Failed, Observed: fmt.Sprintf("%s of %s: version %d, %s", want, k.Path, kvno, kinds(own))}
	if k.Loose != "" {
		o.Required, o.Detail = "access for its owner alone", "others can reach "+k.Path+": "+k.Loose
		o.Remedy, o.Command = "Keep other users out of the keytab: who has it can be any user to this service.", "chmod 600 "+k.Path
		return o
	}
	if !slices.ContainsFunc(own, func(key Key) bool { return !isWeak(key.EncType) }) {
		o.Required = "AES keys"
		o.Detail = "RC4 and DES are weak, and off on Windows Server 2025: it gives no ticket that these keys open"
		return o
	}
	return e.compared(ctx, want, kvno, own, o)
}

// compared holds a keytab's keys against those of the account, as the directory
// has them. Where it does not tell, the keytab alone counts.
func (e *Env) compared(ctx context.Context, spn string, kvno uint32, own []Key, o Outcome) Outcome {
	o.Status = Passed
	if e.SignIn.Holders == nil {
		o.Detail = "it was not held against the KDC: no directory is known"
		return o
	}
	At(ctx, "the search for %s", spn)
	holders, err := e.SignIn.Holders(ctx, spn)
	switch {
	case err != nil:
		o.Detail = "it was not held against the KDC: " + err.Error()
		return o
	case len(holders) != 1 || holders[0].KVNO == 0:
		o.Detail = "it was not held against the KDC: the directory does not tell which key it uses"
		return o
	}
	h := holders[0]
	if kvno != h.KVNO && (kvno > 255 || kvno != h.KVNO%256) {
		o.Status, o.Required = Failed, fmt.Sprintf("version %d", h.KVNO)
		o.Detail = "the KDC has version " + fmt.Sprint(h.KVNO) + " of the key of " + h.DN + ": its password was changed after the keytab was made, or the keytab is another account's"
		return o
	}
	given := int32(0)
	for _, t := range encTypes { // the KDC takes the strongest that the account has
		if t.bit&h.EncTypes != 0 {
			given = t.number
			break
		}
	}
	has := func(number int32) bool {
		return slices.ContainsFunc(own, func(k Key) bool { return k.EncType == number })
	}
	switch {
	case given == 0 && !has(23):
		o.Status, o.Required = Failed, "msDS-SupportedEncryptionTypes 24 of "+h.DN
		o.Detail = "the account does not say that it knows AES, and the keytab has AES keys alone: a domain controller before Windows Server 2025 gives RC4 tickets, which it does not open"
		o.Remedy = "Set msDS-SupportedEncryptionTypes of the account to 24 (AES with 128 and 256 bits)."
	case given != 0 && !has(given):
		o.Status, o.Required = Failed, encName(given)
		o.Detail = "the KDC gives tickets of " + encName(given) + " for " + h.DN + ", and the keytab has no such key"
	default:
		o.Detail = "as " + h.DN + " has it"
	}
	return o
}

func isWeak(number int32) bool {
	for _, t := range encTypes {
		if t.number == number {
			return t.weak
		}
	}
	return false
}

func newest(keys []Key) (kvno uint32) {
	for _, k := range keys {
		kvno = max(kvno, k.KVNO)
	}
	return kvno
}

func kinds(keys []Key) string {
	var names []string
	for _, k := range keys {
		if n := encName(k.EncType); !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	return strings.Join(names, ", ")
}

// principals names whose keys there are, and not endlessly many.
func principals(keys []Key) string {
	const most = 5
	var names []string
	for _, k := range keys {
		if n := k.Principal + "@" + k.Realm; !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	switch {
	case len(names) == 0:
		return "nobody"
	case len(names) > most:
		names = append(names[:most], fmt.Sprintf("%d more", len(names)-most))
	}
	return strings.Join(names, ", ")
}
