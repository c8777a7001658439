package directory

import (
	"time"

	"github.com/jellydator/ttlcache/v3"
)

// How many groups of a domain are remembered, and in about how many octets.
const (
	maxNodes      = 100_000 // two keys each
	maxNodeOctets = 32 << 20
)

// A nodeCache remembers groups as a walk reads them: most users are in the same
// ones. A nil nodeCache remembers nothing.
type nodeCache struct {
	ttl  time.Duration
	now  func() time.Time
	kept *ttlcache.Cache[string, *groupNode]
}

func newNodeCache(ttl time.Duration, now func() time.Time) *nodeCache {
	if ttl <= 0 {
		return nil
	}
	return &nodeCache{ttl, now, ttlcache.New(ttlcache.WithCapacity[string, *groupNode](maxNodes),
		ttlcache.WithMaxCost(maxNodeOctets, func(item ttlcache.CostItem[string, *groupNode]) uint64 {
			n := item.Value
			octets := len(item.Key) + len(n.dn) + len(n.key) + len(n.label) + 300 // the node's own, and the cache's for it
			for _, parent := range n.parents {
				octets += len(parent.dn) + len(parent.key) + 32
			}
			return uint64(octets)
		}))}
}

func (c *nodeCache) get(key string) *groupNode {
	if c == nil {
		return nil
	}
	item := c.kept.Get(key)
	if item == nil || c.now().Sub(item.Value().read) >= c.ttl {
		return nil
	}
	return item.Value()
}

func (c *nodeCache) put(key string, n *groupNode) {
	if c != nil {
		c.kept.Set(key, n, ttlcache.NoTTL)
	}
}
