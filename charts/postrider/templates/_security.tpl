{{/* What decides who may relay (decision 9), where the database's and the certificates' secrets are. */}}

{{/* "true" when the services see the client's own address and the operator wants OPEN-SMTP. */}}
{{- define "postrider.openSmtp" -}}
{{- $local := and (has .Values.exposure.type (list "LoadBalancer" "NodePort")) (eq .Values.exposure.externalTrafficPolicy "Local") }}
{{- if and .Values.openSmtp.enabled (or .Values.proxyProtocol.enabled $local (eq .Values.exposure.type "HostPort")) }}true{{ else }}false{{ end }}
{{- end }}

{{/* Networks that never hold a grant: from values, otherwise from the cluster's nodes, otherwise no install. */}}
{{- define "postrider.denyNetworks" -}}
{{- $pods := .Values.network.podNetworks | default list }}
{{- $nodes := .Values.network.nodeNetworks | default list }}
{{- if not (and $pods $nodes) }}
{{- range (lookup "v1" "Node" "" "").items }}
{{- if not $.Values.network.podNetworks }}{{ $pods = concat $pods (.spec.podCIDRs | default list) }}{{ end }}
{{- if not $.Values.network.nodeNetworks }}
{{- range .status.addresses }}
{{- if has .type (list "InternalIP" "ExternalIP") }}{{ $nodes = append $nodes .address }}{{ end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- if not $pods }}{{ fail "network.podNetworks: the cluster's nodes do not say which networks pods live in; give them, for example --set 'network.podNetworks={10.244.0.0/16}'. Without them a pod could be granted relaying." }}{{ end }}
{{- if not $nodes }}{{ fail "network.nodeNetworks: the cluster's nodes cannot be looked up; give their networks, for example --set 'network.nodeNetworks={192.168.10.0/24}'. Without them a node could be granted relaying." }}{{ end }}
{{- concat $pods $nodes (.Values.network.grantDenyNetworks | default list) | uniq | sortAlpha | join "," }}
{{- end }}

{{/* Networks that mail is never sent to: those that hold no grant, and the services', where they are known. */}}
{{- define "postrider.remoteDenyNetworks" -}}
{{- $services := .Values.network.serviceNetworks | default list }}
{{- if and (not $services) (.Capabilities.APIVersions.Has "networking.k8s.io/v1/ServiceCIDR") }}
{{- range (lookup "networking.k8s.io/v1" "ServiceCIDR" "" "").items }}{{ $services = concat $services (.spec.cidrs | default list) }}{{ end }}
{{- end }}
{{- concat (include "postrider.denyNetworks" . | splitList ",") $services | uniq | sortAlpha | join "," }}
{{- end }}

{{/* The secret of the database's owner. */}}
{{- define "postrider.databaseSecret" -}}
{{- if and .Values.database.existingSecret .Values.postgres.bundled }}{{ fail "database.existingSecret and postgres.bundled exclude each other: choose one database." }}{{ end }}
{{- if .Values.postgres.bundled }}{{ include "postrider.fullname" . }}-database
{{- else }}{{ required "database.existingSecret: name the secret that says where Postgres is, or set postgres.bundled=true to try things." .Values.database.existingSecret }}
{{- end }}
{{- end }}

{{/* Where a cluster can be seen (every namespace has this ConfigMap), a named secret has to exist before anything is made.
     Takes root, name, value: the setting that names it. */}}
{{- define "postrider.mustExist" -}}
{{- $ns := .root.Release.Namespace }}
{{- if and .name (lookup "v1" "ConfigMap" $ns "kube-root-ca.crt") (not (lookup "v1" "Secret" $ns .name)) }}
{{- fail (printf "%s: there is no secret %q in namespace %q." .value .name $ns) }}
{{- end }}
{{- end }}

{{/* The folder of the database's secret as a volume. Takes root and who: owner, auth, queue or mailstore. A service of its own
     role gets the place from the owner's secret, without the owner's name, password or uri. */}}
{{- define "postrider.databaseVolume" -}}
{{- $roles := .root.Values.database.roles }}
{{- $secret := include "postrider.databaseSecret" .root }}
- name: database
{{- if or (eq .who "owner") (eq $roles "none") }}
  secret: {secretName: {{ $secret }}, defaultMode: 0440}
{{- else }}
  projected:
    defaultMode: 0440
    sources:
      - secret:
          name: {{ $secret }}
          optional: true # operators differ in which of these keys they write
          items:
            {{- range list "host" "endpoint" "port" "dbname" "database" "ca.crt" }}
            - {key: {{ . }}, path: {{ . }}}
            {{- end }}
      - secret:
          {{- if eq $roles "existing" }}
          name: {{ required (printf "database.roleSecrets.%s: name the secret with this role's username and password (database.roles is existing)." .who) (index .root.Values.database.roleSecrets .who) }}
          {{- else }}
          name: {{ include "postrider.fullname" .root }}-roles
          items:
            - {key: {{ .who }}-username, path: username}
            - {key: {{ .who }}, path: password}
          {{- end }}
{{- end }}
{{- end }}

{{/* How a container finds its database: the folder, and what values complete. */}}
{{- define "postrider.databaseEnv" -}}
- {name: POSTRIDER_DATABASE_SECRET, value: /etc/postrider/database}
{{- with .Values.database.host }}
- {name: POSTRIDER_DATABASE_HOST, value: {{ . | quote }}}
{{- end }}
{{- with .Values.database.port }}
- {name: POSTRIDER_DATABASE_PORT, value: {{ include "postrider.scalar" . | quote }}}
{{- end }}
{{- with .Values.database.name }}
- {name: POSTRIDER_DATABASE_NAME, value: {{ . | quote }}}
{{- end }}
{{- with .Values.database.sslMode }}
- {name: POSTRIDER_DATABASE_SSLMODE, value: {{ . | quote }}}
{{- end }}
{{- end }}

{{/* The secret of the shared certificate. */}}
{{- define "postrider.certificateSecret" -}}
{{- if .Values.tls.existingSecret }}{{ .Values.tls.existingSecret }}
{{- else if .Values.tls.certManager.enabled }}{{ include "postrider.fullname" . }}-certificate
{{- else if .Values.tls.selfSigned }}{{ include "postrider.fullname" . }}-self-signed
{{- else }}{{ fail "tls: name a certificate in tls.existingSecret, or set tls.certManager.enabled=true, or tls.selfSigned=true to try things." }}
{{- end }}
{{- end }}

{{- define "postrider.tokensSecret" -}}
{{ .Values.tokens.existingSecret | default (printf "%s-tokens" (include "postrider.fullname" .)) }}
{{- end }}

{{/* Random data of a secret that stays what it was: root, name, keys, fixed (plain values), generation (another one: new data). */}}
{{- define "postrider.keptData" -}}
{{- $old := lookup "v1" "Secret" .root.Release.Namespace .name }}
{{- $data := (get $old "data") | default dict }}
{{- $generation := get ((get (get $old "metadata" | default dict) "annotations") | default dict) "postrider/generation" }}
{{- if and .generation $generation (ne $generation (toString .generation)) }}{{ $data = dict }}{{ end }}
{{- range .keys }}
{{ . }}: {{ get $data . | default (randAlphaNum 40 | b64enc) }}
{{- end }}
{{- range $key, $value := .fixed }}
{{ $key }}: {{ $value | b64enc }}
{{- end }}
{{- end }}

{{/* extraEnv, a list, as YAML; the product's own settings have a place where relaying is looked after. */}}
{{- define "postrider.extraEnv" -}}
{{- range . }}
{{- if hasPrefix "POSTRIDER_" .name }}{{ fail (printf "extraEnv: %s is a setting of the product; give it in settings, without POSTRIDER_. What decides who may relay is set by openSmtp, network and proxyProtocol only." .name) }}{{ end }}
{{- end }}
{{- with . }}
{{ toYaml . }}
{{- end }}
{{- end }}
