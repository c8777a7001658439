package home

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/keys"
)

// Export writes the archive that makes another node of this one: a zip of
// config.json, lib/profileMapper.js (when there is a mapper), certs/cert.key
// and certs/cert.pem, which the existing connector can import too. It holds the
// private key in the clear. Nothing is written unless all of it is good: the
// configuration parses, key and certificate belong together, and the sealed
// password opens. The same files give the same bytes. A manifest is the zip's
// comment, unless from is empty.
//
// The configuration is the file as it lies there, without what c has from the
// environment. In env-only mode it is made of all that c has.
func (h *Home) Export(w io.Writer, c config.Config, from Origin) error {
	archive, err := h.archive(c, from)
	if err != nil {
		return fmt.Errorf("export %s: %w", h.dir, err)
	}
	if _, err := w.Write(archive); err != nil {
		return fmt.Errorf("export %s: write the archive: %w", h.dir, err)
	}
	return nil
}

func (h *Home) archive(c config.Config, from Origin) ([]byte, error) {
	pair, err := h.Keys(c)
	if err != nil {
		return nil, err
	}
	script, source, err := h.Mapper(c)
	if err != nil {
		return nil, err
	}
	var conf config.Config
	var data []byte
	if c.EnvOnly() {
		if c.Stored() {
			var password string
			password, err = h.BindPassword(c)
			c.Directory.BindPassword = config.Secret(password)
		}
		if err == nil {
			conf, err = written(c, pair)
		}
		if err == nil {
			data, err = conf.Encode()
		}
	} else if conf, err = h.fileConfig(); err == nil {
		data, err = h.exported(&conf, source, pair)
	}
	if err == nil {
		err = opens(conf, pair)
	}
	if err != nil {
		return nil, err
	}
	// A script in the file's PROFILE_MAPPER travels inside config.json, and the
	// file that it overrules as it is.
	if conf.Mapper.Source != "" {
		file, err := h.read(mapperFile)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		script = string(file)
	}
	cert, key := pair.PEM()
	exported := []file{{configFile, data}, {mapperFile, []byte(script)}, {keyFile, key}, {certFile, cert}}
	about, err := h.manifest(from, exported)
	if err != nil {
		return nil, err
	}
	return pack(about, exported...)
}

// exported returns config.json as it lies there. Two things change it. A password
// in a store that opens on this machine alone is sealed with the key that the
// archive has. When PROFILE_MAPPER_FILE names a file that no archive has room
// for, the script travels as lib/profileMapper.js, where the other node finds it
// by itself.
func (h *Home) exported(conf *config.Config, mapper string, pair *keys.Pair) ([]byte, error) {
	bound := conf.Agent.Secrets != config.InFile
	if bound {
		if err := h.unbind(conf, pair); err != nil {
			return nil, err
		}
	}
	if conf.Mapper.File == "" || conf.Mapper.Source != "" || mapper == h.Path(mapperFile) {
		if bound {
			return conf.Encode()
		}
		data, err := h.read(configFile)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%w: nothing is configured yet", err)
		}
		return data, err
	}
	if err := conf.Unset("PROFILE_MAPPER_FILE"); err != nil {
		return nil, err
	}
	return conf.Encode()
}

// unbind takes the password out of the store of SECRETS and seals it into c.
func (h *Home) unbind(c *config.Config, pair *keys.Pair) error {
	if c.Stored() {
		password, err := h.BindPassword(*c)
		if err != nil {
			return err
		}
		sealed, err := pair.SealAlike(password)
		if err != nil {
			return fmt.Errorf("seal the service account's password: %w", err)
		}
		c.Directory.BindCredentials = config.Secret(sealed)
	}
	return c.Unset("SECRETS")
}

// written turns a configuration that lives in the environment into one for a
// file. What the archive has files for is left out, and a password in the clear
// is sealed.
func written(c config.Config, pair *keys.Pair) (config.Config, error) {
	f := config.Default()
	f.Tenant, f.Directory, f.Groups, f.Policy, f.SignIn = c.Tenant, c.Directory, c.Groups, c.Policy, c.SignIn
	f.Network, f.Mapper, f.Agent, f.Update, f.Signals = c.Network, c.Mapper, c.Agent, c.Update, c.Signals
	f.Mapper.Source, f.Mapper.File = "", ""
	f.Agent.Secrets = config.InFile // the other node's machine may have no such store
	if password := string(f.Directory.BindPassword); password != "" {
		sealed, err := pair.SealAlike(password)
		if err != nil {
			return config.Config{}, fmt.Errorf("LDAP_BIND_PASSWORD: %w", err)
		}
		f.Directory.BindPassword, f.Directory.BindCredentials = "", config.Secret(sealed)
	}
	return f, nil
}

type file struct {
	name string
	data []byte
}

// pack makes a zip of the files that have something in them. Its times are
// fixed, so that equal files make equal bytes.
func pack(comment string, files ...file) ([]byte, error) {
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	if err := z.SetComment(comment); err != nil {
		return nil, err
	}
	for _, f := range files {
		if len(f.data) == 0 {
			continue
		}
		header := &zip.FileHeader{
			Name:     f.name,
			Method:   zip.Deflate,
			Modified: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC), // the first that a zip can name
		}
		header.SetMode(0o600)
		w, err := z.CreateHeader(header)
		if err != nil {
			return nil, err
		}
		if _, err := w.Write(f.data); err != nil {
			return nil, err
		}
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}
