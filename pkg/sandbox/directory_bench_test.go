package sandbox

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// TestHundredThousandUsers keeps the promise that the largest population loads
// quickly and fits into any machine. The bounds are far from what it takes
// (about a second and 200 MB), so that a loaded machine passes.
func TestHundredThousandUsers(t *testing.T) {
	if testing.Short() {
		t.Skip("takes memory")
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	start := time.Now()
	d := startDirectory(t, DirectoryOptions{Traits: adTraits, Users: 100_000})
	took := time.Since(start)
	runtime.GC()
	runtime.ReadMemStats(&after)
	size := (int64(after.HeapAlloc) - int64(before.HeapAlloc)) >> 20
	t.Logf("%v, %d MB", took, size)
	if took > time.Minute || size > 300 {
		t.Errorf("loading took %v and %d MB", took, size)
	}
	c := bindDirectory(t, d)
	es := ask(t, c, d, "(sAMAccountName=user99999)")
	if len(es) != 1 {
		t.Fatalf("%d entries", len(es))
	}
	if err := dialDirectory(t, d).Bind(es[0].DN, GeneratedPassword(99_999)); err != nil {
		t.Error(err)
	}
}

// BenchmarkLogin is what a login costs on 100,000 users: find, bind, groups.
func BenchmarkLogin(b *testing.B) {
	d := startDirectory(b, DirectoryOptions{Traits: adTraits, Users: 100_000})
	c, u := bindDirectory(b, d), dialDirectory(b, d)
	i := 0
	for b.Loop() {
		i = (i + 7919) % 100_000
		es := ask(b, c, d, fmt.Sprintf("(&(objectCategory=person)(anr=%[1]s)(sAMAccountName=%[1]s))", GeneratedUser(i)))
		if err := u.Bind(es[0].DN, GeneratedPassword(i)); err != nil {
			b.Fatal(err)
		}
		if gs := ask(b, c, d, "(member:1.2.840.113556.1.4.1941:="+ldap.EscapeFilter(es[0].DN)+")", "cn"); len(gs) != 3 {
			b.Fatal(names(gs))
		}
	}
}

// BenchmarkScan is a search that no index helps.
func BenchmarkScan(b *testing.B) {
	d := startDirectory(b, DirectoryOptions{Traits: adTraits, Users: 100_000})
	c := bindDirectory(b, d)
	for b.Loop() {
		if es := ask(b, c, d, "(&(objectCategory=person)(displayName=*st0424*))", "cn"); len(es) != 10 {
			b.Fatal(len(es))
		}
	}
}

func BenchmarkNormaliseDN(b *testing.B) {
	for b.Loop() {
		if _, err := normaliseDN("CN=Cleo Last00042,OU=Users,DC=example,DC=test"); err != nil {
			b.Fatal(err)
		}
	}
}
