{{- define "spillway.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" }}
{{- end }}

{{- define "spillway.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else if contains (include "spillway.name" .) .Release.Name }}
{{- .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "spillway.name" .) | trunc 50 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "spillway.selector" -}}
app.kubernetes.io/name: {{ include "spillway.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .tier }}
{{- end }}

{{- define "spillway.labels" -}}
{{ include "spillway.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{- define "spillway.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "spillway.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- /* What the chart itself decides, over presets and values: later files win. */}}
{{- define "spillway.ingestConfig" -}}
{{- if not (or .Values.ingest.presets .Values.ingest.config.routes) }}
{{- fail "ingest.presets or ingest.config.routes is required: what is read, and what it becomes" }}
{{- end }}
ingest:
  node_id: "${POD_NAME}"
  listen: "0.0.0.0:9100"
  ops_listen: "0.0.0.0:9180"
  advertised_address: "${POD_IP}:9100"
  {{- if or .Values.link.existingSecret .Values.link.token }}
  link:
    bearer_token: "${LINK_TOKEN:?set it to the token that edges present to ingests}"
  {{- end }}
  kafka:
    brokers: {{ required "kafka.brokers is required: the bootstrap servers, host:port" .Values.kafka.brokers | quote }}
    {{- with .Values.kafka.properties }}
    properties: {{- toYaml . | nindent 6 }}
    {{- end }}
{{- end }}

{{- define "spillway.edgeConfig" -}}
{{- if not (or .Values.edge.presets .Values.edge.config.endpoints) }}
{{- fail "edge.presets or edge.config.endpoints is required: where clients connect" }}
{{- end }}
edge:
  node_id: "${POD_NAME}"
  listen: "0.0.0.0:8080"
  ops_listen: "0.0.0.0:9080"
  advertised_address: "${POD_IP}:9090"
  {{- if not .Values.edge.config.advertised_public_address }}
  advertised_public_address: "${POD_IP}:8080"
  {{- end }}
  admin:
    listen: "0.0.0.0:9090"
    {{- if or .Values.admin.existingSecret .Values.admin.token }}
    bearer_token: "${ADMIN_TOKEN:?set it to the token that callers of the admin API present}"
    {{- end }}
  ingests:
    dns_name: {{ printf "%s-ingest:9100" (include "spillway.fullname" .) | quote }}
    {{- if or .Values.link.existingSecret .Values.link.token }}
    bearer_token: "${LINK_TOKEN:?set it to the token that edges present to ingests}"
    {{- end }}
{{- end }}

{{- /* The pod of a tier: dict root, tier, values, ports, opsPort, config (the ConfigMap's content). */}}
{{- define "spillway.pod" -}}
metadata:
  labels: {{- include "spillway.labels" . | nindent 4 }}
  annotations:
    checksum/config: {{ .config | sha256sum }}
    {{- if or (eq .tier "edge") .root.Values.link.token }}
    checksum/secret: {{ include (print .root.Template.BasePath "/secret.yaml") .root | sha256sum }}
    {{- end }}
    {{- with .values.podAnnotations }}{{ toYaml . | nindent 4 }}{{ end }}
spec:
  serviceAccountName: {{ include "spillway.serviceAccountName" .root }}
  automountServiceAccountToken: false
  {{- with .root.Values.imagePullSecrets }}
  imagePullSecrets: {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 10001
    runAsGroup: 10001
    fsGroup: 10001
    seccompProfile: { type: RuntimeDefault }
  terminationGracePeriodSeconds: {{ default 30 .values.terminationGracePeriodSeconds }}
  containers:
    - name: {{ .tier }}
      image: {{ printf "%s:%s" .values.image.repository (default .root.Chart.AppVersion .values.image.tag) | quote }}
      imagePullPolicy: {{ .values.image.pullPolicy }}
      args:
        {{- range .values.presets }}
        - --preset
        - {{ . | quote }}
        {{- end }}
        - --config
        - /etc/spillway/values.yaml
        - --config
        - /etc/spillway/chart.yaml
      env:
        - name: POD_NAME
          valueFrom: { fieldRef: { fieldPath: metadata.name } }
        - name: POD_IP
          valueFrom: { fieldRef: { fieldPath: status.podIP } }
        {{- if eq .tier "edge" }}
        {{- if .root.Values.jwt.enabled }}
        - name: JWT_SECRET
          valueFrom:
            secretKeyRef: {{- include "spillway.jwtSecretRef" .root | trim | nindent 14 }}
        {{- end }}
        {{- if or .root.Values.admin.existingSecret .root.Values.admin.token }}
        - name: ADMIN_TOKEN
          valueFrom:
            secretKeyRef: {{- include "spillway.adminSecretRef" .root | trim | nindent 14 }}
        {{- end }}
        {{- end }}
        {{- if or .root.Values.link.existingSecret .root.Values.link.token }}
        - name: LINK_TOKEN
          valueFrom:
            secretKeyRef: {{- include "spillway.linkSecretRef" .root | trim | nindent 14 }}
        {{- end }}
        {{- with .values.env }}{{ toYaml . | nindent 8 }}{{ end }}
      {{- with .values.envFrom }}
      envFrom: {{- toYaml . | nindent 8 }}
      {{- end }}
      ports:
        {{- range $name, $port := .ports }}
        - { name: {{ $name }}, containerPort: {{ $port }} }
        {{- end }}
      startupProbe:
        httpGet: { path: /health, port: ops }
        periodSeconds: 1
        failureThreshold: 30
      livenessProbe:
        httpGet: { path: /health, port: ops }
        periodSeconds: 10
        timeoutSeconds: 3
      readinessProbe:
        httpGet: { path: /ready, port: ops }
        periodSeconds: 5
        timeoutSeconds: 3
      {{- with .values.preStopSeconds }}
      lifecycle:
        preStop:
          exec: { command: ["sleep", {{ . | quote }}] }
      {{- end }}
      resources: {{- toYaml .values.resources | nindent 8 }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: { drop: [ALL] }
      volumeMounts:
        - { name: config, mountPath: /etc/spillway, readOnly: true }
  volumes:
    - name: config
      configMap: { name: {{ include "spillway.fullname" .root }}-{{ .tier }} }
  topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels: {{- include "spillway.selector" . | nindent 10 }}
  {{- with .values.nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .values.tolerations }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .values.affinity }}
  affinity: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{- define "spillway.jwtSecretRef" -}}
{{- if .Values.jwt.existingSecret }}
name: {{ .Values.jwt.existingSecret }}
key: {{ .Values.jwt.existingSecretKey }}
{{- else }}
{{- $_ := required "jwt.existingSecret or jwt.secret is required: the key that clients' tokens are signed with (none: jwt.enabled=false)" .Values.jwt.secret }}
name: {{ include "spillway.fullname" . }}
key: JWT_SECRET
{{- end }}
{{- end }}

{{- define "spillway.adminSecretRef" -}}
{{- if .Values.admin.existingSecret }}
name: {{ .Values.admin.existingSecret }}
key: {{ .Values.admin.existingSecretKey }}
{{- else }}
name: {{ include "spillway.fullname" . }}
key: ADMIN_TOKEN
{{- end }}
{{- end }}

{{- define "spillway.linkSecretRef" -}}
{{- if .Values.link.existingSecret }}
name: {{ .Values.link.existingSecret }}
key: {{ .Values.link.existingSecretKey }}
{{- else }}
name: {{ include "spillway.fullname" . }}
key: LINK_TOKEN
{{- end }}
{{- end }}
