package doctor

import (
	"context"
	"errors"
	"time"
)

// A Phase is a part of an exchange with another machine.
type Phase string

// The phases, in the order in which an exchange goes through them.
const (
	PhaseLookup    Phase = "lookup"    // of the machine's name
	PhaseDial      Phase = "dial"      // to it, or to the proxy before it
	PhaseConnect   Phase = "connect"   // the proxy is asked to let us through
	PhaseHandshake Phase = "handshake" // of TLS
	PhaseRequest   Phase = "request"   // it is sent
	PhaseAnswer    Phase = "answer"    // it is waited for, or read
	PhaseUpgrade   Phase = "upgrade"   // the answer to a websocket's request
	PhaseFrames    Phase = "frames"    // a websocket's
	PhaseVerdict   Phase = "verdict"   // the hub's, on the agent
)

// A Stop is where an exchange with another machine ended too early, and why.
// Whoever fills in an Env returns it where a phase is known.
type Stop struct {
	Phase Phase
	At    string // what was under way: "the TLS handshake with acme.example:443"
	Hung  bool   // nobody said no: no answer came in time
	// Traffic is what had passed on the connection: "1750 bytes sent, none
	// received"; "" when there was none.
	Traffic string
	// Small says that the TLS handshake hung, and that one which begins with a
	// small packet gets through.
	Small bool
	// Certificate says that all is well but the trust in the other side's
	// certificate.
	Certificate bool
	Err         error // why; it may have a Hint() string
}

func (s *Stop) Error() string {
	if !s.Hung {
		return s.Err.Error()
	}
	text := "no answer in time; it hung at " + s.At
	if s.Traffic != "" {
		text += ", with " + s.Traffic
	}
	if s.Small {
		text += "; a handshake that begins with a small packet gets through: something on the way loses the large ones of today (post-quantum key exchange)"
	}
	return text
}

// Unwrap returns the reason.
func (s *Stop) Unwrap() error { return s.Err }

// silences say what to do when nothing comes any more in the middle of an
// exchange. For those that are not here, the error has the better advice.
var silences = map[Phase]string{
	PhaseConnect:   "Check that HTTP_PROXY names an HTTP proxy's port, and ask whoever runs the proxy why it does not answer.",
	PhaseHandshake: smallPackets,
	PhaseRequest:   smallPackets,
	PhaseAnswer:    smallPackets,
	PhaseUpgrade:   "Ask whoever runs the proxy or the firewall on the way to let websockets through to the hub.",
	PhaseFrames:    "Ask whoever runs the proxy or the firewall on the way to let websockets through to the hub.",
	PhaseVerdict:   "Try again later, and look at the tenant's status page if it goes on.",
}

const smallPackets = "Look for a firewall that drops packets of connections that stand, and for a path that takes small packets only: try an MTU of 1300 on this machine's interface."

const smallGreeting = "Have the firewall or proxy on the way updated, or its TLS inspection left out for this host; until then set GODEBUG=tlsmlkem=0,tlssecpmlkem=0 in the service's environment."

// stopped is the outcome of an exchange that did not come to its end.
func stopped(err error) Outcome {
	if unknown := Unknown(""); errors.As(err, &unknown) {
		return Skip(err.Error())
	}
	o := Fail(err.Error())
	o.Remedy = hintOf(err)
	if s := (*Stop)(nil); errors.As(err, &s) && s.Hung && silences[s.Phase] != "" {
		o.Remedy = silences[s.Phase]
		if s.Small {
			o.Remedy = smallGreeting
		}
	}
	return o
}

// hintOf is the advice of an error, "" when it has none.
func hintOf(err error) string {
	var advised interface{ Hint() string }
	if errors.As(err, &advised) {
		return advised.Hint()
	}
	return ""
}

// An Unknown error says why something cannot be asked here. The check that
// meets it is skipped.
type Unknown string

func (e Unknown) Error() string { return string(e) }

// soon ends a little before ctx does, so that a probe whose time is over can
// still say in its own words where it hung.
func soon(ctx context.Context) (context.Context, context.CancelFunc) {
	end, limited := ctx.Deadline()
	if !limited {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, end.Add(-min(time.Until(end)/10, time.Second)))
}
