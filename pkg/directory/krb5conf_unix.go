//go:build unix

package directory

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/jcmturner/gokrb5/v8/config"
)

// defaultKrb5Conf is where krb5.conf is when nobody says otherwise; it need not
// be there.
const defaultKrb5Conf = "/etc/krb5.conf"

// Encryption types, the ones that directories have first. RC4 is for those that
// have nothing better.
const encryptionTypes = "aes256-cts-hmac-sha1-96 aes128-cts-hmac-sha1-96 aes256-cts-hmac-sha384-192 aes128-cts-hmac-sha256-128 rc4-hmac"

// readKrb5Conf reads what matters of krb5.conf: realms, KDCs, and whose hosts
// are whose. The library's reader knows neither files that include others nor
// sections that occur twice, and stumbles over what it does not need.
func readKrb5Conf(path string) (*config.Config, error) {
	given := path != ""
	if !given {
		path = defaultKrb5Conf
	}
	s := krb5Sections{}
	err := s.read(path, 0)
	if err != nil && (given || !errors.Is(err, fs.ErrNotExist)) {
		return nil, &kerberosError{doing: "read " + path, err: pathless(err), hint: "LDAP_KRB5_CONF is the path of Kerberos's configuration, usually " + defaultKrb5Conf}
	}
	conf, err := parseKrb5Conf(s.text())
	if err != nil {
		return nil, &kerberosError{doing: "read " + path, err: err, hint: "kinit says where krb5.conf is wrong"}
	}
	if conf.LibDefaults.DefaultRealm == "" && len(conf.Realms) == 1 {
		conf.LibDefaults.DefaultRealm = conf.Realms[0].Realm
	}
	return conf, nil
}

func parseKrb5Conf(text string) (conf *config.Config, err error) {
	defer func() {
		if recover() != nil { // the library's reader does not expect everything
			conf, err = nil, errors.New("it is not of the form of krb5.conf")
		}
	}()
	conf, err = config.NewFromString(text)
	var odd config.UnsupportedDirective
	if errors.As(err, &odd) {
		err = nil
	}
	if err != nil {
		return nil, err
	}
	return conf, nil
}

// krb5Sections are the lines of each section, from wherever they come.
type krb5Sections map[string][]string

// maxIncludes is how deep krb5.conf's files may include each other.
const maxIncludes = 5

func (s krb5Sections) read(path string, depth int) error {
	text, err := readSmall(path)
	if err != nil {
		return err
	}
	section := ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		word, rest, _ := strings.Cut(line, " ")
		rest = strings.TrimSpace(rest)
		switch {
		case line == "" || line[0] == '#' || line[0] == ';' || word == "module":
		case line[0] == '[':
			section, _, _ = strings.Cut(line[1:], "]")
		case depth < maxIncludes && word == "include":
			if err := s.read(rest, depth+1); err != nil {
				return err
			}
		case depth < maxIncludes && word == "includedir":
			if err := s.readAll(rest, depth+1); err != nil {
				return err
			}
		default:
			s[section] = append(s[section], line)
		}
	}
	return nil
}

// plain matches the files of a folder that count.
var plain = regexp.MustCompile(`^[A-Za-z0-9_-]+$|^[^.].*\.conf$`)

func (s krb5Sections) readAll(dir string, depth int) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // as MIT Kerberos has it, so that packages may come and go
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !plain.MatchString(e.Name()) || e.IsDir() {
			continue
		}
		if err := s.read(filepath.Join(dir, e.Name()), depth); err != nil {
			return err
		}
	}
	return nil
}

// text is a configuration of what matters, where the first value counts.
func (s krb5Sections) text() string {
	defaults := map[string]string{"dns_lookup_kdc": "true", "default_tkt_enctypes": encryptionTypes, "default_tgs_enctypes": encryptionTypes}
	seen := map[string]bool{}
	for _, line := range s["libdefaults"] {
		key, value, found := strings.Cut(line, "=")
		key = strings.ToLower(strings.TrimSpace(key))
		switch key {
		case "default_realm", "dns_lookup_kdc", "clockskew", "default_tkt_enctypes", "default_tgs_enctypes", "allow_weak_crypto":
			if found && !seen[key] {
				defaults[key], seen[key] = value, true
			}
		}
	}
	var b strings.Builder
	b.WriteString("[libdefaults]\n")
	for key, value := range defaults {
		b.WriteString(key + " = " + value + "\n")
	}
	for _, section := range []string{"realms", "domain_realm"} {
		b.WriteString("[" + section + "]\n" + strings.Join(s[section], "\n") + "\n")
	}
	return b.String()
}
