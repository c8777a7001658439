package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/home"
	"ad-ldap-connector/pkg/profile"
)

// How much of the history of scripts a home keeps.
const (
	mostFormer   = 20
	formerOctets = 2 << 20 // of all of them, in state/mapper-history.json
)

// historyState is where the former scripts are.
const historyState = "mapper-history"

// A formerMapper is a script that was in use.
type formerMapper struct {
	ID     string    `json:"id"`
	Until  time.Time `json:"until"`
	Note   string    `json:"note"` // what replaced it
	Script string    `json:"script,omitempty"`
	Size   int       `json:"size"`
}

// mapperHistory are the former scripts, the youngest first.
func mapperHistory(h *home.Home) (all []formerMapper, err error) {
	err = ignoreMissing(h.LoadState(historyState, &all))
	return all, err
}

// formerScript finds one of them.
func formerScript(h *home.Home, id string) (string, error) {
	all, err := mapperHistory(h)
	if err != nil {
		return "", err
	}
	for _, f := range all {
		if f.ID == id {
			return f.Script, nil
		}
	}
	return "", &hinted{fmt.Errorf("find the former script %q: %w", visible(id), fs.ErrNotExist), "those that are kept: connector profile --history"}
}

// mapperInUse returns the script in use, the built-in one when there is none, and
// why the home's file is not what counts.
func mapperInUse(h *home.Home, c config.Config) (script, name, fixed string, err error) {
	script, name, err = h.Mapper(c)
	if err != nil {
		return "", "", "", err
	}
	switch {
	case c.Mapper.Source != "":
		fixed = "The script is in the setting PROFILE_MAPPER, which wins over the home's file."
	case c.Mapper.File != "":
		fixed = "PROFILE_MAPPER_FILE names " + name + ", which is changed where it lies."
	}
	if script == "" {
		script, name = profile.Default, ""
	}
	return script, name, fixed, nil
}

// errOtherMapper says that the script in use is not the one that was edited.
var errOtherMapper = errors.New("the profile mapper was changed meanwhile")

// keepMapper puts a script in the place of the one in use, which the history
// keeps. Over, if not nil, is what must be in use still.
func (a *app) keepMapper(h *home.Home, c config.Config, script string, over *string, note string) error {
	former, name, fixed, err := mapperInUse(h, c)
	switch {
	case err != nil:
		return err
	case fixed != "":
		return &hinted{fmt.Errorf("save the profile mapper: %s", fixed), "unset PROFILE_MAPPER and PROFILE_MAPPER_FILE to use the home's file"}
	case over != nil && former != *over:
		return errOtherMapper
	case strings.TrimSpace(script) == "":
		return errors.New("save the profile mapper: the script is empty")
	case former == script && name != "":
		return nil
	}
	m, err := newMapper(script, "the new script", c, a.log())
	if err != nil {
		return err
	}
	if err := m.Close(); err != nil {
		return err
	}
	all, err := mapperHistory(h)
	if err != nil {
		return err
	}
	now := time.Now().UTC()
	id := fmt.Sprintf("%s-%.4x", now.Format("20060102-150405"), sha256.Sum256([]byte(former)))
	all = append([]formerMapper{{ID: id, Until: now, Note: note, Script: former, Size: len(former)}}, all...)
	// Kept first: what a crash leaves is the script in use, and once too much of it.
	if err := h.SaveState(historyState, bounded(all)); err != nil {
		return err
	}
	return h.SaveMapper(script)
}

// bounded leaves the oldest out.
func bounded(all []formerMapper) []formerMapper {
	size := 0
	for i, f := range all {
		if size += len(f.Script); i == mostFormer || i > 0 && size > formerOctets {
			return all[:i]
		}
	}
	return all
}

// printHistory lists the former scripts.
func (a *app) printHistory(h *home.Home) error {
	all, err := mapperHistory(h)
	if err != nil {
		return err
	}
	if a.json() {
		for i := range all {
			all[i].Script = ""
		}
		return a.print(map[string]any{"history": append([]formerMapper{}, all...)})
	}
	for _, f := range all {
		if err := a.text("%-26s until %s  %7d octets  replaced by %s\n", f.ID, f.Until.Format(time.DateTime+" MST"), f.Size, visible(f.Note)); err != nil {
			return err
		}
	}
	if len(all) == 0 {
		a.say("no script has been replaced yet")
	}
	return nil
}

// saveMapper does so for a command, and has a running connector take it up.
func (a *app) saveMapper(ctx context.Context, h *home.Home, c config.Config, script, note string) error {
	if err := a.keepMapper(h, c, script, nil, note); err != nil {
		return err
	}
	_, next, err := a.makeLive(ctx, h, false)
	if err != nil {
		return err
	}
	if a.json() {
		return a.print(map[string]any{"result": "saved", "next": next})
	}
	a.say("saved; the former script is in the history: connector profile --history")
	if next != "" {
		a.say("next: %s", next)
	}
	return nil
}

// saveMapperFile saves the script in a file without trying it on anybody.
func (a *app) saveMapperFile(ctx context.Context, file string) error {
	script, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read --mapper: %w", err)
	}
	h, c, err := a.loadConfig()
	if err != nil {
		return err
	}
	return a.saveMapper(ctx, h, c, string(script), "connector profile --save")
}

// formerMappers lists the history, or puts one of it back.
func (a *app) formerMappers(ctx context.Context, restore string) error {
	h, c, err := a.loadConfig()
	if err != nil {
		return err
	}
	if restore == "" {
		return a.printHistory(h)
	}
	script, err := formerScript(h, restore)
	if err != nil {
		return err
	}
	return a.saveMapper(ctx, h, c, script, "connector profile --restore")
}
