package hub

import (
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"

	"ad-ldap-connector/pkg/identity"
)

// A request is a command with its arguments, typed and raw.
type request struct {
	command  *command
	pid      string
	username string // as the hub wrote it; replies repeat it so
	name     string // the same, unescaped
	password identity.Password
	query    identity.Query
}

// newRequest takes a command's arguments from the token.
func newRequest(cmd *command, c claims) (request, error) {
	r := request{command: cmd, pid: c.pid(), username: c.text("username")}
	escaped := truthy(c["escaped"])
	r.name = r.username
	if escaped {
		r.name = unescape(r.username)
	}
	// A password that is not a string is the empty one, which the handler
	// refuses without a bind: as null it would be an unauthenticated bind (RFC
	// 4513, section 5.1.2), which many directories answer with success.
	var password *string
	if json.Unmarshal(c["password"], &password) == nil && password != nil {
		r.password = identity.Password(*password)
	}
	r.query.Limit = limit(c["limit"])
	if raw := c["search"]; cmd.searches && raw != nil && string(raw) != "null" {
		if raw[0] != '"' && !number(raw) {
			// To search for everybody instead would tell more than was asked.
			return r, errors.New("the search term is not a string")
		}
		r.query.Text = c.text("search")
		if escaped {
			r.query.Text = unescape(r.query.Text)
		}
	}
	return r, nil
}

// id is by what the tenant and our log both know the request.
func (r request) id() string { return printable(r.pid) }

// who is the request's subject, for the log.
func (r request) who() string {
	if r.command.searches {
		return printable(r.query.Text)
	}
	return printable(r.username)
}

// pid returns the opaque ID that ties a reply to its command: a string, or a
// number as it is written. It is "" when there is none.
func (c claims) pid() string {
	raw := c["pid"]
	if number(raw) {
		return string(raw)
	}
	var pid string
	if json.Unmarshal(raw, &pid) != nil {
		return ""
	}
	return pid
}

// text returns the named claim when it is a string, or a number in decimal;
// everything else is "".
func (c claims) text(name string) string {
	raw := c[name]
	if number(raw) {
		if !strings.ContainsAny(string(raw), ".eE") {
			return string(raw)
		}
		f, err := strconv.ParseFloat(string(raw), 64)
		if err != nil {
			return ""
		}
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

func number(raw json.RawMessage) bool {
	return len(raw) > 0 && (raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9')
}

// truthy reports whether JavaScript would take the value for true, which is
// how the flag was always read.
func truthy(raw json.RawMessage) bool {
	switch string(raw) {
	case "", "null", "false", `""`:
		return false
	}
	if number(raw) {
		f, err := strconv.ParseFloat(string(raw), 64)
		return err != nil || f != 0
	}
	return true
}

// limit returns a positive number, also from a numeric string; everything else
// means no limit, 0.
func limit(raw json.RawMessage) int {
	text := string(raw)
	if strings.HasPrefix(text, `"`) {
		var s string
		if json.Unmarshal(raw, &s) != nil {
			return 0
		}
		text = strings.TrimSpace(s)
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(f) || f < 1 {
		return 0
	}
	return int(min(f, math.MaxInt32)) // the largest sizeLimit (RFC 4511, section 4.5.1.4)
}
