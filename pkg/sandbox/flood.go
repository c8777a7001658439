package sandbox

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"
)

// floodAhead is how many frames of a flood may be under way. More would only fill
// the sockets between, and have the hub's own ping wait behind them for so long
// that it takes the agent for dead.
const floodAhead = 5000

// Flood writes so many frames to one agent of a connection as fast as it takes
// them, beside the requests that go on: commands nobody knows, texts that are no
// message, tokens that do not verify, and one command again and again, which the
// agent may answer once. It returns how many it wrote when the link ends before,
// or ctx does, and ErrNoAgent without a link.
func (c *Cloud) Flood(ctx context.Context, connection string, frames int) (sent int, err error) {
	cc := c.find(connection)
	if cc == nil {
		return 0, ErrUnknownConnection
	}
	l, _, _ := c.next(cc.Name, nil)
	if l == nil {
		return 0, ErrNoAgent
	}
	kinds, err := c.flotsam(cc)
	if err != nil {
		return 0, fmt.Errorf("flood the agent: %w", err)
	}
	for ; sent < frames; sent++ {
		if ctx.Err() != nil {
			return sent, ctx.Err()
		}
		err := l.send(kinds[sent%len(kinds)])
		if err == nil && sent%floodAhead == floodAhead-1 && sent+1 < frames {
			err = l.conn.Ping(ctx)
		}
		if err != nil {
			return sent, fmt.Errorf("flood the agent, with frame %d: %w", sent, err)
		}
	}
	return sent, nil
}

// flotsam is what a flood is made of, in equal parts.
func (c *Cloud) flotsam(cc *cloudConnection) ([][]byte, error) {
	token, err := c.sign(cc, rand.Text(), "list_groups", Request{Limit: 1})
	if err != nil {
		return nil, err
	}
	command := func(name, token string) []byte {
		frame, _ := json.Marshal(cloudFrame{name, map[string]string{"jwt": token}}) // strings can be written
		return frame
	}
	damaged := token[:len(token)-10] + strings.Repeat("A", 10)
	return [][]byte{
		command("list_groups", token), command("authenticate_user", damaged), command("search_users", "no.token.atall"),
		[]byte("not JSON"), []byte(`{"n":"authenticate_user"}`), []byte(`{"n":"nosuch","p":{}}`), []byte(`{"p":{}}`), []byte(`[]`),
		[]byte(`{"n":"authenticated","p":{}}`), []byte(`{"n":"close","p":null}`),
	}, nil
}
