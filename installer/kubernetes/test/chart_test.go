// Package kubernetes_test renders the chart with Helm's own engine, reads what
// comes of it as the API server does, and runs the connector with it.
package kubernetes_test

import (
	"maps"
	"path"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"sigs.k8s.io/yaml"
)

const (
	chartFolder = "../ad-ldap-connector"
	release     = "sso"
	namespace   = "identity"
	name        = release + "-ad-ldap-connector"
)

type values = map[string]any

// A rendered chart is its objects, each read strictly into its type.
type rendered struct {
	deployment *appsv1.Deployment
	budget     *policyv1.PodDisruptionBudget
	network    *networkingv1.NetworkPolicy
	services   map[string]*corev1.Service
	secrets    map[string]*corev1.Secret
	configMaps map[string]*corev1.ConfigMap
	notes      string
}

func load(t *testing.T) *chart.Chart {
	t.Helper()
	c, err := loader.LoadDir(chartFolder)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// render renders the chart as "helm install -f values.yaml" does.
func render(t *testing.T, v values) (*rendered, error) {
	t.Helper()
	c := load(t)
	options := chartutil.ReleaseOptions{Name: release, Namespace: namespace, IsInstall: true, Revision: 1}
	all, err := chartutil.ToRenderValues(c, reread(t, v), options, chartutil.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	files, err := engine.Render(c, all)
	if err != nil {
		return nil, err
	}
	r := &rendered{services: map[string]*corev1.Service{}, secrets: map[string]*corev1.Secret{}, configMaps: map[string]*corev1.ConfigMap{}}
	for _, file := range slices.Sorted(maps.Keys(files)) {
		if path.Base(file) == "NOTES.txt" {
			r.notes = files[file]
			continue
		}
		for _, text := range strings.Split(files[file], "\n---\n") {
			if strings.TrimSpace(text) != "" {
				r.read(t, file, text)
			}
		}
	}
	return r, nil
}

func mustRender(t *testing.T, v values) *rendered {
	t.Helper()
	r, err := render(t, v)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// reread has the values as a file would have them.
func reread(t *testing.T, v values) values {
	t.Helper()
	text, err := yaml.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	again, err := chartutil.ReadValues(text)
	if err != nil {
		t.Fatal(err)
	}
	return again
}

// read reads an object. A field that its type does not have, or that is there
// twice, is an error.
func (r *rendered) read(t *testing.T, file, text string) {
	t.Helper()
	var kind struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Metadata   struct {
			Name string `json:"name"`
		} `json:"metadata"`
	}
	if err := yaml.Unmarshal([]byte(text), &kind); err != nil {
		t.Fatalf("%s: %v in\n%s", file, err, text)
	}
	named := kind.Metadata.Name
	var into any
	switch kind.APIVersion + " " + kind.Kind {
	case "apps/v1 Deployment":
		r.deployment = new(appsv1.Deployment)
		into = r.deployment
	case "policy/v1 PodDisruptionBudget":
		r.budget = new(policyv1.PodDisruptionBudget)
		into = r.budget
	case "networking.k8s.io/v1 NetworkPolicy":
		r.network = new(networkingv1.NetworkPolicy)
		into = r.network
	case "v1 Service":
		r.services[named] = new(corev1.Service)
		into = r.services[named]
	case "v1 Secret":
		r.secrets[named] = new(corev1.Secret)
		into = r.secrets[named]
	case "v1 ConfigMap":
		r.configMaps[named] = new(corev1.ConfigMap)
		into = r.configMaps[named]
	default:
		t.Fatalf("%s: an object of kind %s %s", file, kind.APIVersion, kind.Kind)
	}
	if err := yaml.UnmarshalStrict([]byte(text), into); err != nil {
		t.Fatalf("%s: %v in\n%s", file, err, text)
	}
}

func (r *rendered) pod() corev1.PodSpec { return r.deployment.Spec.Template.Spec }

func (r *rendered) container() corev1.Container { return r.pod().Containers[0] }

// least are the values without which there is no chart.
func least(more ...values) values {
	v := values{
		"image":  values{"repository": "registry.corp.example/ad-ldap-connector", "tag": "1.0.0"},
		"secret": values{"existing": "connector-secrets"},
		"config": values{"LDAP_URL": "ldaps://dc1.corp.example", "LDAP_BASE": "DC=corp,DC=example", "LDAP_BIND_USER": "svc"},
	}
	for _, m := range more {
		for key, value := range m {
			if inner, ok := value.(values); ok && v[key] != nil {
				maps.Copy(v[key].(values), inner)
			} else {
				v[key] = value
			}
		}
	}
	return v
}

// most turns everything on.
func most() values {
	everybody := []values{{"namespaceSelector": values{"matchLabels": values{"kubernetes.io/metadata.name": "ingress"}}}}
	return least(values{
		"image":            values{"digest": "sha256:" + strings.Repeat("0123456789abcdef", 4)},
		"imagePullSecrets": []values{{"name": "registry"}},
		"config":           values{"GROUPS": false, "GROUPS_CACHE_SECONDS": 1200000, "GROUP_PROPERTIES": []string{"cn", "description"}, "LOG_FORMAT": "text"},
		"mapper":           values{"script": "module.exports = function (raw) {\n  return { id: \"{{ x }}\" };\n};\n"},
		"authorities":      values{"secret": "authorities"},
		"files":            values{"secret": "keytab"},
		"signIn":           values{"enabled": true, "serverUrl": "https://login.corp.example", "from": everybody, "service": values{"type": "LoadBalancer", "annotations": values{"a": "b"}}},
		"metrics":          values{"enabled": true, "from": everybody},
		"networkPolicy":    values{"healthFrom": []values{{"ipBlock": values{"cidr": "10.0.0.0/24"}}}, "egress": []values{{"ports": []values{{"port": 88}}}}},
		"podAnnotations":   values{"x": "y"}, "podLabels": values{"team": "identity"},
		"nodeSelector": values{"kubernetes.io/os": "linux"}, "tolerations": []values{{"key": "a", "operator": "Exists"}},
		"affinity":          values{"nodeAffinity": values{}},
		"priorityClassName": "high", "spread": values{"nodes": "DoNotSchedule"},
	})
}

// trial has its secrets in the values.
func trial() values {
	v := least(values{"secret": values{"create": values{
		"PROVISIONING_TICKET": "https://acme.example/p/ad/xyzzy", "AUTH_CERT": "PEM of xyzzy\r\n", "AUTH_CERT_KEY": "key of xyzzy\r\n", "LDAP_BIND_PASSWORD": "xyzzy",
	}}})
	delete(v["secret"].(values), "existing")
	return v
}

// TestLint: Helm's own linter has nothing to say, with any values.
func TestLint(t *testing.T) {
	t.Parallel()
	for kind, v := range map[string]values{"least": least(), "most": most(), "trial": trial()} {
		l := lint.AllWithKubeVersion(chartFolder, reread(t, v), namespace, &chartutil.DefaultCapabilities.KubeVersion)
		for _, m := range l.Messages {
			if m.Severity > support.InfoSev {
				t.Errorf("%s: %v", kind, m)
			}
		}
		if l.HighestSeverity > support.InfoSev {
			t.Errorf("%s: severity %d", kind, l.HighestSeverity)
		}
	}
}

// TestRefused: what cannot work is refused before it is installed, and named.
func TestRefused(t *testing.T) {
	t.Parallel()
	without := func(keys ...string) values {
		v := least()
		delete(v[keys[0]].(values), keys[1])
		return v
	}
	for says, v := range map[string]values{
		"image.repository: name the image":                             without("image", "repository"),
		"image.tag: say which version":                                 without("image", "tag"),
		"secret.existing: name the Secret":                             without("secret", "existing"),
		"at '/config': missing property 'LDAP_URL'":                    without("config", "LDAP_URL"),
		"secret: give existing, or create":                             least(values{"secret": values{"create": values{"PROVISIONING_TICKET": "x", "AUTH_CERT": "x", "AUTH_CERT_KEY": "x"}}}),
		"secret.create.PROVISIONING_TICKET is missing":                 least(values{"secret": values{"existing": "", "create": values{"AUTH_CERT": "x", "AUTH_CERT_KEY": "x"}}}),
		"secret.create.LDAP_URL: it is no secret":                      least(values{"secret": values{"existing": "", "create": values{"LDAP_URL": "x"}}}),
		"config.LDAP_BIND_PASSWORD: it is a secret":                    least(values{"config": values{"LDAP_BIND_PASSWORD": "x"}}),
		"config.PORT: the chart decides it":                            least(values{"config": values{"PORT": 1}}),
		"config.OVERRIDE_CONFIG: the chart decides it":                 least(values{"config": values{"OVERRIDE_CONFIG": true}}),
		"signIn.serverUrl: the address at which browsers":              least(values{"signIn": values{"enabled": true}}),
		"mapper: give existing or script":                              least(values{"mapper": values{"existing": "a", "script": "b"}}),
		"authorities: give configMap or secret":                        least(values{"authorities": values{"configMap": "a", "secret": "b"}}),
		"additional properties 'replcas' not allowed":                  least(values{"replcas": 2}),
		"at '/drainSeconds': maximum: got 60, want 20":                 least(values{"drainSeconds": 60}),
		"at '/replicas': minimum: got 0, want 1":                       least(values{"replicas": 0}),
		"at '/networkPolicy/directory/cidrs': minItems: got 0, want 1": least(values{"networkPolicy": values{"directory": values{"cidrs": []string{}}}}),
		"at '/ports/health': minimum: got 80":                          least(values{"ports": values{"health": 80}}),
	} {
		if _, err := render(t, v); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("want %q, got %v", says, err)
		}
	}
}

// TestNotes: what is risky is said.
func TestNotes(t *testing.T) {
	t.Parallel()
	for says, v := range map[string]values{
		"3 agents of the connection":  least(),
		"secret.create is for trials": trial(),
		"one agent only":              least(values{"replicas": 1}),
		"can reach the sign-in":       least(values{"signIn": values{"enabled": true, "serverUrl": "https://x.example"}}),
	} {
		if r := mustRender(t, v); !strings.Contains(r.notes, says) || strings.Contains(r.notes, "xyzzy") {
			t.Errorf("want %q in %s", says, r.notes)
		}
	}
	if quiet := mustRender(t, least()).notes; strings.Contains(quiet, "WARNING") {
		t.Error(quiet)
	}
}

// TestChangesStartOthers: what agents read only at their start brings new ones,
// and nothing else does.
func TestChangesStartOthers(t *testing.T) {
	t.Parallel()
	template := func(v values) string {
		text, err := yaml.Marshal(mustRender(t, v).deployment.Spec.Template)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	before := template(trial())
	if template(trial()) != before {
		t.Error("the same values give another template")
	}
	change := func(key string, inner values) values {
		v := trial()
		if v[key] == nil {
			v[key] = values{}
		}
		maps.Copy(v[key].(values), inner)
		return v
	}
	other := trial()
	other["secret"].(values)["create"].(values)["LDAP_BIND_PASSWORD"] = "another"
	for what, v := range map[string]values{
		"the password": other, "a setting": change("config", values{"GROUPS": false}),
		"the mapper": change("mapper", values{"script": "module.exports = function () {};"}),
	} {
		if template(v) == before {
			t.Errorf("with another value for %s no other agents start", what)
		}
	}
	more := trial()
	if more["replicas"] = 5; template(more) != before {
		t.Error("with more agents those that are there start anew")
	}
}
