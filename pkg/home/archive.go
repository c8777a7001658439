package home

import (
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/keys"
)

// An Archive is what makes another node of a connector, read and checked.
type Archive struct {
	Config config.Config
	Pair   *keys.Pair
	Mapper string // the operator's script; "" when there is none
	CA     []byte // the authorities that the install was given; nil when it has none
	// Manifest is where it came from; nil when that is not said.
	Manifest *Manifest
	// Notes are sentences for the operator: what was in the archive and has
	// not been taken, and what is missing from it.
	Notes []string
}

// ReadArchive reads an archive that a connector exported: ours, that of the
// existing connector, and that of its newer releases, which keep their files
// below data/. A single folder around everything does not matter. Nothing is
// written. The archive is refused when it could not make a working node: when
// the configuration or the keys are missing or do not parse, the key does not
// belong to the certificate, or the sealed password does not open with it; and
// when it is no honest archive: with names that lead elsewhere, links,
// duplicates, or far more than a connector's files when unpacked. Files of
// other names are passed over, and noted.
func ReadArchive(r io.ReaderAt, size int64) (*Archive, error) {
	found, comment, notes, err := unpack(r, size)
	if err != nil {
		return nil, fmt.Errorf("read the archive: %w", err)
	}
	a := &Archive{Notes: notes, Mapper: string(found[mapperFile])}
	if a.Manifest, notes, err = readManifest(comment, found); err != nil {
		return nil, fmt.Errorf("read the archive: %w", err)
	}
	a.Notes = append(a.Notes, notes...)
	if a.Manifest != nil && a.Manifest.Authorities != "" {
		a.CA = []byte(a.Manifest.Authorities)
	}
	if err := a.parse(found); err != nil {
		return nil, fmt.Errorf("read the archive: %w", err)
	}
	return a, nil
}

func (a *Archive) parse(found files) (err error) {
	text, ok := found[configFile]
	if !ok {
		return fmt.Errorf("there is no %s in it", configFile)
	}
	if a.Config, err = config.Parse(text); err != nil {
		return fmt.Errorf("%s: %w", configFile, err)
	}
	// A connector may keep its keys in its configuration instead.
	if a.Pair, err = configuredKeys(a.Config); err != nil {
		return err
	}
	if a.Pair == nil {
		for _, name := range []string{certFile, keyFile} {
			if _, ok := found[name]; !ok {
				return fmt.Errorf("there is no %s in it", name)
			}
		}
		if a.Pair, err = keys.Parse(found[certFile], found[keyFile]); err != nil {
			return err
		}
	}
	if err := opens(a.Config, a.Pair); err != nil {
		return err
	}
	d := a.Config.Directory
	for _, file := range [][2]string{{"LDAP_CLIENT_CERT", d.ClientCert}, {"LDAP_CLIENT_KEY", d.ClientKey}, {"LDAP_KEYTAB", d.Keytab}} {
		if file[1] != "" {
			a.Notes = append(a.Notes, fmt.Sprintf("%s names %q, which is not part of an archive; copy that file as well.", file[0], file[1]))
		}
	}
	if d.BindMethod == "simple" && d.BindUser != "" && d.BindPassword == "" && d.BindCredentials == "" && !d.Anonymous {
		a.Notes = append(a.Notes, "The archive does not hold the service account's password; set it after the import.")
	}
	if p := a.Config.Network.CAPath; p != "" && (a.CA == nil || !isOwnCA(p)) {
		a.Notes = append(a.Notes, fmt.Sprintf("SSL_CA_PATH names %q, which is not part of an archive; it must be there on this machine as well.", p))
	}
	if name := a.Config.Mapper.File; a.Config.Mapper.Source == "" && name != "" && path.Clean(strings.TrimSuffix(name, ".js")) != "profileMapper" {
		a.Notes = append(a.Notes, fmt.Sprintf("PROFILE_MAPPER_FILE names %q, which is not part of an archive; copy that file as well.", name))
	}
	return nil
}

// layouts says under which names a file of the home lies in an archive; the
// first that is there counts. A connector of the newer layout may still have
// files of the older one about, which it no longer reads.
var layouts = map[string][]string{
	configFile: {"data/config.json", configFile},
	certFile:   {"data/certs/cert.pem", certFile},
	keyFile:    {"data/certs/cert.key", keyFile},
	mapperFile: {"data/profileMapper/custom.js", mapperFile},
}

// choose picks a connector's files from the checked names of an archive, and
// returns the rest in order.
func choose(names []string) (chosen map[string]string, rest []string, err error) {
	top, err := topFolder(names)
	if err != nil {
		return nil, nil, err
	}
	chosen = map[string]string{}
	for file, places := range layouts {
		for _, place := range places {
			if chosen[file] == "" && slices.Contains(names, top+place) {
				chosen[file] = top + place
			}
		}
	}
	for _, name := range names {
		taken := false
		for _, c := range chosen {
			taken = taken || c == name
		}
		if !taken {
			rest = append(rest, name)
		}
	}
	return chosen, rest, nil
}

// topFolder returns the folder, with its slash, that the configuration lies in,
// or "" when there is none around it.
func topFolder(names []string) (string, error) {
	var tops []string
	for _, name := range names {
		folder, file, ok := strings.Cut(name, "/")
		if name == configFile || name == "data/"+configFile {
			return "", nil
		}
		if ok && (file == configFile || file == "data/"+configFile) && !slices.Contains(tops, folder) {
			tops = append(tops, folder)
		}
	}
	switch len(tops) {
	case 0:
		return "", nil
	case 1:
		return tops[0] + "/", nil
	}
	return "", errors.New("it holds several connectors: " + quoted(tops))
}

func quoted(names []string) string {
	for i, name := range names {
		names[i] = fmt.Sprintf("%.60q", name)
	}
	return strings.Join(names, ", ")
}
