package directory_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ad-ldap-connector/pkg/directory"
	"ad-ldap-connector/pkg/identity"
	"ad-ldap-connector/testdata/lab"
)

// BenchmarkLogin measures the directory's part of a login, user, password and
// groups, against OpenLDAP: one at a time and many, here and 20 ms away.
func BenchmarkLogin(b *testing.B) {
	const users = 1000
	server := lab.Slapd(b, lab.SlapdOptions{Users: users})
	proxy, away := behind(b, server)
	proxy.Delay(10 * time.Millisecond) // each way
	for _, at := range []struct{ name, url string }{{"here", server.URL}, {"20ms", away}} {
		for _, parallel := range []int{1, 64, 256} {
			b.Run(fmt.Sprintf("%s/%d", at.name, parallel), func(b *testing.B) {
				c := directory.New(directory.Options{URLs: []string{at.url}, BaseDN: server.BaseDN,
					BindUser: server.BindUser, BindPassword: identity.Password(server.BindPassword),
					UserFilter: filter(b, "(uid={0})"), GroupsFilter: filter(b, "(member={0})")})
				defer func() { _ = c.Close() }()
				var next atomic.Int64
				work := func(n int64) {
					var wg sync.WaitGroup
					next.Store(0)
					for range parallel {
						wg.Go(func() {
							for i := next.Add(1); i <= n; i = next.Add(1) {
								if err := login(b.Context(), c, int(i%users)+1); err != nil {
									b.Error(err)
								}
							}
						})
					}
					wg.Wait()
				}
				work(int64(parallel)) // opens the connections
				b.ReportAllocs()
				b.ResetTimer()
				work(int64(b.N))
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "logins/s")
			})
		}
	}
}
