package tenant

import (
	"fmt"
	"net/http"
	"strings"
)

// A ProxyError is a proxy's no to a CONNECT (RFC 9110, section 9.3.6). Whoever
// makes the HTTP transport returns it from OnProxyConnectResponse, so that
// Explain can tell the proxy's answer from the tenant's.
type ProxyError struct {
	Proxy       string   // host:port, without credentials
	Status      int      // the proxy's HTTP status
	Schemes     []string // of authentication that the proxy offers: Basic, NTLM, Negotiate
	Credentials bool     // whether we sent any
}

func (e *ProxyError) Error() string {
	switch e.cause() {
	case CauseProxyAuth:
		if e.Credentials {
			return fmt.Sprintf("the proxy%s does not accept our credentials (%s)", e.name(), e.answer())
		}
		return fmt.Sprintf("the proxy%s asks for credentials (%s)", e.name(), e.answer())
	case CauseProxyRefused:
		return fmt.Sprintf("the proxy%s does not allow the connection (%s)", e.name(), e.answer())
	case CauseProxyUpstream:
		return fmt.Sprintf("the proxy%s does not get through (%s)", e.name(), e.answer())
	}
	return fmt.Sprintf("the proxy%s answered %s", e.name(), e.answer())
}

func (e *ProxyError) name() string {
	if e.Proxy == "" {
		return ""
	}
	return " " + e.Proxy
}

func (e *ProxyError) answer() string {
	s := strings.TrimSpace(fmt.Sprintf("%d %s", e.Status, http.StatusText(e.Status)))
	if len(e.Schemes) > 0 {
		s += ", offers " + strings.Join(e.Schemes, ", ")
	}
	return s
}

func (e *ProxyError) cause() Cause {
	switch e.Status {
	case http.StatusProxyAuthRequired, http.StatusUnauthorized: // tinyproxy says 401 to wrong credentials
		return CauseProxyAuth
	case http.StatusForbidden, http.StatusMethodNotAllowed:
		return CauseProxyRefused
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return CauseProxyUpstream
	}
	return CauseProxy
}

// hint is a better one than the cause's, where there is one.
func (e *ProxyError) hint() string {
	basic := len(e.Schemes) == 0
	for _, s := range e.Schemes {
		basic = basic || strings.EqualFold(s, "Basic")
	}
	switch {
	case e.cause() == CauseProxyAuth && !basic:
		return "Ask whoever runs the proxy to offer Basic authentication, or to let this machine through without any."
	case e.cause() == CauseProxyAuth && e.Credentials:
		return "Check user name and password in HTTP_PROXY, and percent-encode their special characters."
	}
	return ""
}
