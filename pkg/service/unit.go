package service

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// A Unit is a service as it is to be.
type Unit struct {
	Name        string
	Description string
	Program     string   // absolute path
	Args        []string // no secrets: every user of the machine may read them
	Home        string   // absolute path; the service works there, and may write there
	Writable    []string // absolute paths of more folders it may write to

	// Owned are the files and folders below Home that Entrust gives to User,
	// none of them with what is in it; those that are not there are passed over.
	Owned []string

	// Credentials are secrets that systemd hands to the service at each of its
	// starts; no other manager has them.
	Credentials []Credential

	// User is the account it runs under, which must exist. On Windows it is
	// empty: the service has an account of its own that the system makes.
	User string

	// Environment is a file of NAME=value lines, or "". It may be missing.
	Environment string

	// Ports are those it listens on; the ones below 1024 need a right that it
	// otherwise does not get.
	Ports []int

	// Watchdog is how long it may keep silent before it is taken for hung, ended
	// and started again; 0: for ever.
	Watchdog time.Duration
}

// A Credential is a secret in a file that only the administrator can read.
type Credential struct {
	Name      string // of the file that the service finds in $CREDENTIALS_DIRECTORY
	File      string // absolute path
	Encrypted bool   // by systemd-creds, for this name
}

// check returns every fault of u, for errors.Join.
func (u Unit) check() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if err := checkName(u.Name); err != nil {
		faults = append(faults, err)
	}
	if err := checkUser(u.User); err != nil {
		faults = append(faults, err)
	}
	// A backslash at the end of a line of a systemd unit joins it with the next.
	if strings.ContainsFunc(u.Description, isControl) || strings.Contains(u.Description, `\`) {
		fault("the description %q has a control character or a backslash", u.Description)
	}
	for _, path := range slices.Concat([]string{u.Program, u.Home}, u.Writable, u.environment(), u.secrets()) {
		if !filepath.IsAbs(path) || filepath.Clean(path) != path {
			fault("%q is no absolute path in its shortest form", path)
		}
		if strings.ContainsFunc(path, isControl) || strings.ContainsAny(path, forbiddenInPaths) || strings.TrimSpace(path) != path {
			fault("%q has a character that the service manager cannot take in a path", path)
		}
	}
	for _, name := range u.Owned {
		if !filepath.IsLocal(name) || name == "." {
			fault("%q is no path below the home", name)
		}
	}
	for _, c := range u.Credentials {
		if !credential.MatchString(c.Name) {
			fault("%q is no name for a credential", c.Name)
		}
	}
	for i, arg := range u.Args {
		if strings.ContainsFunc(arg, isControl) {
			fault("argument %d has a control character", i+1) // not shown: it may be one that was pasted by mistake
		}
	}
	for _, port := range u.Ports {
		if port < 1 || port > 65535 {
			fault("%d is no port", port)
		}
	}
	if u.Watchdog < 0 || u.Watchdog%time.Second != 0 {
		fault("the watchdog's %s are no whole seconds", u.Watchdog)
	}
	if len(faults) > 0 {
		return fmt.Errorf("register %q: %w", u.Name, errors.Join(faults...))
	}
	return nil
}

// What every service manager takes as a name, and as a file's name too.
var name = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9 ._-]{0,79}$`)

// What systemd takes as a credential's name, and more.
var credential = regexp.MustCompile(`^[a-z][a-z0-9-]{0,63}$`)

func checkName(s string) error {
	if !name.MatchString(s) || strings.HasSuffix(s, " ") || strings.HasSuffix(s, ".") {
		return fmt.Errorf("%q is no name for a service: letters, digits, spaces, dots, dashes and underscores, at most 80, "+
			"the first a letter or a digit", s)
	}
	return checkSystemName(s)
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f || r == 0xfffd }

// low reports whether it listens on a port that is not for everybody.
func (u Unit) low() bool {
	for _, port := range u.Ports {
		if port < 1024 {
			return true
		}
	}
	return false
}

func (u Unit) environment() []string {
	if u.Environment == "" {
		return nil
	}
	return []string{u.Environment}
}

// secrets are the files of the credentials.
func (u Unit) secrets() (files []string) {
	for _, c := range u.Credentials {
		files = append(files, c.File)
	}
	return files
}
