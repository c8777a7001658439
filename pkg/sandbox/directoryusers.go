package sandbox

import (
	"fmt"
	"strconv"
	"strings"
)

// Generated users are spread over so many teams; each team lies in a division,
// and the divisions in the company: three levels of nesting for everyone.
const (
	generatedTeams     = 100
	generatedDivisions = 10
)

var (
	generatedGiven       = strings.Fields("Ada Ben Cleo Dan Eve Finn Gina Hugo Ida Jon Kira Leo Mia Nils Olga Paul Rosa Sam Tara Uwe")
	generatedDepartments = strings.Fields("Engineering Accounting IT Sales Support Logistics Legal Research")
	generatedTitles      = strings.Fields("Engineer Accountant Administrator Representative Agent Planner Counsel Scientist")
)

// GeneratedUser is the login name of the i-th generated user, from 0 on
// (user00042), and GeneratedPassword the password (Passw0rd-00042).
func GeneratedUser(i int) string { return fmt.Sprintf("user%05d", i) }

// GeneratedPassword is described at GeneratedUser.
func GeneratedPassword(i int) string { return fmt.Sprintf("Passw0rd-%05d", i) }

// users adds n generated users and their groups. What many have alike is
// stored once: a hundred thousand of them are to fit into any machine.
func (p *population) users(n int) error {
	if n == 0 {
		return nil
	}
	for _, unit := range []string{"Users", "Groups"} {
		if err := p.unit(unit); err != nil {
			return err
		}
	}
	s := p.d.store
	one := func(name, value string) storeAttr { return s.attr(name, value) }
	common := []storeAttr{
		s.attr("objectClass", "top", "person", "organizationalPerson", "user", "inetOrgPerson"),
		one("objectCategory", p.category("Person")), one("userAccountControl", strconv.Itoa(uacNormal)),
		one("accountExpires", strconv.FormatInt(fileTimeNever, 10)), one("pwdLastSet", p.now),
		one("primaryGroupID", "513"), one("whenCreated", p.then), one("whenChanged", p.then),
	}
	var departments, titles, given []storeAttr
	for i := range generatedDepartments {
		departments = append(departments, one("department", generatedDepartments[i]))
		titles = append(titles, one("title", generatedTitles[i]))
	}
	for _, name := range generatedGiven {
		given = append(given, one("givenName", name))
	}
	var kinds []*schemaType
	for _, name := range strings.Fields("cn displayName sn uid sAMAccountName userPrincipalName mail employeeNumber userPassword objectGUID objectSid") {
		kinds = append(kinds, s.schema.learn(name))
	}
	teams := make([][]string, generatedTeams)
	suffix := ",OU=Users," + p.base
	domain := "@" + p.d.domain()
	for i := range n {
		login, first := GeneratedUser(i), generatedGiven[i%len(generatedGiven)]
		// The values are cut out of one string, and lie in one slice.
		dn := "CN=" + first + " Last" + login[4:] + suffix
		cn := dn[3 : len(dn)-len(suffix)]
		address := login + domain
		norm, err := normaliseDN(dn)
		if err != nil {
			return err
		}
		values := []string{cn, cn, cn[len(first)+1:], login, login, address, address, strconv.Itoa(i), GeneratedPassword(i), guidOf(norm), p.sid()}
		attrs := make([]storeAttr, 0, len(common)+len(kinds)+3)
		attrs = append(attrs, common...)
		attrs = append(attrs, given[i%len(given)], departments[i%len(departments)], titles[i%len(titles)])
		for k, t := range kinds {
			attrs = append(attrs, storeAttr{t, values[k : k+1 : k+1]})
		}
		if _, err := s.add(dn, attrs); err != nil {
			return err
		}
		teams[i%generatedTeams] = append(teams[i%generatedTeams], dn)
	}
	return p.teams(teams)
}

func (p *population) teams(teams [][]string) error {
	divisions := make([][]string, generatedDivisions)
	dn := func(name string) string { return "CN=" + name + ",OU=Groups," + p.base }
	for i, members := range teams {
		if len(members) == 0 {
			continue
		}
		name := fmt.Sprintf("Team %02d", i)
		if err := p.group(name, members); err != nil {
			return err
		}
		divisions[i%generatedDivisions] = append(divisions[i%generatedDivisions], dn(name))
	}
	var company []string
	for i, members := range divisions {
		if len(members) == 0 {
			continue
		}
		name := fmt.Sprintf("Division %d", i)
		if err := p.group(name, members); err != nil {
			return err
		}
		company = append(company, dn(name))
	}
	return p.group("Company", company)
}
