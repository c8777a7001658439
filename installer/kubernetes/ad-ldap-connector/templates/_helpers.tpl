{{- define "connector.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "connector.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "connector.labels" -}}
{{ include "connector.selector" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "connector.image" -}}
{{- $repository := required "image.repository: name the image with the connector in it" .Values.image.repository -}}
{{- if .Values.image.digest }}{{ $repository }}@{{ .Values.image.digest }}{{ else }}{{ $repository }}:{{ required "image.tag: say which version, or give image.digest" .Values.image.tag }}{{ end }}
{{- end }}

{{- define "connector.secret" -}}
{{- if and .Values.secret.existing .Values.secret.create }}{{ fail "secret: give existing, or create for a trial, not both" }}{{ end -}}
{{- if .Values.secret.create }}{{ include "connector.name" . }}{{ else }}{{ required "secret.existing: name the Secret with the ticket, the key pair and the password" .Values.secret.existing }}{{ end }}
{{- end }}

{{- /* The settings that are secret: each comes from the Secret, if it has it. */ -}}
{{- define "connector.secrets" -}}
PROVISIONING_TICKET,TENANT_SIGNING_KEY,AUTH_CERT,AUTH_CERT_KEY,LDAP_BIND_PASSWORD,LDAP_BIND_CREDENTIALS,SESSION_SECRET,SSL_PFX,SSL_KEY_PASSWORD,TRUSTED_PROXY_SECRET,HTTP_PROXY,HTTPS_PROXY,OTEL_EXPORTER_OTLP_HEADERS
{{- end }}

{{- /* Those without which no agent starts. */ -}}
{{- define "connector.needed" -}}
PROVISIONING_TICKET,AUTH_CERT,AUTH_CERT_KEY
{{- end }}

{{- /* A setting as text: a list is separated by commas, a number has no exponent. */ -}}
{{- define "connector.text" -}}
{{- if kindIs "slice" . }}{{ join "," . }}{{ else if kindIs "float64" . }}{{ int64 . }}{{ else }}{{ . }}{{ end }}
{{- end }}

{{- /* The settings that the chart itself decides. */ -}}
{{- define "connector.own" -}}
OVERRIDE_CONFIG: "false"
CONNECTOR_HOME: /var/lib/connector/home
LOG_FORMAT: {{ .Values.config.LOG_FORMAT | default "json" }}
DRAIN_SECONDS: {{ .Values.drainSeconds | int64 | quote }}
HEALTH_ADDR: {{ printf ":%d" (int64 .Values.ports.health) | quote }}
PEER_ADDR: {{ printf ":%d" (int64 .Values.ports.peers) | quote }}
PEERS: {{ printf "%s-peers.%s.svc:%d" (include "connector.name" .) .Release.Namespace (int64 .Values.ports.peers) | quote }}
PORT: {{ .Values.ports.signIn | int64 | quote }}
{{- if .Values.signIn.enabled }}
SERVER_URL: {{ required "signIn.serverUrl: the address at which browsers reach the agents" .Values.signIn.serverUrl | quote }}
{{- else }}
SERVER_URL: {{ printf "http://%s.%s.svc:%d" (include "connector.name" .) .Release.Namespace (int64 .Values.ports.signIn) | quote }}
{{- end }}
{{- if .Values.metrics.enabled }}
METRICS_ADDR: {{ printf ":%d" (int64 .Values.ports.metrics) | quote }}
{{- end }}
{{- if or .Values.mapper.existing .Values.mapper.script }}
PROFILE_MAPPER_FILE: /etc/connector/mapper/profileMapper.js
{{- end }}
{{- if or .Values.authorities.configMap .Values.authorities.secret }}
SSL_CA_PATH: /etc/connector/authorities
{{- end }}
{{- end }}
