package tenant

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// A Connection is what the tenant says of the connection behind a ticket.
type Connection struct {
	Name               string   // connectionName; the issuer of the agent's tokens
	Domains            []string // connectionDomain, which may be one or several, or none
	Hub                string   // adHub: https://... or wss://...
	Realm              string   // realm.name: the audience, urn:auth0:TENANT
	PostURL            string   // realm.postTokenUrl; may be empty
	Kerberos           bool
	ClientCertificates bool     // certAuth
	Thumbprints        []string // of the certificates that the tenant knows: SHA-1, lower-case hex
}

// Knows reports whether the tenant lists a certificate by its thumbprint.
func (c Connection) Knows(thumbprint string) bool { return slices.Contains(c.Thumbprints, thumbprint) }

// Connection asks the tenant what the ticket is for: GET TICKET/info. The error
// is an *Error; errors.Is(err, ErrUnknownTicket) when there is no such ticket.
func (c *Client) Connection(ctx context.Context, t Ticket) (Connection, error) {
	const doing = "read the connection's settings"
	a, err := c.do(ctx, doing, t, http.MethodGet, t.Reveal()+"/info", nil)
	if err != nil {
		return Connection{}, err
	}
	fail := func(cause Cause, err error) (Connection, error) {
		return Connection{}, &Error{Doing: doing, Host: t.Host(), Cause: cause, Err: err}
	}
	if !isJSON(a.contentType) {
		return fail(CauseNotJSON, &failure{text: t.censor("the answer is not JSON: content type " + contentType(a.contentType))})
	}
	var info struct {
		AdHub            string `json:"adHub"`
		ConnectionName   string `json:"connectionName"`
		ConnectionDomain texts  `json:"connectionDomain"`
		CertAuth         truth  `json:"certAuth"`
		Kerberos         truth  `json:"kerberos"`
		Realm            struct {
			Name         string `json:"name"`
			PostTokenURL string `json:"postTokenUrl"`
		} `json:"realm"`
		Thumbprints texts `json:"thumbprints"`
	}
	if err := a.decode(doing, t, &info); err != nil {
		return Connection{}, err
	}
	for _, need := range []struct{ field, value string }{
		{"adHub", info.AdHub}, {"connectionName", info.ConnectionName}, {"realm.name", info.Realm.Name},
	} {
		if need.value == "" {
			return fail(CauseIncomplete, fmt.Errorf("the answer has no %s", need.field))
		}
	}
	if u, err := url.Parse(info.AdHub); err != nil || u.Host == "" {
		return fail(CauseIncomplete, &failure{text: "the answer's adHub is not a URL"})
	}
	for i, s := range info.Thumbprints {
		info.Thumbprints[i] = strings.ToLower(s)
	}
	return Connection{
		Name: info.ConnectionName, Domains: info.ConnectionDomain, Hub: info.AdHub,
		Realm: info.Realm.Name, PostURL: info.Realm.PostTokenURL,
		Kerberos: bool(info.Kerberos), ClientCertificates: bool(info.CertAuth),
		Thumbprints: info.Thumbprints,
	}, nil
}

// texts is a list that may be sent as a single text, or not at all.
type texts []string

func (l *texts) UnmarshalJSON(data []byte) error {
	var one *string
	if json.Unmarshal(data, &one) == nil {
		if *l = nil; one != nil && *one != "" {
			*l = texts{*one}
		}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(l))
}

// truth is a flag by JavaScript's rules, which the existing connector applies:
// whatever is not false, null, 0 or "" counts as true.
type truth bool

func (b *truth) UnmarshalJSON(data []byte) error {
	*b = true
	for _, no := range []string{"false", "null", "0", `""`} {
		if bytes.Equal(data, []byte(no)) {
			*b = false
		}
	}
	return nil
}
