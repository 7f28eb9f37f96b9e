{{- define "tandem.name" -}}
{{- if contains "tandem" .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "%s-tandem" .Release.Name | trunc 50 | trimSuffix "-" }}{{ end }}
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

{{/* What the operator does with the API server; held to tandem.controller.permissions by a test. */}}
{{- define "tandem.permissions" -}}
- apiGroups: [tandem.dev]
  resources: [disaggregatedllms, engineprofiles]
  verbs: [get, list, watch]
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
  verbs: [get, list, watch, patch]
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
