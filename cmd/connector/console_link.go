package main

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"slices"
	"sync"
	"time"

	"ad-ldap-connector/pkg/console"
	"ad-ldap-connector/pkg/home"
)

// The console's states. That they are files of the home is what makes them
// safe: only root and the connector's account can write there, which is who may
// administer it; and it is so on every system.
const (
	linkState     = "console-links"
	passwordState = "console-password"
	revokedState  = "console-revoked"
)

// Bounds of links.
const (
	linkLasts = 10 * time.Minute
	mostLinks = 16
)

// A consoleLink is a one-time link that was not used yet. Its secret is in no
// file.
type consoleLink struct {
	Hash  string    `json:"sha256"`
	Until time.Time `json:"until"`
}

type consoleLinks struct {
	Links []consoleLink `json:"links"`
}

// consolePassword is what is kept of the administrator's password.
type consolePassword struct {
	Hash string `json:"argon2id"`
}

// consoleRevoked is before when no session may have begun.
type consoleRevoked struct {
	At time.Time `json:"at"`
}

// unusedLinks are the links that can still be used at a time.
func unusedLinks(h *home.Home, now time.Time) ([]consoleLink, error) {
	var all consoleLinks
	if err := ignoreMissing(h.LoadState(linkState, &all)); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all.Links, func(l consoleLink) bool {
		return !l.Until.After(now) || l.Until.After(now.Add(linkLasts+time.Minute)) // a clock that was set back
	}), nil
}

// newLink makes a one-time secret that the connector on this home takes.
func newLink(h *home.Home, now time.Time) (secret string, until time.Time, err error) {
	links, err := unusedLinks(h, now)
	if err != nil {
		return "", until, err
	}
	octets := make([]byte, 32)
	_, _ = rand.Read(octets) // crypto/rand.Read never fails
	secret, until = base64.RawURLEncoding.EncodeToString(octets), now.Add(linkLasts).UTC().Truncate(time.Second)
	links = append(links, consoleLink{hashOf(secret), until})
	return secret, until, h.SaveState(linkState, consoleLinks{links[max(0, len(links)-mostLinks):]})
}

func hashOf(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

var errLinkSpent = errors.New("it was used already, or is older than 10 minutes")

// A consoleMemory is what the console of a process keeps over its nodes.
type consoleMemory struct {
	sessions *console.Sessions
	series   *console.Series

	mu    sync.Mutex // of links: each is taken once
	peers peersSeen
	news  updatesSeen
}

// updatesSeen is what was said of releases when they were last asked for.
type updatesSeen struct {
	mu   sync.Mutex
	news updateNews
	at   time.Time
}

func newConsoleMemory() *consoleMemory {
	return &consoleMemory{sessions: console.NewSessions(time.Now), series: console.NewSeries(time.Now)}
}

// redeem takes a link. One that cannot be made invalid is not taken.
func (m *consoleMemory) redeem(h *home.Home, secret string, now time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	links, err := unusedLinks(h, now)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(links, func(l consoleLink) bool { return l.Hash == hashOf(secret) })
	if i < 0 {
		return errLinkSpent
	}
	return h.SaveState(linkState, consoleLinks{slices.Delete(links, i, i+1)})
}

// revokedAt is before when no session may have begun. A file that cannot be
// read ends them all: nobody knows what it says.
func revokedAt(h *home.Home) time.Time {
	var r consoleRevoked
	if err := ignoreMissing(h.LoadState(revokedState, &r)); err != nil {
		return time.Now()
	}
	return r.At
}

// passwordHash is what is kept of the administrator's password, "" for none.
func passwordHash(h *home.Home) (string, error) {
	var p consolePassword
	err := ignoreMissing(h.LoadState(passwordState, &p))
	return p.Hash, err
}
