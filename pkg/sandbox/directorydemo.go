package sandbox

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"time"
)

// DemoPassword is the password of every user of the demo population but
// jmueller, whose is DemoPasswordUmlaut. Generated users have their own.
const (
	DemoPassword       = "Passw0rd!1"
	DemoPasswordUmlaut = "Pässw0rd!1"
)

// directoryMaxUsers bounds the generated population.
const directoryMaxUsers = 100_000

const demoBase = "DC=example,DC=test"

// population adds entries to a new directory.
type population struct {
	d    *Directory
	base string
	rid  uint32 // of the next security identifier
	now  string // the time of the start, as a file time
	then string // and as a generalized time
}

// populate loads the entries, and makes those that every directory has.
func (d *Directory) populate(o DirectoryOptions) error {
	if o.Users < 0 || o.Users > directoryMaxUsers {
		return fmt.Errorf("%d users: between 0 and %d are possible", o.Users, directoryMaxUsers)
	}
	d.store = newStore(o.Users + 100)
	p := &population{d: d, base: demoBase, rid: 1103}
	p.now = strconv.FormatInt(fileTime(d.now()), 10)
	p.then = d.now().UTC().Format("20060102150405") + ".0Z"
	if o.LDIF != nil {
		base, err := d.loadLDIF(o.LDIF)
		if err != nil {
			return fmt.Errorf("read the LDIF: %w", err)
		}
		p.base = base
	}
	norm, err := normaliseDN(p.base)
	if err != nil {
		return err
	}
	d.base, d.baseNorm, d.store.schema.base = p.base, norm, norm
	if o.LDIF == nil {
		if err := p.demo(); err != nil {
			return err
		}
	} else if o.Traits.ActiveDirectory {
		if err := p.complete(); err != nil {
			return err
		}
	}
	if err := p.services(); err != nil {
		return err
	}
	return p.users(o.Users)
}

// services adds the service account, unless the LDIF has one of that name.
func (p *population) services() error {
	dn := "CN=connector,OU=Services," + p.base
	norm, err := normaliseDN(dn)
	if err != nil {
		return err
	}
	if p.d.service = p.d.store.find(norm); p.d.service != nil {
		return nil
	}
	if err := p.unit("Services"); err != nil {
		return err
	}
	p.d.service, err = p.add(dn,
		p.d.store.attr("objectClass", "top", "person", "organizationalPerson", "user", "inetOrgPerson"),
		p.d.store.attr("cn", "connector"), p.d.store.attr("sn", "connector"),
		p.d.store.attr("sAMAccountName", "connector"),
		p.d.store.attr("userPrincipalName", "connector@"+p.d.domain()),
		p.d.store.attr("objectCategory", p.category("Person")),
		p.d.store.attr("userAccountControl", strconv.Itoa(uacNormal|uacDontExpire)))
	return err
}

// unit adds an organizational unit below the base, unless it is there.
func (p *population) unit(name string) error {
	dn := "OU=" + name + "," + p.base
	norm, err := normaliseDN(dn)
	if err != nil || p.d.store.find(norm) != nil {
		return err
	}
	_, err = p.d.store.add(dn, []storeAttr{
		p.d.store.attr("objectClass", "top", "organizationalUnit"), p.d.store.attr("ou", name),
		p.d.store.attr("objectCategory", p.category("Organizational-Unit")),
		p.d.store.attr("objectGUID", guidOf(norm)), p.d.store.attr("whenCreated", p.then),
	})
	return err
}

// add adds a user or group, with identifiers.
func (p *population) add(dn string, attrs ...storeAttr) (*storeEntry, error) {
	norm, err := normaliseDN(dn)
	if err != nil {
		return nil, err
	}
	return p.d.store.add(dn, append(attrs,
		p.d.store.attr("objectGUID", guidOf(norm)), p.d.store.attr("objectSid", p.sid()),
		p.d.store.attr("whenCreated", p.then), p.d.store.attr("whenChanged", p.then)))
}

// complete gives loaded users and groups the identifiers that Active Directory
// gives every one.
func (p *population) complete() error {
	s := p.d.store
	for _, e := range s.list {
		principal, category := false, ""
		for _, class := range e.get(s.objectClass) {
			switch foldText(class) {
			case "user", "inetorgperson", "person":
				principal, category = true, "Person"
			case "group", "groupofnames", "groupofuniquenames":
				principal, category = true, "Group"
			case "computer":
				principal, category = true, "Computer"
			}
		}
		err := s.update(e, func(as []storeAttr) ([]storeAttr, error) {
			if len(e.get(s.guid)) == 0 {
				as = withAttr(as, s.guid, guidOf(e.norm))
			}
			if principal && len(e.get(s.objectSID)) == 0 {
				as = withAttr(as, s.objectSID, p.sid())
			}
			if kind := s.schema.lookup("objectCategory"); category != "" && len(e.get(kind)) == 0 {
				as = withAttr(as, kind, p.category(category))
			}
			if category == "Group" && len(e.get(s.groupType)) == 0 {
				as = withAttr(as, s.groupType, groupGlobalSecurity)
			}
			return as, nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// groupGlobalSecurity is the groupType of a global security group, which tools
// make where nothing else is said.
const groupGlobalSecurity = "-2147483646"

func (p *population) category(class string) string {
	return "CN=" + class + ",CN=Schema,CN=Configuration," + p.base
}

// sid makes the next security identifier of the domain S-1-5-21-1004336348-1177238915-682003330.
func (p *population) sid() string {
	b := []byte{1, 5, 0, 0, 0, 0, 0, 5}
	for _, sub := range []uint32{21, 1004336348, 1177238915, 682003330, p.rid} {
		b = binary.LittleEndian.AppendUint32(b, sub)
	}
	p.rid++
	return string(b)
}

func (p *population) fileTime(ago time.Duration) string {
	return strconv.FormatInt(fileTime(p.d.now().Add(-ago)), 10)
}
