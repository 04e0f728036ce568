{{/* The one workload of all five services. Takes root, name and service (its row in postrider.services). */}}
{{- define "postrider.workload" -}}
{{- $root := .root }}
{{- $service := .service }}
{{- $values := index $root.Values $service.values }}
{{- $edge := and $service.mail (eq $root.Values.exposure.type "HostPort") }}
{{- $labels := dict "root" $root "component" .name }}
apiVersion: apps/v1
kind: {{ ternary "DaemonSet" "Deployment" (not (not $edge)) }}
metadata: {{- include "postrider.metadata" $labels | nindent 2 }}
spec:
  revisionHistoryLimit: 3
  {{- if $edge }}
  updateStrategy: {type: RollingUpdate, rollingUpdate: {maxUnavailable: 1}} # two pods cannot share a host port
  {{- else }}
  {{- if not (include "postrider.scaled" (dict "root" $root "name" .name "values" $values)) }}
  replicas: {{ $values.replicas }}
  {{- end }}
  strategy: {type: RollingUpdate, rollingUpdate: {maxUnavailable: 0, maxSurge: 1}}
  {{- end }}
  selector:
    matchLabels: {{- include "postrider.selector" $labels | nindent 6 }}
  template:
    metadata:
      labels: {{- include "postrider.podLabels" $labels | nindent 8 }}
      annotations:
        postrider/tokens-generation: {{ $root.Values.tokens.generation | quote }}
        {{- if not $root.Values.monitoring.enabled }}
        prometheus.io/scrape: "true"
        prometheus.io/port: {{ include "postrider.metricsPort" . | quote }}
        prometheus.io/path: /metrics
        {{- end }}
        {{- with merge (dict) $values.podAnnotations $root.Values.podAnnotations $root.Values.commonAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    spec:
      {{- include "postrider.podCommon" $labels | nindent 6 }}
      {{- with $root.Values.priorityClassName }}
      priorityClassName: {{ . }}
      {{- end }}
      {{- with $root.Values.affinity }}
      affinity: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- if and $root.Values.topologySpread (not $edge) }}
      topologySpreadConstraints:
        {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
        - topologyKey: {{ . }}
          maxSkew: 1
          whenUnsatisfiable: ScheduleAnyway
          matchLabelKeys: [pod-template-hash]
          labelSelector:
            matchLabels: {{- include "postrider.selector" $labels | nindent 14 }}
        {{- end }}
      {{- end }}
      # Decision 13: no preStop. The service itself goes unready at SIGTERM and accepts for the drain delay, then finishes what
      # is in hand within its grace; ten seconds more are for the process's own end.
      terminationGracePeriodSeconds: {{ add $root.Values.drainDelaySeconds $values.graceSeconds 10 }}
      securityContext: {{- include "postrider.podSecurity" 10001 | nindent 8 }}
      {{- if $service.database }}
      initContainers:
        - name: wait-schema
          {{- include "postrider.container" . | nindent 10 }}
          args: [wait-schema]
          env:
            - {name: POSTRIDER_SCHEMA_WAIT_SECONDS, value: {{ $root.Values.migrations.waitSeconds | quote }}}
            {{- include "postrider.databaseEnv" $root | nindent 12 }}
      {{- end }}
      containers:
        - name: {{ .name }}
          {{- include "postrider.container" . | nindent 10 }}
          env: {{- include "postrider.env" . | nindent 12 }}
          ports:
            - {name: http, containerPort: {{ $service.port }}}
            - {name: metrics, containerPort: {{ include "postrider.metricsPort" . }}}
            {{- range $port, $number := $service.mail }}
            - {name: {{ $port }}, containerPort: {{ add 2000 $number | include "postrider.inside" }}{{ if $edge }}, hostPort: {{ $number }}{{ end }}}
            {{- if $root.Values.proxyProtocol.enabled }}
            - {name: d-{{ $port }}, containerPort: {{ add 12000 $number | include "postrider.inside" }}}
            {{- end }}
            {{- end }}
            {{- with include "postrider.internal" . }}
            - {{ . }}
            {{- end }}
          # Probes ask the HTTP side only, so they never count as mail sessions.
          startupProbe: {httpGet: {path: /healthz, port: http}, periodSeconds: 1, failureThreshold: 120}
          readinessProbe: {httpGet: {path: /readyz, port: http}, periodSeconds: 3, timeoutSeconds: 6, failureThreshold: 2}
          livenessProbe: {httpGet: {path: /healthz, port: http}, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6}
      volumes:
        - {name: tmp, emptyDir: {}}
        {{- if and (eq .name "auth") $root.Values.network.grantDenyConfigMap }}
        - name: grant-networks
          configMap: {name: {{ $root.Values.network.grantDenyConfigMap }}}
        {{- end }}
        {{- if $service.database }}
        {{- include "postrider.databaseVolume" (dict "root" $root "who" $service.database) | nindent 8 }}
        {{- end }}
        {{- if $service.mail }}
        - name: certificate-default
          secret: {secretName: {{ include "postrider.certificateSecret" $root }}, defaultMode: 0440}
        {{- range $index, $secret := $root.Values.tls.secrets }}
        - name: certificate-{{ $index }}
          secret: {secretName: {{ $secret }}, defaultMode: 0440}
        {{- end }}
        {{- end }}
{{- end }}

{{/* Inside a pod the public port n is n + 2000 and, without PROXY, n + 12000; but 25 → 2525 and 12525 by custom. */}}
{{- define "postrider.inside" -}}
{{ get (dict "2025" "2525" "12025" "12525") (toString .) | default . }}
{{- end }}

{{/* The internal port of a service that the probe's grant needs (docs/decisions/0103); nothing for others. */}}
{{- define "postrider.internal" -}}
{{- $ports := dict "smtp-gateway" "{name: i-submission, containerPort: 32587}" "pop-imap-frontend" "{name: i-imaps, containerPort: 32993}" }}
{{- if eq (include "postrider.probesGrant" .root) "true" }}{{ get $ports .name }}{{ end }}
{{- end }}

{{/* Whether the probe sends by a grant: it is to, and OPEN-SMTP is on. */}}
{{- define "postrider.probesGrant" -}}
{{ and .Values.probe.enabled .Values.probe.grant (eq (include "postrider.openSmtp" .) "true") }}
{{- end }}

{{/* Image, rights, size and mounts: alike for a service and its init step. */}}
{{- define "postrider.container" -}}
image: {{ include "postrider.image" . }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
securityContext: {{- include "postrider.containerSecurity" . | nindent 2 }}
resources: {{- toYaml (index .root.Values .service.values).resources | nindent 2 }}
volumeMounts:
  {{- if and (eq .name "auth") .root.Values.network.grantDenyConfigMap }}
  - {name: grant-networks, mountPath: /etc/postrider/grants, readOnly: true}
  {{- end }}
  - {name: tmp, mountPath: /tmp}
  {{- if .service.database }}
  - {name: database, mountPath: /etc/postrider/database, readOnly: true}
  {{- end }}
  {{- if .service.mail }}
  - {name: certificate-default, mountPath: /etc/postrider/certificates/default, readOnly: true}
  {{- range $index, $secret := .root.Values.tls.secrets }}
  - {name: certificate-{{ $index }}, mountPath: /etc/postrider/certificates/{{ $secret }}, readOnly: true}
  {{- end }}
  {{- end }}
{{- end }}

{{/* A service's environment: what the chart settles, then `settings`, then extraEnv (which the schema keeps apart). */}}
{{- define "postrider.env" -}}
{{- $values := .root.Values }}
{{- $own := index $values .service.values }}
{{- $env := dict "HTTP_HOST" $values.network.listenHost "METRICS_PORT" (include "postrider.metricsPort" .) "DRAIN_DELAY_SECONDS" $values.drainDelaySeconds "GRACE_SECONDS" $own.graceSeconds }}
{{- $_ := set $env "HELO_NAME" (required "hostname: give the mail service's public name, for example --set hostname=mail.example.net." $values.hostname) }}
{{- range .service.asks }}
{{- $port := (index (include "postrider.services" $ | fromYaml) .).port }}
{{- $_ := set $env (include "postrider.urlName" .) (printf "http://%s-%s:%v" (include "postrider.fullname" $.root) . $port) }}
{{- end }}
{{- if .service.mail }}
{{- $_ := set $env "LISTEN_HOST" $values.network.listenHost }}
{{- $_ := set $env "CERTIFICATES" "/etc/postrider/certificates" }}
{{- $minimums := list }}
{{- range $port, $version := $values.tls.minimum }}
{{- $minimums = append $minimums (eq $port "default" | ternary $version (printf "%s=%s" $port $version)) }}
{{- end }}
{{- with $minimums }}{{ $_ := set $env "TLS_MINIMUM" . }}{{ end }}
{{- range $port, $number := .service.mail }}
{{- $_ := set $env (printf "%s_PORT" (upper $port)) (add 2000 $number | include "postrider.inside") }}
{{- end }}
{{- if $values.proxyProtocol.enabled }}{{ $_ := set $env "DIRECT_PORT_OFFSET" 10000 }}{{ end }}
{{- with include "postrider.internal" . | fromYaml }}
{{- $_ := set $env (printf "INTERNAL_%s_PORT" (trimPrefix "i-" .name | upper)) .containerPort }}
{{- end }}
{{- end }}
{{- if or .service.mail (eq .name "auth") }}
{{- $_ := set $env "OPEN_SMTP" (include "postrider.openSmtp" .root) }}
{{- if $values.proxyProtocol.enabled }}{{ $_ := set $env "TRUSTED_PROXIES" $values.proxyProtocol.trustedProxies }}{{ end }}
{{- end }}
{{- if eq .name "auth" }}
{{- $_ := set $env "GRANT_DENY_NETWORKS" (include "postrider.denyNetworks" .root) }}
{{- if $values.network.grantDenyConfigMap }}{{ $_ := set $env "GRANT_DENY_FILE" "/etc/postrider/grants/networks" }}{{ end }}
{{- with $values.network.grantAllowNetworks }}{{ $_ := set $env "GRANT_ALLOW_NETWORKS" . }}{{ end }}
{{- end }}
{{- if eq .name "queue-worker" }}
{{- $_ := set $env "REMOTE_DENY_NETWORKS" (include "postrider.remoteDenyNetworks" .root) }}
{{- end }}
{{- range $name, $value := merge $env $values.settings }}
- {name: POSTRIDER_{{ $name }}, value: {{ include "postrider.scalar" $value | quote }}}
{{- end }}
{{- if .service.database }}
{{ include "postrider.databaseEnv" .root }}
{{- end }}
{{- range .service.tokens }}
- name: POSTRIDER_{{ . }}
  valueFrom: {secretKeyRef: {name: {{ include "postrider.tokensSecret" $.root }}, key: POSTRIDER_{{ . }}}}
{{- end }}
{{- if and $values.objectStore.url (has .name (list "mailstore" "queue-worker")) }}
{{ include "postrider.objectStoreEnv" .root }}
{{- end }}
{{- include "postrider.extraEnv" (concat $values.extraEnv $own.extraEnv) }}
{{- end }}
