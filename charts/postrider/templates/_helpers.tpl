{{/* Names, labels, and the one table of the five services from which every template is made. */}}

{{/* What each service listens on, asks and is told; tests compare it with services/README.md and the launcher's plan. */}}
{{- define "postrider.services" -}}
auth:
  values: auth
  port: 8001
  database: auth
  asks: []
  tokens: [TOKEN_GATEWAY_AUTH, TOKEN_FRONTEND_AUTH, TOKEN_QUEUE_AUTH, PROOF_KEY, ADMIN_TOKEN]
mailstore:
  values: mailstore
  port: 8003
  database: mailstore
  asks: []
  tokens: [TOKEN_GATEWAY_MAILSTORE, TOKEN_QUEUE_MAILSTORE, TOKEN_FRONTEND_MAILSTORE, PROOF_KEY, ADMIN_TOKEN]
queue-worker:
  values: queueWorker
  port: 8002
  database: queue
  asks: [auth, mailstore]
  tokens: [TOKEN_GATEWAY_QUEUE, TOKEN_QUEUE_MAILSTORE, TOKEN_QUEUE_AUTH, ADMIN_TOKEN]
smtp-gateway:
  values: smtpGateway
  port: 8004
  asks: [auth, mailstore, queue-worker]
  tokens: [TOKEN_GATEWAY_AUTH, TOKEN_GATEWAY_MAILSTORE, TOKEN_GATEWAY_QUEUE, TOKEN_SIMULATE_GATEWAY]
  mail: {smtp: 25, smtps: 465, submission: 587}
pop-imap-frontend:
  values: popImapFrontend
  port: 8005
  asks: [auth, mailstore]
  tokens: [TOKEN_FRONTEND_AUTH, TOKEN_FRONTEND_MAILSTORE]
  mail: {pop3: 110, pop3s: 995, imap: 143, imaps: 993}
{{- end }}

{{/* The port of every service's pod that answers /metrics and nothing else (docs/decisions/0043). */}}
{{- define "postrider.metricsPort" -}}
8009
{{- end }}

{{/* How a service's address is called in the environment of those who ask it. */}}
{{- define "postrider.urlName" -}}
{{- get (dict "auth" "AUTH" "mailstore" "MAILSTORE" "queue-worker" "QUEUE") . -}}_URL
{{- end }}

{{- define "postrider.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}{{ .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains $name .Release.Name -}}{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else -}}{{ printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" }}
{{- end -}}
{{- end }}

{{/* Labels that select pods: they never change. Takes root and component. */}}
{{- define "postrider.selector" -}}
app.kubernetes.io/name: postrider
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/* Labels of pods: without versions, so that a new chart alone restarts nothing. */}}
{{- define "postrider.podLabels" -}}
{{ include "postrider.selector" . }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "postrider.labels" -}}
{{ include "postrider.podLabels" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{/* The whole metadata of an object: root, component, optionally suffix (component when left out) and annotations. */}}
{{- define "postrider.metadata" -}}
name: {{ include "postrider.fullname" .root }}-{{ .suffix | default .component }}
namespace: {{ .root.Release.Namespace }}
labels: {{- include "postrider.labels" . | nindent 2 }}
{{- with merge (dict) (.annotations | default dict) .root.Values.commonAnnotations }}
annotations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* A scalar or list as the environment spells it; large numbers arrive as floats and must not become 1e+07. */}}
{{- define "postrider.scalar" -}}
{{- if kindIs "slice" . }}{{ join "," . }}
{{- else if kindIs "float64" . }}{{ if eq . (float64 (int64 .)) }}{{ int64 . }}{{ else }}{{ . }}{{ end }}
{{- else }}{{ toString . }}{{ end }}
{{- end }}

{{- define "postrider.image" -}}
{{ .root.Values.image.registry }}/{{ .name }}:{{ .root.Values.image.tag | default .root.Chart.AppVersion }}
{{- end }}

{{/* Restricted Pod Security for pods and containers. */}}
{{- define "postrider.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ . }}
runAsGroup: {{ . }}
fsGroup: {{ . }}
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "postrider.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* What every pod of the release says alike: root and component. No service account's token, no injected service names. */}}
{{- define "postrider.podCommon" -}}
serviceAccountName: {{ include "postrider.fullname" .root }}-{{ .component }}
automountServiceAccountToken: false
enableServiceLinks: false # a release called postrider would otherwise inject POSTRIDER_AUTH_PORT
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* "true" when a HPA or KEDA decides how many pods there are: root, name, values. */}}
{{- define "postrider.scaled" -}}
{{- if or .values.autoscaling.enabled (and .root.Values.keda.enabled (has .name (list "queue-worker" "smtp-gateway" "pop-imap-frontend"))) }}true{{ end }}
{{- end }}

{{/* Metadata of what the Prometheus operator reads: with the labels by which it looks. */}}
{{- define "postrider.monitoringMetadata" -}}
{{- $metadata := include "postrider.metadata" (dict "root" . "component" "monitoring") | fromYaml -}}
{{- $_ := set $metadata "labels" (mergeOverwrite (dict) $metadata.labels .Values.monitoring.labels) -}}
{{- toYaml $metadata -}}
{{- end }}

{{/* Where bodies move after a day, for the two services that hold them. */}}
{{- define "postrider.objectStoreEnv" -}}
{{- $store := .Values.objectStore }}
{{- $secret := required "objectStore.existingSecret: name the secret with accessKeyId and secretAccessKey." $store.existingSecret }}
- {name: POSTRIDER_OBJECTS_URL, value: {{ $store.url | quote }}}
- {name: POSTRIDER_OBJECTS_BUCKET, value: {{ required "objectStore.bucket: name the bucket for bodies." $store.bucket | quote }}}
- {name: POSTRIDER_OBJECTS_REGION, value: {{ $store.region | quote }}}
- name: POSTRIDER_OBJECTS_KEY_ID
  valueFrom: {secretKeyRef: {name: {{ $secret }}, key: accessKeyId}}
- name: POSTRIDER_OBJECTS_SECRET
  valueFrom: {secretKeyRef: {name: {{ $secret }}, key: secretAccessKey}}
{{- end }}
