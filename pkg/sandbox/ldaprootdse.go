package sandbox

import (
	"context"
	"encoding/hex"
	"slices"
	"strings"
)

// rootDSE answers with the server's own entry (RFC 4512, section 5.1). Its
// attributes are operational, and by OpenLDAP only sent when asked for;
// Active Directory sends them anyway.
func (c *ldapConn) rootDSE(ctx context.Context, m *ldapMessage, q ldapSearch) ldapResult {
	attrs := c.d.plainRoot()
	if c.d.ad() {
		attrs = c.d.adRoot()
	}
	// A store of its own lets the filter and the selection work as for any entry.
	s := newStore(1)
	for i := range attrs {
		attrs[i].kind = s.schema.learn(attrs[i].kind.name)
	}
	filtered, err := parseSearch(m.body, s.schema, c.d.ad())
	if err != nil {
		return ldapMalformed(err)
	}
	// Active Directory shows no objectClass here, but as every server answers
	// (objectClass=*).
	asked := &storeEntry{}
	withClass := append(slices.Clone(attrs), storeAttr{s.objectClass, []string{"top"}})
	asked.attrs.Store(&withClass)
	if s.match(asked, filtered.filter) != truthYes {
		return ldapResult{}
	}
	e := &storeEntry{}
	e.attrs.Store(&attrs)
	want := selection{store: s, typesOnly: q.typesOnly, ad: false}
	open := len(q.names) == 0 || slices.Contains(q.names, "*")
	for _, a := range attrs {
		named := slices.ContainsFunc(q.names, func(n string) bool { return strings.EqualFold(n, a.kind.name) })
		first := open && (c.d.ad() || a.kind == s.objectClass)
		if named || first || slices.Contains(q.names, "+") {
			want.named = append(want.named, selected{kind: a.kind})
		}
	}
	var w berWriter
	want.encode(&w, m.id, e)
	c.send(ctx, w.b, false)
	return ldapResult{}
}

func rootAttr(name string, values ...string) storeAttr {
	return storeAttr{&schemaType{name: name}, values}
}

// plainRoot is the RootDSE in the manner of OpenLDAP.
func (d *Directory) plainRoot() []storeAttr {
	extensions := []string{oidWhoAmI, oidPasswordModify}
	if d.tls != nil {
		extensions = append(extensions, oidStartTLS)
	}
	classes, vendor := []string{"top", "OpenLDAProotDSE"}, []storeAttr(nil)
	if d.traits.Load().Server389 {
		classes, vendor = []string{"top"}, []storeAttr{rootAttr("vendorName", "389 Project"), rootAttr("vendorVersion", "389-Directory/2.3.1 B2023.030.0000")}
	}
	return append(vendor,
		rootAttr("objectClass", classes...),
		rootAttr("namingContexts", d.base),
		rootAttr("supportedControl", ldapControls...),
		rootAttr("supportedExtension", extensions...),
		rootAttr("supportedFeatures", "1.3.6.1.4.1.4203.1.5.1", "1.3.6.1.4.1.4203.1.5.3"), // "+", (&) and (|)
		rootAttr("supportedLDAPVersion", "3"),
	)
}

// adRoot is the RootDSE in the manner of Active Directory (MS-ADTS, section 3.1.1.3.2).
func (d *Directory) adRoot() []storeAttr {
	config := "CN=Configuration," + d.base
	server := "CN=DC1,CN=Servers,CN=Default-First-Site-Name,CN=Sites," + config
	host := "dc1." + d.domain()
	attrs := []storeAttr{
		rootAttr("currentTime", d.now().UTC().Format("20060102150405")+".0Z"),
		rootAttr("rootDomainNamingContext", d.base),
		rootAttr("defaultNamingContext", d.base),
		rootAttr("configurationNamingContext", config),
		rootAttr("schemaNamingContext", "CN=Schema,"+config),
		rootAttr("namingContexts", d.base, config, "CN=Schema,"+config),
		rootAttr("dsServiceName", "CN=NTDS Settings,"+server),
		rootAttr("serverName", server),
		rootAttr("dnsHostName", host),
		rootAttr("ldapServiceName", d.domain()+":dc1$@"+strings.ToUpper(d.domain())),
		rootAttr("supportedControl", ldapControls...),
		// Active Directory; its LDAP 2000; 2003; 2008; 2012; 2016
		rootAttr("supportedCapabilities", "1.2.840.113556.1.4.800", "1.2.840.113556.1.4.1670", "1.2.840.113556.1.4.1791",
			"1.2.840.113556.1.4.1935", "1.2.840.113556.1.4.2080", "1.2.840.113556.1.4.2237"),
		rootAttr("supportedLDAPVersion", "3"),
		rootAttr("supportedLDAPPolicies", "MaxPageSize", "MaxConnIdleTime", "MaxQueryDuration", "MaxValRange"),
		rootAttr("highestCommittedUSN", "12345"),
		rootAttr("isSynchronized", "TRUE"), rootAttr("isGlobalCatalogReady", "TRUE"),
		rootAttr("domainFunctionality", "7"), rootAttr("forestFunctionality", "7"), rootAttr("domainControllerFunctionality", "7"),
	}
	extensions := []string{oidWhoAmI}
	if d.tls != nil {
		extensions = append(extensions, oidStartTLS)
	}
	return append(attrs, rootAttr("supportedExtension", extensions...))
}

// guidFromText reads a GUID, as the hex digits of its bytes or in the written
// form, whose first three groups are in the other byte order.
func guidFromText(s string) (string, bool) {
	b, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
	if err != nil || len(b) != 16 {
		return "", false
	}
	if strings.Contains(s, "-") {
		slices.Reverse(b[0:4])
		slices.Reverse(b[4:6])
		slices.Reverse(b[6:8])
	}
	return string(b), true
}
