package kerberos

import (
	"encoding/binary"
	"io"
	"log"

	"github.com/jcmturner/gokrb5/v8/iana/adtype"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/pac"
	"github.com/jcmturner/gokrb5/v8/types"
)

// accountOf returns the account name (sAMAccountName) that the KDC of an Active
// Directory has put into a ticket, or "". What cannot be read is as if it were
// not there: other KDCs put less into it. Key is what opened the ticket.
func accountOf(t *messages.Ticket, key types.EncryptionKey) (name string) {
	defer func() {
		if recover() != nil {
			name = ""
		}
	}()
	for _, ad := range t.DecryptedEncPart.AuthorizationData {
		if ad.ADType != adtype.ADIfRelevant {
			continue
		}
		var inner types.AuthorizationData
		if inner.Unmarshal(ad.ADData) != nil {
			continue
		}
		for _, i := range inner {
			if i.ADType == adtype.ADWin2KPAC && soundPAC(i.ADData) {
				return accountOfPAC(i.ADData, key)
			}
		}
	}
	return ""
}

// soundPAC reports whether the table of a PAC (MS-PAC, section 2.3) is within
// it: the library takes its word for how much room to make.
func soundPAC(data []byte) bool {
	const head, entry, most = 8, 16, 64
	if len(data) < head {
		return false
	}
	n := int(binary.LittleEndian.Uint32(data))
	if n > most || len(data) < head+n*entry {
		return false
	}
	for i := range n {
		e := data[head+i*entry:]
		size, offset := uint64(binary.LittleEndian.Uint32(e[4:])), binary.LittleEndian.Uint64(e[8:])
		if offset > uint64(len(data)) || size > uint64(len(data))-offset {
			return false
		}
	}
	return true
}

func accountOfPAC(data []byte, key types.EncryptionKey) string {
	var p pac.PACType
	if p.Unmarshal(data) != nil || p.ProcessPACInfoBuffers(key, log.New(io.Discard, "", 0)) != nil || p.KerbValidationInfo == nil {
		return ""
	}
	return p.KerbValidationInfo.EffectiveName.Value
}
