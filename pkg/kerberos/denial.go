package kerberos

import "fmt"

// A Reason says why a token proves nobody.
type Reason string

// The reasons there are.
const (
	Malformed    Reason = "malformed"     // it is no Kerberos token
	WrongService Reason = "wrong_service" // the service ticket is for another service
	WrongKey     Reason = "wrong_key"     // no key of ours opens it
	Expired      Reason = "expired"       // it has ended
	NotYet       Reason = "not_yet"       // it has not begun
	ClockSkew    Reason = "clock_skew"    // the browser's clock and ours are too far apart
	Replayed     Reason = "replayed"      // it has been used before
	WrongBinding Reason = "wrong_binding" // it was made for another TLS connection
	WrongRealm   Reason = "wrong_realm"   // users of its realm are not taken
	WrongName    Reason = "wrong_name"    // it is no user's
	Busy         Reason = "busy"          // there is no room to remember it
)

// A Denial says that a token proves nobody. It holds nothing of the token that
// is secret.
type Denial struct {
	Reason Reason
	Detail string
}

func deny(r Reason, format string, args ...any) error {
	return &Denial{r, fmt.Sprintf(format, args...)}
}

var said = map[Reason]string{
	Malformed:    "the Kerberos token is malformed",
	WrongService: "the Kerberos service ticket is for another service",
	WrongKey:     "no key of the keytab opens the Kerberos service ticket",
	Expired:      "the Kerberos service ticket has expired",
	NotYet:       "the Kerberos service ticket is not valid yet",
	ClockSkew:    "the clocks of the browser and of this machine are too far apart",
	Replayed:     "the Kerberos token has been used before",
	WrongBinding: "the Kerberos token was not made for this TLS connection",
	WrongRealm:   "users of this Kerberos realm are not taken",
	WrongName:    "the Kerberos service ticket is no user's",
	Busy:         "too many Kerberos tokens at this time",
}

func (d *Denial) Error() string {
	if d.Detail == "" {
		return said[d.Reason]
	}
	return said[d.Reason] + ": " + d.Detail
}

// Hint says what usually mends it.
func (d *Denial) Hint() string {
	switch d.Reason {
	case WrongKey:
		return "make the keytab anew after the account's password has changed (connector help kerberos), and look which account has the service principal name: connector doctor"
	case ClockSkew, NotYet:
		return "set the clocks of this machine and of the browser's by the domain's time servers"
	case WrongRealm:
		return "list the Kerberos realm in KERBEROS_REALMS, if its users are to be taken"
	case WrongService:
		return "list the service principal in KERBEROS_PRINCIPAL, if it is this service"
	case WrongBinding:
		return "what ends TLS in front of the connector hides the browser's connection: set KERBEROS_CHANNEL_BINDING to none where that is meant"
	}
	return ""
}
