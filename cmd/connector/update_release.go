package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"ad-ldap-connector/pkg/home"
	"ad-ldap-connector/pkg/install"
	"ad-ldap-connector/pkg/release"
	"ad-ldap-connector/pkg/tenant"
)

// releases opens what is asked for releases: a bundle, or the folder of
// UPDATE_URL, by the proxy and the authorities that all else goes by.
func (u *updateRun) releases() (*release.Client, error) {
	s := u.config.Update
	if u.order.from == "" && s.URL == "" {
		return nil, &hinted{errors.New("UPDATE_URL is not set: nobody says which releases there are"),
			"set it, or take a release from a file: connector update --from FILE"}
	}
	file := s.RootFile
	if file != "" {
		if !filepath.IsAbs(file) {
			file = u.home.Path(file)
		}
		var err error
		if file, err = onlyOurs(file); err != nil {
			return nil, fmt.Errorf("read UPDATE_ROOT_FILE: %w", err)
		}
	}
	root, err := trustedRoot(file)
	if err != nil {
		return nil, err
	}
	o := release.Options{
		Root: root, URL: s.URL, Memory: home.SeenReleases{Home: u.home, Look: u.order.check},
		UserAgent: "ad-ldap-connector/" + thisBuild().Version, Explain: tenant.Explain,
	}
	if u.order.from != "" {
		return release.OpenBundle(u.order.from, o)
	}
	t, err := homeTransport(u.home, u.config.Network, u.environ)
	if err != nil {
		return nil, err
	}
	o.HTTP = t.HTTP
	return release.New(o)
}

// find returns the release that is for this machine.
func (u *updateRun) find(ctx context.Context, c *release.Client) (one release.Release, f release.File, newer int, err error) {
	all, err := c.Releases(ctx)
	if err != nil {
		return one, f, 0, err
	}
	q := release.Query{OS: runtime.GOOS, Arch: runtime.GOARCH, Channel: u.config.Update.Channel}
	if u.order.from != "" {
		q.Channel = release.AnyChannel // somebody has chosen what is in the file
	}
	if v, err := release.ParseVersion(u.from); err == nil { // else any will do
		q.Current = v
	}
	if u.order.to != "" {
		if q.To, err = release.ParseVersion(u.order.to); err != nil {
			return one, f, 0, &usageError{fmt.Errorf("--to: %w", err)}
		}
		q.Current = release.Version{} // which is older than anything: it was asked for by name
		if v, err := release.ParseVersion(u.from); err == nil && v.Compare(q.To) < 0 {
			q.Current = v
		}
	}
	one, f, err = all.Choose(q)
	if err != nil {
		return one, f, 0, err
	}
	newer = 1
	if v, err := release.ParseVersion(u.from); err == nil {
		newer = one.Version.Compare(v)
	}
	return one, f, newer, nil
}

// An updateNews is what "connector update --check" prints.
type updateNews struct {
	Current   string    `json:"current"`
	Newest    string    `json:"newest"`
	Available bool      `json:"available"`
	Notes     string    `json:"notes"`
	Date      time.Time `json:"date"`
}

// look says whether there is a newer version.
func (u *updateRun) look(ctx context.Context) (err error) {
	if u.from, err = u.installed(ctx); err != nil {
		u.from = thisBuild().Version // none is installed: this one looks for itself
	}
	c, err := u.releases()
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }() // it was only read
	one, _, newer, err := u.find(ctx, c)
	if err != nil {
		return err
	}
	n := updateNews{Current: u.from, Newest: one.Version.String(), Available: newer > 0, Notes: one.Notes, Date: one.Date}
	if u.json() {
		return u.print(n)
	}
	if !n.Available {
		return u.text("version %s is the newest there is\n", visible(n.Current))
	}
	return u.text("version %s of %s is there, and %s is installed; connector update takes it\n%s", n.Newest, n.Date.Format(time.DateOnly), visible(n.Current), visibleLines(n.Notes))
}

// visibleLines is a text of several lines that somebody else wrote.
func visibleLines(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString("  " + visible(strings.TrimRight(line, "\r\n")) + "\n")
	}
	return b.String()
}

// chooseRelease finds the release that the program is to be.
func (u *updateRun) chooseRelease(ctx context.Context) (*nextProgram, error) {
	c, err := u.releases()
	if err != nil {
		return nil, err
	}
	closing := func() { _ = c.Close() } // it was only read
	one, f, newer, err := u.find(ctx, c)
	if err == nil && newer < 0 && u.order.to == "" && u.order.from != "" {
		err = &hinted{fmt.Errorf("update to version %s: it is older than %s, which is installed", one.Version, u.from), "if that is meant: --to " + one.Version.String()}
	}
	if err != nil {
		closing()
		return nil, err
	}
	p := &nextProgram{
		version: one.Version.String(), source: c.Source(), released: true, sha256: f.SHA256, close: closing,
		same: newer == 0 || newer < 0 && u.order.to == "",
	}
	p.lay = func(ctx context.Context) error {
		step := install.Step{Name: "fetch", Says: "Fetch and verify " + p.named() + " from " + p.source}
		u.tell(install.Event{Step: step, What: install.Doing})
		if err := c.Fetch(ctx, f, u.home.NextProgram(), u.progress()); err != nil {
			u.tell(install.Event{Step: step, What: install.Undone, Err: err})
			return err
		}
		u.tell(install.Event{Step: step, What: install.Did})
		return nil
	}
	return p, nil
}

// progressEvery is how often it is said how much of a download is there.
const progressEvery = 2 * time.Second

// progress says how much is there, now and then.
func (u *updateRun) progress() func(done, total int64) {
	last := time.Now()
	return func(done, total int64) {
		if u.json() || time.Since(last) < progressEvery {
			return
		}
		last = time.Now()
		u.say("         %d of %d MiB", done>>20, total>>20)
	}
}
