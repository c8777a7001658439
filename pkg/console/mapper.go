package console

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"time"
)

// A Mapper is the script that makes profiles, by the code of "connector
// profile".
type Mapper struct {
	// Read returns the script in use.
	Read func() (Script, error)
	// Try compiles a script and, for a user, holds what it makes against what
	// the one in use does.
	Try func(ctx context.Context, text, user string) (Trial, error)
	// Save keeps the one in use in the history, writes this one in its place
	// and has the running connector take it up. It is an ErrChanged when the
	// one in use is not over.
	Save func(ctx context.Context, text, over string) (refused string, err error)
	// History lists the former scripts, the youngest first.
	History func() ([]Former, error)
	// Former returns the text of one.
	Former func(id string) (string, error)
	// Entry returns the entry of a user, for the names that can be completed.
	Entry func(ctx context.Context, login string) (*Entry, error)
}

// A Script is a mapper in use.
type Script struct {
	Text    string
	Name    string // where it lies; "" is the native mapping, whose script Text is
	Fixed   string // why it cannot be changed here; "" it can
	Timeout time.Duration
	Memory  int // MiB
}

// A Former is a script that was in use, or that is kept as such.
type Former struct {
	ID    string
	Until time.Time
	Size  int
	Note  string // what replaced it: "the console", "connector profile --save"
}

// A Trial is what a script came to.
type Trial struct {
	Now, Then         string // profiles, JSON; "" without a user
	NowErr, ThenErr   string
	NowTook, ThenTook time.Duration
	Diff              []MemberDiff
}

// A MemberDiff is one member of a profile that two scripts make differently; ""
// is none.
type MemberDiff struct{ Member, Now, Then string }

// longestScript is what the editor takes, in octets.
const longestScript = 512 << 10

// tryTakes bounds a trial: two scripts, each with its own limit, and the
// directory.
const tryTakes = time.Minute

func (c *console) mapper() []route {
	if c.options.Mapper == nil {
		return []route{{pattern: "GET /profile-mapper", do: func(v *visit) error {
			return unavailable(v, "There is no connector yet whose profiles could be mapped. Set it up on the page Configuration.")
		}}}
	}
	return []route{
		{pattern: "GET /profile-mapper", do: c.showMapper},
		{pattern: "POST /profile-mapper", do: c.changeMapper, body: longestScript*3 + usualBody, within: tryTakes + time.Minute},
		{pattern: "POST /profile-mapper/names", do: c.mapperNames, script: true},
		{pattern: "GET /profile-mapper/former", do: c.showFormer},
	}
}

// A mapperPage is the template's.
type mapperPage struct {
	Script   Script
	Text     string // in the editor
	Over     string // the hash of the script that was edited
	User     string
	Fault    string
	Trial    *Trial
	Compiled bool
	Now      string
	Then     string
	Conflict []DiffLine // how what somebody else has saved meanwhile differs from the text
	History  []Former
	Names    []string
}

func (c *console) mapperPage(s Script, text, user string) (mapperPage, error) {
	history, err := c.options.Mapper.History()
	if err != nil {
		return mapperPage{}, err
	}
	return mapperPage{Script: s, Text: text, User: user, History: history, Over: hashOf(s.Text)}, nil
}

// hashOf tells scripts apart. A script is no secret.
func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func (c *console) showMapper(v *visit) error {
	s, err := c.options.Mapper.Read()
	if err != nil {
		return err
	}
	text := s.Text
	if id := v.r.URL.Query().Get("former"); id != "" { // to look at in the editor, and to save
		if text, err = c.options.Mapper.Former(id); err != nil {
			return err
		}
	}
	p, err := c.mapperPage(s, text, "")
	if err != nil {
		return err
	}
	return v.show("mapper", p)
}

// changeMapper tries the script in the editor, and saves it if that is wanted
// and it works.
func (c *console) changeMapper(v *visit) error {
	s, err := c.options.Mapper.Read()
	if err != nil {
		return err
	}
	form := v.r.PostForm
	text := strings.ReplaceAll(form.Get("script"), "\r\n", "\n")
	user := clip(strings.TrimSpace(form.Get("user")), longestQuery)
	p, err := c.mapperPage(s, text, user)
	if err != nil {
		return err
	}
	save := form.Get("action") == "save"
	if save && s.Fixed != "" {
		p.Fault = s.Fixed
		return v.showFaulty("mapper", p)
	}
	if save && form.Get("over") != p.Over {
		p.Conflict = diffLines(text, s.Text)
		v.audit("mapper.save", "refused")
		return v.showFaulty("mapper", p)
	}
	if over := form.Get("over"); over != "" {
		p.Over = over // till it is saved: whoever only tries has not seen what others did
	}
	ctx, cancel := context.WithTimeout(v.ctx(), tryTakes)
	defer cancel()
	trial, err := c.options.Mapper.Try(ctx, text, user)
	if err != nil {
		p.Fault = spoken(err)
		return v.showFaulty("mapper", p)
	}
	p.Trial, p.Compiled, p.Now, p.Then = &trial, true, indented(trial.Now), indented(trial.Then)
	for i, d := range p.Trial.Diff {
		p.Trial.Diff[i] = MemberDiff{visible(d.Member), visible(d.Now), visible(d.Then)}
	}
	if !save {
		return v.show("mapper", p)
	}
	if trial.ThenErr != "" {
		p.Fault = "Not saved: the script does not work for " + visible(user) + ": " + trial.ThenErr
		return v.showFaulty("mapper", p)
	}
	refused, err := c.options.Mapper.Save(ctx, text, s.Text)
	if errors.Is(err, ErrChanged) {
		if s, err = c.options.Mapper.Read(); err != nil {
			return err
		}
		p.Script, p.Conflict, p.Over = s, diffLines(text, s.Text), hashOf(s.Text)
		v.audit("mapper.save", "refused")
		return v.showFaulty("mapper", p)
	}
	if err != nil {
		v.audit("mapper.save", "fault")
		return err
	}
	v.audit("mapper.save", "accepted")
	if refused != "" {
		v.flash(flashBad, "Saved, but the running connector goes on with the former script: "+refused)
	} else {
		v.flash(flashOK, "Saved, and taken up by the running connector. The former script is in the history.")
	}
	return v.redirect("/profile-mapper")
}

// mapperNames are the names that the editor completes: the attributes of a user.
func (c *console) mapperNames(v *visit) error {
	user := clip(strings.TrimSpace(v.r.PostFormValue("user")), longestQuery)
	names := []string{}
	if user == "" {
		return v.json(map[string]any{"names": names})
	}
	e, err := c.options.Mapper.Entry(v.ctx(), user)
	if err != nil {
		return &statusError{422, spoken(err), ""}
	}
	if e == nil {
		return &statusError{422, "User not found.", ""}
	}
	for i, a := range e.Attributes {
		if i < mostAttribute {
			names = append(names, visible(a.Name))
		}
	}
	return v.json(map[string]any{"names": names})
}

// A formerPage is the template's.
type formerPage struct {
	ID   string
	Text string
	Diff []DiffLine
}

func (c *console) showFormer(v *visit) error {
	s, err := c.options.Mapper.Read()
	if err != nil {
		return err
	}
	id := v.r.URL.Query().Get("id")
	text, err := c.options.Mapper.Former(id)
	if err != nil {
		return err
	}
	return v.show("mapper_former", formerPage{id, text, diffLines(s.Text, text)})
}
