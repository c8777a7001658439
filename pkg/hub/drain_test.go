package hub

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ad-ldap-connector/pkg/identity"
)

// stubborn is a handler that does not return, whatever its context says.
func stubborn(release <-chan struct{}) func(context.Context, identity.Credentials) (identity.Profile, error) {
	return func(context.Context, identity.Credentials) (identity.Profile, error) {
		<-release
		return profile(`{"id":"jane"}`), nil
	}
}

// TestDrainIsBounded: a connector that is told to stop does, whatever is at
// work or waits, and whatever the hub does.
func TestDrainIsBounded(t *testing.T) {
	const drain = 7 * time.Second
	for name, tt := range map[string]struct {
		asked  int
		hangs  bool // the hub no longer reads
		before func(hub *rawHub, l *rawLink)
		most   time.Duration
	}{
		"nothing to do":                   {},
		"stubborn work":                   {asked: 1, most: drain},
		"stubborn work, and much waiting": {asked: 300, most: drain},
		"the hub is gone": {asked: 30, most: drain, before: func(hub *rawHub, l *rawLink) {
			hub.setDeny(true)
			_ = l.Close()
		}},
		"the hub hangs": {asked: 30, hangs: true, most: drain + lastWords + 2*time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			h := &people{}
			bubble(t, h, func(o *Options) { o.MaxInFlight, o.Drain = 8, drain }, func(t *testing.T, hub *rawHub, c *Client, s *states, stop func()) {
				release := make(chan struct{})
				h.authenticate = stubborn(release)
				l := hub.accept(t)
				var texts <-chan string
				if !tt.hangs {
					texts, _ = minded(l)
				}
				for i := range tt.asked {
					l.text(t, ask("authenticate_user", fmt.Sprintf(fullClaims, fmt.Sprint(i), "jane")))
				}
				synctest.Wait()
				if tt.before != nil {
					tt.before(hub, l)
					synctest.Wait()
				}
				begun := time.Now()
				stop()
				if took := time.Since(begun); took > tt.most {
					t.Errorf("it took %v, more than %v", took, tt.most)
				}
				synctest.Wait()
				if want := tt.asked + 1; !tt.hangs && tt.before == nil && len(texts) != want {
					t.Errorf("%d texts of %d were heard", len(texts), want)
				}
				last := ""
				for len(texts) > 0 {
					last = <-texts
				}
				if !tt.hangs && tt.before == nil && last != "farewell 1000" {
					t.Errorf("the last word was %q", last)
				}
				close(release)
				synctest.Wait()
			})
		})
	}
}

// TestStopSaysFarewellOnBothLinks, once what was asked on either is answered.
func TestStopSaysFarewellOnBothLinks(t *testing.T) {
	bubble(t, slow(3*time.Second), two, func(t *testing.T, hub *rawHub, c *Client, s *states, stop func()) {
		var all []<-chan string
		for i := range 2 {
			l := hub.accept(t)
			texts, _ := minded(l)
			all = append(all, texts)
			if i == 1 {
				l.text(t, ask("authenticate_user", fmt.Sprintf(fullClaims, "p", "jane")))
			}
		}
		synctest.Wait()
		begun := time.Now()
		stop()
		if took := time.Since(begun); took != 3*time.Second {
			t.Errorf("it took %v", took)
		}
		synctest.Wait()
		if got := heard(t, all[0]); got != "farewell 1000" {
			t.Errorf("on the idle link: %s", got)
		}
		if got := heard(t, all[1]); !strings.HasPrefix(got, `{"n":"p_result","p":{"profile"`) {
			t.Errorf("on the other: %s", got)
		}
		if got := heard(t, all[1]); got != "farewell 1000" {
			t.Errorf("on the other: %s", got)
		}
		if c.Accepted() {
			t.Error("accepted after the end")
		}
	})
}
