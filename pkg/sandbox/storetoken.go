package sandbox

import (
	"encoding/binary"
	"slices"
	"strconv"
)

// groupSecurity is the bit of groupType that tells a security group from a
// distribution group (MS-ADTS, section 2.2.12).
const groupSecurity = 0x80000000

// isSecurity reports whether a group counts for access: one that does not say
// what it is does.
func (s *store) isSecurity(g *storeEntry) bool {
	for _, v := range g.get(s.groupType) {
		if n, err := strconv.ParseInt(v, 10, 64); err == nil {
			return n&groupSecurity != 0
		}
	}
	return true
}

// tokenGroups are the SIDs of the security groups that an entry is in, its
// primary group included, directly or through other security groups (MS-ADTS,
// section 3.1.1.4.5.19). The caller holds the lock.
func (s *store) tokenGroups(e *storeEntry) []string {
	in := map[*storeEntry]struct{}{}
	var enter func(groups []*storeEntry)
	enter = func(groups []*storeEntry) {
		for _, g := range groups {
			if _, seen := in[g]; !seen && s.isSecurity(g) {
				in[g] = struct{}{}
				enter(s.groups(g.norm))
			}
		}
	}
	enter(s.groups(e.norm))
	enter(s.indexes[s.objectSID.index].get(s.primaryGroup(e)))
	var sids []string
	for g := range in {
		sids = append(sids, g.get(s.objectSID)...)
	}
	slices.Sort(sids)
	return sids
}

// primaryGroup is the SID of the group that primaryGroupID means: it differs
// from the entry's own in the last part. "" when there is none.
func (s *store) primaryGroup(e *storeEntry) string {
	own, rid := e.get(s.objectSID), e.get(s.primaryGroupID)
	if len(own) != 1 || len(rid) != 1 || len(own[0]) < 12 {
		return ""
	}
	n, err := strconv.ParseUint(rid[0], 10, 32)
	if err != nil {
		return ""
	}
	return own[0][:len(own[0])-4] + string(binary.LittleEndian.AppendUint32(nil, uint32(n)))
}
