package identity

// A Reason says why the directory refused.
type Reason string

// The reasons of Active Directory's sub-codes (in brackets), of plain LDAP, and
// of a password change (as the existing connector names them).
const (
	WrongUsername          Reason = "wrong_username"
	AmbiguousUsername      Reason = "ambiguous_username"       // more than one user matches; to the tenant it is the same no
	WrongPassword          Reason = "wrong_password"           // 52e, 525, 530, 531, and what else has no name at the tenant
	PasswordExpired        Reason = "password_expired"         // 532
	AccountDisabled        Reason = "account_disabled"         // 533, 534
	AccountExpired         Reason = "account_expired"          // 701
	PasswordChangeRequired Reason = "password_change_required" // 773
	AccountLocked          Reason = "account_locked"           // 775
	InsufficientAccess     Reason = "insufficient_access"      // the service account may not set passwords
	PasswordTooWeak        Reason = "password_too_weak"        // the directory's password policy said no
	PasswordReused         Reason = "password_reused"          // it said no because the user had that password before
)

// A Refusal is the directory's no. It is an answer, not a fault: the question
// was asked and understood. Every other error means it could not be asked.
type Refusal struct {
	Reason  Reason
	Profile Profile // zero when the user was not found
	Detail  string  // for the log and the operator: "3 entries match"; may be empty
}

func (r *Refusal) Error() string {
	if r.Detail == "" {
		return string(r.Reason)
	}
	return string(r.Reason) + ": " + r.Detail
}
