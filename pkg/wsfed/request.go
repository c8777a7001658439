package wsfed

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"

	"ad-ldap-connector/pkg/identity"
)

// A request is what the tenant asks for, in the query of the address that it
// sends the browser to. Nothing else of the query is looked at: no credentials.
type request struct {
	realm   string // the audience
	post    string // where the assertion goes: one of a list, never what was sent
	context string // wctx, given back as it came; "" = none
	consent bool   // wprompt: the user wants to be asked
	query   string // all of that again, for the form
}

// Bounds of what browsers send, in octets.
const (
	maxBody     = 64 << 10
	maxUsername = 512
	maxPassword = 1024
)

// errNoPost begins as the existing connector's answer does, which operators
// search for.
var errNoPost = errors.New("postUrl is required")

// parse reads a request. The realms are a closed table of one.
func (o *Options) parse(raw string) (request, error) {
	q, err := url.ParseQuery(raw)
	if err != nil {
		return request{}, errors.New("the address is damaged")
	}
	given := url.Values{}
	for _, name := range []string{"wtrealm", "wreply", "wctx", "wprompt"} {
		switch v := q[name]; {
		case len(v) > 1:
			return request{}, errors.New(name + " is there more than once")
		case len(v) == 1:
			given.Set(name, v[0])
		}
	}
	r := request{realm: o.Realm, post: o.PostURLs[0], context: given.Get("wctx"), consent: given.Get("wprompt") == "consent", query: given.Encode()}
	if realm := given.Get("wtrealm"); realm != "" && realm != o.Realm {
		return request{}, errNoPost
	}
	if reply := given.Get("wreply"); reply != "" {
		if !slices.Contains(o.PostURLs, reply) {
			return request{}, errNoPost
		}
		r.post = reply
	}
	return r, nil
}

// errForm says that a body cannot be read; it quotes nothing of it.
var errForm = errors.New("the form is damaged, or too long")

// credentialsOf reads the body of a form that was sent, and nothing of the
// query. Others are its other fields.
func credentialsOf(w http.ResponseWriter, r *http.Request, withJSON bool) (c identity.Credentials, others map[string]any, err error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return c, nil, errForm
	}
	data, err := io.ReadAll(r.Body)
	if err != nil {
		w.Header().Set("Connection", "close") // what is left of it is not read
		return c, nil, errForm
	}
	others = map[string]any{}
	switch {
	case kind == "application/x-www-form-urlencoded":
		form, err := url.ParseQuery(string(data))
		if err != nil {
			return c, nil, errForm
		}
		for name, values := range form {
			others[name] = values[0]
		}
	case kind == "application/json" && withJSON:
		if json.Unmarshal(data, &others) != nil {
			return c, nil, errForm
		}
	default:
		return c, nil, errForm
	}
	c.Username, _ = others["username"].(string) // what is no text is as good as missing
	password, _ := others["password"].(string)
	c.Password = identity.Password(password)
	delete(others, "username")
	delete(others, "password")
	return c, others, nil
}
