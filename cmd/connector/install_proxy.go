package main

import (
	"errors"
	"net/url"
	"strings"

	"ad-ldap-connector/pkg/config"
)

// proxyAnswer lays --proxy and its credentials over a configuration. What was
// given now counts for https too, whatever else was set there.
func (a *app) proxyAnswer(o *installAnswers, c *config.Config) error {
	if o.proxy == "" && !o.proxyCredentials.given() {
		return nil
	}
	name, value := "--proxy", o.proxy
	if value == "" {
		name, value = "HTTP_PROXY", string(c.Network.Proxy)
		if c.Network.HTTPSProxy != "" {
			name, value = "HTTPS_PROXY", string(c.Network.HTTPSProxy)
		}
	}
	u, err := proxyURL(name, value, nil) // the environment is in c already
	switch {
	case err != nil:
		return &usageError{err}
	case u == nil:
		return usagef("--proxy-credentials-file is given, and no proxy: add --proxy")
	case o.proxy != "" && u.User != nil && o.proxyCredentials.given():
		return usagef("give the proxy's credentials once: in --proxy-credentials-file")
	case o.proxy != "" && u.User != nil:
		a.say("warning: other users of this machine can read the proxy's credentials among the arguments; use --proxy-credentials-file")
	}
	if o.proxyCredentials.given() {
		text, err := a.readSecret(&o.proxyCredentials)
		if err != nil {
			return err
		}
		if u.User, err = parseCredentials(text); err != nil {
			return &hinted{usagef("read %s: %w", o.proxyCredentials.file, err), "write one line, USER:PASSWORD, as they are, without any encoding"}
		}
	}
	return setProxy(c, u)
}

// setProxy makes u the proxy for everything.
func setProxy(c *config.Config, u *url.URL) error {
	if err := c.Set("HTTP_PROXY", u.String()); err != nil {
		return err
	}
	if c.Network.HTTPSProxy == "" {
		return nil
	}
	return c.Set("HTTPS_PROXY", u.String())
}

// parseCredentials reads USER:PASSWORD, as curl's --proxy-user has it: the
// first colon parts them, so that a password may hold any. Its errors quote
// nothing.
func parseCredentials(text string) (*url.Userinfo, error) {
	line, err := oneSecret(text)
	if err != nil {
		return nil, err
	}
	user, password, ok := strings.Cut(line, ":")
	switch {
	case !ok:
		return nil, errors.New("there is no colon between user and password")
	case user == "":
		return nil, errors.New("there is no user before the colon")
	case password == "":
		return nil, errors.New("there is no password after the colon")
	}
	return url.UserPassword(user, password), nil
}

// keepEnvironment has a configuration hold what it owes to the environment of
// this command, which a service does not see. The password is kept sealed
// anyway.
func keepEnvironment(c *config.Config, environ []string) (kept []string, err error) {
	for _, key := range config.Keys() {
		if key.EnvOnly || key.Unused || key.Name == "LDAP_BIND_PASSWORD" || c.Source(key.Name) != "environment" {
			continue
		}
		value := lookup(environ, key.Name)
		if value == "" {
			value = lookup(environ, strings.ToLower(key.Name)) // a proxy by curl's spelling
		}
		if value == "" {
			continue // of an old name
		}
		if err := c.Set(key.Name, value); err != nil {
			return nil, err
		}
		kept = append(kept, key.Name)
	}
	return kept, nil
}
