package home

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/keys"
)

// A Node is an installation of the Node connector, which this one takes over
// from in the same folder.
type Node struct {
	Version string // as its package.json has it, or ""
	Data    bool   // it keeps its files below data/, as its newer releases do
}

// dataFolder is where newer releases keep what belongs to the operator.
const dataFolder = "data"

// FindNode reports whether the Node connector is in a folder: its program, by
// its name or its files. A folder that only has the name that installers choose
// is none.
func FindNode(dir string) (n Node, ok bool) {
	var about struct{ Name, Version string }
	if data, err := contents(anywhere{}, filepath.Join(dir, "package.json")); err == nil && json.Unmarshal(data, &about) == nil {
		ok = strings.Contains(about.Name, "ad-ldap-connector")
	}
	has := func(name string) bool {
		info, err := os.Stat(filepath.Join(dir, filepath.FromSlash(name)))
		return err == nil && info.Mode().IsRegular()
	}
	if !ok && (!has("server.js") || !has("ws_validator.js")) {
		return Node{}, false
	}
	if ok {
		n.Version = about.Version
	}
	n.Data = has(dataFolder + "/" + configFile)
	return n, true
}

// Node reports whether the Node connector is in this home.
func (h *Home) Node() (Node, bool) { return FindNode(h.dir) }

// A Data value is what the Node connector's newer releases keep below data/,
// read and checked.
type Data struct {
	Config config.Config // with the environment above it, as Home.Config has it
	Notes  []string      // sentences for the operator: what is not there, or works in another way

	files files
	pair  *keys.Pair
}

// Password opens the service account's password, "" if it is not there.
func (d *Data) Password() (string, error) {
	c := d.Config.Directory
	if c.BindPassword != "" || c.BindCredentials == "" || d.pair == nil {
		return string(c.BindPassword), nil
	}
	return d.pair.Open(string(c.BindCredentials))
}

// ReadData reads what lies below data/. Nothing is written. It is refused when
// it could not make a working home: when it does not parse, or the key does not
// belong to the certificate.
func (h *Home) ReadData() (*Data, error) {
	d := &Data{files: files{}}
	for name, places := range layouts {
		data, err := readFile(h.Path(filepath.FromSlash(places[0])))
		if err == nil {
			d.files[name] = data
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	if err := d.check(h); err != nil {
		return nil, fmt.Errorf("read %s: %w", h.Path(dataFolder), err)
	}
	return d, nil
}

func (d *Data) check(h *Home) error {
	c, err := config.Parse(d.files[configFile])
	if err != nil {
		return fmt.Errorf("%s: %w", configFile, err)
	}
	pair, err := configuredKeys(c)
	if err != nil {
		return err
	}
	cert, key := d.files[certFile], d.files[keyFile]
	if pair == nil && (cert != nil || key != nil) {
		if pair, err = keys.Parse(cert, key); err != nil {
			return err
		}
	}
	if pair != nil {
		if err := opens(c, pair); err != nil {
			return err
		}
	}
	d.pair = pair
	b := c.Directory
	if b.BindMethod == "simple" && b.BindUser != "" && b.BindPassword == "" && b.BindCredentials == "" && !b.Anonymous {
		d.Notes = append(d.Notes, "The service account's password is in the system's keychain, where only the former connector can read it; it is needed once more.")
	}
	if c.Source("SSL_PFX") != "default" && c.Source("SSL_KEY_PASSWORD") == "default" {
		d.Notes = append(d.Notes, "The password of SSL_PFX may be in the system's keychain as well; if so, set SSL_KEY_PASSWORD.")
	}
	if c.Mapper.Source != "" && d.files[mapperFile] != nil {
		d.Notes = append(d.Notes, "PROFILE_MAPPER is set, and counts before "+layouts[mapperFile][0]+" here; unset it to use that script.")
	}
	if d.Config, err = c.WithEnv(h.environ); err != nil {
		return fmt.Errorf("read the environment: %w", err)
	}
	return nil
}

// AdoptData copies what lies below data/ to the home's own places, all of it or
// nothing; data/ itself is left as it is. What was in those places, and the
// Node connector no longer read, is kept in the folder backup, "" if nothing
// was.
func (h *Home) AdoptData(d *Data) (backup string, err error) { return h.replace(d.files) }

// Configured reports whether a connector was configured in this home.
func (h *Home) Configured() bool { return holdsConnector(h.dir) }
