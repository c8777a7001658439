package hub

import (
	"io"
	"testing"
)

// TestAReloadForgetsNothing: the client after a reload knows what the one
// before it carried out.
func TestAReloadForgetsNothing(t *testing.T) {
	token := hs256(signingKey, `{"pid":"p","username":"jane","password":"new"}`)
	o := options("https://hub.example", io.Discard)
	o.Seen = NewSeen()
	for i, want := range []bool{true, false} {
		c, err := New(&people{}, o)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.verify.check(token); (err == nil) != want {
			t.Errorf("client %d: %v", i, err)
		}
	}
	o.Seen = nil
	c, err := New(&people{}, o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.verify.check(token); err != nil {
		t.Errorf("a client that knows nothing: %v", err)
	}
}
