package home

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
)

// One command at a time exchanges the key pair, also within one process.
func TestOneRenewalAtATime(t *testing.T) {
	h := open(t, filepath.Join(t.TempDir(), "home"))
	unlock, err := h.LockRenewal()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.LockRenewal(); err == nil || !strings.Contains(err.Error(), "another command") {
		t.Errorf("a second one: %v", err)
	}
	unlock()
	if unlock, err = h.LockRenewal(); err != nil {
		t.Fatal(err)
	}
	unlock()
	if err := h.Remove(); err != nil {
		t.Errorf("its lock is in the way: %v", err)
	}
}

// What was sealed with a key pair is not written beside another one.
func TestConfigIsNotSavedBesideOtherKeys(t *testing.T) {
	h := open(t, filepath.Join(t.TempDir(), "home"))
	former, next := testPair(t, "a"), testPair(t, "b")
	c, err := h.Config()
	if err != nil {
		t.Fatal(err)
	}
	if err := h.SaveKeys(former); err != nil {
		t.Fatal(err)
	}
	c.Tenant.SiteName = "of the former"
	for range 2 { // written, and there already
		if err := h.SaveConfigWith(c, former); err != nil {
			t.Fatal(err)
		}
	}
	c.Tenant.SiteName = "of the next"
	text, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	backup, err := h.ReplaceKeys(next, text)
	if err != nil || backup == "" {
		t.Fatalf("backup %q, %v", backup, err)
	}
	c.Tenant.SiteName = "late"
	if err := h.SaveConfigWith(c, former); !errors.Is(err, ErrOtherKeys) {
		t.Errorf("a late one: %v", err)
	}
	if c, err = h.Config(); err != nil || c.Tenant.SiteName != "of the next" {
		t.Errorf("the configuration is %s, %v", c.Tenant.SiteName, err)
	}
	if pair, err := h.Keys(c); err != nil || pair.Thumbprint() != next.Thumbprint() {
		t.Errorf("the pair is %v, %v", pair, err)
	}
	if _, err := h.ReplaceKeys(nil, text); err == nil {
		t.Error("no pair was taken for one")
	}
}

// What others have written since is not written over.
func TestConfigIsNotSavedOverAnother(t *testing.T) {
	h := open(t, filepath.Join(t.TempDir(), "home"))
	c, err := h.Config()
	if err != nil {
		t.Fatal(err)
	}
	c.Tenant.SiteName = "first"
	if err := h.SaveConfigOver(c, nil, nil); err != nil { // where there was no file
		t.Fatal(err)
	}
	former, err := h.ConfigText()
	if err != nil {
		t.Fatal(err)
	}
	c.Tenant.SiteName = "second"
	if err := h.SaveConfigOver(c, nil, former); err != nil {
		t.Fatal(err)
	}
	for _, over := range [][]byte{former, nil, {}} {
		c.Tenant.SiteName = "late"
		if err := h.SaveConfigOver(c, nil, over); !errors.Is(err, ErrOtherConfig) {
			t.Errorf("over %q: %v", over, err)
		}
	}
	if c, err = h.Config(); err != nil || c.Tenant.SiteName != "second" {
		t.Errorf("the site is %q, %v", c.Tenant.SiteName, err)
	}
	if err := h.SaveConfigOver(c, testPair(t, "a"), former); err == nil {
		t.Error("saved beside keys that are not there")
	}
}
