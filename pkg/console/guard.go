package console

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// policy is what a page of the console may do: use what the console itself
// serves, and nothing that stands in the page. So text that was taken for
// markup by mistake runs nothing all the same.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// guard refuses what no browser of an administrator sends, before anything else
// sees it.
func (c *console) guard(next http.Handler) http.Handler {
	cross := http.NewCrossOriginProtection()
	cross.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.refuse(w, r, http.StatusForbidden, "this came from a page of another site, which may change nothing here")
	}))
	inner := cross.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY") // for browsers that do not know frame-ancestors
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
		h.Set("Cache-Control", "no-store")
		if !c.mine(r.Host) {
			http.Error(w, "this address answers to the console's own names only", http.StatusForbidden)
			return
		}
		inner.ServeHTTP(w, r)
	})
}

// mine reports whether a Host is the console's: a loopback name, or one that its
// certificate is for.
func (c *console) mine(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	host = strings.Trim(host, "[]")
	if ip, err := netip.ParseAddr(host); strings.EqualFold(host, "localhost") || err == nil && ip.Zone() == "" && ip.Unmap().IsLoopback() {
		return true
	}
	if host == "" || c.options.Certificate == nil {
		return false
	}
	cert := c.options.Certificate()
	return cert != nil && cert.VerifyHostname(host) == nil
}

// here serves this machine alone.
func (c *console) here(do http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !fromHere(r) {
			c.refuse(w, r, http.StatusForbidden, "this is for programs of this machine only")
			return
		}
		do(w, r)
	})
}

// fromHere reports whether a request comes from this machine: from a loopback
// address, or the one that it was sent to.
func fromHere(r *http.Request) bool {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return false
	}
	if from.Addr().Unmap().IsLoopback() {
		return true
	}
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return false
	}
	to, err := netip.ParseAddrPort(local.String())
	return err == nil && to.Addr().Unmap() == from.Addr().Unmap()
}

// remoteOf is the address that a request came from, without its port.
func remoteOf(r *http.Request) string {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return from.Addr().Unmap().String()
}
