{{- define "countersign.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "countersign.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- else if contains (include "countersign.name" .) .Release.Name }}
{{- .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "countersign.name" .) | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "countersign.serviceAccountName" -}}
{{- default (ternary (include "countersign.fullname" .) "default" .Values.serviceAccount.create) .Values.serviceAccount.name }}
{{- end }}

{{- define "countersign.instanceLabels" -}}
app.kubernetes.io/name: {{ include "countersign.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "countersign.selectorLabels" -}}
{{ include "countersign.instanceLabels" . }}
app.kubernetes.io/component: operator
{{- end }}

{{- define "countersign.labels" -}}
{{ include "countersign.selectorLabels" . }}
{{ include "countersign.chartLabels" . }}
{{- end }}

{{/* Of what keeps credentials out: the webhook, and the policies that the API server evaluates itself. */}}
{{- define "countersign.admissionSelectorLabels" -}}
{{ include "countersign.instanceLabels" . }}
app.kubernetes.io/component: webhook
{{- end }}

{{- define "countersign.admissionLabels" -}}
{{ include "countersign.admissionSelectorLabels" . }}
{{ include "countersign.chartLabels" . }}
{{- end }}

{{- define "countersign.chartLabels" -}}
app.kubernetes.io/part-of: countersign
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "countersign.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}
{{- end }}

{{/* A length of time such as 24h or 90d, in seconds. */}}
{{- define "countersign.seconds" -}}
{{- $unit := dict "s" 1 "m" 60 "h" 3600 "d" 86400 -}}
{{- mul (regexFind "^[0-9]+" .) (get $unit (regexFind "[smhd]$" .)) -}}
{{- end }}

{{/* Puts a ValidatingAdmissionPolicy in force, where the webhook denies too. */}}
{{- define "countersign.policyBinding" }}
{{- $action := .root.Values.webhook.action }}
{{- if or .clusterScoped (eq $action "deny") }}
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata:
  name: {{ include "countersign.fullname" .root }}-{{ .name }}
  labels:
    {{- include "countersign.admissionLabels" .root | nindent 4 }}
spec:
  policyName: {{ include "countersign.fullname" .root }}-{{ .name }}
  {{- if .clusterScoped }}
  validationActions: {{ get (dict "deny" "[Deny]" "warn" "[Warn, Audit]" "audit" "[Audit]") $action }}
  {{- else }}
  validationActions: [Deny]
  matchResources:
    namespaceSelector:
      matchExpressions:
      - {key: countersign.dev/admission, operator: NotIn, values: [warn, Warn, audit, Audit]}
  {{- end }}
{{- end }}
{{- end }}

{{/* The name of what belongs to the webhook. */}}
{{- define "countersign.webhookName" -}}
{{ include "countersign.fullname" . }}-webhook
{{- end }}

{{- define "countersign.webhookAccountName" -}}
{{- default (include "countersign.webhookName" .) .Values.webhook.serviceAccount.name }}
{{- end }}

{{/* The name of what belongs to the signer. */}}
{{- define "countersign.signerName" -}}
{{ include "countersign.fullname" . }}-signer
{{- end }}

{{- define "countersign.signerAccountName" -}}
{{- default (include "countersign.signerName" .) .Values.signer.serviceAccount.name }}
{{- end }}

{{- define "countersign.signerSelectorLabels" -}}
{{ include "countersign.instanceLabels" . }}
app.kubernetes.io/component: signer
{{- end }}

{{- define "countersign.signerLabels" -}}
{{ include "countersign.signerSelectorLabels" . }}
{{ include "countersign.chartLabels" . }}
{{- end }}

{{/* The name of what belongs to the token service. */}}
{{- define "countersign.tokensName" -}}
{{ include "countersign.fullname" . }}-tokens
{{- end }}

{{- define "countersign.tokensAccountName" -}}
{{- default (include "countersign.tokensName" .) .Values.tokens.serviceAccount.name }}
{{- end }}

{{- define "countersign.tokensSelectorLabels" -}}
{{ include "countersign.instanceLabels" . }}
app.kubernetes.io/component: tokens
{{- end }}

{{- define "countersign.tokensLabels" -}}
{{ include "countersign.tokensSelectorLabels" . }}
{{ include "countersign.chartLabels" . }}
{{- end }}

{{/* The name of what belongs to the agent. */}}
{{- define "countersign.agentName" -}}
{{ include "countersign.fullname" . }}-agent
{{- end }}

{{- define "countersign.agentAccountName" -}}
{{- default (include "countersign.agentName" .) .Values.agent.serviceAccount.name }}
{{- end }}

{{- define "countersign.agentSelectorLabels" -}}
{{ include "countersign.instanceLabels" . }}
app.kubernetes.io/component: agent
{{- end }}

{{- define "countersign.agentLabels" -}}
{{ include "countersign.agentSelectorLabels" . }}
{{ include "countersign.chartLabels" . }}
{{- end }}

{{/* The API groups of the cluster but for the core one, as far as Helm knows them, and those that the values name: JSON. */}}
{{- define "countersign.apiGroups" -}}
{{- $groups := append .Values.webhook.audit.apiGroups "countersign.dev" }}
{{- range .Capabilities.APIVersions }}
{{- $group := first (splitList "/" .) }}
{{- if and (contains "/" .) (not (regexMatch "^v[0-9]+((alpha|beta)[0-9]+)?$" $group)) }}
{{- $groups = append $groups $group }}
{{- end }}
{{- end }}
{{- $groups | uniq | sortAlpha | toJson }}
{{- end }}
