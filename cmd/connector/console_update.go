package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"ad-ldap-connector/pkg/console"
	"ad-ldap-connector/pkg/home"
)

// consoleUpdate is the page on updates: what "connector update --check" says, and
// the command that does it. The service's account may not write the program, so
// that nobody who gets into the console can put another one there.
func (n *node) consoleUpdate() *console.Update {
	return &console.Update{State: func(ctx context.Context, check bool) (console.UpdateState, error) {
		s, err := n.stats.console().news.state(ctx, n, check)
		s.Version, s.Command = thisBuild().Version, "sudo connector"+n.flags()+" update"
		if _, missing := os.Lstat(n.home.PreviousProgram()); missing == nil {
			s.Former = "sudo connector" + n.flags() + " update --rollback"
		}
		return s, err
	}}
}

// state is what is known, asked anew on check.
func (m *updatesSeen) state(ctx context.Context, n *node, check bool) (console.UpdateState, error) {
	if check {
		if err := m.ask(ctx, n); err != nil {
			return console.UpdateState{}, err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return console.UpdateState{Latest: m.news.Newest, Newer: m.news.Available, Notes: m.news.Notes, Checked: m.at}, nil
}

func (m *updatesSeen) ask(ctx context.Context, n *node) error {
	var out bytes.Buffer
	a := n.commands(&out)
	a.output = "json"
	if err := a.update(ctx, updateOrder{check: true}); err != nil {
		return err
	}
	var news updateNews
	if err := json.Unmarshal(out.Bytes(), &news); err != nil {
		return fmt.Errorf("look for a newer version: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.news, m.at = news, time.Now()
	return nil
}

// flags are what a command takes to mean this node: nothing where it is the one
// that is meant by default.
func (n *node) flags() string {
	usual, err := home.Open("", nil)
	if err == nil && usual.Dir() == n.home.Dir() {
		return ""
	}
	dir := n.home.Dir()
	if strings.ContainsAny(dir, " '\"\\$") {
		dir = strconv.Quote(dir)
	}
	return " --home " + dir
}
