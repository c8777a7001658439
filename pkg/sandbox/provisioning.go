package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
)

// maxRegistration bounds the body that registers an agent, in bytes. One
// certificate takes about 1,200.
const maxRegistration = 64 << 10

var errUnknownTicket = errors.New("no such ticket")

// ticketed gives next the connection that the ticket in the path stands for,
// and answers 404 when there is none.
func (c *Cloud) ticketed(next func(http.ResponseWriter, *http.Request, *cloudConnection)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		secret := r.PathValue("ticket")
		cc := c.findBy(func(cc *cloudConnection) bool { return cc.Secret == secret })
		if cc == nil {
			answerError(w, http.StatusNotFound, errUnknownTicket)
			return
		}
		next(w, r, cc)
	}
}

// serveInfo tells an agent about its connection. The addresses in it are on
// the host the agent asked, so that a proxy in between stays in between.
func (c *Cloud) serveInfo(w http.ResponseWriter, r *http.Request, cc *cloudConnection) {
	type realm struct {
		Name         string `json:"name"`
		PostTokenURL string `json:"postTokenUrl"`
	}
	answerJSON(w, http.StatusOK, struct {
		Hub         string   `json:"adHub"`
		CertAuth    bool     `json:"certAuth"`
		Domain      string   `json:"connectionDomain"`
		Name        string   `json:"connectionName"`
		Kerberos    bool     `json:"kerberos"`
		Realm       realm    `json:"realm"`
		Thumbprints []string `json:"thumbprints"`
	}{
		"https://" + r.Host + "/lo/hub", cc.CertAuth, cloudDomain, cc.Name, cc.Kerberos,
		realm{cloudRealm, "https://" + r.Host + "/login/callback"}, cc.thumbprints(),
	})
}

func (c *Cloud) serveTicket(w http.ResponseWriter, _ *http.Request, cc *cloudConnection) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = fmt.Fprintf(w, "This is the ticket of the sandbox's connection %s.\nGive its address to the connector; there is nothing to see here.\n", cc.Name) // the reader has gone; nobody is left to tell
}

// serveRegister takes an agent's registration and gives it the key that
// verifies the tenant's tokens. A body that is none answers 400, a certificate
// other than the registered one 409, a state that cannot be kept 500.
func (c *Cloud) serveRegister(w http.ResponseWriter, r *http.Request, cc *cloudConnection) {
	var body struct {
		Certs     [][]byte `json:"certs"`
		SignIn    string   `json:"signInEndpoint"`
		AgentMode *bool    `json:"agentMode"`
		Version   string   `json:"agentVersion"`

		Capabilities struct {
			UseJWKS bool `json:"useJWKS"`
		} `json:"capabilities"`
	}
	data, err := readBody(w, r, maxRegistration)
	if err == nil && !isJSON(r.Header.Get("Content-Type")) {
		err = errors.New("the content type is not application/json")
	}
	if err == nil {
		// Members that are not known here are let pass: a newer agent may
		// have more to say.
		err = json.Unmarshal(data, &body)
	}
	if err == nil {
		err = checkRegistration(body.Certs, body.SignIn, body.Version)
	}
	if err != nil {
		answerError(w, bodyStatus(err), fmt.Errorf("read the registration: %w", err))
		return
	}

	c.writing.Lock()
	defer c.writing.Unlock()
	err = c.change(cc.Name, func(next *cloudConnection) error {
		if err := next.takeCertificates(body.Certs, c.options.SeveralCertificates); err != nil {
			return err
		}
		next.SignIn, next.Version = body.SignIn, body.Version
		cc = next
		return nil
	})
	switch {
	case errors.Is(err, ErrOtherCertificate), errors.Is(err, errManyCertificates):
		c.log.Warn("registration refused: another certificate", "connection", cc.Name, "err", err)
		answerError(w, http.StatusConflict, err)
	case err != nil:
		c.log.Error("registration not kept", "connection", cc.Name, "err", err)
		answerError(w, http.StatusInternalServerError, err)
	default:
		c.log.Info("agent registered", "connection", cc.Name, "version", body.Version)
		answer := map[string]string{}
		if !body.Capabilities.UseJWKS || !cc.published(c.options) {
			answer["signingKey"] = cc.public
		}
		answerJSON(w, http.StatusOK, answer)
	}
}

// takeCertificates keeps the certificates of a registration: the first ones, or,
// where several are taken, those that are new before those that are known.
func (cc *cloudConnection) takeCertificates(certs [][]byte, several bool) error {
	var fresh [][]byte
	for _, cert := range certs {
		same := func(der []byte) bool { return bytes.Equal(der, cert) }
		if !slices.ContainsFunc(cc.Certificates, same) && !slices.ContainsFunc(fresh, same) {
			fresh = append(fresh, cert)
		}
	}
	switch bound := len(cc.Certificates) > 0; {
	case len(fresh) == 0:
		return nil
	case bound && !several:
		return ErrOtherCertificate
	case len(fresh)+len(cc.Certificates) > maxCertificates:
		return errManyCertificates
	}
	cc.Certificates = append(fresh, cc.Certificates...)
	return nil
}

func checkRegistration(certs [][]byte, signIn, version string) error {
	if len(certs) == 0 || len(certs) > maxCertificates {
		return fmt.Errorf("certs holds %d certificates, not 1 to %d", len(certs), maxCertificates)
	}
	for _, der := range certs {
		if _, err := parseAgentCert(der); err != nil {
			return err
		}
	}
	if len(signIn) > 2048 || len(version) > 128 {
		return errors.New("signInEndpoint or agentVersion is too long")
	}
	return nil
}
