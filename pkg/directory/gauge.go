package directory

import "fmt"

// What one message of a server may be. The library reads whatever is announced,
// up to 2 GB, and keeps a copy for each level and some 800 octets for each
// element, so that little of a hostile server's would be much here.
const (
	maxMessage  = 32 << 20 // octets
	maxElements = 500_000  // values, names and what holds them
	maxDepth    = 16       // a value of an attribute is the 6th level
	maxControls = 64 << 10 // octets; their values are read as messages in turn
)

// A tooLarge is a message that is not read to its end.
type tooLarge string

func (t tooLarge) Error() string { return "the server's message is " + string(t) }

// A gauge follows the messages (RFC 4511, section 5.1) that pass, and says no to
// one that is beyond bounds, before it has arrived.
type gauge struct {
	left  []int // octets to come of each element that is open, outermost first
	skip  int   // octets to come of a value
	count int   // elements of this message
	head  []byte
	room  [10]byte // of head
}

// pass takes the next octets.
func (g *gauge) pass(b []byte) error {
	for len(b) > 0 {
		if g.skip > 0 {
			n := min(g.skip, len(b))
			g.skip -= n
			b = b[n:]
			g.took(n)
			continue
		}
		if g.head == nil {
			g.head = g.room[:0]
		}
		g.head = append(g.head, b[0])
		b = b[1:]
		length, whole, err := header(g.head)
		if err != nil {
			return err
		}
		if whole {
			if err := g.open(g.head[0], len(g.head), length); err != nil {
				return err
			}
			g.head = g.room[:0]
		}
	}
	return nil
}

// header reads an identifier of one octet, which all of LDAP's are, and a length.
func header(b []byte) (length int, whole bool, err error) {
	switch {
	case b[0]&0x1f == 0x1f:
		return 0, false, tooLarge("not one of LDAP")
	case len(b) == 1:
		return 0, false, nil
	case b[1] < 0x80:
		return int(b[1]), true, nil
	case b[1] == 0x80, b[1] > 0x88:
		return 0, false, tooLarge("of no length that LDAP allows")
	case len(b) < 2+int(b[1]&0x7f):
		return 0, false, nil
	}
	var n uint64 // an int of 32 bits would turn negative before it is seen to be too large
	for _, octet := range b[2:] {
		if n > maxMessage {
			break
		}
		n = n<<8 | uint64(octet)
	}
	return int(min(n, maxMessage+1)), true, nil
}

// open begins an element.
func (g *gauge) open(kind byte, header, length int) error {
	if length > maxMessage {
		return tooLarge(fmt.Sprintf("larger than %d MiB", maxMessage>>20))
	}
	if depth := len(g.left); depth > 0 {
		if header+length > g.left[depth-1] {
			return tooLarge("not one of LDAP: a part is larger than the whole")
		}
		g.took(header)
	} else {
		g.count = 0
	}
	if g.count++; g.count > maxElements {
		return tooLarge(fmt.Sprintf("of more than %d parts", maxElements))
	}
	const constructed, controls = 0x20, 0xa0
	if kind == controls && len(g.left) == 1 && length > maxControls {
		return tooLarge("one with too large controls")
	}
	if kind&constructed == 0 {
		g.skip = length
		g.close()
		return nil
	}
	if len(g.left) == maxDepth {
		return tooLarge("nested too deep")
	}
	g.left = append(g.left, length)
	g.close()
	return nil
}

// took counts octets of the elements that are open.
func (g *gauge) took(n int) {
	for i := range g.left {
		g.left[i] -= n
	}
	g.close()
}

// close ends the elements that are whole.
func (g *gauge) close() {
	for len(g.left) > 0 && g.left[len(g.left)-1] == 0 && g.skip == 0 {
		g.left = g.left[:len(g.left)-1]
	}
}
