{{- define "garrison.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "garrison.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else if contains (include "garrison.name" .) .Release.Name }}
{{- .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "garrison.name" .) | trunc 50 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "garrison.selector" -}}
app.kubernetes.io/name: {{ include "garrison.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "garrison.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "garrison.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "garrison.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}
{{- end }}

{{- define "garrison.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{ .Values.serviceAccount.name | default (include "garrison.fullname" .) }}
{{- else -}}
{{ .Values.serviceAccount.name | default "default" }}
{{- end }}
{{- end }}

{{/* The Secret with the database's address, and its key. */}}
{{- define "garrison.databaseSecret" -}}
{{- if .Values.postgresql.enabled -}}
{{- $name := .Values.postgresql.fullnameOverride | default (ternary .Release.Name (printf "%s-postgresql" .Release.Name) (contains "postgresql" .Release.Name)) -}}
{{ $name | trunc 63 | trimSuffix "-" }}-app
{{- else if .Values.database.existingSecret -}}
{{ .Values.database.existingSecret }}
{{- else -}}
{{ include "garrison.fullname" . }}-database
{{- end }}
{{- end }}

{{- define "garrison.databaseKey" -}}
{{- if .Values.postgresql.enabled }}uri{{ else if .Values.database.existingSecret }}{{ .Values.database.existingSecretKey }}{{ else }}url{{ end }}
{{- end }}

{{- define "garrison.keySecret" -}}
{{ .Values.secretKey.existingSecret | default (printf "%s-key" (include "garrison.fullname" .)) }}
{{- end }}

{{/* What every process of Garrison's is told. `urlKey` is the key of the database's address. */}}
{{- define "garrison.env" -}}
- name: GARRISON_DATABASE_URL
  valueFrom:
    secretKeyRef:
      name: {{ include "garrison.databaseSecret" .root }}
      key: {{ .urlKey }}
- name: GARRISON_SECRET_KEY
  valueFrom:
    secretKeyRef:
      name: {{ include "garrison.keySecret" .root }}
      key: {{ .root.Values.secretKey.existingSecretKey }}
- name: GARRISON_DATABASE_POOL_SIZE
  value: {{ .root.Values.database.poolSize | quote }}
- name: GARRISON_DATABASE_STATEMENT_CACHE
  value: {{ .root.Values.database.statementCache | quote }}
{{- if .root.Values.database.caConfigMap }}
- name: GARRISON_DATABASE_CA_FILE
  value: /etc/garrison/database-ca/ca.crt
{{- end }}
- name: GARRISON_DATA_DIR
  value: /data
- name: GARRISON_LOG_FORMAT
  value: json
{{- end }}

{{- define "garrison.podEnv" -}}
{{ include "garrison.env" (dict "root" . "urlKey" (include "garrison.databaseKey" .)) }}
{{- if .Values.database.readUrlKey }}
- name: GARRISON_DATABASE_READ_URL
  valueFrom:
    secretKeyRef:
      name: {{ include "garrison.databaseSecret" . }}
      key: {{ .Values.database.readUrlKey }}
{{- end }}
- name: GARRISON_LISTEN
  value: 0.0.0.0:8080
- name: GARRISON_DRAIN_TIMEOUT
  value: {{ printf "%ds" (int .Values.drainSeconds) }}
{{- if .Values.publicUrl }}
- name: GARRISON_PUBLIC_URL
  value: {{ .Values.publicUrl | quote }}
{{- end }}
{{- with .Values.oidc }}
{{- if .issuer }}
- name: GARRISON_OIDC_ISSUER
  value: {{ .issuer | quote }}
- name: GARRISON_OIDC_CLIENT_ID
  value: {{ .clientId | quote }}
{{- if .existingSecret }}
- name: GARRISON_OIDC_CLIENT_SECRET
  valueFrom:
    secretKeyRef:
      name: {{ .existingSecret }}
      key: {{ .existingSecretKey }}
{{- end }}
{{- end }}
{{- if .groups }}
- name: GARRISON_OIDC_GROUPS
  value: {{ join ", " .groups | quote }}
{{- end }}
{{- end }}
{{- with .Values.authHeaders.proxies }}
- name: GARRISON_AUTH_HEADERS_PROXIES
  value: {{ join ", " . | quote }}
{{- end }}
{{- if .Values.config }}
- name: GARRISON_CONFIG
  value: /etc/garrison/config/garrison.yaml
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "garrison.volumeMounts" -}}
- name: data
  mountPath: /data
{{- if .Values.config }}
- name: config
  mountPath: /etc/garrison/config
  readOnly: true
{{- end }}
{{- if .Values.database.caConfigMap }}
- name: database-ca
  mountPath: /etc/garrison/database-ca
  readOnly: true
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "garrison.volumes" -}}
- name: data
  emptyDir:
    sizeLimit: 256Mi
{{- if .Values.config }}
- name: config
  configMap:
    name: {{ include "garrison.fullname" . }}
{{- end }}
{{- if .Values.database.caConfigMap }}
- name: database-ca
  configMap:
    name: {{ .Values.database.caConfigMap }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* What the pods of service and worker have in common. `component` names them. */}}
{{- define "garrison.podMeta" -}}
{{- $root := .root -}}
labels:
  {{- include "garrison.labels" $root | nindent 2 }}
  app.kubernetes.io/component: {{ .component }}
  {{- with $root.Values.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
annotations:
  checksum/config: {{ toJson $root.Values.config | sha256sum }}
  {{- with $root.Values.podAnnotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- define "garrison.podPlace" -}}
{{- $root := .root -}}
serviceAccountName: {{ include "garrison.serviceAccount" $root }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  {{- toYaml $root.Values.podSecurityContext | nindent 2 }}
{{- with $root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $root.Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $root.Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $root.Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $root.Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
topologySpreadConstraints:
{{- if $root.Values.topologySpreadConstraints }}
  {{- toYaml $root.Values.topologySpreadConstraints | nindent 2 }}
{{- else }}
{{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "garrison.selector" $root | nindent 8 }}
        app.kubernetes.io/component: {{ $.component }}
{{- end }}
{{- end }}
{{- end }}
