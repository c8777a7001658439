package wsfed

// metadataPath is where consumers, and "connector doctor", look for it.
const metadataPath = "/wsfed/FederationMetadata/2007-06/FederationMetadata.xml"

// offered are the claims that the metadata names, as the existing connector's
// does.
var offered = []struct{ name, label, says string }{
	{"emailaddress", "E-Mail Address", "The e-mail address of the user"},
	{"givenname", "Given Name", "The given name of the user"},
	{"name", "Name", "The unique name of the user"},
	{"surname", "Surname", "The surname of the user"},
	{"nameidentifier", "Name ID", "The SAML name identifier of the user"},
}

// metadata describes this identity provider: who it is, its certificate and
// the address that it is reached at. It is not signed, as it never was.
func (s *signer) metadata(issuer, endpoint string) string {
	const (
		federation    = "http://docs.oasis-open.org/wsfed/federation/200706"
		authorization = "http://docs.oasis-open.org/wsfed/authorization/200706"
	)
	claims := element{name: "fed:ClaimTypesOffered"}
	for _, c := range offered {
		claims.children = append(claims.children, element{
			name: "auth:ClaimType", space: authorization,
			attributes: []attribute{{"Uri", schema + c.name}, {"Optional", "true"}},
			children:   []element{{name: "auth:DisplayName", text: c.label}, {name: "auth:Description", text: c.says}},
		})
	}
	tokens := element{name: "fed:TokenTypesOffered"}
	for _, uri := range []string{"urn:oasis:names:tc:SAML:2.0:assertion", samlSpace} {
		tokens.children = append(tokens.children, element{name: "fed:TokenType", attributes: []attribute{{"Uri", uri}}})
	}
	// The names with prefixes are written as they are: nothing here is signed.
	return element{
		name: "EntityDescriptor", space: "urn:oasis:names:tc:SAML:2.0:metadata", attributes: []attribute{{"entityID", issuer}},
		children: []element{{
			name: "RoleDescriptor",
			attributes: []attribute{
				{"xmlns:fed", federation}, {"xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance"},
				{"xsi:type", "fed:SecurityTokenServiceType"},
				{"protocolSupportEnumeration", federation}, {"ServiceDisplayName", issuer},
			},
			children: []element{
				{name: "KeyDescriptor", attributes: []attribute{{"use", "signing"}}, children: []element{
					{name: "KeyInfo", space: signSpace, children: []element{
						{name: "X509Data", children: []element{{name: "X509Certificate", text: s.text()}}},
					}},
				}},
				tokens, claims,
				{name: "fed:PassiveRequestorEndpoint", children: []element{
					{name: "EndpointReference", space: "http://www.w3.org/2005/08/addressing", children: []element{
						{name: "Address", text: endpoint},
					}},
				}},
			},
		}},
	}.String()
}
