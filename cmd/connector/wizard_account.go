package main

import (
	"context"
	"errors"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/directory"
	"ad-ldap-connector/pkg/identity"
)

// account finds out as whom to search, and tries it at once where somebody can
// answer again.
func (w *wizard) account(ctx context.Context) error {
	d := &w.config.Directory
	if w.answers.anonymous {
		d.BindMethod = string(directory.Simple) // nobody, which has no other method
		d.BindUser, d.BindPassword, d.BindCredentials, d.Anonymous = "", "", "", true
		return nil
	}
	if d.Anonymous && d.BindUser == "" && w.answers.user == "" && d.BindMethod == string(directory.Simple) {
		return nil // the home's settings say so
	}
	another := w.answers.user != "" && w.answers.user != d.BindUser
	if user := w.answers.user; another {
		d.BindCredentials = "" // another's password would be refused, and counted
		if err := w.config.Set("LDAP_BIND_USER", user); err != nil {
			return &usageError{err}
		}
	}
	if d.BindMethod == string(directory.External) && d.ClientCert == "" {
		return usagef("still needed: --ldap-client-cert, for --ldap-bind-method external")
	}
	if err := w.knownPassword(another); err != nil {
		return err
	}
	if !w.guided {
		w.lacking()
		return nil
	}
	for try := 1; ; try++ {
		err := w.askAccount()
		if err != nil || w.untried {
			return err
		}
		if err = w.admit(ctx); err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		var refusal *identity.Refusal
		if !errors.As(err, &refusal) || try == maxTries {
			return gaveUp("check-directory", err)
		}
		w.tell("%s", visible(oneLine(err.Error())))
		w.tell("%s; %d of %d tries are left", refusedAccount[refusal.Reason], maxTries-try, maxTries)
		user, err := w.input("Service account", d.BindUser, accountHelp)
		if err != nil {
			return err
		}
		d.BindUser, d.BindPassword, d.BindCredentials = user, "", ""
	}
}

const accountHelp = "a DN, user@corp.example or CORP\\user that may read users and groups"

// needsName reports whether the account has no name but the one it is given:
// else a certificate or a ticket says who it is.
func (w *wizard) needsName() bool {
	d := w.config.Directory
	return d.BindUser == "" && (d.BindMethod == string(directory.Simple) || d.Keytab != "")
}

func (w *wizard) needsPassword() bool {
	d := w.config.Directory
	return d.BindMethod == string(directory.Simple) && d.BindPassword == ""
}

// knownPassword takes the password from the flags, or opens the home's, which is
// of no use to another account.
func (w *wizard) knownPassword(another bool) error {
	d := &w.config.Directory
	if d.BindMethod != string(directory.Simple) {
		return nil
	}
	if w.answers.password.given() {
		text, err := w.readLine(&w.answers.password)
		d.BindPassword = config.Secret(text)
		return err
	}
	if w.config.Stored() && !another {
		text, err := bindPassword(w.home, *w.config)
		d.BindPassword = config.Secret(text)
		return ignoreMissing(err)
	}
	if d.BindPassword == "" && d.BindCredentials != "" && openableHome(w.home, *w.config) {
		text, err := bindPassword(w.home, *w.config)
		d.BindPassword = config.Secret(text)
		return err
	}
	return nil
}

// lacking notes what nobody can be asked for.
func (w *wizard) lacking() {
	if w.needsName() {
		w.missing = append(w.missing, "--ldap-bind-user (or --anonymous)")
	}
	if w.needsPassword() {
		w.missing = append(w.missing, "a password (--ldap-bind-password-file, --ldap-bind-password-stdin or LDAP_BIND_PASSWORD)")
	}
}

func (w *wizard) askAccount() error {
	d := &w.config.Directory
	for w.needsName() {
		answer, err := w.input("Service account", "", accountHelp)
		if err != nil {
			return err
		}
		d.BindUser = answer
	}
	for w.needsPassword() {
		answer, err := w.password("Password of " + d.BindUser)
		if err != nil {
			return err
		}
		if w.refused[attempt{d.BindUser, identity.Password(answer)}] {
			w.tell("that password was refused a moment ago, and is not tried again")
			answer = ""
		}
		d.BindPassword = config.Secret(answer)
	}
	return nil
}

// admit has the directory judge the account, with one bind.
func (w *wizard) admit(ctx context.Context) error {
	d := w.config.Directory
	err := w.inspect(ctx, func(ctx context.Context, i *directory.Inspector) error {
		if _, err := i.Servers(ctx); err != nil {
			return err
		}
		return i.Admit(ctx, w.server)
	})
	var refusal *identity.Refusal
	if errors.As(err, &refusal) {
		w.refused[attempt{d.BindUser, identity.Password(d.BindPassword)}] = true
	}
	if err == nil && d.BindUser != "" {
		w.tell("account: %s is let in", visible(d.BindUser))
	}
	return err
}

// refusedAccount says what a refusal of the service account means.
var refusedAccount = map[identity.Reason]string{
	identity.WrongUsername:          "the directory does not know this account",
	identity.WrongPassword:          "name or password is wrong",
	identity.PasswordExpired:        "the password has expired; an administrator of the directory must set a new one, better one that does not expire",
	identity.AccountDisabled:        "the account is disabled; an administrator of the directory can enable it",
	identity.AccountExpired:         "the account has expired; an administrator of the directory can prolong it",
	identity.PasswordChangeRequired: "the password must be changed before it can be used; nobody does that for a service account but an administrator",
	identity.AccountLocked:          "the account is locked; wait for the directory to unlock it, or ask an administrator to",
}
