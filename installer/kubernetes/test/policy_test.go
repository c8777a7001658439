package kubernetes_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// each runs a test with several kinds of values.
func each(t *testing.T, test func(t *testing.T, r *rendered)) {
	t.Parallel()
	for kind, v := range map[string]values{"least": least(), "most": most(), "trial": trial()} {
		t.Run(kind, func(t *testing.T) { test(t, mustRender(t, v)) })
	}
}

func isTrue(b *bool) bool  { return b != nil && *b }
func isFalse(b *bool) bool { return b != nil && !*b }

// TestPodIsConfined is what the standard "restricted" asks for, and more.
func TestPodIsConfined(t *testing.T) {
	each(t, func(t *testing.T, r *rendered) {
		pod, c := r.pod(), r.container()
		if len(pod.Containers) != 1 || len(pod.InitContainers) != 0 {
			t.Error("there are other containers")
		}
		p, s := pod.SecurityContext, c.SecurityContext
		if p == nil || s == nil {
			t.Fatal("there is no security context")
		}
		for what, ok := range map[string]bool{
			"it may run as root":                    isTrue(p.RunAsNonRoot) && isTrue(s.RunAsNonRoot) && s.RunAsUser == nil && p.RunAsUser != nil && *p.RunAsUser > 0 && p.RunAsGroup != nil && *p.RunAsGroup > 0,
			"the root file system can be written":   isTrue(s.ReadOnlyRootFilesystem),
			"it may gain privileges":                isFalse(s.AllowPrivilegeEscalation) && isFalse(s.Privileged),
			"it has capabilities":                   s.Capabilities != nil && slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}) && len(s.Capabilities.Add) == 0,
			"seccomp is off":                        p.SeccompProfile != nil && p.SeccompProfile.Type == corev1.SeccompProfileTypeRuntimeDefault && s.SeccompProfile == nil,
			"it has a token of the cluster":         isFalse(pod.AutomountServiceAccountToken),
			"links of services become settings":     isFalse(pod.EnableServiceLinks),
			"it sees the node":                      !pod.HostNetwork && !pod.HostPID && !pod.HostIPC && len(c.VolumeDevices) == 0,
			"its memory is not bounded":             !c.Resources.Limits.Memory().IsZero() && !c.Resources.Requests.Memory().IsZero() && !c.Resources.Requests.Cpu().IsZero(),
			"its processor is throttled":            c.Resources.Limits.Cpu().IsZero(),
			"the image is not the one that was set": strings.HasPrefix(c.Image, "registry.corp.example/ad-ldap-connector"),
		} {
			if !ok {
				t.Error(what)
			}
		}
		for _, port := range c.Ports {
			if port.HostPort != 0 || port.ContainerPort < 1024 {
				t.Errorf("port %+v", port)
			}
		}
	})
}

// TestVolumes: all are read only but the empty folder.
func TestVolumes(t *testing.T) {
	each(t, func(t *testing.T, r *rendered) {
		sources := map[string]corev1.VolumeSource{}
		for _, v := range r.pod().Volumes {
			if sources[v.Name] = v.VolumeSource; v.EmptyDir == nil && v.ConfigMap == nil && v.Secret == nil {
				t.Errorf("%s is a volume of another kind", v.Name)
			}
			if v.EmptyDir != nil && (v.EmptyDir.SizeLimit == nil || v.EmptyDir.SizeLimit.IsZero()) {
				t.Errorf("%s has no limit", v.Name)
			}
			if v.Secret != nil && (v.Secret.DefaultMode == nil || *v.Secret.DefaultMode != 0o440) {
				t.Errorf("%s can be read by others", v.Name)
			}
		}
		for _, m := range r.container().VolumeMounts {
			if source, ok := sources[m.Name]; !ok || m.ReadOnly == (source.EmptyDir != nil) {
				t.Errorf("%s: read only is %t", m.Name, m.ReadOnly)
			}
			delete(sources, m.Name)
		}
		if len(sources) > 0 {
			t.Errorf("not mounted: %v", sources)
		}
	})
}

// TestSecretsComeFromSecrets: each by its own reference, and by nothing else.
func TestSecretsComeFromSecrets(t *testing.T) {
	// A certificate is none, but it belongs with its key.
	secret := append(secretKeys(t), "AUTH_CERT")
	slices.Sort(secret)
	each(t, func(t *testing.T, r *rendered) {
		c := r.container()
		if len(c.EnvFrom) > 0 || !slices.Equal(c.Args, []string{"run"}) || len(c.Command) > 0 {
			t.Errorf("envFrom %v, args %v, command %v", c.EnvFrom, c.Args, c.Command)
		}
		var found []string
		for _, e := range c.Env {
			switch {
			case slices.Contains(secret, e.Name):
				found = append(found, e.Name)
				if e.Value != "" || e.ValueFrom == nil || e.ValueFrom.SecretKeyRef == nil || e.ValueFrom.SecretKeyRef.Key != e.Name {
					t.Errorf("%s does not come from the Secret", e.Name)
				}
			case e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil:
				t.Errorf("%s is no secret", e.Name)
			}
		}
		slices.Sort(found)
		if !slices.Equal(found, secret) {
			t.Errorf("secrets are %q, want %q", found, secret)
		}
		if strings.Contains(fmt.Sprintf("%+v", r.deployment), "xyzzy") {
			t.Error("a secret is in the Deployment")
		}
	})
}

// TestSettings: each is there once, as text that the connector reads.
func TestSettings(t *testing.T) {
	t.Parallel()
	known := knownKeys(t)
	env := map[string]string{}
	for _, e := range mustRender(t, most()).container().Env {
		if _, ok := env[e.Name]; ok {
			t.Errorf("%s is there twice", e.Name)
		}
		if !slices.Contains(known, e.Name) && e.Name != "CONNECTOR_HOME" && e.Name != "OVERRIDE_CONFIG" {
			t.Errorf("%s is no setting", e.Name)
		}
		env[e.Name] = e.Value
	}
	for key, want := range map[string]string{
		"OVERRIDE_CONFIG": "false", "GROUPS": "false", "GROUPS_CACHE_SECONDS": "1200000", "GROUP_PROPERTIES": "cn,description",
		"LOG_FORMAT": "text", "DRAIN_SECONDS": "20", "SERVER_URL": "https://login.corp.example", "PORT": "4000",
		"PEERS": name + "-peers." + namespace + ".svc:8359", "METRICS_ADDR": ":8360", "HEALTH_ADDR": ":8358", "PEER_ADDR": ":8359",
	} {
		if env[key] != want {
			t.Errorf("%s=%q, want %q", key, env[key], want)
		}
	}
	if got := mustRender(t, most()).configMaps[name+"-mapper"].Data["profileMapper.js"]; got != most()["mapper"].(values)["script"] {
		t.Errorf("the mapper is %q", got)
	}
}

// TestAvailability: agents are spread, and an update or a node that is drained
// takes one at a time, after another one has come.
func TestAvailability(t *testing.T) {
	each(t, func(t *testing.T, r *rendered) {
		d := r.deployment.Spec
		if *d.Replicas != 3 || d.Strategy.Type != "RollingUpdate" || d.Strategy.RollingUpdate.MaxUnavailable.IntValue() != 0 || d.Strategy.RollingUpdate.MaxSurge.IntValue() < 1 {
			t.Errorf("%d replicas, %+v", *d.Replicas, d.Strategy)
		}
		selected := func(of map[string]string) bool {
			for key, value := range of {
				if d.Template.Labels[key] != value {
					return false
				}
			}
			return len(of) == 2
		}
		if b := r.budget.Spec; b.MaxUnavailable == nil || b.MaxUnavailable.IntValue() != 1 || !selected(b.Selector.MatchLabels) || !selected(d.Selector.MatchLabels) || !selected(r.network.Spec.PodSelector.MatchLabels) {
			t.Errorf("%+v", b)
		}
		var over []string
		for _, s := range d.Template.Spec.TopologySpreadConstraints {
			over = append(over, s.TopologyKey)
			if s.MaxSkew != 1 || !selected(s.LabelSelector.MatchLabels) {
				t.Errorf("%+v", s)
			}
		}
		if slices.Sort(over); !slices.Equal(over, []string{"kubernetes.io/hostname", "topology.kubernetes.io/zone"}) {
			t.Errorf("spread over %q", over)
		}
		c := r.container()
		if c.Lifecycle != nil || *d.Template.Spec.TerminationGracePeriodSeconds < 20+15 {
			t.Errorf("grace %d, lifecycle %v", *d.Template.Spec.TerminationGracePeriodSeconds, c.Lifecycle)
		}
		for probe, want := range map[*corev1.Probe]string{c.StartupProbe: "/livez", c.LivenessProbe: "/livez", c.ReadinessProbe: "/readyz"} {
			if probe == nil || probe.HTTPGet == nil || probe.HTTPGet.Path != want || probe.HTTPGet.Port != intstr.FromString("health") {
				t.Errorf("%s: %+v", want, probe)
			}
		}
	})
}

// TestNetworkPolicy: what is let through, and nothing else.
func TestNetworkPolicy(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		v       values
		in, out []string
	}{
		{least(), []string{"health from all", "peers from pods"}, []string{"53 53 to all", "443 to 0.0.0.0/0 ::/0", "636 389 to 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16", "peers to pods"}},
		{least(values{"networkPolicy": values{"directory": values{"cidrs": []string{"10.1.0.0/24"}, "ports": []int{636}}}}),
			[]string{"health from all", "peers from pods"}, []string{"53 53 to all", "443 to 0.0.0.0/0 ::/0", "636 to 10.1.0.0/24", "peers to pods"}},
		{most(), []string{"health from 10.0.0.0/24", "peers from pods", "metrics from namespaces", "sign-in from namespaces"},
			[]string{"53 53 to all", "443 to 0.0.0.0/0 ::/0", "636 389 to 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16", "peers to pods", "88 to all"}},
	} {
		p := mustRender(t, tt.v).network.Spec
		if !slices.Equal(p.PolicyTypes, []networkingv1.PolicyType{"Ingress", "Egress"}) {
			t.Errorf("%v", p.PolicyTypes)
		}
		var in, out []string
		for _, rule := range p.Ingress {
			in = append(in, said(rule.Ports, "from", rule.From))
		}
		for _, rule := range p.Egress {
			out = append(out, said(rule.Ports, "to", rule.To))
		}
		if !slices.Equal(in, tt.in) || !slices.Equal(out, tt.out) {
			t.Errorf("in %q\nout %q", in, out)
		}
	}
	off := mustRender(t, least(values{"networkPolicy": values{"enabled": false}, "podDisruptionBudget": values{"enabled": false}}))
	if off.network != nil || off.budget != nil {
		t.Error("it is there although it is off")
	}
}

func said(ports []networkingv1.NetworkPolicyPort, way string, peers []networkingv1.NetworkPolicyPeer) string {
	var words []string
	for _, p := range ports {
		words = append(words, p.Port.String())
	}
	words = append(words, way)
	for _, p := range peers {
		switch {
		case p.IPBlock != nil:
			words = append(words, p.IPBlock.CIDR)
		case p.NamespaceSelector != nil:
			words = append(words, "namespaces")
		case p.PodSelector != nil:
			words = append(words, "pods")
		}
	}
	if len(peers) == 0 {
		words = append(words, "all")
	}
	return strings.Join(words, " ")
}

// TestServices: the agents find each other also when they are not well, and
// browsers only find those that are.
func TestServices(t *testing.T) {
	t.Parallel()
	few, many := mustRender(t, least()).services, mustRender(t, most()).services
	if len(few) != 1 || len(many) != 2 {
		t.Fatalf("%d and %d services", len(few), len(many))
	}
	peers := few[name+"-peers"].Spec
	if peers.ClusterIP != "None" || !peers.PublishNotReadyAddresses || peers.Ports[0].TargetPort.String() != "peers" || peers.Ports[0].Port != 8359 {
		t.Errorf("%+v", peers)
	}
	signIn := many[name].Spec
	if signIn.Type != "LoadBalancer" || signIn.PublishNotReadyAddresses || signIn.SessionAffinity != "" || signIn.Ports[0].Port != 443 || signIn.Ports[0].TargetPort.String() != "sign-in" {
		t.Errorf("%+v", signIn)
	}
	annotations := mustRender(t, most()).deployment.Spec.Template.Annotations
	if annotations["prometheus.io/port"] != "8360" || annotations["x"] != "y" {
		t.Errorf("%v", annotations)
	}
	if a := mustRender(t, least()).deployment.Spec.Template.Annotations; a["prometheus.io/scrape"] != "" {
		t.Errorf("%v", a)
	}
}
