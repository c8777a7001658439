package main

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"ad-ldap-connector/pkg/agent"
)

// TestNodesDrill plays the drill of several nodes for a moment, with all that
// befalls them.
func TestNodesDrill(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes some seconds")
	}
	t.Parallel()
	r := newCLI(t, hurry+"=500ms").drill(4*time.Minute, "nodes", "--seconds", "5", "--rate", "40", "--haproxy", requireProgram(t, "haproxy"))
	if len(r.Drills) != 1 || !r.OK {
		t.Fatalf("%+v", r)
	}
	d := r.Drills[0]
	t.Log(d.Detail)
	if d.Answered == 0 || d.Refused == 0 || d.Refused >= d.Answered || d.Lost > 0 || d.Faulted > 0 || len(d.Phases) != len(nodesKinds()) {
		t.Errorf("%+v", d)
	}
	for _, f := range d.Phases {
		t.Logf("%+v", f)
		if f.Answered == 0 || f.Name == "paused" && f.Retried == 0 || f.Planned && f.Reloads > 0 || f.Name == "updated" && (len(f.Nodes) != 3 || len(f.ByNode) != 3) {
			t.Errorf("%+v", f)
		}
	}
}

func TestNodesStepsFillTheTime(t *testing.T) {
	for _, tt := range []struct {
		lasts   time.Duration
		manager string
		steps   int
	}{
		{5 * time.Minute, "socket", 18}, {5 * time.Second, "socket", 8}, {5 * time.Minute, "", 12}, {5 * time.Second, "", 4},
	} {
		if !canSignal {
			t.Skip("there are fewer here")
		}
		steps := nodesSteps(tt.lasts, 3, tt.manager)
		sum, befell := time.Duration(0), map[string]int{}
		for _, s := range steps {
			sum += s.lasts
			befell[s.name]++
		}
		if len(steps) != tt.steps || math.Abs((sum-tt.lasts).Seconds()) > 0.001 {
			t.Errorf("%s: %d steps of %s in all", tt.lasts, len(steps), sum)
		}
		if tt.manager != "" && befell["updated"] != 3 {
			t.Errorf("%s: %v", tt.lasts, befell)
		}
	}
}

// TestNodesAreJudged counts logins as they may end.
func TestNodesAreJudged(t *testing.T) {
	const s = time.Second
	steps := []nodesStep{
		{nodesKind: nodesKind{name: "killed"}, node: 0, from: 10 * s, to: 20 * s, recovery: 2 * s},
		{nodesKind: nodesKind{name: "restarted", planned: true, heir: true}, node: 1, from: 20 * s, to: 30 * s},
	}
	fine := []rateTry{
		{11 * s, 12 * s, wasAccepted, 1, []int{1}}, {11 * s, 12 * s, wasRefused, 2, []int{2}}, {9 * s, 13 * s, wasAccepted, 1, []int{0, 1}},
		{12 * s, 17 * s, wasAccepted, 2, []int{0, 2}}, {22 * s, 23 * s, wasAccepted, 0, []int{0}},
	}
	for name, tt := range map[string]struct {
		more []rateTry
		want string
	}{
		"all is well":               {nil, ""},
		"lost":                      {[]rateTry{{11 * s, 41 * s, wasLost, -1, nil}}, "1 logins got none"},
		"not true":                  {[]rateTry{{11 * s, 12 * s, wasWrong, 1, []int{1}}}, "1 answers were not true"},
		"an error":                  {[]rateTry{{31 * s, 32 * s, wasFaulted, 1, []int{1}}}, "1 were faults"},
		"asked again":               {[]rateTry{{22 * s, 23 * s, wasAccepted, 0, []int{1, 0}}}, "+node2 restarted: 1 commands were never answered"},
		"not answered, and not hit": {[]rateTry{{12 * s, 17 * s, wasAccepted, 1, []int{2, 1}}}, "node1 killed: 1 logins were not answered by a node to which nothing"},
	} {
		p := &nodesPlay{load: &rateLoad{tries: append(append([]rateTry{}, fine...), tt.more...), reason: map[string]int{}}}
		for _, name := range []string{"node1", "node2", "node3"} {
			p.nodes = append(p.nodes, &drillNode{name: name})
		}
		want, unanswered := strings.CutPrefix(tt.want, "+")
		if steps[1].unanswered = 0; unanswered {
			steps[1].unanswered = 1
		}
		r, problems := p.count(steps)
		err := errors.Join(problems...)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
		if want == "" {
			killed := r.Phases[0]
			if len(r.Phases) != 2 || r.Answered != 5 || r.Refused != 1 || killed.Answered != 3 || killed.Retried != 1 || killed.Slowest != 5000 || killed.Recover != 2000 ||
				killed.ByNode["node2"] != 1 || killed.ByNode["node3"] != 2 || r.Phases[1].ByNode["node1"] != 1 {
				t.Errorf("%+v", r)
			}
		}
	}
}

// TestTheClusterIsJudged compares what status --cluster says with what is so.
func TestTheClusterIsJudged(t *testing.T) {
	nodes := []*drillNode{{name: "node1", peer: "a:1"}, {name: "node2", peer: "a:2"}, {name: "node3", peer: "a:3"}}
	all := func(alter func(*cluster)) cluster {
		c := cluster{}
		for i, n := range nodes {
			o := clusterNode{Address: n.peer, Name: n.name, Reachable: true, Health: agent.OK, Drift: []change{{Key: drillDiffers}}}
			if i == 0 { // it was asked
				o.Address, o.Drift = "", nil
			}
			c.Nodes = append(c.Nodes, o)
		}
		c.Warnings = []string{"node1 and node2 are on one host, x: both are lost with it"}
		if alter != nil {
			alter(&c)
		}
		return c
	}
	lost := func(c *cluster) {
		c.Nodes[1] = clusterNode{Address: "a:2", Health: agent.Down, Error: "refused"}
		c.Warnings = append(c.Warnings, "a:2 cannot be asked: refused")
	}
	well := []expectation{isWell, isWell, isWell}
	for name, tt := range map[string]struct {
		c    cluster
		well bool
		want []expectation
		says string
	}{
		"all is well":               {all(nil), true, well, ""},
		"well, and ended with 1":    {all(nil), false, well, "as if all were well: false"},
		"one is lost":               {all(lost), false, []expectation{isWell, isLost, isWell}, ""},
		"one is lost, and said not": {all(nil), true, []expectation{isWell, isLost, isWell}, "node2 is ok, and it is not there"},
		"none is lost":              {all(lost), false, well, "node2 is lost (refused), and it is there"},
		"lost, without a warning":   {all(func(c *cluster) { lost(c); c.Warnings = c.Warnings[:1] }), false, []expectation{isWell, isLost, isWell}, "no warning of node2"},
		"cut off for long":          {all(nil), true, []expectation{isWell, isAiling, isWell}, "node2 is well, and it is cut off"},
		"cut off":                   {all(func(c *cluster) { c.Nodes[1].Health = agent.Down }), false, []expectation{isWell, isThere, isWell}, ""},
		"down":                      {all(func(c *cluster) { c.Nodes[1].Health = agent.Down }), false, well, "node2 is down, and all is well"},
		"nobody knows of it":        {all(func(c *cluster) { c.Nodes = c.Nodes[:2] }), true, well, "nothing of node3"},
		"another setting":           {all(func(c *cluster) { c.Nodes[2].Drift = []change{{Key: "PEERS"}} }), true, well, "node3 differs in HTTPS_PROXY alone"},
		"another version":           {all(func(c *cluster) { c.Warnings = append(c.Warnings, "the nodes have different versions: ...") }), true, well, "it warns: the nodes have"},
		"no word of the one host":   {all(func(c *cluster) { c.Warnings = nil }), true, well, "a warning of that: false"},
		"whatever":                  {all(lost), false, []expectation{isWell, isAnything, isWell}, ""},
	} {
		err := tt.c.judge(tt.well, nodes, tt.want)
		if (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTheGuidesBalancerIsTheDrills(t *testing.T) {
	nodes := []*drillNode{{name: "node1", signIn: "127.0.0.1:1001", health: "127.0.0.1:2001"}, {name: "node3", signIn: "127.0.0.1:1003", health: "127.0.0.1:2003"}}
	for hurry, want := range map[bool]string{false: "inter 2s fall 2", true: "inter 500ms fall 2"} {
		text, err := exampleOf("127.0.0.1:1000", nodes, hurry)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range []string{want, "    bind 127.0.0.1:1000\n", "    server node3 127.0.0.1:1003 port 2003\n", "option httpchk GET /readyz"} {
			if strings.Count(text, line) != 1 {
				t.Errorf("%q is not in it once:\n%s", line, text)
			}
		}
		if strings.Contains(text, "server node1 192.0.2.") || strings.Contains(text, "server node2") {
			t.Error(text)
		}
	}
}
