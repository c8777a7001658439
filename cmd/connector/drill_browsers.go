package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"ad-ldap-connector/pkg/sandbox"
)

// A browserTry is one request of a browser to the nodes, in time since the load
// began.
type browserTry struct {
	begun, ended time.Duration
	by           string // the node that answered, "" when none did
	why          string // none did
}

// A browserVisit is one user: signs in by the form, and goes to another
// application, whose sign-in the session spares the form.
type browserVisit struct {
	tries []browserTry
	nodes []string // that showed the form, took it, and opened its session
	err   error    // it came to nothing
}

// A browserLoad has users sign in through a balancer in front of nodes, so many
// a second. Each request is a connection of its own, so that it gets to any node.
// One that is not answered is sent again, as people do who press reload.
type browserLoad struct {
	cloud *sandbox.Cloud
	roots *x509.CertPool
	start time.Time
	// Where names lead that nobody resolves: hosts, and addresses with a port.
	hosts map[string]string
	// Which node an answer came from; nil: its certificate says.
	node func(*http.Response) string

	stop   context.CancelFunc
	wait   sync.WaitGroup
	mu     sync.Mutex
	visits []browserVisit
}

// Bounds of a browser's patience.
const (
	browserWaits  = 8 * time.Second // for the answer to one request
	browserAgain  = 10              // times a request is sent, at the most
	browserPauses = 500 * time.Millisecond
	browserMost   = 100 // users at a time
)

// startBrowsers starts users, and counts the time since start.
func startBrowsers(ctx context.Context, cloud *sandbox.Cloud, roots *x509.CertPool, every time.Duration, start time.Time) *browserLoad {
	l := &browserLoad{cloud: cloud, roots: roots, start: start, hosts: map[string]string{sandbox.ProxiedName: strings.TrimPrefix(cloud.URL(), "https://")}}
	l.run(ctx, every)
	return l
}

// run starts users, until end.
func (l *browserLoad) run(ctx context.Context, every time.Duration) {
	ctx, l.stop = context.WithCancel(ctx)
	slots := make(chan struct{}, browserMost)
	l.wait.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for user := 0; ; user++ {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
			select {
			case slots <- struct{}{}:
			default: // those who are there are slow enough
				continue
			}
			l.wait.Go(func() {
				defer func() { <-slots }()
				l.add(l.visit(user % drillUsers))
			})
		}
	})
}

// end begins no more visits, and waits for those under way.
func (l *browserLoad) end() {
	l.stop()
	l.wait.Wait()
}

func (l *browserLoad) add(v browserVisit) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.visits = append(l.visits, v)
}

// client returns a browser without a history.
func (l *browserLoad) client() (*http.Client, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	dial := (&net.Dialer{Timeout: browserWaits}).DialContext
	return &http.Client{
		Jar: jar, Timeout: browserWaits,
		Transport: &http.Transport{
			DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: l.roots, MinVersion: tls.VersionTLS12},
			DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
				if host, _, err := net.SplitHostPort(addr); err == nil && l.hosts[host] != "" {
					addr = l.hosts[host]
				}
				return dial(ctx, network, addr)
			},
		},
	}, nil
}

// visit has one user sign in twice.
func (l *browserLoad) visit(user int) (v browserVisit) {
	client, err := l.client()
	if err != nil {
		return browserVisit{err: err}
	}
	name := sandbox.GeneratedUser(user)
	for _, application := range []bool{false, true} { // another one, the second time
		page, err := v.ask(l, client, l.cloud.URL()+"/login/browser", nil)
		if err == nil && !application {
			form := formToken.FindStringSubmatch(page.text)
			if form == nil {
				v.err = fmt.Errorf("no form for %s: %s", name, shortened(page.text))
				return v
			}
			page, err = v.ask(l, client, page.address, url.Values{
				"username": {name}, "password": {sandbox.GeneratedPassword(user)}, "token": {html.UnescapeString(form[1])},
			})
		}
		if err == nil {
			err = l.back(client, page, name)
		}
		if err != nil {
			v.err = err
			return v
		}
	}
	return v
}

var (
	formToken  = regexp.MustCompile(`name="token" value="([^"]+)"`)
	postedTo   = regexp.MustCompile(`name="hiddenform" action="([^"]+)"`)
	postedText = regexp.MustCompile(`name="(wa|wresult|wctx)" value="([^"]*)"`)
)

// back takes an assertion to the tenant, which is to verify it and to know the
// user by it.
func (l *browserLoad) back(client *http.Client, page browserPage, name string) error {
	to, values := postedTo.FindStringSubmatch(page.text), url.Values{}
	if to == nil {
		return fmt.Errorf("no assertion for %s: %s", name, shortened(page.text))
	}
	for _, m := range postedText.FindAllStringSubmatch(page.text, -1) {
		values.Set(m[1], html.UnescapeString(m[2]))
	}
	res, err := browse(client, html.UnescapeString(to[1]), values)
	if err != nil {
		return fmt.Errorf("tell the tenant of %s: %w", name, err)
	}
	text, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	_ = res.Body.Close() // it was read
	if err != nil || res.StatusCode != http.StatusOK || !strings.Contains(string(text), `outcome accepted`) || !strings.Contains(string(text), name) {
		return fmt.Errorf("tell the tenant of %s: %s, %w", name, res.Status, err)
	}
	return nil
}

// browse opens a page, or sends a form there. The client bounds how long it takes.
func browse(client *http.Client, address string, form url.Values) (*http.Response, error) {
	method := http.MethodGet
	if form != nil {
		method = http.MethodPost
	}
	r, err := http.NewRequestWithContext(context.Background(), method, address, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return client.Do(r)
}

// A browserPage is what came of a request.
type browserPage struct{ address, text string }

// ask sends a request until it is answered.
func (v *browserVisit) ask(l *browserLoad, client *http.Client, address string, form url.Values) (page browserPage, err error) {
	for range browserAgain {
		t := browserTry{begun: time.Since(l.start)}
		page, t.by, err = l.send(client, address, form)
		t.ended = time.Since(l.start)
		if err == nil {
			v.tries, v.nodes = append(v.tries, t), append(v.nodes, t.by)
			return page, nil
		}
		t.why = err.Error()
		v.tries = append(v.tries, t)
		time.Sleep(browserPauses)
	}
	return page, err
}

func (l *browserLoad) send(client *http.Client, address string, form url.Values) (page browserPage, node string, err error) {
	res, err := browse(client, address, form)
	if err != nil {
		return page, "", err
	}
	defer func() { _ = res.Body.Close() }() // it was only read
	text, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err == nil && res.StatusCode >= http.StatusInternalServerError {
		err = errors.New(res.Status)
	}
	if l.node != nil {
		node = l.node(res)
	} else if res.TLS != nil && len(res.TLS.PeerCertificates) > 0 {
		node = res.TLS.PeerCertificates[0].Subject.CommonName
	}
	return browserPage{res.Request.URL.String(), string(text)}, node, err
}

func shortened(text string) string { return fmt.Sprintf("%.80q", text) }
