package hub

import (
	"slices"
	"strings"
	"time"
)

const (
	// maxHeld is how many commands may wait until the tenant's keys are read,
	// each with a token of up to maxHeldToken octets: they may be anybody's.
	maxHeld      = 256
	maxHeldToken = 64 << 10
)

// hold judges a command once the tenant's keys were read anew, without letting
// the link's reader wait for that. The caller has entered.
func (c *Client) hold(l *link, cmd *command, token string, arrived time.Time, keys <-chan struct{}) {
	drop := func() {
		c.o.Event(CommandLost)
		c.quiet.drops.say(c.log.Error, "a command was dropped: the tenant's keys are being read", "command", cmd.name)
	}
	if len(token) > maxHeldToken {
		drop()
		return
	}
	select {
	case c.held <- struct{}{}:
	default:
		drop()
		return
	}
	c.pending.Add(1)
	go func() {
		defer c.pending.Done()
		defer func() { <-c.held }()
		timer := time.NewTimer(c.o.RequestTimeout)
		defer timer.Stop()
		select {
		case <-keys:
		case <-timer.C:
		case <-c.base.Done():
		}
		c.judge(l, cmd, token, arrived)
	}()
}

// keysRead is told of each reading of the tenant's keys.
func (c *Client) keysRead(err error, ids []string) {
	if err != nil {
		c.log.Error("the tenant's keys could not be read", "err", err, "known", len(ids))
	} else {
		slices.Sort(ids)
		c.log.Info("the tenant's keys were read", "keys", strings.Join(ids, " "))
	}
	c.again()
}
