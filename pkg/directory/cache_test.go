package directory

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ad-ldap-connector/pkg/identity"
)

// cached is a cache whose goroutines the test's bubble waits for.
func cached(ttl time.Duration) *groupCache {
	return newGroupCache(context.Background(), ttl, time.Now, func(f func()) bool { go f(); return true })
}

func one(label string) membership {
	return membership{groups: []identity.Group{{DN: "cn=x", Label: json.RawMessage(label)}}}
}

func TestGroupCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := cached(time.Minute)
		reads := 0
		read := func(context.Context) (membership, error) { reads++; return one(`"a"`), nil }
		for range 3 {
			m, err := g.get(t.Context(), "uid=X", read)
			if err != nil {
				t.Fatal(err)
			}
			m.groups[0].Label[1] = '!' // callers may write to what they get
			m.groups[0].DN = "!"
		}
		m, _ := g.get(t.Context(), "uid=X", read)
		if reads != 1 || string(m.groups[0].Label) != `"a"` || m.groups[0].DN != "cn=x" || !m.cached {
			t.Errorf("read %d times: %s", reads, m.groups)
		}
		<-time.After(time.Minute) // the bubble's clock
		if _, err := g.get(t.Context(), "uid=X", read); err != nil || reads != 2 {
			t.Errorf("read %d times after the age; %v", reads, err)
		}
	})
}

// No user is given what was remembered of another whose name is much alike: some
// directories tell case, and most the Turkish letters.
func TestGroupCacheTellsUsersApart(t *testing.T) {
	g := cached(time.Minute)
	alike := []string{"CN=ilker,DC=x", "CN=İlker,DC=x", "CN=Ilker,DC=x", "CN=\u212Aim,DC=x", "CN=Kim,DC=x", "cn=kim,dc=x"}
	for range 2 {
		for _, dn := range alike {
			m, err := g.get(t.Context(), dn, func(context.Context) (membership, error) { return one(dn), nil })
			if err != nil || string(m.groups[0].Label) != dn {
				t.Errorf("%s has the groups of %s, %v", dn, m.groups[0].Label, err)
			}
		}
	}
}

func TestGroupCacheOff(t *testing.T) {
	g := cached(0)
	reads := 0
	for range 2 {
		_, _ = g.get(t.Context(), "uid=x", func(context.Context) (membership, error) { reads++; return one(`"a"`), nil })
	}
	if reads != 2 {
		t.Errorf("read %d times", reads)
	}
}

func TestGroupCacheForgetsFailures(t *testing.T) {
	g := cached(time.Minute)
	broken := errors.New("broken")
	if _, err := g.get(t.Context(), "uid=x", func(context.Context) (membership, error) { return membership{}, broken }); !errors.Is(err, broken) {
		t.Error(err)
	}
	if m, err := g.get(t.Context(), "uid=x", func(context.Context) (membership, error) { return one(`"a"`), nil }); err != nil || m.cached {
		t.Error(m, err)
	}
}

// Many logins of one user wait for one search; who gives up does not end it
// for the others, and the last to give up does.
func TestGroupCacheReadsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := cached(time.Minute)
		var reads atomic.Int32
		goOn := make(chan struct{})
		read := func(ctx context.Context) (membership, error) {
			reads.Add(1)
			select {
			case <-goOn:
				return one(`"a"`), nil
			case <-ctx.Done():
				return membership{}, ctx.Err()
			}
		}
		ctx, giveUp := context.WithCancel(t.Context())
		first := make(chan error, 1)
		go func() { _, err := g.get(ctx, "uid=x", read); first <- err }()
		synctest.Wait()
		rest := make(chan error, 9)
		for range 9 {
			go func() { _, err := g.get(t.Context(), "uid=x", read); rest <- err }()
		}
		synctest.Wait()
		giveUp()
		if err := <-first; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		close(goOn)
		for range 9 {
			if err := <-rest; err != nil {
				t.Error(err)
			}
		}
		if reads.Load() != 1 {
			t.Errorf("read %d times", reads.Load())
		}

		goOn = make(chan struct{})
		ctx, giveUp = context.WithCancel(t.Context())
		go func() { _, err := g.get(ctx, "uid=y", read); first <- err }()
		synctest.Wait()
		giveUp()
		if err := <-first; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		synctest.Wait() // the reading goroutine has ended, or the bubble would not
	})
}

// However many groups people are in, what is remembered of them has a bound.
func TestGroupCacheIsBoundedInOctets(t *testing.T) {
	g := cached(time.Minute)
	large := `"` + strings.Repeat("x", 1<<20) + `"`
	for i := range 3 * maxCachedOctets >> 20 {
		if _, err := g.get(t.Context(), "uid="+strconv.Itoa(i), func(context.Context) (membership, error) { return one(large), nil }); err != nil {
			t.Fatal(err)
		}
	}
	if n := g.kept.Len(); n > maxCachedOctets>>20 || n == 0 {
		t.Errorf("%d MiB are remembered", n)
	}
}
