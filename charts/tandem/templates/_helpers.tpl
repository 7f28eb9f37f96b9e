{{/* Of every object; short enough for what is put behind it. */}}
{{- define "tandem.name" -}}
{{- if .Values.fullnameOverride }}{{ .Values.fullnameOverride }}{{ else if contains "tandem" .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "%s-tandem" .Release.Name | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "tandem.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (include "tandem.name" .) }}
{{- end }}

{{- define "tandem.selector" -}}
app.kubernetes.io/name: tandem-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "tandem.labels" -}}
{{ include "tandem.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/component: operator
app.kubernetes.io/part-of: tandem
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/* An image's whole name: (list $ "operator") */}}
{{- define "tandem.image" -}}
{{- $ := index . 0 }}{{- $given := index $.Values.images (index . 1) }}
{{- $tag := $.Values.images.tag | default $.Chart.AppVersion }}
{{- $named := $given }}
{{- if and $.Values.images.registry (not (contains "/" $given)) }}{{ $named = printf "%s/%s" $.Values.images.registry $given }}{{ end }}
{{- if contains ":" (base $named) }}{{ $named }}{{ else }}{{ printf "%s:%s" $named $tag }}{{ end }}
{{- end }}

{{/* Refuse what the cluster has no kind for: whoever asks for monitoring should not believe to have it.
(list $ "PodMonitor" "podMonitor.enabled") */}}
{{- define "tandem.known" -}}
{{- $ := index . 0 }}{{- $kind := printf "monitoring.coreos.com/v1/%s" (index . 1) }}
{{- if not ($.Capabilities.APIVersions.Has $kind) }}
{{- fail (printf "%s: the cluster has no %s. Install the Prometheus operator first, or leave this off; helm template believes in it with --api-versions=%s" (index . 2) (index . 1) $kind) }}
{{- end }}
{{- end }}

{{/* What the operator does with the API server; held to tandem.controller.permissions by a test. */}}
{{- define "tandem.permissions" -}}
- apiGroups: [tandem.dev]
  resources: [disaggregatedllms, engineprofiles]
  verbs: [list, watch]
- apiGroups: [tandem.dev]
  resources: [disaggregatedllms/status]
  verbs: [patch]
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [apps]
  resources: [deployments/scale]
  verbs: [update]
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch, patch]
- apiGroups: [""]
  resources: [services, serviceaccounts]
  verbs: [create, patch]
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, create, patch]
- apiGroups: [""]
  resources: [events]
  verbs: [create]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [create, patch]
- apiGroups: [rbac.authorization.k8s.io]
  resources: [roles, rolebindings]
  verbs: [create, patch]
{{- end }}
