package directory_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ad-ldap-connector/pkg/directory"
	"ad-ldap-connector/pkg/identity"
	"ad-ldap-connector/testdata/lab"
)

// soakLogins is how many logins a soak is when CONNECTOR_SOAK does not say.
const soakLogins = 2000

// A soak is many logins while things break and are mended again. Each login
// meets one breakage at most: a bind is repeated once, and no more.
type soak struct {
	client *directory.Client
	users  int
	logins atomic.Int64
	faults atomic.Int64
	dark   atomic.Int64    // counts up when no server can answer, and again when one can
	rounds []*atomic.Int64 // logins begun, by worker
	failed sync.Map        // what came out wrong, each once
}

// work logs in until ctx ends, now and then with a wrong password.
func (s *soak) work(ctx context.Context, worker int) {
	for n := 0; ctx.Err() == nil; n++ {
		s.rounds[worker].Add(1)
		i, wrong := (worker*31+n*13)%s.users+1, n%8 == 7
		dark := s.dark.Load()
		err := s.login(i, wrong)
		if err == nil {
			s.logins.Add(1)
			continue
		}
		var r *identity.Refusal
		if !errors.As(err, &r) && (dark%2 == 1 || dark != s.dark.Load()) {
			s.faults.Add(1) // nobody could have answered
			continue
		}
		s.failed.Store(fmt.Sprintf("user %d, wrong password %v: %v", i, wrong, err), nil)
	}
}

func (s *soak) login(i int, wrong bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	if !wrong {
		return login(ctx, s.client, i)
	}
	err := s.client.Bind(ctx, fmt.Sprintf("uid=%s,ou=people,dc=lab,dc=test", lab.User(i)), "wrong-Passw0rd")
	var r *identity.Refusal
	switch {
	case err == nil:
		return &identity.Refusal{Detail: "a wrong password was accepted"}
	case errors.As(err, &r) && r.Reason == identity.WrongPassword:
		return nil
	}
	return err
}

// settle waits until every login that was under way is over.
func (s *soak) settle(t *testing.T) {
	t.Helper()
	until := make([]int64, len(s.rounds))
	for k, r := range s.rounds {
		until[k] = r.Load() + 2
	}
	for k, r := range s.rounds {
		lab.Eventually(t, "logins to go on", func() bool { return r.Load() >= until[k] })
	}
}

// A side is one of the servers, and the network before it.
type side struct {
	*lab.SlapdServer
	proxy *lab.Proxy
}

// A breakage breaks one side, and mends it.
type breakage struct {
	name        string
	wreck, mend func(side)
}

var breakages = []breakage{
	{"reset", func(s side) { s.proxy.Reset() }, func(side) {}},
	{"cut", func(s side) { s.proxy.CutAfter(rand.IntN(2000)) }, func(s side) { s.proxy.CutAfter(-1) }},
	{"late", func(s side) { s.proxy.Delay(20 * time.Millisecond) }, func(s side) { s.proxy.Delay(0) }},
	{"gone", func(s side) { s.proxy.Down() }, func(s side) { s.proxy.Up() }},
	{"killed", func(s side) { s.Stop() }, func(s side) { s.Start() }},
	{"hung", func(s side) { s.proxy.Hang() }, func(s side) { s.proxy.Resume() }},
	{"frozen", func(s side) { s.Pause() }, func(s side) { s.Resume() }},
}

// Many logins over two servers, while these and the network break at random:
// every password is judged rightly, no login fails while a server could answer,
// and nothing is left over.
func TestSoak(t *testing.T) {
	total := int64(soakLogins)
	if text := os.Getenv("CONNECTOR_SOAK"); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			t.Fatalf("CONNECTOR_SOAK: %v", err)
		}
		total = n
	}
	const workers, binds, users = 32, 24, 200
	var sides []side
	var urls []string
	for range 2 {
		server := lab.Slapd(t, lab.SlapdOptions{Users: users})
		proxy, url := behind(t, server)
		sides, urls = append(sides, side{server, proxy}), append(urls, url)
	}
	base := runtime.NumGoroutine()
	o := slapd{sides[0].SlapdServer}.Options(t)
	o.URLs, o.ParallelBinds, o.ReturnAfter, o.Timeout = urls, binds, 300*time.Millisecond, 30*time.Second
	s := &soak{client: directory.New(o), users: users}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var wg sync.WaitGroup
	for range workers {
		s.rounds = append(s.rounds, &atomic.Int64{})
	}
	for k := range workers {
		wg.Go(func() { s.work(ctx, k) })
	}

	met := map[string]int{}
	most := 0
	order := rand.Perm(len(breakages) + 1) // each at least once
	for k := 0; k < len(order) || s.logins.Load() < total; k++ {
		if k%len(order) == 0 {
			rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		}
		var b breakage
		one := sides[rand.IntN(2)]
		if n := order[k%len(order)]; n < len(breakages) {
			b = breakages[n]
		}
		if b.name == "" { // both at once
			b.name = "dark"
			s.dark.Add(1)
			for _, one := range sides {
				one.proxy.Down()
			}
			time.Sleep(100 * time.Millisecond)
			for _, one := range sides {
				one.proxy.Up()
			}
			s.dark.Add(1)
		} else {
			b.wreck(one)
			s.settle(t)
			b.mend(one)
		}
		s.settle(t)
		met[b.name]++
		most = max(most, sides[0].proxy.Open(), sides[1].proxy.Open())
	}
	stop()
	wg.Wait()
	if err := s.client.Close(); err != nil {
		t.Error(err)
	}
	s.failed.Range(func(what, _ any) bool {
		t.Error(what)
		return true
	})
	t.Logf("%d logins, and %d faults while no server could answer; %v; at most %d connections to a server",
		s.logins.Load(), s.faults.Load(), met, most)
	if limit := binds + 8 + 4 + 4; most > limit { // and those that ask whether it is alive
		t.Errorf("%d connections to one server, want at most %d", most, limit)
	}
	lab.Eventually(t, "all connections to end", func() bool { return sides[0].proxy.Open()+sides[1].proxy.Open() == 0 })
	lab.Eventually(t, "all goroutines to end", func() bool { return runtime.NumGoroutine() <= base })
}
