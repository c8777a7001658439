package install

import (
	"errors"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/home"
	"ad-ldap-connector/pkg/keys"
)

// A saver writes a configuration over the one it was made from alone.
type saver struct {
	home *home.Home
	text []byte // of config.json as it was read, or as this wrote it
}

// read returns the configuration, and remembers its file.
func (s *saver) read() (config.Config, error) {
	var err error
	if s.text, err = s.home.ConfigText(); err != nil {
		return config.Config{}, err
	}
	return s.home.Config()
}

// save writes c. It is a home.ErrOtherConfig when somebody else has written
// since, and a home.ErrOtherKeys when the key pair is another one.
func (s *saver) save(c config.Config, pair *keys.Pair) error {
	err := s.home.SaveConfigOver(c, pair, s.text)
	if err != nil {
		return err
	}
	now, err := c.Encode()
	if err != nil {
		return errors.New("encode what was saved") // it has just been encoded
	}
	if !c.EnvOnly() {
		s.text = now
	}
	return nil
}
