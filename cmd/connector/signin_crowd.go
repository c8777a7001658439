package main

import (
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// How many connections browsers may have at the same time: all of them, and
// those of one address. A browser has six, and an office behind one address
// some hundred of them.
const (
	maxBrowsers = 768
	maxPerPlace = 128
)

// crowdAgain is how many seconds whoever comes at the wrong moment is asked to
// stay away.
const crowdAgain = "2"

// A crowd bounds a server's connections. Where there are as many as may be, a
// further one takes the place of one that has nothing under way: whoever holds
// connections, to have others find no room, loses these first.
type crowd struct {
	net.Listener
	most, perPlace int
	exempt         func(netip.Addr) bool // from the bound of an address: balancers

	mu     sync.Mutex
	all    map[*comer]*guest
	places map[netip.Addr]int // how many of each
}

// A guest is one connection.
type guest struct {
	place netip.Addr
	since time.Time // of its state
	busy  bool      // a request is under way
}

func newCrowd(ln net.Listener, exempt func(netip.Addr) bool) *crowd {
	return &crowd{
		Listener: ln, most: maxBrowsers, perPlace: maxPerPlace, exempt: exempt,
		all: map[*comer]*guest{}, places: map[netip.Addr]int{},
	}
}

// Accept returns the next connection for which there is room.
func (c *crowd) Accept() (net.Conn, error) {
	for {
		conn, err := c.Listener.Accept()
		if err != nil {
			return nil, err
		}
		one := &comer{Conn: conn, crowd: c}
		if c.enter(one) {
			return one, nil
		}
		_ = conn.Close() // there is nothing to say before TLS
	}
}

// enter makes room for a connection, or reports that there is none.
func (c *crowd) enter(conn *comer) bool {
	from, place := placeOf(conn.RemoteAddr())
	c.mu.Lock()
	defer c.mu.Unlock()
	var goes *comer
	switch {
	case c.places[place] >= c.perPlace && !c.exempt(from):
		goes = c.idlest(func(g *guest) bool { return g.place == place })
	case len(c.all) >= c.most:
		goes = c.idlest(func(*guest) bool { return true })
	default:
		c.add(conn, place)
		return true
	}
	if goes == nil {
		return false
	}
	c.drop(goes)
	_ = goes.Conn.Close() // nothing was under way
	c.add(conn, place)
	return true
}

// size is how many connections there are.
func (c *crowd) size() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.all)
}

// keep serves by next while there is room. Where there soon is none, connections
// end with their answer, and then the answer is that it is too full: that costs
// next to nothing, and so is there at once.
func (c *crowd) keep(next http.Handler, full func(size int)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		size := c.size()
		if size > c.most*3/4 {
			w.Header().Set("Connection", "close")
		}
		if size <= c.most*7/8 {
			next.ServeHTTP(w, r)
			return
		}
		full(size)
		w.Header().Set("Retry-After", crowdAgain)
		http.Error(w, "Too many people are signing in at the moment. Try again in a few seconds.", http.StatusServiceUnavailable)
	})
}

// idlest is the connection of some that has had nothing under way for longest.
func (c *crowd) idlest(of func(*guest) bool) (found *comer) {
	var since time.Time
	for conn, g := range c.all {
		if !g.busy && of(g) && (found == nil || g.since.Before(since)) {
			found, since = conn, g.since
		}
	}
	return found
}

func (c *crowd) add(conn *comer, place netip.Addr) {
	c.all[conn] = &guest{place: place, since: time.Now()}
	c.places[place]++
}

// drop forgets a connection, which may have been forgotten before.
func (c *crowd) drop(conn *comer) {
	g := c.all[conn]
	if g == nil {
		return
	}
	delete(c.all, conn)
	if c.places[g.place]--; c.places[g.place] <= 0 {
		delete(c.places, g.place)
	}
}

// state is the server's ConnState: a connection is busy from the first octet of
// a request until its answer has gone.
func (c *crowd) state(conn net.Conn, s http.ConnState) {
	if over, ok := conn.(interface{ NetConn() net.Conn }); ok { // TLS
		conn = over.NetConn()
	}
	one, _ := conn.(*comer)
	c.mu.Lock()
	defer c.mu.Unlock()
	if g := c.all[one]; g != nil {
		g.busy, g.since = s == http.StateActive, time.Now()
	}
}

// A comer is a connection that leaves the crowd when it is closed.
type comer struct {
	net.Conn
	crowd *crowd
}

func (c *comer) Close() error {
	c.crowd.mu.Lock()
	c.crowd.drop(c)
	c.crowd.mu.Unlock()
	return c.Conn.Close()
}

// placeOf is the address that a connection comes from, and what it is counted
// under: that, or the network of an IPv6 address, of which one machine has as
// many as it likes.
func placeOf(remote net.Addr) (from, place netip.Addr) {
	at, err := netip.ParseAddrPort(remote.String())
	if err != nil {
		return netip.Addr{}, netip.Addr{}
	}
	from = at.Addr().Unmap().WithZone("")
	if p, err := from.Prefix(64); from.Is6() && err == nil {
		return from, p.Addr()
	}
	return from, from
}
