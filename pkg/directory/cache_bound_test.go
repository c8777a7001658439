package directory

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"ad-ldap-connector/pkg/identity"
)

// heap returns how many octets are in use.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// memberOf is what is read of a user: groups whose texts are its own.
func memberOf(user, groups int) membership {
	m := membership{groups: make([]identity.Group, groups)}
	for i := range m.groups {
		m.groups[i] = identity.Group{DN: fmt.Sprintf("CN=Group %d of %d,OU=groups,DC=lab,DC=test", i, user),
			Label: append(make([]byte, 0, 64), fmt.Sprintf(`"Group %d of %d"`, i, user)...)} // as an encoder leaves it
	}
	return m
}

// A hundred thousand users pass through, and what stays is bounded in number
// and, by what the heap says, in size.
func TestGroupCacheStaysWithinItsBounds(t *testing.T) {
	for _, test := range []struct{ users, groups int }{{100_000, 3}, {5_000, 200}} {
		g := cached(time.Hour)
		before := heap()
		for i := range test.users {
			if _, err := g.get(t.Context(), fmt.Sprintf("CN=User %d,OU=people,DC=lab,DC=test", i), func(context.Context) (membership, error) {
				return memberOf(i, test.groups), nil
			}); err != nil {
				t.Fatal(err)
			}
		}
		grown := heap() - before
		n := g.kept.Len()
		t.Logf("%d users in %d groups: %d remembered in %d KiB", test.users, test.groups, n, grown>>10)
		if n > maxCached || n == 0 || len(g.loading) > 0 {
			t.Errorf("%d users are remembered, %d loading", n, len(g.loading))
		}
		if grown > maxCachedOctets {
			t.Errorf("%d KiB are in use, at most %d are promised", grown>>10, maxCachedOctets>>10)
		}
		runtime.KeepAlive(g)
	}
}

func TestNodeCacheStaysWithinItsBounds(t *testing.T) {
	c := newNodeCache(time.Hour, time.Now)
	before := heap()
	for i := range 60_000 {
		dn := fmt.Sprintf("CN=Group %d,OU=groups,DC=lab,DC=test", i)
		n := &groupNode{link: link{dn, strings.ToLower(dn)}, label: json.RawMessage(fmt.Sprintf(`"Group %d"`, i)), read: time.Now(),
			parents: links([]string{dn + ",OU=a", dn + ",OU=b"})}
		c.put(sidKey(fmt.Sprintf("%028d", i)), n)
		c.put(nodeKey(n.key), n)
	}
	grown := heap() - before
	t.Logf("%d nodes in %d KiB", c.kept.Len(), grown>>10)
	if n := c.kept.Len(); n > maxNodes || n == 0 || grown > maxNodeOctets {
		t.Errorf("%d keys in %d MiB", n, grown>>20)
	}
	if n := c.get(nodeKey("cn=group 59999,ou=groups,dc=lab,dc=test")); n == nil || n.dn != "CN=Group 59999,OU=groups,DC=lab,DC=test" {
		t.Errorf("the newest is forgotten: %v", n)
	}
}

func TestNodeCacheForgets(t *testing.T) {
	now := time.Now()
	c := newNodeCache(time.Minute, func() time.Time { return now })
	c.put("x", &groupNode{read: now})
	now = now.Add(time.Minute - 1)
	if c.get("x") == nil {
		t.Error("forgotten too early")
	}
	now = now.Add(1)
	if c.get("x") != nil {
		t.Error("remembered for too long")
	}
	off := newNodeCache(0, time.Now)
	off.put("x", &groupNode{read: now})
	if off.get("x") != nil {
		t.Error("off, and remembers")
	}
}

// What is made of older news is not remembered for longer than these.
func TestGroupCacheKeepsTheAgeOfItsSources(t *testing.T) {
	now := time.Now()
	g := newGroupCache(t.Context(), time.Minute, func() time.Time { return now }, func(f func()) bool { go f(); return true })
	reads := 0
	read := func(context.Context) (membership, error) {
		reads++
		m := one(`"a"`)
		m.asOf = now.Add(-40 * time.Second)
		return m, nil
	}
	for _, wait := range []time.Duration{0, 19 * time.Second, time.Second} {
		now = now.Add(wait)
		if _, err := g.get(t.Context(), "uid=x", read); err != nil {
			t.Fatal(err)
		}
	}
	if reads != 2 {
		t.Errorf("read %d times", reads)
	}
}

func BenchmarkGroupCacheHit(b *testing.B) {
	for _, groups := range []int{3, 100} {
		b.Run(fmt.Sprintf("%d groups", groups), func(b *testing.B) {
			g := cached(time.Hour)
			read := func(context.Context) (membership, error) { return memberOf(1, groups), nil }
			b.ReportAllocs()
			for b.Loop() {
				if _, err := g.get(b.Context(), "CN=User,OU=people,DC=lab,DC=test", read); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
