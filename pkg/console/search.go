package console

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// A Search asks the directory as the tenant would: by the rooms of the running
// connector, and by the code of "connector search" and "connector login".
type Search struct {
	// Users returns the profiles of the users that match a text, as JSON.
	Users func(ctx context.Context, text string, limit int) ([]string, []StageReport, error)
	// Groups returns the groups whose name or DN holds a text.
	Groups func(ctx context.Context, text string, limit int) ([]Group, []StageReport, error)
	// Entry returns the raw entry that a login name leads to. Entry is nil when
	// there is none.
	Entry func(ctx context.Context, login string) (*Entry, []StageReport, error)
	// Login tries a login. The password is not kept.
	Login func(ctx context.Context, user, password string) LoginReport
	// Filters are the searches in use, by the names of their keys.
	Filters func() (byLogin, users, groups string)
}

// A StageReport is one step of a question to the directory, for whoever wants to
// understand it.
type StageReport struct {
	Name, Server, Detail string
	Took                 time.Duration
	Failed               bool
}

// A Group is a group of the directory's.
type Group struct{ Name, DN string }

// An Entry is a directory entry as it is there.
type Entry struct {
	DN         string
	Attributes []Attribute
}

// An Attribute has its values as octets: a user may have written them.
type Attribute struct {
	Name   string
	Values [][]byte
}

// A LoginReport says what came of a login: accepted, refused or fault.
type LoginReport struct {
	Outcome string
	Reason  string // of a refusal, by its fixed name
	Meaning string // in words, with what to do
	Err     string // of a fault
	Stages  []StageReport
	Profile string // JSON
}

// How much of the directory a page shows: it could be all of it.
const (
	usualHits     = 20
	mostHits      = 200
	mostValues    = 50  // of one attribute
	mostOctets    = 400 // of one value
	mostAttribute = 300
	longestQuery  = 256
)

func (c *console) search() []route {
	if c.options.Search == nil {
		return []route{{pattern: "GET /search-users", do: func(v *visit) error {
			return unavailable(v, "There is no directory to ask yet. Set the connector up on the page Configuration.")
		}}}
	}
	return []route{
		{pattern: "GET /search-users", do: c.showSearch},
		{pattern: "POST /search-users/login", do: c.explainLogin},
	}
}

// A searchPage is the template's.
type searchPage struct {
	Query, What string
	Limit       int
	Users       []hit
	Groups      []Group
	Entry       *entryView
	Asked       bool
	More        bool // there may be more than is shown
	Missing     bool // no user has this login name
	Stages      []StageReport
	Err         string
	User        string
	Login       *LoginReport
	Profile     string

	ByLogin, UserFilter, GroupFilter string
}

// A hit is a user who was found.
type hit struct{ Name, Display, Mail, DN, Profile string }

// An entryView is an entry as text.
type entryView struct {
	DN   string
	Rows []attributeRow
	More int // attributes that are not shown
}

type attributeRow struct {
	Name   string
	Values []valueText
	More   int // values that are not shown
}

// A valueText is a value as text; of one that is none, how it is written.
type valueText struct {
	Text, Form string
	Cut        bool
}

func (c *console) searchPage() searchPage {
	p := searchPage{What: "users", Limit: usualHits}
	p.ByLogin, p.UserFilter, p.GroupFilter = c.options.Search.Filters()
	return p
}

func (c *console) showSearch(v *visit) error {
	p, q := c.searchPage(), v.r.URL.Query()
	p.Query = clip(firstOf(q.Get("q"), q.Get("query")), longestQuery)
	if what := q.Get("what"); what == "groups" || what == "login" {
		p.What = what
	}
	if n, err := strconv.Atoi(q.Get("limit")); err == nil {
		p.Limit = min(max(n, 1), mostHits)
	}
	p.Asked = q.Has("q") || q.Has("query")
	if !p.Asked {
		return v.show("search", p)
	}
	var err error
	switch p.What {
	case "groups":
		p.Groups, p.Stages, err = c.options.Search.Groups(v.ctx(), p.Query, p.Limit)
		p.More = len(p.Groups) == p.Limit
	case "login":
		if p.Query == "" {
			return v.show("search", p)
		}
		var e *Entry
		if e, p.Stages, err = c.options.Search.Entry(v.ctx(), p.Query); err == nil && e != nil {
			p.Entry = viewOf(e)
		}
		p.Missing = err == nil && e == nil
	default:
		var found []string
		found, p.Stages, err = c.options.Search.Users(v.ctx(), p.Query, p.Limit)
		for _, profile := range found {
			p.Users = append(p.Users, hitOf(profile))
		}
		p.More = len(found) == p.Limit
	}
	if err != nil {
		p.Err = spoken(err)
	}
	return v.show("search", p)
}

func (c *console) explainLogin(v *visit) error {
	p := c.searchPage()
	p.What, p.User = "explain", clip(v.r.PostFormValue("user"), longestQuery)
	if p.User == "" {
		p.Err = "name the user, as they would type it"
		return v.showFaulty("search", p)
	}
	r := c.options.Search.Login(v.ctx(), p.User, v.r.PostFormValue("password"))
	v.audit("login.try", r.Outcome)
	p.Login, p.Stages, p.Profile = &r, r.Stages, indented(r.Profile)
	return v.show("search", p)
}

func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

func clip(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "")
}

func hitOf(profile string) hit {
	var p map[string]any
	_ = json.Unmarshal([]byte(profile), &p) // a mapper made it: an object
	text := func(name string) string {
		s, _ := p[name].(string)
		return visible(clip(s, mostOctets))
	}
	h := hit{Name: text("nickname"), Display: text("displayName"), DN: text("dn"), Profile: indented(profile)}
	if list, _ := p["emails"].([]any); len(list) > 0 {
		if m, _ := list[0].(map[string]any); m != nil {
			s, _ := m["value"].(string)
			h.Mail = visible(clip(s, mostOctets))
		}
	}
	return h
}

// indented is JSON for people.
func indented(text string) string {
	var b bytes.Buffer
	if text == "" || json.Indent(&b, []byte(text), "", "  ") != nil {
		return visibleLines(text)
	}
	return visibleLines(b.String())
}

func viewOf(e *Entry) *entryView {
	view := &entryView{DN: visible(e.DN)}
	for i, a := range e.Attributes {
		if i == mostAttribute {
			view.More = len(e.Attributes) - i
			break
		}
		row := attributeRow{Name: visible(a.Name)}
		for j, value := range a.Values {
			if j == mostValues {
				row.More = len(a.Values) - j
				break
			}
			row.Values = append(row.Values, textOfValue(value))
		}
		view.Rows = append(view.Rows, row)
	}
	return view
}

// textOfValue shows a value that is text as it is, and any other in hexadecimal.
func textOfValue(value []byte) (t valueText) {
	whole := len(value)
	if t.Cut = whole > mostOctets; t.Cut {
		value = value[:mostOctets]
		for len(value) > 0 && !utf8.Valid(value) && len(value) > mostOctets-utf8.UTFMax {
			value = value[:len(value)-1]
		}
	}
	if utf8.Valid(value) && !bytes.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' && r != '\r' }) {
		t.Text = visible(string(value))
		return t
	}
	t.Text, t.Form = fmt.Sprintf("%x", value[:min(len(value), 64)]), fmt.Sprintf("%d octets, hexadecimal", whole)
	t.Cut = whole > 64
	return t
}

// visible is a text of the directory's without what would turn its direction or
// hide a part of it: in many directories people write their own names.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

// visibleLines does so line by line.
func visibleLines(s string) string {
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = visible(l)
	}
	return strings.Join(lines, "\n")
}

// String is a stage's time for people.
func (s StageReport) String() string { return s.Took.Round(10 * time.Microsecond).String() }
