package sandbox

import "time"

// Traits say how the directory behaves. The zero value is a plain directory in
// the manner of OpenLDAP: empty diagnostics, binds by DN only, no entries for
// the in-chain rule, anonymous binds refused.
type Traits struct {
	// ActiveDirectory gives the answers of Active Directory: sub-codes in the
	// diagnostics, binds by UPN and DOMAIN\name, its RootDSE, in-chain and anr,
	// DN with empty password accepted as anonymous (its default).
	ActiveDirectory bool
	// Server389 gives the answers of 389 Directory Server where they differ
	// from OpenLDAP's: results and texts of refused binds, the older controls of
	// its password policy, nsAccountLock, its RootDSE.
	Server389 bool
	// OnlyExtendedPasswords refuses to modify userPassword: a password is
	// changed by the extended operation (RFC 3062).
	OnlyExtendedPasswords bool
	// UnknownUser525 answers binds of unknown names with data 525 instead of
	// 52e. The real thing does, Samba does not.
	UnknownUser525 bool
	// TrailingNUL ends every diagnostic in a NUL, as domain controllers do.
	TrailingNUL bool
	// MaxEntries ends unpaged searches with sizeLimitExceeded after so many
	// entries, and caps the size of a page. Active Directory has 1000; 0 = no cap.
	MaxEntries int
	// RangeSize: attributes with more values come as name;range=0-(n-1), to be
	// asked for piece by piece. Active Directory has 1500; 0 = never.
	RangeSize int
	// NoTokenGroups hides tokenGroups, as from accounts without the right to it.
	NoTokenGroups bool
	// NoMemberOf hides memberOf in the same way.
	NoMemberOf bool
	// RequireTLS refuses simple binds without TLS with strongerAuthRequired.
	RequireTLS bool
	// AnonymousSearch lets clients search that have not bound.
	AnonymousSearch bool
	// NoWriteAccess takes the service account's right to change entries.
	NoWriteAccess bool
	// ConstraintViolation refuses weak passwords with constraintViolation (as
	// Samba does for resets) where Active Directory says unwillingToPerform.
	ConstraintViolation bool
	// LockoutAfter locks an account after so many wrong passwords; 0 = never.
	LockoutAfter int
	// BindsPerSecond is how many passwords it can look at; further ones wait their
	// turn. 0 = any number.
	BindsPerSecond int
	// References are sent as continuation references by each subtree search at
	// the base DN, as domain controllers name their other partitions.
	References []string
	// Delay is how long to wait before an answer. The operation is one of
	// "bind", "search", "modify", "compare", "extended". nil = no delay.
	Delay func(op string) time.Duration
	// Fault is asked before each answer (after Delay) for a misfortune. nil = none.
	Fault func(op string) Fault
}

// Fault is a misfortune that befalls an operation instead of its answer.
type Fault int

// The misfortunes.
const (
	FaultNone        Fault = iota // the ordinary answer
	FaultDrop                     // the connection is closed
	FaultSilence                  // nothing is answered, and the connection stays open
	FaultBusy                     // busy (51)
	FaultUnavailable              // unavailable (52)
)

func (t Traits) delay(op string) time.Duration {
	if t.Delay == nil {
		return 0
	}
	return t.Delay(op)
}

func (t Traits) fault(op string) Fault {
	if t.Fault == nil {
		return FaultNone
	}
	return t.Fault(op)
}
