package main

import (
	"errors"
	"sync"
	"testing"

	"ad-ldap-connector/pkg/identity"
)

func TestParseBenchUser(t *testing.T) {
	for line, want := range map[string]identity.Credentials{
		"alice\tpa:ss\tword":  {Username: "alice", Password: "pa:ss\tword"},
		"alice:pa:ss":         {Username: "alice", Password: "pa:ss"},
		`CORP\alice:` + " x ": {Username: `CORP\alice`, Password: " x "},
		"a:b\tc":              {Username: "a:b", Password: "c"},
	} {
		got, err := parseBenchUser(line)
		if err != nil || got.Username != want.Username || string(got.Password) != string(want.Password) {
			t.Errorf("%q: %q, %q, %v", line, got.Username, string(got.Password), err)
		}
	}
	for _, line := range []string{"alice", ":x", "alice:", "\tx", "alice\t"} {
		if _, err := parseBenchUser(line); err == nil {
			t.Errorf("%q was taken", line)
		}
	}
}

// However many workers there are, a wrong password is tried once, and a right
// one by all of them.
func TestBenchUsersAreRefusedOnce(t *testing.T) {
	users := newBenchUsers([]identity.Credentials{{Username: "right"}, {Username: "wrong"}, {Username: "flaky"}})
	var mu sync.Mutex
	tried := map[string]int{}
	var wait sync.WaitGroup
	for range 16 {
		wait.Go(func() {
			for range 200 {
				u := users.pick()
				mu.Lock()
				tried[u.Username]++
				n := tried[u.Username]
				mu.Unlock()
				var err error
				switch {
				case u.Username == "wrong":
					err = &identity.Refusal{Reason: identity.WrongPassword}
				case u.Username == "flaky" && n == 1:
					err = errors.New("connection refused")
				}
				users.settle(u, err)
			}
		})
	}
	wait.Wait()
	if tried["wrong"] != 1 || tried["right"] < 100 || tried["flaky"] < 100 {
		t.Errorf("tried %v", tried)
	}
	nobody := newBenchUsers([]identity.Credentials{{Username: "wrong"}})
	nobody.settle(nobody.pick(), &identity.Refusal{Reason: identity.WrongPassword})
	if u := nobody.pick(); u != nil {
		t.Errorf("%s is tried again", u.Username)
	}
}

// A user who is never accepted nor refused in words that are understood is not
// tried for as long as the measurement lasts.
func TestBenchGivesAUserUp(t *testing.T) {
	users := newBenchUsers([]identity.Credentials{{Username: "locked"}})
	tries := 0
	for u := users.pick(); u != nil && tries < 100; u = users.pick() {
		tries++
		users.settle(u, errors.New("unwilling to perform (53)"))
	}
	if tries != benchFaults {
		t.Errorf("tried %d times", tries)
	}
}

func TestQuantile(t *testing.T) {
	sorted := []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	for part, want := range map[float64]int{0: 1, .5: 6, .95: 10, .99: 10, 1: 10} {
		if got := quantile(sorted, part); got != want {
			t.Errorf("%v: %d, want %d", part, got, want)
		}
	}
	if got := quantile([]int(nil), .5); got != 0 {
		t.Errorf("of nothing: %d", got)
	}
}
